"""Is a webhook the vendor's: signatures where there are some, a secret in the path where not.

Every comparison takes the same time whatever differs. A vendor without its settings has no webhook.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import orjson

from providers.observation import Provider
from providers.webhooks import tink

Headers = Mapping[str, str]
"""By lower-case name."""

Handshake = Literal["accepted", "refused"]

TERRA_TOLERANCE = timedelta(minutes=5)
"""How old, or how far ahead, the time that Terra signed may be."""

_EPOCH_DIGITS = 12
_GOOGLE_SIGNATURES = ("google-health-api-signature", "x-healthapi-signature")

UNSIGNED = (Provider.WITHINGS, Provider.GARMIN)
SIGNED = (Provider.GOOGLE_HEALTH, Provider.OURA, Provider.TERRA)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecrets:
    """What vendors sign with, or are known by; empty = no webhook of that vendor.

    google_health  what Google sends as Authorization; needs `google_keys`, too
    oura           the application's client secret; `oura_token` is the subscription's own
    terra          the signing secret
    withings, garmin  the secret part of the address, since they sign nothing
    """

    google_health: str = field(default="", repr=False)
    google_keys: tink.Keys = field(default_factory=dict, repr=False)
    oura: str = field(default="", repr=False)
    oura_token: str = field(default="", repr=False)
    terra: str = field(default="", repr=False)
    withings: str = field(default="", repr=False)
    garmin: str = field(default="", repr=False)

    def of(self, provider: Provider) -> str:
        """The vendor's secret, empty where its webhook is off."""
        if provider is Provider.GOOGLE_HEALTH and not self.google_keys:
            return ""
        return str(getattr(self, provider.value, ""))


def verify(provider: Provider, secrets: WebhookSecrets, headers: Headers, body: bytes,
           now: datetime) -> bool:
    """Is this body of a signing vendor signed by it."""
    return bool(secrets.of(provider)) and _CHECKS[provider](secrets, headers, body, now)


def path_secret(provider: Provider, secrets: WebhookSecrets, given: str) -> bool:
    """Is `given` the secret part of an unsigned vendor's address."""
    held = secrets.of(provider) if provider in UNSIGNED else ""
    return bool(held) and same(held, given)


def is_handshake(provider: Provider, secrets: WebhookSecrets, headers: Headers,
                 body: bytes) -> Handshake | None:
    """Google's question whether the endpoint checks its secret; None for anything else."""
    if provider is not Provider.GOOGLE_HEALTH or not _is_verification(body):
        return None
    told = headers.get("authorization", "")
    return "accepted" if same(secrets.google_health, told) else "refused"


def same(held: str, given: str) -> bool:
    """Are two secrets equal, in a time that tells nothing."""
    return hmac.compare_digest(held.encode(), given.encode(errors="replace"))


def _is_verification(body: bytes) -> bool:
    try:
        return bool(orjson.loads(body) == {"type": "verification"})
    except orjson.JSONDecodeError:
        return False


def _google(secrets: WebhookSecrets, headers: Headers, body: bytes, _: datetime) -> bool:
    """A valid signature. Authorization may be absent from events, but not wrong."""
    told = headers.get("authorization")
    if told is not None and not same(secrets.google_health, told):
        return False
    signatures = [headers[name] for name in _GOOGLE_SIGNATURES if name in headers]
    return any(tink.signed(secrets.google_keys, one, body) for one in signatures)


def _oura(secrets: WebhookSecrets, headers: Headers, body: bytes, _: datetime) -> bool:
    """HMAC of the timestamp header and the body; hexadecimal digits in capitals."""
    stamp = headers.get("x-oura-timestamp", "")
    expected = _hmac(secrets.oura, stamp.encode(errors="replace") + body).upper()
    return bool(stamp) and same(expected, headers.get("x-oura-signature", ""))


def _terra(secrets: WebhookSecrets, headers: Headers, body: bytes, now: datetime) -> bool:
    """`t=…,v1=…`: HMAC of "t.body", of a time that is not long ago."""
    parts = [part.strip().partition("=") for part in headers.get("terra-signature", "").split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    if len(stamps) != 1 or not _recent(stamps[0], now):
        return False
    expected = _hmac(secrets.terra, stamps[0].encode() + b"." + body)
    return any(same(expected, value) for name, _, value in parts if name == "v1")


def _recent(stamp: str, now: datetime) -> bool:
    """Is this a time in epoch seconds that is near `now`."""
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= _EPOCH_DIGITS):
        return False
    return abs(int(stamp) - now.timestamp()) <= TERRA_TOLERANCE.total_seconds()


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


_CHECKS: dict[Provider, Callable[[WebhookSecrets, Headers, bytes, datetime], bool]] = {
    Provider.GOOGLE_HEALTH: _google, Provider.OURA: _oura, Provider.TERRA: _terra,
}
