"""Whose account a consent is for, by the vendor's own id: so that no account counts for two.

Withings tells it with the tokens, Google by `users/me/identity` (with the id that the account had
at Fitbit), Oura by `personal_info`. Where the patient did not grant the scope for it, it stays
unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.catalogue import CATALOGUE, Endpoints
from providers.errors import SchemaError, ScopeMissing, TokenRejected
from providers.http import Patience, Session
from providers.limits import Limiter
from providers.oauth import TokenSet
from providers.observation import Provider

_PATIENCE = Patience(attempts=2)
_PATHS = {Provider.GOOGLE_HEALTH: "/v4/users/me/identity",
          Provider.OURA: "/v2/usercollection/personal_info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The vendor's ids of an account; `legacy_id` is that of its former API."""

    user_id: str | None = None
    legacy_id: str | None = None


class _OneToken:
    """A fresh token that is not refreshed: it was granted a moment ago."""

    def __init__(self, token: str) -> None:
        self._token = token

    def access_token(self) -> str:
        return self._token

    def refresh(self, stale: str) -> str:  # noqa: ARG002 -- as every token source
        raise TokenRejected


def account_of(provider: Provider, endpoints: Endpoints, tokens: TokenSet,
               limiter: Limiter) -> Account:
    """Whose tokens these are. Raises NotLinked where the account has no wearable, ProviderError."""
    if provider not in _PATHS:
        return Account(user_id=tokens.provider_user_id)
    with Session(base_url=endpoints.api, tokens=_OneToken(tokens.access_token), limiter=limiter,
                 judge=CATALOGUE[provider].judge, patience=_PATIENCE) as session:
        try:
            told = session.get(_PATHS[provider], {}).document
        except ScopeMissing:
            return Account()
    if not isinstance(told, dict):
        raise SchemaError("identity: the answer is no object")
    if provider is Provider.OURA:
        return Account(user_id=_text(told, "id"))
    return Account(user_id=_text(told, "healthUserId"), legacy_id=told.get("legacyUserId"))


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise SchemaError(f"identity: {name} is missing")
    return value
