"""Linking a patient's vendor account: to the vendor's consent page, back from it, and the end.

    ConsentRefused  the patient said no, or the vendor did
    NotSetUp        this installation cannot link accounts yet; says what is missing
and the errors of `registry.consents`, `registry.connections` and `providers.errors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from secrets import token_urlsafe

from clinical.vitals import Vital
from providers.catalogue import CATALOGUE
from providers.errors import ProviderError
from providers.identity import account_of
from providers.oauth import authorisation_url, exchange_code
from providers.observation import Provider
from providers.revocation import revoke
from registry.connections import TokenPair, list_connections, revoking, save_connection
from registry.consents import (
    ConsentOver,
    Linked,
    Login,
    begin_consent,
    links_of,
    owner_of,
    spend_consent,
)
from registry.database import transaction
from registry.views import Access
from vitalcast.errors import UserError
from vitalcast.jobs import notify
from vitalcast.jobs.subscribe import address_of
from vitalcast.settings import Settings
from vitalcast.wiring import System, has_client, open_system


class ConsentRefused(Exception):
    """The vendor was not allowed to hand readings out; begin again if that was a mistake."""


class NotSetUp(UserError):
    """Accounts cannot be linked here yet; set VITALCAST_TOKEN_KEYS and the vendors' client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingScope:
    """A scope that the patient did not grant. `lost` are vitals that nothing else granted reads."""

    scope: str
    lost: tuple[Vital, ...]
    fewer: tuple[Vital, ...]


class Linking:
    """What a door asks for; opens the system at the first question."""

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings

    def close(self) -> None:
        """Give the connections back."""
        if "_system" in self.__dict__:
            self._system.engine.dispose()

    def begin(self, login: Login, provider: Provider, patient_id: str) -> str:
        """The vendor's consent page for this patient. PatientNotFound, NotSetUp."""
        system = self._system
        if not has_client(system.settings, provider):
            raise NotSetUp(f"this installation is not registered at {provider}: give its id and "
                           "secret in VITALCAST_CLIENTS")
        request = authorisation_url(system.oauth(provider), token_urlsafe(32))
        with transaction(system.engine) as conn:
            begin_consent(conn, system.cipher, login, state=request.state, provider=provider,
                          patient_id=patient_id, verifier=request.code_verifier)
        return request.url

    def finish(self, login: Login, provider: Provider, *, state: str, code: str | None,
               error: str | None) -> str:
        """Spend the state, turn the code into tokens and store them; returns the patient's id.

        Raises ConsentOver, ConsentRefused, AccountTaken, ProviderError.
        """
        system = self._system
        with transaction(system.engine) as conn:
            consent = spend_consent(conn, system.cipher, login, state=state, provider=provider)
        if consent is None:
            raise ConsentOver
        if error is not None or code is None:
            raise ConsentRefused(_refusal(provider, error))
        tokens = exchange_code(system.oauth(provider), code, consent.verifier)
        account = account_of(provider, system.endpoints(provider), tokens,
                             system.limiter(provider))
        with transaction(system.engine) as conn:
            save_connection(conn, system.cipher, patient_id=consent.patient_id,
                            provider=provider, tokens=tokens, provider_user_id=account.user_id,
                            provider_legacy_id=account.legacy_id)
        return consent.patient_id

    def follow(self, provider: Provider, patient_id: str) -> None:
        """After a consent: have the vendor tell of the account, where that is done by account.

        May be left out: the daily run does the same. A vendor's refusal leaves an event.
        """
        system = self._system
        if provider is Provider.WITHINGS and notify.is_set_up(system.settings):
            with transaction(system.engine) as conn:
                mine = [one for one in list_connections(conn, [patient_id])
                        if (one.provider, one.status) == (provider.value, "active")]
            for connection in mine:
                notify.notify(system, connection, address_of(system.settings, provider))

    def links(self, access: Access, patient_id: str) -> list[Linked]:
        """The patient's links. PatientNotFound."""
        with transaction(self._system.engine) as conn:
            return links_of(conn, access, patient_id)

    def end(self, access: Access, connection_id: str) -> bool:
        """End a link here and, where it can be, at the vendor: False when only here.

        The tokens go whether or not the vendor answers. ConnectionNotFound.
        """
        system = self._system
        with transaction(system.engine) as conn:
            owner = owner_of(conn, access, connection_id)
        told: list[bool] = []

        def tell(tokens: TokenPair) -> None:
            try:
                config = system.oauth(Provider(owner.provider))
                told.append(revoke(config, tokens, owner.provider_user_id))
            except ProviderError:
                told.append(False)

        revoking(system.engine, system.cipher, connection_id, tell)
        return all(told)

    @cached_property
    def _system(self) -> System:
        if self._settings is None or not self._settings.token_keys:
            raise NotSetUp
        return open_system(self._settings)


def missing_scopes(provider: str, granted: Sequence[str]) -> tuple[MissingScope, ...]:
    """What a patient did not grant of what is asked for, and what it means for the vitals."""
    if provider not in CATALOGUE or not granted:
        return ()
    scopes = CATALOGUE[Provider(provider)].scopes
    read = {vital for scope in granted for vital in scopes.get(scope, ())}
    return tuple(
        MissingScope(scope=scope, lost=tuple(vital for vital in vitals if vital not in read),
                     fewer=tuple(vital for vital in vitals if vital in read))
        for scope, vitals in scopes.items() if scope not in granted)


def _refusal(provider: Provider, error: str | None) -> str:
    if error == "access_denied":
        return (f"the patient did not allow {provider} to hand readings out; begin again if that "
                "was a mistake")
    return (f"{provider} gave no consent; begin again, and look at the client's settings at the "
            "vendor when that does not help")
