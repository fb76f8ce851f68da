"""What Withings' answers hold: parse functions, payload in, observations out.

A value is value·10^unit, kept exact. Type 9 is the diastolic pressure and 10 the systolic, paired
by their group. `more` is a number in one call and a boolean in another, and PHP writes an empty
map as an empty list. Each function raises SchemaError for a page that is not one.
Reference: developer.withings.com, API reference.
"""

from collections.abc import Set
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    Payload,
    at_epoch,
    at_epoch_key,
    day_of,
    in_order,
    list_at,
    number,
    opened,
    plausible,
    text_at,
)
from providers.errors import SchemaError
from providers.measures import BODY_DEVICES, WITHINGS_DEVICES
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Parsed,
    Quality,
    Refusal,
    Statistic,
)
from providers.signals import latest

MEASURES = {
    9: Vital.DIASTOLIC_BP, 10: Vital.SYSTOLIC_BP, 11: Vital.HEART_RATE,
    12: Vital.BODY_TEMPERATURE, 54: Vital.SPO2, 71: Vital.BODY_TEMPERATURE,
    73: Vital.SKIN_TEMPERATURE,
}
SLEEP = {"hr": Vital.HEART_RATE, "rr": Vital.RESPIRATORY_RATE}
INTRADAY = {"heart_rate": Vital.HEART_RATE, "rr": Vital.RESPIRATORY_RATE,
             "spo2_auto": Vital.SPO2}
NIGHT = {
    "hr_average": (Vital.HEART_RATE, Statistic.MEAN), "hr_min": (Vital.HEART_RATE, Statistic.MIN),
    "hr_max": (Vital.HEART_RATE, Statistic.MAX),
    "rr_average": (Vital.RESPIRATORY_RATE, Statistic.MEAN),
    "rr_min": (Vital.RESPIRATORY_RATE, Statistic.MIN),
    "rr_max": (Vital.RESPIRATORY_RATE, Statistic.MAX),
}

_PRESSURES = {Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP}
REAL_MEASURE = 1
_UNSPECIFIED_TEMPERATURE = 12
_AMBIGUOUS = 1
_METHODS = {0: Method.DEVICE, 8: Method.DEVICE, 1: Method.AMBIGUOUS, 2: Method.MANUAL,
            4: Method.MANUAL, 5: Method.DEVICE, 7: Method.DEVICE, 15: Method.DEVICE}
_REASONS = {_AMBIGUOUS: ("attrib 1: may be another person",)}
_UNDOCUMENTED = ("attrib undocumented",)
_NO_PLACE = "type 12: where it was taken is not told"
_MOST_DIGITS = 12
_MOST = 10**_MOST_DIGITS
_KINDS = {"Blood Pressure Monitor": "cuff", "Activity Tracker": "watch", "Sleep Monitor": "mat",
          "Smart Connected Thermometer": "thermometer", "Scale": "scale"}
_SEGMENT = frozenset({
    "startdate", "enddate", "state", "model", "model_id", "hash_deviceid", "deviceid", "hr", "rr",
    "snoring", "sdnn_1", "rmssd", "hrv_quality", "mvt_score", "chest_movement_rate",
    "withings_index", "breathing_sounds", "night_events",
})
_MOMENT = frozenset({
    "deviceid", "hash_deviceid", "model", "model_id", "heart_rate", "rr", "spo2_auto", "steps",
    "elevation", "calories", "distance", "stroke", "pool_lap", "duration", "rmssd", "sdnn1",
    "hrv_quality", "core_body_temperature", "chest_movement_rate",
})
"""What a record may hold by the reference; a name beyond it in place of what we asked for is a
renamed one, and must not pass for "nothing measured"."""

_ENVELOPE = frozenset({"status", "body", "error"})
_GETMEAS = frozenset({"updatetime", "timezone", "measuregrps", "more", "offset"})
_SERIES = frozenset({"series", "model", "model_id", "more", "offset"})
"""What a body may hold: a new way of paging, read as the end, would lose what comes after."""


def parse_getmeas(payload: Payload) -> Parsed:
    """`measure` action `getmeas`.

    `figures["updatetime"]` is the vendor's clock in epoch seconds, the base of the next cursor.
    """
    body = _body(payload, _GETMEAS)
    groups = list_at(body, "measuregrps")
    observations: list[Observation] = []
    refused: list[Refusal] = []
    for index, group in enumerate(groups):
        _read_group(group, index, observations, refused)
    updated = body.get("updatetime")
    if type(updated) is not int:
        raise SchemaError("updatetime is not in epoch seconds")
    return Parsed(observations=observations, refused=refused, received=len(groups),
                  next_page=_next(body), figures={"updatetime": updated})


def parse_sleep(payload: Payload) -> Parsed:
    """`v2/sleep` action `get`: heart and respiratory rate by the minute, keyed by epoch."""
    observations: list[Observation] = []
    refused: list[Refusal] = []
    received = 0
    for index, series in enumerate(list_at(_body(payload, _SERIES), "series")):
        if fault := _record_fault(series, SLEEP.keys(), _SEGMENT):
            refused.append(Refusal(record=f"series[{index}]", reason=fault))
            continue
        for name, vital in SLEEP.items():
            points = _map(series.get(name, {}), name)
            received += len(points)
            for place, (epoch, value) in enumerate(points.items()):
                try:
                    observations.append(_minute(vital, epoch, value, series, asleep=True))
                except OddError as odd:
                    refused.append(Refusal(record=f"series[{index}].{name}[{place}]",
                                           reason=str(odd), vital=vital))
    return Parsed(observations=observations, refused=refused, received=received)


def parse_intraday(payload: Payload) -> Parsed:
    """`v2/measure` action `getintradayactivity`, an object of epoch -> readings of a moment."""
    series = _map(_body(payload, _SERIES).get("series"), "series")
    observations: list[Observation] = []
    refused: list[Refusal] = []
    for place, (epoch, point) in enumerate(series.items()):
        if fault := _record_fault(point, INTRADAY.keys(), _MOMENT):
            refused.append(Refusal(record=f"series[{place}]", reason=fault))
            continue
        for name in (name for name in INTRADAY if point.get(name) is not None):
            try:
                observations.append(_minute(INTRADAY[name], epoch, point[name], point))
            except OddError as odd:
                refused.append(Refusal(record=f"series[{place}].{name}", reason=str(odd),
                                       vital=INTRADAY[name]))
    return Parsed(observations=observations, refused=refused, received=len(series))


def parse_sleep_summary(payload: Payload) -> Parsed:
    """`v2/sleep` action `getsummary`: mean, lowest and highest rate of each night."""
    body = _body(payload, _SERIES)
    nights = list_at(body, "series")
    observations: list[Observation] = []
    refused: list[Refusal] = []
    for index, night in enumerate(nights):
        data = night.get("data") if isinstance(night, dict) else None
        if not isinstance(data, dict):
            refused.append(Refusal(record=f"series[{index}]", reason="data is missing"))
            continue
        for name in (name for name in NIGHT if data.get(name) is not None):
            try:
                observations.append(_night(night, name))
            except OddError as odd:
                refused.append(Refusal(record=f"series[{index}].{name}", reason=str(odd),
                                       vital=NIGHT[name][0]))
    return Parsed(observations=observations, refused=refused, received=len(nights),
                  next_page=_next(body))


def parse_devices(payload: Payload) -> Parsed:
    """`v2/user` action `getdevice`; `figures["last_sync"]` is the latest session, or None.

    `figures["devices"]` has it by kind of device, `figures["syncs"]` of each that measures by
    itself, by its id.
    """
    devices = list_at(_body(payload), "devices")
    sessions: list[tuple[str, datetime | None]] = []
    syncs: list[tuple[str, datetime]] = []
    refused: list[Refusal] = []
    for index, device in enumerate(devices):
        try:
            if not isinstance(device, dict):
                raise OddError("not an object")
            last = device.get("last_session_date")
            kind = _KINDS.get(text_at(device, "type") or "", "other")
            sessions.append((kind, None if last is None else at_epoch(last)))
            if last is not None and (kind in BODY_DEVICES or kind not in WITHINGS_DEVICES):
                syncs.append((text_at(device, "deviceid") or kind, at_epoch(last)))
        except OddError as odd:
            refused.append(Refusal(record=f"devices[{index}]", reason=str(odd)))
    return Parsed(received=len(devices), refused=refused,
                  figures={"last_sync": max((at for _, at in sessions if at), default=None),
                           "devices": latest(sessions), "syncs": syncs})


def _body(payload: Payload, known: Set[str] | None = None) -> dict[str, Any]:
    """The body of a page. SchemaError for members beyond `known`."""
    document = opened(payload, known=_ENVELOPE, required=frozenset({"status", "body"}))
    body = document["body"]
    if document["status"] != 0 or not isinstance(body, dict):
        raise SchemaError("not a page: the status is not 0 or the body no object")
    if known is not None and (unknown := body.keys() - known):
        raise SchemaError(f"{len(unknown)} undocumented member(s) of the body")
    return body


def _next(body: dict[str, Any]) -> str | None:
    more = body.get("more")
    if more is not None and not isinstance(more, int):
        raise SchemaError("more is neither a number nor a boolean")
    if not more:
        return None
    offset = body.get("offset")
    if type(offset) is not int:
        raise SchemaError("more pages are told of, but no offset")
    return str(offset)


def _record_fault(record: object, asked: Set[str], known: Set[str]) -> str | None:
    if not isinstance(record, dict):
        return "not an object"
    if not (asked & record.keys()) and record.keys() - known:
        return f"undocumented members in place of {', '.join(sorted(asked))}"
    return None


def _map(value: object, name: str) -> dict[str, Any]:
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise SchemaError(f"{name} is not an object")
    return value


def _read_group(group: object, index: int, observations: list[Observation],
                refused: list[Refusal]) -> None:
    """A group of measures taken together; one that is not understood is refused as a whole."""
    measures = group.get("measures") if isinstance(group, dict) else None
    if not isinstance(group, dict) or not isinstance(measures, list):
        refused.append(Refusal(record=_name(index), reason="measures are missing"))
        return
    if type(group.get("category")) is not int or type(group.get("attrib")) is not int:
        refused.append(Refusal(record=_name(index),
                               reason="category or attrib is not a whole number"))
        return
    if group["category"] != REAL_MEASURE:
        return  # a goal that the user set, not a reading
    found: list[Observation] = []
    shared = _shared(group)
    for place, measure in enumerate(measures):
        try:
            if one := _measure(measure, shared):
                found.append(one)
        except OddError as odd:
            refused.append(Refusal(record=f"{_name(index)}.measures[{place}]", reason=str(odd),
                                   vital=_vital_of(measure)))
    if len(found) > 1 and _crossed(found):
        refused.append(Refusal(record=_name(index), reason="systolic is not above diastolic"))
        found = [one for one in found if one.vital not in _PRESSURES]
    observations += found


def _name(index: int) -> str:
    return f"measuregrps[{index}]"


def _crossed(found: list[Observation]) -> bool:
    values = {one.vital: one.value for one in found}
    return (values.keys() >= _PRESSURES
            and values[Vital.SYSTOLIC_BP] <= values[Vital.DIASTOLIC_BP])


class _Shared(NamedTuple):
    """What the readings of a group have in common."""

    moment: datetime
    modified: datetime | None
    attrib: int
    device_id: str | None
    model: str | None
    group_id: str


def _shared(group: dict[str, Any]) -> _Shared | OddError:
    """What the group's readings have in common, or why none of them can be read."""
    try:
        moment, grpid = at_epoch(group.get("date")), group.get("grpid")
        if type(grpid) is not int:
            raise OddError("grpid is not a whole number")
        device_id, modified = _device(group), group.get("modified")
        return _Shared(moment, None if modified is None else at_epoch(modified), group["attrib"],
                       device_id, text_at(group, "model"), str(grpid))
    except OddError as odd:
        return odd


def _measure(measure: object, shared: _Shared | OddError) -> Observation | None:
    if not isinstance(measure, dict):
        raise OddError("not an object")
    kind = measure.get("type")
    if type(kind) is not int:
        raise OddError("type is not a whole number")
    vital = MEASURES.get(kind)
    if vital is None:
        return None  # weight and the like
    value = plausible(vital, _scaled(measure.get("value"), measure.get("unit")))
    if isinstance(shared, OddError):
        raise OddError(str(shared))
    moment, modified, attrib, device_id, model, group_id = shared
    reasons = _REASONS.get(attrib, () if attrib in _METHODS else _UNDOCUMENTED)
    if kind == _UNSPECIFIED_TEMPERATURE:
        reasons = (*reasons, _NO_PLACE)
    return Observation(
        vital=vital, value=value, effective_start=moment, effective_end=moment,
        method=_METHODS.get(attrib, Method.DEVICE), device_id=device_id, device_model=model,
        source_record_id=f"{group_id}:{kind}", group_id=group_id, provider_modified_at=modified,
        quality=Quality.QUARANTINED if attrib == _AMBIGUOUS else Quality.OK,
        quality_reasons=reasons)


def _scaled(value: object, unit: object) -> Decimal:
    """value·10^unit, exact."""
    if type(value) is not int or type(unit) is not int:
        raise OddError("value or unit is not a whole number")
    if abs(value) >= _MOST or abs(unit) > _MOST_DIGITS:
        raise OddError("out of plausible range")
    return _decimal(value, unit)


@lru_cache(maxsize=1024)
def _decimal(value: int, unit: int) -> Decimal:
    return Decimal(value).scaleb(unit)


def _vital_of(measure: object) -> Vital | None:
    kind = measure.get("type") if isinstance(measure, dict) else None
    return MEASURES.get(kind) if type(kind) is int else None


def _minute(vital: Vital, epoch: str, value: object, holder: dict[str, Any], *,
            asleep: bool = False) -> Observation:
    moment = at_epoch_key(epoch)
    return Observation(
        vital=vital, value=plausible(vital, number(value)), effective_start=moment,
        effective_end=moment, context=Context.SLEEP if asleep else Context.UNKNOWN,
        device_id=_device(holder), device_model=text_at(holder, "model"),
        # The night's series is another derivation of the same sensor: not the intraday reading.
        source_record_id="sleep" if asleep else None,
    )


def _night(night: dict[str, Any], name: str) -> Observation:
    vital, statistic = NIGHT[name]
    modified, night_id = night.get("modified"), night.get("id")
    if type(night_id) is not int:
        raise OddError("id is not a whole number")
    start, end = at_epoch(night.get("startdate")), at_epoch(night.get("enddate"))
    in_order(start, end)
    return Observation(
        vital=vital, value=plausible(vital, number(night["data"][name])),
        effective_start=start, effective_end=end, civil_date=day_of(night.get("date")),
        granularity=Granularity.NIGHT, statistic=statistic, context=Context.SLEEP,
        method=Method.DERIVED, device_id=_device(night), source_record_id=str(night_id),
        provider_modified_at=None if modified is None else at_epoch(modified),
    )


def _device(holder: dict[str, Any]) -> str | None:
    told, named = text_at(holder, "hash_deviceid"), text_at(holder, "deviceid")
    return told or named
