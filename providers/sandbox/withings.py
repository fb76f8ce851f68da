"""Withings: everything is HTTP 200, the truth is in `status`.

Pressure, pulse, SpO2 and temperature come as measure groups (`getmeas`), respiration by the
watch's intraday series, nights of a sleep mat by `v2/sleep`. Windows include both ends.
"""

import hashlib
import hmac
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from starlette.routing import Route

from providers.observation import Provider
from providers.sandbox.exchange import Answer, Call, Dialect, Handler, data_endpoint, token_endpoint
from providers.sandbox.grants import GrantError
from providers.sandbox.notifications import ParameterError, Told, actions, integer
from providers.sandbox.oauth import authorise_endpoint, issue
from providers.sandbox.readings import DAY_S, Channel, Readings
from providers.sandbox.world import World

_PREFIX = f"/{Provider.WITHINGS}"
_TIMEZONE = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    kind: str
    model: str
    model_id: int
    channels: tuple[Channel, ...]


_CUFF = _Device(kind="Blood Pressure Monitor", model="BPM Connect", model_id=45, channels=(
    Channel.DIASTOLIC_BP, Channel.SYSTOLIC_BP, Channel.HEART_RATE))
_WATCH = _Device(kind="Activity Tracker", model="ScanWatch", model_id=93, channels=(
    Channel.SPO2, Channel.RESPIRATORY_RATE))
_THERMOMETER = _Device(kind="Smart Connected Thermometer", model="Thermo", model_id=70,
                       channels=(Channel.BODY_TEMPERATURE,))
_MAT = _Device(kind="Sleep Monitor", model="Aura Sensor V2", model_id=63, channels=(
    Channel.MAT_HEART_RATE, Channel.MAT_RESPIRATORY_RATE))

_MEASURING = (_CUFF, _WATCH, _THERMOMETER)
_TYPES: dict[Channel, tuple[int, int]] = {
    Channel.DIASTOLIC_BP: (9, -2), Channel.SYSTOLIC_BP: (10, -2), Channel.HEART_RATE: (11, -2),
    Channel.SPO2: (54, -1), Channel.BODY_TEMPERATURE: (71, -3),
}
"""Measure type and power of ten of each channel that `getmeas` carries."""


def _refused(status: int, error: str) -> Answer:
    return Answer(body={"status": status, "body": {}, "error": error})


def _empty_page(call: Call) -> Answer:
    """A page without records that promises more at the same offset, where there are pages."""
    try:
        offset = integer(call.params, "offset") or 0
    except ParameterError:
        offset = 0
    bodies: dict[str, dict[str, Any]] = {
        "getmeas": {"updatetime": call.world.now, "timezone": _TIMEZONE, "measuregrps": [],
                    "more": 1, "offset": offset},
        "getsummary": {"series": [], "more": True, "offset": offset},
        "getdevice": {"devices": []},
        "getintradayactivity": {"series": {}},
    }
    body = bodies.get(call.params.get("action", ""), {"series": []})
    return Answer(body={"status": 0, "body": body})


_SCOPES = {"getmeas": "user.metrics", "getintradayactivity": "user.activity",
           "get": "user.activity", "getsummary": "user.activity", "getdevice": "user.info"}

DIALECT = Dialect(
    provider=Provider.WITHINGS,
    unauthorised=_refused(401, "XRequestID: Not provided invalid_token: "
                               "The access token provided is invalid"),
    internal_error=Answer(status=500, body=_refused(215, "An error occurred").body),
    rate_limited=lambda _retry_after: _refused(601, "Too Many Requests"),
    vendor_error=lambda status: _refused(status or 215, "An error occurred"),
    empty_page=_empty_page,
    grant_refused=lambda error: _refused(503, f"Invalid Params: {error}"),
    scope_of=lambda call: _SCOPES.get(call.params.get("action", "")),
    scope_missing=_refused(403, "XRequestID: Not provided insufficient_scope: The request requires "
                                "higher privileges than provided by the access token"),
    records=frozenset({"measuregrps", "series"}), paging=frozenset({"more", "offset"}),
    clock_of=lambda _call: frozenset({"updatetime", "last_session_date"}),
    renamed={"value": "val", "rr": "respiration", "hr": "heart"},
)


def _token(world: World, params: Mapping[str, str]) -> Answer:
    if params.get("action") == "revoke":
        return _revoked(world, params)
    if params.get("action") != "requesttoken":
        raise GrantError("invalid_request", "unknown action")
    issued = issue(world, Provider.WITHINGS, params)
    return Answer(body={"status": 0, "body": {
        "userid": str(world.user_number(issued.subject_id)),
        "access_token": issued.access_token, "refresh_token": issued.refresh_token,
        "expires_in": issued.expires_in, "scope": issued.scope, "token_type": "Bearer"}})


def _revoked(world: World, params: Mapping[str, str]) -> Answer:
    """A consent ended by the application, which signs a nonce instead of sending its secret."""
    if not world.grants.spend_nonce(params.get("nonce", "")):
        raise GrantError("invalid_request", "invalid nonce")
    _check_signature(world, params, "nonce")
    for subject_id in world.subjects:
        if str(world.user_number(subject_id)) == params.get("userid"):
            world.grants.end(Provider.WITHINGS, subject_id)
            return Answer(body={"status": 0, "body": {}})
    raise GrantError("invalid_request", "unknown userid")


def _nonce(world: World, params: Mapping[str, str]) -> Answer:
    if params.get("action") != "getnonce":
        raise GrantError("invalid_request", "unknown action")
    _check_signature(world, params, "timestamp")
    return Answer(body={"status": 0, "body": {"nonce": world.grants.nonce()}})


def _check_signature(world: World, params: Mapping[str, str], once: str) -> None:
    signed = ",".join(params.get(name, "") for name in ("action", "client_id", once))
    expected = hmac.new(world.settings.client_secret.encode(), signed.encode(), "sha256")
    if not hmac.compare_digest(expected.hexdigest(), params.get("signature", "")):
        raise GrantError("invalid_client", "wrong signature")


def _by_action(actions: Mapping[str, Callable[[Call], dict[str, Any]]]) -> Handler:
    """A handler that chooses by the parameter `action` and wraps the body in a status."""

    def handler(call: Call) -> Answer:
        action = actions.get(call.params.get("action", ""))
        if action is None:
            return _refused(2554, "Wrong action or wrong webservice")
        try:
            return Answer(body={"status": 0, "body": action(call)})
        except ParameterError as error:
            return _refused(503, f"Invalid Params: {error}")

    return handler


def _window(call: Call) -> tuple[int, int]:
    """`startdate` and `enddate`, at most 24 hours apart."""
    start, end = integer(call.params, "startdate"), integer(call.params, "enddate")
    if start is None:
        start = (end or call.world.now) - DAY_S
    end = start + DAY_S if end is None else end
    if not 0 <= end - start <= DAY_S:
        raise ParameterError("startdate and enddate must be at most 24 hours apart")
    return start, end


def _fields(call: Call) -> set[str]:
    return set(call.params.get("data_fields", "").split(","))


def _getmeas(call: Call) -> dict[str, Any]:
    wanted = _wanted_types(call.params)
    groups = sorted(_groups(call, wanted), key=lambda group: (-group.date_s, group.device.model))
    offset, size = integer(call.params, "offset") or 0, call.world.settings.withings_page
    body: dict[str, Any] = {"updatetime": call.world.now, "timezone": _TIMEZONE,
                            "measuregrps": [group.document(call.subject.subject_id)
                                            for group in groups[offset:offset + size]]}
    if offset + size < len(groups):
        body |= {"more": 1, "offset": offset + size}
    return body


def _wanted_types(params: Mapping[str, str]) -> set[int]:
    asked = params.get("meastypes") or params.get("meastype") or ""
    try:
        return {int(kind) for kind in asked.split(",") if kind}
    except ValueError as error:
        raise ParameterError("meastypes must be integers") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    device: _Device
    date_s: int
    modified: int
    measures: list[dict[str, int]]

    def document(self, subject_id: str) -> dict[str, Any]:
        device_id = _device_id(subject_id, self.device)
        number = zlib.crc32(device_id.encode()) % 100_000 * 10_000_000_000 + self.date_s
        return {"grpid": number, "attrib": 0, "date": self.date_s, "created": self.modified,
                "modified": self.modified, "category": 1, "deviceid": device_id,
                "hash_deviceid": device_id, "measures": self.measures,
                "modelid": self.device.model_id, "model": self.device.model, "comment": None}


def _groups(call: Call, wanted: set[int]) -> Iterator[_Group]:
    """Groups changed since `lastupdate` and measured from `startdate` to `enddate`."""
    start, end = integer(call.params, "startdate") or 0, integer(call.params, "enddate")
    since = integer(call.params, "lastupdate") or 0
    for device in _MEASURING:
        for date_s, (modified, measures) in _measured(call, device, wanted).items():
            if modified >= since and date_s >= start and (end is None or date_s <= end):
                yield _Group(device=device, date_s=date_s, modified=modified, measures=measures)


def _measured(call: Call, device: _Device,
              wanted: set[int]) -> dict[int, tuple[int, list[dict[str, int]]]]:
    """Measures of one device by time: readings at the same second are one group."""
    found: dict[int, tuple[int, list[dict[str, int]]]] = {}
    for channel in device.channels:
        kind, unit = _TYPES.get(channel, (0, 0))
        if not kind or (wanted and kind not in wanted):
            continue
        readings = call.visible(channel)
        values = (readings.value * 10.0 ** -unit).round().astype(int)
        rows = zip(readings.t.tolist(), values.tolist(), readings.seen.tolist(), strict=True)
        for t, value, seen in rows:
            modified, measures = found.get(t, (0, []))
            measures.append({"value": value, "type": kind, "unit": unit, "algo": 0, "fm": 0})
            found[t] = (max(modified, seen), measures)
    return found


def _device_id(subject_id: str, device: _Device) -> str:
    return hashlib.sha1(f"{subject_id} {device.model}".encode(), usedforsecurity=False).hexdigest()


def _getintradayactivity(call: Call) -> dict[str, Any]:
    start, end = _window(call)
    if "rr" not in _fields(call):
        return {"series": {}}
    readings = call.visible(Channel.RESPIRATORY_RATE).between(start, end + 1)
    device = {"deviceid": _device_id(call.subject.subject_id, _WATCH), "model": _WATCH.model,
              "model_id": _WATCH.model_id}
    return {"series": {t: {**device, "rr": value} for t, value in _numbers(readings).items()}}


def _numbers(readings: Readings) -> dict[str, int | float]:
    """Values by epoch second as text; whole ones as integers."""
    return {str(t): int(value) if value.is_integer() else round(value, 2)
            for t, value in zip(readings.t.tolist(), readings.value.tolist(), strict=True)}


def _nights(call: Call) -> Iterator[tuple[int, int, int]]:
    """Start, end and time known of each night of the sleep mat."""
    nights = call.visible(Channel.NIGHT_START)
    for wake, start, seen in zip(nights.t.tolist(), nights.value.tolist(), nights.seen.tolist(),
                                 strict=True):
        yield int(start), wake, seen


def _sleep_get(call: Call) -> dict[str, Any]:
    start, end = _window(call)
    series = []
    for night_start, wake, _ in _nights(call):
        lo, hi = max(start, night_start), min(end + 1, wake)
        if lo >= hi:
            continue
        segment: dict[str, Any] = {"startdate": lo, "enddate": hi, "state": 1,
                                   "model": _MAT.model, "model_id": _MAT.model_id,
                                   "hash_deviceid": _device_id(call.subject.subject_id, _MAT)}
        for name, channel in _MAT_FIELDS.items():
            if name in _fields(call):
                segment[name] = _numbers(call.visible(channel).between(lo, hi))
        series.append(segment)
    return {"series": series, "model": 32}


_MAT_FIELDS = {"hr": Channel.MAT_HEART_RATE, "rr": Channel.MAT_RESPIRATORY_RATE}


def _sleep_getsummary(call: Call) -> dict[str, Any]:
    since = integer(call.params, "lastupdate") or 0
    first, last = _day(call.params, "startdateymd"), _day(call.params, "enddateymd")
    series = [
        _summary(call, start, wake, seen) for start, wake, seen in _nights(call)
        if seen >= since
        and (first is None or _date(wake) >= first) and (last is None or _date(wake) <= last)
    ]
    return {"series": series, "more": False, "offset": 0}


def _summary(call: Call, start: int, wake: int, seen: int) -> dict[str, Any]:
    data: dict[str, Any] = {"total_sleep_time": wake - start}
    for name, channel in _MAT_FIELDS.items():
        value = call.visible(channel).between(start, wake).value
        if len(value):
            data |= {f"{name}_average": round(float(value.mean())),
                     f"{name}_min": int(value.min()), f"{name}_max": int(value.max())}
    return {"id": wake, "timezone": _TIMEZONE, "model": 32, "model_id": _MAT.model_id,
            "hash_deviceid": _device_id(call.subject.subject_id, _MAT), "startdate": start,
            "enddate": wake, "date": _date(wake).isoformat(), "data": data, "created": seen,
            "modified": seen}


def _date(t: int) -> date:
    return datetime.fromtimestamp(t, UTC).date()


def _day(params: Mapping[str, str], name: str) -> date | None:
    text = params.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ParameterError(f"{name} must be YYYY-MM-DD") from error


def _getdevice(call: Call) -> dict[str, Any]:
    devices = []
    for device in (*_MEASURING, _MAT):
        if not call.subject.channels.intersection(device.channels):
            continue
        seen = [int(r.seen.max()) for c in device.channels if len(r := call.visible(c))]
        last = call.subject.last_sync(call.world.now) if device is _WATCH else None
        device_id = _device_id(call.subject.subject_id, device)
        devices.append({
            "type": device.kind, "battery": "high", "model": device.model,
            "model_id": device.model_id, "timezone": _TIMEZONE, "first_session_date": None,
            "last_session_date": last or max(seen, default=None), "deviceid": device_id,
            "hash_deviceid": device_id})
    return {"devices": devices}


def routes(world: World, told: Told) -> list[Route]:
    """The vendor's routes, its authorise page among them; `told` is who is told of what."""
    services: dict[str, Mapping[str, Callable[[Call], dict[str, Any]]]] = {
        "/measure": {"getmeas": _getmeas},
        "/v2/measure": {"getintradayactivity": _getintradayactivity},
        "/v2/sleep": {"get": _sleep_get, "getsummary": _sleep_getsummary},
        "/v2/user": {"getdevice": _getdevice},
        "/notify": actions(told),
    }
    return [
        Route(f"{_PREFIX}/authorize", authorise_endpoint(world, Provider.WITHINGS)),
        Route(f"{_PREFIX}/v2/oauth2", token_endpoint(
            world, DIALECT, _token, signed=("revoke",)), methods=["POST"]),
        Route(f"{_PREFIX}/v2/signature", token_endpoint(
            world, DIALECT, _nonce, signed=("getnonce",)), methods=["POST"]),
        *(Route(_PREFIX + path, data_endpoint(world, DIALECT, _by_action(actions)),
                methods=["GET", "POST"])
          for path, actions in services.items()),
    ]
