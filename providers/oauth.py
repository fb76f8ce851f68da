"""OAuth 2 with each vendor's own way, on Authlib.

Withings asks for an extra `action`, nests the tokens in `{status, body}` and tells failures by a
status inside HTTP 200. Google issues a refresh token only with offline access and forced consent,
and leaves it out when refreshing: the old one stays. Withings and Oura rotate the refresh token:
store the new pair before its first use. Token calls are never repeated on their own, because a
refresh token that was used once may be dead. Errors are those of `providers.errors`.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from providers.errors import (
    AuthorisationError,
    ClientRefused,
    ProviderError,
    RateLimited,
    ReauthorisationRequired,
    SchemaError,
    TransportError,
    VendorUnavailable,
)
from providers.http import retry_after_s
from providers.observation import Provider

_CONNECT_S = 5
_LONGEST_LIFE_S = 10 * 365 * 86_400
_UNTOLD_LIFE_S = 3600.0
_WITHINGS_DEAD_TOKEN = 503
_WITHINGS_TOO_MANY = 601


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthConfig:
    """The application as the vendor knows it, and where the vendor hands tokens out."""

    provider: Provider
    authorise_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    redirect_uri: str
    pkce: bool = False
    revoke_url: str | None = None
    timeout_s: float = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationRequest:
    """Where to send the patient; keep `state` and `code_verifier` until the patient returns."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    code_verifier: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What the vendor granted. No scopes after a refresh means: as granted before."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    provider_user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    separator: str = " "
    authorise: Mapping[str, str] = field(default_factory=dict)
    token: Mapping[str, str] = field(default_factory=dict)
    enveloped: bool = False


_DIALECTS = {
    Provider.WITHINGS: _Dialect(separator=",", token={"action": "requesttoken"}, enveloped=True),
    Provider.GOOGLE_HEALTH: _Dialect(authorise={"access_type": "offline", "prompt": "consent"}),
}
_PLAIN = _Dialect()


def utc_now() -> datetime:
    """The wall clock, against which tokens expire."""
    return datetime.now(UTC)


def authorisation_url(config: OAuthConfig, state: str,
                      login_hint: str | None = None) -> AuthorisationRequest:
    """The address at which the patient consents; `login_hint` names the account to be used."""
    dialect = _DIALECTS.get(config.provider, _PLAIN)
    verifier = secrets.token_urlsafe(48) if config.pkce else None
    extra = dict(dialect.authorise) | ({"login_hint": login_hint} if login_hint else {})
    with _session(config) as session:
        url, _ = session.create_authorization_url(
            config.authorise_url, state=state, code_verifier=verifier,
            scope=dialect.separator.join(config.scopes), **extra)
    return AuthorisationRequest(url=url, state=state, code_verifier=verifier)


def exchange_code(config: OAuthConfig, code: str, code_verifier: str | None = None, *,
                  now: Callable[[], datetime] = utc_now) -> TokenSet:
    """Turn the code of a patient's consent into tokens, at once: Withings' lives 30 seconds.

    Raises ReauthorisationRequired when the code is no longer good.
    """
    extra = {"code_verifier": code_verifier} if code_verifier else {}
    asked_at = now()
    with _session(config) as session:
        token = _asked(lambda: session.fetch_token(
            config.token_url, grant_type="authorization_code", code=code, allow_redirects=False,
            **extra, **_DIALECTS.get(config.provider, _PLAIN).token))
    return _token_set(token, asked_at, scopes=config.scopes)


def refresh(config: OAuthConfig, refresh_token: str, *,
            now: Callable[[], datetime] = utc_now) -> TokenSet:
    """A new pair for `refresh_token`; store it before the access token is used.

    Raises ReauthorisationRequired when the patient has to consent again.
    """
    asked_at = now()
    with _session(config) as session:
        token = _asked(lambda: session.refresh_token(
            config.token_url, refresh_token=refresh_token, allow_redirects=False,
            **_DIALECTS.get(config.provider, _PLAIN).token))
    told = {name: value for name, value in token.items() if value is not None}
    return _token_set({"refresh_token": refresh_token} | told, asked_at, scopes=())


def _session(config: OAuthConfig) -> Any:
    session = OAuth2Session(
        config.client_id, config.client_secret, redirect_uri=config.redirect_uri,
        token_endpoint_auth_method="client_secret_post",
        default_timeout=(_CONNECT_S, config.timeout_s),
        code_challenge_method="S256" if config.pkce else None,
    )
    hook = _unwrapped if _DIALECTS.get(config.provider, _PLAIN).enveloped else _checked
    session.register_compliance_hook("access_token_response", hook)
    session.register_compliance_hook("refresh_token_response", hook)
    return session


def _asked(ask: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The token answer; whatever Authlib and requests raise becomes an error of this room.

    Their texts may hold what was sent, so nothing of them is passed on.
    """
    try:
        return dict(ask())
    except OAuthError as error:
        raise _refusal(error.error) from None
    except requests.RequestException as error:
        raise TransportError(f"token endpoint: {type(error).__name__}") from None
    except ValueError:
        raise SchemaError("token endpoint: the answer is no token answer") from None


def _refusal(word: object) -> ProviderError:
    if word == "invalid_grant":
        return ReauthorisationRequired()
    if word in ("invalid_client", "unauthorized_client"):
        return ClientRefused()
    return AuthorisationError("token endpoint: refused; check the provider's client settings")


def _checked(response: requests.Response) -> requests.Response:
    """Raise what the HTTP status alone tells, before Authlib reads the body."""
    status = response.status_code
    if status == requests.codes.too_many_requests:
        raise RateLimited("token endpoint: too many requests", http_status=status,
                          retry_after_s=retry_after_s(response.headers))
    if status >= requests.codes.internal_server_error:
        raise VendorUnavailable(f"token endpoint: HTTP {status}", http_status=status)
    return response


def _unwrapped(response: requests.Response) -> requests.Response:
    """Withings' envelope opened, so that Authlib finds a standard answer."""
    _checked(response)
    document = orjson.loads(response.content)
    told = document.get("status") if isinstance(document, dict) else None
    if told == _WITHINGS_TOO_MANY:
        raise RateLimited(f"token endpoint: Withings status {told}")
    if told == _WITHINGS_DEAD_TOKEN:
        raise ReauthorisationRequired
    if told != 0:
        raise VendorUnavailable("token endpoint: Withings status is not 0")
    response._content = orjson.dumps(document.get("body"))
    return response


def _token_set(token: Mapping[str, Any], asked_at: datetime, *,
               scopes: tuple[str, ...]) -> TokenSet:
    access, refreshing = token.get("access_token"), token.get("refresh_token")
    user = token.get("userid")
    if not (isinstance(access, str) and access and isinstance(refreshing, str) and refreshing):
        raise SchemaError("token endpoint: a token is missing from the answer")
    granted = token.get("scope")
    return TokenSet(
        access_token=access, refresh_token=refreshing,
        expires_at=asked_at + timedelta(seconds=_life_s(token.get("expires_in"))),
        scopes=tuple(re.findall(r"[^ ,]+", granted)) if isinstance(granted, str) else scopes,
        provider_user_id=str(user) if isinstance(user, str | int) else None,
    )


def _life_s(told: object) -> float:
    """Seconds that an access token lives; RFC 6749, 5.1: the vendor need not tell.

    The new pair is kept whatever is told: the one before it is dead.
    """
    with suppress(ValueError):
        seconds = float(str(told))
        if 0 < seconds < _LONGEST_LIFE_S:
            return seconds
    return _UNTOLD_LIFE_S
