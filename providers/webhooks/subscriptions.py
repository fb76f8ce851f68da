"""Oura's webhook subscriptions: one for each type of document and kind of change. They expire.

The application manages them with its id and secret in headers, without a patient's token. Before
Oura accepts one it asks the address for a challenge, so the API has to be reachable by then.
Source: cloud.ouraring.com/v2/docs, "Webhook Subscription Routes".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import orjson
import requests

from providers.checks import OddError, text_or_none
from providers.errors import ClientRefused, RateLimited, SchemaError, TransportError
from providers.http import judge_status, retry_after_s
from providers.limits import Limiter

DATA_TYPES = ("sleep", "daily_spo2", "daily_readiness")
"""What of it we read; heart rates are no type of Oura's webhooks and come by the hour."""

EVENT_TYPES = ("create", "update")

RENEWED_BEFORE = timedelta(days=10)
"""Ten daily looks, should Oura or the API be away for some of them."""

_PATH = "/v2/webhook/subscription"
_TIMEOUT_S = (5, 60)                          # the answer waits for Oura's challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One that Oura holds for our application."""

    name: str
    data_type: str
    event_type: str
    address: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done: `missing` are (data type, event type)."""

    missing: Sequence[tuple[str, str]]
    expiring: Sequence[Subscription]
    good: Sequence[Subscription]
    others: Sequence[Subscription]


def plan(held: Sequence[Subscription], address: str, now: datetime) -> Plan:
    """What our address lacks, and what of it lapses soon; all else is another's and stays."""
    wanted = set(product(DATA_TYPES, EVENT_TYPES))
    newest: dict[tuple[str, str], Subscription] = {}
    for one in sorted(held, key=lambda one: one.expires_at):
        if one.address == address and (one.data_type, one.event_type) in wanted:
            newest[one.data_type, one.event_type] = one
    ours = [newest[pair] for pair in sorted(newest)]
    return Plan(
        missing=sorted(wanted - newest.keys()),
        expiring=[one for one in ours if one.expires_at < now + RENEWED_BEFORE],
        good=[one for one in ours if one.expires_at >= now + RENEWED_BEFORE],
        others=[one for one in held if one not in ours])


class OuraSubscriptions:
    """The application's subscriptions. Every call raises a ProviderError when it fails."""

    def __init__(self, *, base_url: str, client_id: str, client_secret: str,
                 limiter: Limiter) -> None:
        self._url = base_url.rstrip("/") + _PATH
        self._headers = {"x-client-id": client_id, "x-client-secret": client_secret,
                         "Accept": "application/json"}
        self._limiter = limiter

    def held(self) -> list[Subscription]:
        """All of them, other addresses' too."""
        document = self._asked("GET", "")
        if not isinstance(document, list):
            raise SchemaError("subscriptions: the answer is not a list")
        return [_subscription(one) for one in document]

    def subscribe(self, data_type: str, event_type: str, address: str,
                  token: str) -> Subscription:
        """Make one; `token` is what Oura shows at the address with its challenge."""
        return _subscription(self._asked("POST", "", {
            "callback_url": address, "verification_token": token, "event_type": event_type,
            "data_type": data_type}))

    def renew(self, name: str) -> Subscription:
        """Let one last as long as a new one."""
        return _subscription(self._asked("PUT", f"/renew/{name}"))

    def end(self, name: str) -> None:
        """Delete one."""
        self._asked("DELETE", f"/{name}")

    def _asked(self, method: str, path: str, document: Mapping[str, str] | None = None) -> Any:
        self._limiter.acquire("")
        try:
            answer = requests.request(method, self._url + path, json=document, auth=_no_netrc,
                                      headers=self._headers, timeout=_TIMEOUT_S,
                                      allow_redirects=False)
        except requests.RequestException as error:
            # Its text and its request hold the secret: neither goes further.
            raise TransportError(f"subscriptions: {type(error).__name__}") from None
        _require_good(answer)
        try:
            return orjson.loads(answer.content) if answer.content else None
        except orjson.JSONDecodeError:
            raise SchemaError("subscriptions: the answer is not JSON") from None


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """As an auth callable, so that no .netrc entry is sent along."""
    return request


def _require_good(answer: requests.Response) -> None:
    status = answer.status_code
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise ClientRefused("subscriptions: Oura does not accept the application's id and secret",
                            http_status=status)
    error = None if answer.ok and status < requests.codes.multiple_choices \
        else judge_status(status)
    if error is None:
        return
    error.args = (f"subscriptions: {error}",)
    error.http_status = status
    if isinstance(error, RateLimited):
        error.retry_after_s = retry_after_s(answer.headers)
    raise error


def _subscription(document: Any) -> Subscription:
    try:
        data_type, event_type, name, address = (
            text_or_none(document[key]) or "" for key in (
                "data_type", "event_type", "id", "callback_url"))
        if not (name.replace("-", "").isalnum() and name.isascii()):
            raise OddError("its id is none")        # it becomes part of an address
        return Subscription(name=name, data_type=data_type, event_type=event_type,
                            address=address, expires_at=_moment(document["expiration_time"]))
    except (KeyError, TypeError, OddError):
        raise SchemaError("subscriptions: one of them has not the documented shape") from None


def _moment(text: Any) -> datetime:
    """When it lapses; without a zone it is UTC, and a few hours off would lose nothing."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise OddError("the time is not readable") from None
