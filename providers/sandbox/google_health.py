"""Google Health v4: data points by AIP-160 filters, newest first, int64 as text.

Samples are filtered by `….sample_time.physical_time` (or `.civil_time`), daily values by `….date`.
A page token holds the time its page begins before, so a page stays what it was when newer
readings arrive between two requests.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from starlette.routing import Route

from providers.observation import Provider
from providers.sandbox.exchange import Answer, Call, Dialect, Handler, data_endpoint, token_endpoint
from providers.sandbox.oauth import (
    authorise_endpoint,
    grant_refused,
    issue,
    revoke_endpoint,
    token_answer,
)
from providers.sandbox.readings import Channel
from providers.sandbox.wear import QUARTER_S, worn_quarters
from providers.sandbox.world import World, epoch, iso

_PREFIX = f"/{Provider.GOOGLE_HEALTH}"
_DEVICE = "Charge 6"
_FOREVER = 2**53

Value = Callable[[float], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataType:
    """A data type by its path name; `channel` is None where the sandbox has no such data."""

    kebab: str
    daily: bool
    interval: bool = False
    method: str = "DERIVED"
    channel: Channel | None = None
    value: Value = lambda _value: {}

    @property
    def snake(self) -> str:
        return self.kebab.replace("-", "_")

    @property
    def camel(self) -> str:
        first, *rest = self.kebab.split("-")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def members(self) -> tuple[str, ...]:
        """The filter members that this type has."""
        if self.daily:
            return (f"{self.snake}.date",)
        if self.interval:
            return (f"{self.snake}.interval.start_time",)
        return (f"{self.snake}.sample_time.physical_time", f"{self.snake}.sample_time.civil_time")


_TYPES: dict[str, _DataType] = {kind.kebab: kind for kind in (
    _DataType(kebab="heart-rate", daily=False, channel=Channel.HEART_RATE,
              method="PASSIVELY_MEASURED", value=lambda v: {"beatsPerMinute": str(round(v))}),
    _DataType(kebab="oxygen-saturation", daily=False, channel=Channel.SPO2,
              method="PASSIVELY_MEASURED", value=lambda v: {"percentage": round(v, 1)}),
    _DataType(kebab="core-body-temperature", daily=False, channel=Channel.BODY_TEMPERATURE,
              method="MANUAL", value=lambda v: {"temperatureCelsius": round(v, 2),
                                                "measurementLocation": "MOUTH"}),
    _DataType(kebab="daily-respiratory-rate", daily=True, channel=Channel.NIGHT_RESPIRATORY_RATE,
              value=lambda v: {"breathsPerMinute": round(v, 1)}),
    _DataType(kebab="daily-oxygen-saturation", daily=True),
    _DataType(kebab="daily-resting-heart-rate", daily=True),
    _DataType(kebab="daily-sleep-temperature-derivations", daily=True,
              channel=Channel.NIGHT_SKIN_TEMPERATURE,
              value=lambda v: {"nightlyTemperatureCelsius": round(v, 1)}),
    _DataType(kebab="respiratory-rate-sleep-summary", daily=False),
    _DataType(kebab="steps", daily=False, interval=True, channel=Channel.HEART_RATE,
              method="PASSIVELY_MEASURED", value=lambda v: {"count": str(round(v))}),
)}


def _error(code: int, status: str, message: str, reason: str = "",
           metadata: Mapping[str, str] | None = None) -> Answer:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if reason:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
                             "domain": "health.googleapis.com", "metadata": dict(metadata or {})}]
    return Answer(status=code, body={"error": error})


def _rate_limited(retry_after: int | None) -> Answer:
    """Google does not document Retry-After: it is sent only when a fault names it."""
    refused = _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries' and "
                     "limit 'Queries per minute' of service 'health.googleapis.com'.",
                     "RATE_LIMIT_EXCEEDED")
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(status=429, body=refused.body, headers=headers)


def _vendor_error(status: int | None) -> Answer:
    if status in (None, 400):
        return _error(400, "FAILED_PRECONDITION", "The account is not linked to a Google account "
                      "with health data.", "ACCOUNT_NOT_LINKED")
    return _error(status or 400, "PERMISSION_DENIED", "Request had insufficient authentication "
                  "scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


def _empty_page(call: Call) -> Answer:
    """A page without points whose token leads to the page that was asked for."""
    here = call.params.get("pageToken") or _page_token(_FOREVER, call.params.get("filter", ""))
    return Answer(body={"nextPageToken": here})


_ASLEEP = ("respiratory-rate-sleep-summary", "daily-sleep-temperature-derivations")


def _scope(call: Call) -> str:
    if "kebab" in call.path_params:
        asleep = call.path_params["kebab"] in _ASLEEP
        name = "sleep" if asleep else "health_metrics_and_measurements"
        if call.path_params["kebab"] == "steps":
            name = "activity_and_fitness"
    else:
        name = "settings" if call.path.endswith("/pairedDevices") else "profile"
    return f"https://www.googleapis.com/auth/googlehealth.{name}.readonly"


DIALECT = Dialect(
    provider=Provider.GOOGLE_HEALTH,
    unauthorised=_error(401, "UNAUTHENTICATED", "Request is missing required authentication "
                        "credential. Expected OAuth 2 access token.", "CREDENTIALS_MISSING"),
    internal_error=_error(500, "INTERNAL", "Internal error encountered."),
    rate_limited=_rate_limited,
    vendor_error=_vendor_error,
    empty_page=_empty_page,
    grant_refused=grant_refused,
    scope_of=_scope,
    scope_missing=_vendor_error(403),
    records=frozenset({"dataPoints"}), paging=frozenset({"nextPageToken"}),
    clock_of=lambda _call: frozenset({"lastSyncTime"}),
    renamed={"beatsPerMinute": "bpm", "percentage": "percent", "breathsPerMinute": "breaths",
             "temperatureCelsius": "temperature",
             "nightlyTemperatureCelsius": "nightlyTemperature"},
)


class _ParameterError(ValueError):
    """A parameter is wrong; answered as 400 with `reason`."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


_CLAUSE = re.compile(r'([A-Za-z_][\w.]*)\s*(>=|<)\s*"([^"]*)"')


def _window(kind: _DataType, text: str) -> tuple[int, int]:
    """Epoch seconds [start, end) of an AIP-160 filter; a date stands for its first second."""
    start, end = 0, _FOREVER
    for clause in re.split(r"\s+AND\s+", text.strip()) if text.strip() else []:
        found = _CLAUSE.fullmatch(clause.strip())
        if found is None:
            raise _ParameterError(f"Invalid filter: cannot parse '{clause}'.",
                                  "INVALID_DATA_POINT_FILTER")
        member, operator, value = found.groups()
        if member not in kind.members:
            raise _ParameterError(f"Invalid filter member '{member}' for data type '{kind.kebab}'.",
                           "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER")
        moment = _moment(member, value)
        if operator == ">=":
            start = max(start, moment)
        else:
            end = min(end, moment)
    return start, end


def _moment(member: str, text: str) -> int:
    try:
        if member.endswith((".physical_time", ".start_time")):
            return epoch(text)
        civil = datetime.fromisoformat(
            text if member.endswith(".civil_time") else date.fromisoformat(text).isoformat())
        if civil.tzinfo is not None:
            raise ValueError("civil times have no zone")
    except ValueError as error:
        raise _ParameterError(f"Invalid filter value '{text}': {error}.",
                       "INVALID_DATA_POINT_FILTER") from error
    return int(civil.replace(tzinfo=UTC).timestamp())


def _page_token(before: int, text: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([before, text]).encode()).decode()


def _page_begin(params: Mapping[str, str]) -> int:
    """The time that the page begins before."""
    token = params.get("pageToken", "")
    if not token:
        return _FOREVER
    try:
        before, text = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error) as error:
        raise _ParameterError("Invalid page token.", "INVALID_PAGE_TOKEN") from error
    if text != params.get("filter", "") or not isinstance(before, int):
        raise _ParameterError("The page token belongs to another filter.", "INVALID_PAGE_TOKEN")
    return before


def _page_size(call: Call) -> int:
    """`pageSize`; too large ones are cut without a word, as the vendor does."""
    settings = call.world.settings
    try:
        size = int(call.params.get("pageSize") or 0)
    except ValueError as error:
        raise _ParameterError("pageSize must be an integer.", "INVALID_PAGE_SIZE") from error
    if size < 0:
        raise _ParameterError("pageSize must not be negative.", "INVALID_PAGE_SIZE")
    return min(size or settings.google_page, settings.google_page_max)


def _data_points(call: Call) -> Answer:
    kind = _TYPES.get(call.path_params["kebab"])
    if kind is None:
        name = call.path_params["kebab"]
        return _error(400, "INVALID_ARGUMENT", "Invalid data type ID referenced in the parent data "
                      f"type collection: {name}", "INVALID_PARENT_DATA_TYPE_COLLECTION",
                      {"dataType": name})
    start, end = _window(kind, call.params.get("filter", ""))
    before, size = _page_begin(call.params), _page_size(call)
    if kind.channel is None:
        return Answer(body={})
    readings = call.visible(kind.channel)
    if kind.interval:
        readings = worn_quarters(readings)
    found = readings.between(start, min(end, before))
    rows = list(zip(found.t[-size:].tolist(), found.value[-size:].tolist(), strict=True))[::-1]
    if not rows:
        return Answer(body={})
    more = len(found) > size
    token = _page_token(rows[-1][0], call.params.get("filter", "")) if more else ""
    return Answer(body={"dataPoints": [_point(kind, t, value) for t, value in rows],
                        "nextPageToken": token})


def _point(kind: _DataType, t: int, value: float) -> dict[str, Any]:
    source: dict[str, Any] = {"recordingMethod": kind.method, "platform": "FITBIT"}
    if kind.method != "MANUAL":
        source["device"] = {"displayName": _DEVICE}
    moment = datetime.fromtimestamp(t, UTC)
    if kind.interval:
        end = t + QUARTER_S
        when: dict[str, Any] = {"interval": {
            "startTime": iso(t), "startUtcOffset": "0s", "endTime": iso(end),
            "endUtcOffset": "0s"}}
    elif kind.daily:
        when = {"date": _civil_date(moment)}
    else:
        when = {"sampleTime": _sample_time(t, moment)}
    return {"dataSource": source, kind.camel: {**when, **kind.value(value)}}


def _sample_time(t: int, moment: datetime) -> dict[str, Any]:
    """Physical and civil time; fields of the civil time that are zero are left out."""
    clock = {"hours": moment.hour, "minutes": moment.minute, "seconds": moment.second}
    return {"physicalTime": iso(t), "utcOffset": "0s",
            "civilTime": {"date": _civil_date(moment),
                          "time": {name: number for name, number in clock.items() if number}}}


def _civil_date(moment: datetime) -> dict[str, int]:
    return {"year": moment.year, "month": moment.month, "day": moment.day}


def _paired_devices(call: Call) -> Answer:
    last = call.subject.last_sync(call.world.now)
    device = {"name": f"users/me/pairedDevices/{call.world.user_number(call.subject.subject_id)}",
              "deviceType": "TRACKER", "batteryStatus": "Medium", "batteryLevel": 60,
              "deviceVersion": _DEVICE, "macAddress": "000000000000",
              "features": ["HEART_RATE", "SPO2"]}
    if last is not None:
        device["lastSyncTime"] = iso(last)
    return Answer(body={"pairedDevices": [device], "nextPageToken": ""})


def _identity(call: Call) -> Answer:
    number = call.world.user_number(call.subject.subject_id)
    return Answer(body={"name": "users/me/identity", "healthUserId": f"{number:019d}",
                        "legacyUserId": f"SB{number % 10_000:04d}"})


def _checked(handler: Handler) -> Handler:
    def answer(call: Call) -> Answer:
        try:
            return handler(call)
        except _ParameterError as error:
            return _error(400, "INVALID_ARGUMENT", str(error), error.reason)

    return answer


def routes(world: World) -> list[Route]:
    """The vendor's routes, its authorise page among them."""
    provider, me = Provider.GOOGLE_HEALTH, f"{_PREFIX}/v4/users/me"
    services = {"/dataTypes/{kebab}/dataPoints": _checked(_data_points),
                "/pairedDevices": _paired_devices, "/identity": _identity}
    return [
        Route(f"{_PREFIX}/authorize", authorise_endpoint(world, provider)),
        Route(f"{_PREFIX}/token", token_endpoint(
            world, DIALECT, lambda w, params: token_answer(issue(w, provider, params))),
            methods=["POST"]),
        Route(f"{_PREFIX}/revoke", revoke_endpoint(world, provider, "token"), methods=["POST"]),
        *(Route(me + path, data_endpoint(world, DIALECT, handler))
          for path, handler in services.items()),
    ]
