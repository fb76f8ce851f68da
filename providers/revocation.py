"""Ending a patient's consent at the vendor.

Google ends it by the refresh token and Oura by the access token, even one that has expired;
Withings by the account's id, in a request that is signed with a nonce instead of carrying the
secret. What the vendor no longer knows is as good as ended. Errors are those of
`providers.errors`, without a word of what was sent.
"""

import hmac
import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urljoin

import orjson
import requests

from providers.errors import (
    ClientRefused,
    RateLimited,
    SchemaError,
    TransportError,
    VendorUnavailable,
)
from providers.oauth import OAuthConfig
from providers.observation import Provider

_TIMEOUT_S = (5, 10)
_WITHINGS_TOO_MANY = 601


class Tokens(Protocol):
    """The pair that a consent gave."""

    @property
    def access_token(self) -> str: ...
    @property
    def refresh_token(self) -> str: ...


def revoke(config: OAuthConfig, tokens: Tokens, user_id: str | None) -> bool:
    """End the consent; False where the patient alone can. Raises ProviderError."""
    if config.revoke_url is None:
        return False
    if config.provider is Provider.WITHINGS:
        return _revoke_signed(config, config.revoke_url, user_id)
    by_access = config.provider is Provider.OURA
    form = ({"access_token": tokens.access_token} if by_access
            else {"token": tokens.refresh_token})
    _post(config.revoke_url, form)
    return True


def _revoke_signed(config: OAuthConfig, url: str, user_id: str | None) -> bool:
    if user_id is None:
        return False
    told = _withings(urljoin(url, "signature"), _signed(
        config, "getnonce", timestamp=str(int(time.time()))))
    nonce = told.get("nonce")
    if not isinstance(nonce, str):
        raise SchemaError("revocation: the nonce is missing from the answer")
    _withings(url, _signed(config, "revoke", nonce=nonce) | {"userid": user_id})
    return True


def _signed(config: OAuthConfig, action: str, **once: str) -> dict[str, str]:
    """A Withings request with its signature: HMAC-SHA256 of action, client and what is new."""
    form = {"action": action, "client_id": config.client_id, **once}
    signature = hmac.new(config.client_secret.encode(), ",".join(form.values()).encode(), "sha256")
    return form | {"signature": signature.hexdigest()}


def _withings(url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    """The body of a Withings answer, whose verdict is the status inside."""
    try:
        document = orjson.loads(_post(url, form).content)
        status, body = document["status"], document["body"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise SchemaError("revocation: the answer is no Withings answer") from None
    if status == _WITHINGS_TOO_MANY:
        raise RateLimited(f"revocation: Withings status {status}")
    if status != 0:
        raise ClientRefused("revocation: Withings does not accept the request; check its client "
                            "id and secret")
    return body if isinstance(body, dict) else {}


def _post(url: str, form: Mapping[str, str]) -> requests.Response:
    try:
        answer = requests.post(url, data=form, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        raise TransportError(f"revocation: {type(error).__name__}") from None
    if answer.status_code == requests.codes.too_many_requests:
        raise RateLimited("revocation: too many requests", http_status=answer.status_code)
    if answer.status_code >= requests.codes.internal_server_error:
        raise VendorUnavailable(f"revocation: HTTP {answer.status_code}",
                                http_status=answer.status_code)
    return answer
