"""Consents: authorisation codes, access tokens and refresh tokens of all three vendors.

Lifetimes run on the machine's clock, not the sandbox's: a token is a matter of the connection, and
moving a patient's clock by a week must not cost every consent. What rotates and when is the
vendor's own rule (`Rotation`).
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from providers.observation import Provider

REFRESH_GRACE_S = 8 * 3600
REFRESH_LIFETIME_S = 365 * 24 * 3600


class Rotation(StrEnum):
    """When a used refresh token dies."""

    NEVER = "never"
    AT_ONCE = "at once"
    ON_FIRST_USE = "on first use of the new access token, or after eight hours"


ROTATION: dict[Provider, Rotation] = {
    Provider.WITHINGS: Rotation.ON_FIRST_USE,
    Provider.GOOGLE_HEALTH: Rotation.NEVER,
    Provider.OURA: Rotation.AT_ONCE,
}


class GrantError(Exception):
    """A code, refresh token, client or verifier was refused; `code` is OAuth's name for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a patient agreed to at the vendor's authorise page."""

    provider: Provider
    subject_id: str
    scope: str
    redirect_uri: str
    offline: bool = True
    challenge: str = ""
    challenge_method: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token stands for. `replaces` is the refresh token that its first use puts to death."""

    provider: Provider
    subject_id: str
    scope: str
    expires_at: float
    replaces: str = ""

    def allows(self, scope: str | None) -> bool:
        """Whether the patient granted `scope`; a consent that named no scopes granted all."""
        return scope is None or not self.scope or scope in scopes_of(self.scope)


def scopes_of(text: str) -> tuple[str, ...]:
    """The scopes in a vendor's list, whatever it separates them by."""
    return tuple(re.findall(r"[^ ,]+", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What a token endpoint hands out; `refresh_token` is empty where the vendor sends none."""

    subject_id: str
    access_token: str
    refresh_token: str
    expires_in: int
    scope: str


class Grants:
    """Every live code and token. `saved` is called after each change."""

    def __init__(self, *, access_lifetime_s: dict[Provider, int], code_lifetime_s: float,
                 saved: Callable[[], None]) -> None:
        self._access_lifetime_s = access_lifetime_s
        self._code_lifetime_s = code_lifetime_s
        self._saved = saved
        self._codes: dict[str, tuple[Consent, float]] = {}
        self._nonces: set[str] = set()
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}

    def consent(self, consent: Consent) -> str:
        """A code for a consent, good for one exchange and a short time."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = (consent, time.monotonic() + self._code_lifetime_s)
        return code

    def exchange(self, provider: Provider, code: str, *, redirect_uri: str,
                 verifier: str) -> Issued:
        """Tokens for a code; the code is spent whether or not this succeeds. `GrantError`."""
        consent, deadline = self._codes.pop(code, (None, 0.0))
        if consent is None or consent.provider is not provider or time.monotonic() > deadline:
            raise GrantError("invalid_grant", "invalid or expired code")
        if redirect_uri != consent.redirect_uri:
            raise GrantError("invalid_grant", "redirect_uri differs from the one authorised")
        if consent.challenge and not _verified(consent, verifier):
            raise GrantError("invalid_grant", "code_verifier does not match code_challenge")
        return self._issue(provider, consent.subject_id, consent.scope, offline=consent.offline)

    def refresh(self, provider: Provider, refresh_token: str) -> Issued:
        """A new access token, and by the vendor's rule a new refresh token. `GrantError`."""
        old = self._refresh.get(refresh_token)
        if old is None or old.provider is not provider or time.time() > old.expires_at:
            raise GrantError("invalid_grant", "invalid refresh_token")
        rotation = ROTATION[provider]
        if rotation is Rotation.AT_ONCE:
            del self._refresh[refresh_token]
        elif rotation is Rotation.ON_FIRST_USE:
            ends = min(old.expires_at, time.time() + REFRESH_GRACE_S)
            self._refresh[refresh_token] = replace(old, expires_at=ends)
        return self._issue(
            provider, old.subject_id, old.scope, offline=rotation is not Rotation.NEVER,
            replaces=refresh_token if rotation is Rotation.ON_FIRST_USE else "")

    def used(self, provider: Provider, access_token: str) -> Token | None:
        """What an access token stands for; None when unknown or expired. Counts as a use of it."""
        token = self._access.get(access_token)
        if token is None or token.provider is not provider or time.time() >= token.expires_at:
            return None
        if token.replaces:
            self._refresh.pop(token.replaces, None)
            self._access[access_token] = replace(token, replaces="")
            self._saved()
        return token

    def revoke(self, provider: Provider, token: str) -> bool:
        """End the consent that a token of either kind came from; False when it is unknown."""
        known = self._access.get(token) or self._refresh.get(token)
        if known is None or known.provider is not provider:
            return False
        self.end(provider, known.subject_id)
        return True

    def kill(self, access_token: str) -> None:
        """Let one access token die before its time; the refresh token lives."""
        self._access.pop(access_token, None)
        self._saved()

    def end(self, provider: Provider, subject_id: str) -> None:
        """End a patient's consent: every token of it is dead."""
        self._access, self._refresh = (
            {name: one for name, one in tokens.items()
             if (one.provider, one.subject_id) != (provider, subject_id)}
            for tokens in (self._access, self._refresh))
        self._saved()

    def nonce(self) -> str:
        """A word to sign, good once."""
        word = secrets.token_urlsafe(16)
        self._nonces.add(word)
        return word

    def spend_nonce(self, word: str) -> bool:
        """Whether that word was handed out and not used yet."""
        known = word in self._nonces
        self._nonces.discard(word)
        return known

    def document(self) -> dict[str, Any]:
        """The tokens as JSON values, for the state file."""
        return {kind: {token: asdict(meaning) for token, meaning in tokens.items()}
                for kind, tokens in (("access", self._access), ("refresh", self._refresh))}

    def restore(self, document: dict[str, Any]) -> None:
        """Take over a document's tokens. `KeyError`, `TypeError`, `ValueError` if misshaped."""
        self._access, self._refresh = (
            {token: Token(**{**fields, "provider": Provider(fields["provider"])})
             for token, fields in document[kind].items()}
            for kind in ("access", "refresh"))

    def _issue(self, provider: Provider, subject_id: str, scope: str, *, offline: bool,
               replaces: str = "") -> Issued:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24) if offline else ""
        lifetime, now = self._access_lifetime_s[provider], time.time()
        token = Token(provider=provider, subject_id=subject_id, scope=scope,
                      expires_at=now + lifetime, replaces=replaces)
        self._access = {name: old for name, old in self._access.items() if old.expires_at > now}
        self._access[access] = token
        if refresh:
            self._refresh[refresh] = replace(token, expires_at=now + REFRESH_LIFETIME_S,
                                             replaces="")
        self._saved()
        return Issued(subject_id=subject_id, access_token=access, refresh_token=refresh,
                      expires_in=lifetime, scope=scope)


def _verified(consent: Consent, verifier: str) -> bool:
    if consent.challenge_method != "S256":
        return secrets.compare_digest(verifier.encode(), consent.challenge.encode())
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return secrets.compare_digest(expected, consent.challenge.encode())
