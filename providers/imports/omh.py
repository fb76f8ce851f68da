"""Open mHealth: data points ({header, body}), bodies alone, or a list of either.

Schemas heart-rate 2.0, respiratory-rate 2.0, oxygen-saturation 2.0, body-temperature 4.0 (°C or °F)
and blood-pressure 4.0. Other measures are no vitals: they are read and hold nothing to store.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import OddError, object_at, temperature_at, text_at, text_or_none
from providers.imports.reading import (
    FileRefused,
    Item,
    Owner,
    each_record,
    opened_json,
    over_time,
    record_of,
    refuse_crossed,
    zoned,
)
from providers.imports.units import measured
from providers.observation import (
    Context,
    Method,
    Observation,
    Statistic,
)

_MEASURES = {
    "heart_rate": Vital.HEART_RATE, "respiratory_rate": Vital.RESPIRATORY_RATE,
    "oxygen_saturation": Vital.SPO2, "body_temperature": Vital.BODY_TEMPERATURE,
    "systolic_blood_pressure": Vital.SYSTOLIC_BP, "diastolic_blood_pressure": Vital.DIASTOLIC_BP,
}
_STATISTICS = {"average": Statistic.MEAN, "minimum": Statistic.MIN, "maximum": Statistic.MAX}
_ARTERIAL = (None, "peripheral capillary", "arterial")
_DURATIONS = {"ms": 0.001, "sec": 1, "min": 60, "h": 3600, "d": 86400, "wk": 604800}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Time:
    start: datetime
    end: datetime
    offset_s: int


def read_omh(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """Every vital of every data point."""
    document = opened_json(file)
    points = document if isinstance(document, list) else [document]
    if not isinstance(document, (list, dict)):
        raise FileRefused("line 1: neither a data point nor a list of them")
    if isinstance(document, dict) and "schema_id" in document and "body" not in document:
        raise FileRefused("line 1: a header without a body holds no reading")
    if isinstance(document, dict) and not ({"body", "effective_time_frame"} & document.keys()):
        raise FileRefused("line 1: neither a data point nor a body with effective_time_frame")
    yield from each_record(points, "", _point)


def _point(point: Any) -> Iterator[Item]:
    point = record_of(point)
    body = object_at(point, "body") if "body" in point else point
    header = object_at(point, "header") if "body" in point and "header" in point else {}
    if user := text_at(header, "user_id"):
        yield Owner(user_id=user)
    found = [name for name in _MEASURES if name in body]
    if not found:
        return
    time, statistic = _time_frame(object_at(body, "effective_time_frame")), _statistic(body)
    site = text_at(body, "measurement_location")
    values = dict(_measured(body, name, site) for name in found)
    refuse_crossed(values)
    provenance = header.get("acquisition_provenance")
    told = provenance if isinstance(provenance, dict) else {}
    name = text_or_none(header.get("id"))
    group = (name or time.start.isoformat()) if len(values) > 1 else None
    for vital, value in values.items():
        yield over_time(Observation(
            vital=vital, value=value, effective_start=time.start, effective_end=time.end,
            utc_offset_s=time.offset_s, statistic=statistic, context=_context(body),
            body_site=site,
            method=Method.MANUAL if told.get("modality") == "self-reported" else Method.DEVICE,
            device_model=text_or_none(told.get("source_name")),
            source_record_id=name, group_id=group))


def _measured(body: dict[str, Any], name: str, site: str | None) -> tuple[Vital, Decimal]:
    """The vital, a temperature by where it was taken, and its value. OddError."""
    measure, vital = object_at(body, name), _MEASURES[name]
    if vital is Vital.BODY_TEMPERATURE:
        vital = temperature_at(site)
    if vital is Vital.SPO2 and text_at(body, "system") not in _ARTERIAL:
        raise OddError("a saturation of other blood than arterial")
    return vital, measured(vital, measure.get("value"), measure.get("unit"))


def _statistic(body: dict[str, Any]) -> Statistic:
    told = body.get("descriptive_statistic")
    if told is None:
        return Statistic.INSTANT
    if not isinstance(told, str) or told not in _STATISTICS:
        raise OddError("the descriptive statistic is none of average, minimum, maximum")
    return _STATISTICS[told]


def _time_frame(frame: dict[str, Any]) -> _Time:
    if "date_time" in frame:
        moment, offset_s = zoned(frame["date_time"])
        return _Time(start=moment, end=moment, offset_s=offset_s)
    interval = object_at(frame, "time_interval")
    if "start_date_time" in interval and "end_date_time" in interval:
        start, offset_s = zoned(interval["start_date_time"])
        end, _ = zoned(interval["end_date_time"])
    elif "start_date_time" in interval:
        start, offset_s = zoned(interval["start_date_time"])
        end = start + _duration(interval)
    elif "end_date_time" in interval:
        end, offset_s = zoned(interval["end_date_time"])
        start = end - _duration(interval)
    else:
        raise OddError("the time interval has neither start nor end")
    return _Time(start=start, end=end, offset_s=offset_s)


def _duration(interval: dict[str, Any]) -> timedelta:
    told = object_at(interval, "duration")
    value, unit = told.get("value"), told.get("unit")
    if not isinstance(value, (int, float)) or not isinstance(unit, str) or unit not in _DURATIONS:
        raise OddError("the duration is not in a unit that is known")
    try:
        return timedelta(seconds=value * _DURATIONS[unit])
    except OverflowError:
        raise OddError("the duration is not readable") from None


def _context(body: dict[str, Any]) -> Context:
    if body.get("temporal_relationship_to_sleep") == "during sleep":
        return Context.SLEEP
    relation = body.get("temporal_relationship_to_physical_activity")
    return {"at rest": Context.REST, "active": Context.ACTIVE, "during exercise": Context.ACTIVE,
            }.get(relation if isinstance(relation, str) else "", Context.UNKNOWN)
