"""Payloads that Terra pushes: `daily`, `body`, `sleep` and `activity` data of one user.

An average is a day's, a sleep's a night's with the date of waking, and an activity's an interval.

A timestamp without an offset is the wearer's local time (--timezone). `percentage` of a saturation
sample is a blood saturation unless its `type` says that it is a muscle's. Field names: Terra's
published client library.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import OddError, number, plausible, text_at
from providers.imports.reading import (
    Clock,
    FileRefused,
    Item,
    Owner,
    alone,
    civil_date,
    each_record,
    object_or_refused,
    opened_json,
    over_time,
    record_of,
    refuse_crossed,
)
from providers.observation import Context, Granularity, Observation, Statistic

_TYPES = ("daily", "body", "sleep", "activity")
_MUSCLE = ("1", "smo2", "muscle")


_CONTEXTS = {"sleep": Context.SLEEP, "activity": Context.ACTIVE}
_TOLD = {"sleep": Granularity.NIGHT, "daily": Granularity.DAY, "body": Granularity.DAY}

_SAMPLES: tuple[tuple[tuple[str, ...], dict[str, Vital]], ...] = (
    (("heart_rate_data", "detailed", "hr_samples"), {"bpm": Vital.HEART_RATE}),
    (("oxygen_data", "saturation_samples"), {"percentage": Vital.SPO2}),
    (("respiration_data", "breaths_data", "samples"), {"breaths_per_min": Vital.RESPIRATORY_RATE}),
    (("temperature_data", "body_temperature_samples"),
     {"temperature_celsius": Vital.BODY_TEMPERATURE}),
    (("temperature_data", "skin_temperature_samples"),
     {"temperature_celsius": Vital.SKIN_TEMPERATURE}),
    (("blood_pressure_data", "blood_pressure_samples"),
     {"systolic_bp": Vital.SYSTOLIC_BP, "diastolic_bp": Vital.DIASTOLIC_BP}),
)
"""Where the samples stand in a record, and the vitals by the names of a sample's values."""

_AVERAGES = (
    (("heart_rate_data", "summary", "avg_hr_bpm"), Vital.HEART_RATE),
    (("heart_rate_data", "summary", "resting_hr_bpm"), Vital.RESTING_HEART_RATE),
    (("oxygen_data", "avg_saturation_percentage"), Vital.SPO2),
    (("respiration_data", "breaths_data", "avg_breaths_per_min"), Vital.RESPIRATORY_RATE),
)


def read_terra(file: BinaryIO, zone: ZoneInfo | None) -> Iterator[Item]:
    """Samples and daily averages of every record."""
    document = object_or_refused(opened_json(file))
    kind = document.get("type")
    if kind not in _TYPES:
        if "user" in document and "data" not in document:
            return                                  # an account event: no readings
        raise FileRefused(f"line 1: not a payload of Terra with readings ({', '.join(_TYPES)})")
    if (user := document.get("user")) is not None:
        yield from _owner(user)
    yield from each_record(document.get("data"), "data",
                           lambda record: _record(record_of(record), kind, zone))


def _owner(user: Any) -> Iterator[Item]:
    try:
        if name := text_at(record_of(user), "user_id"):
            yield Owner(user_id=name)
    except OddError as odd:
        raise FileRefused(f"whose readings they are: {odd}") from None


def _record(record: dict[str, Any], kind: str, zone: ZoneInfo | None) -> Iterator[Item]:
    for path, names in _SAMPLES:
        yield from alone(".".join(path), partial(_samples, record, path, names, kind, zone))
    for path, vital in _AVERAGES:
        yield from alone(".".join(path), partial(_average, record, path, vital, kind, zone))


def _samples(record: dict[str, Any], path: tuple[str, ...], names: dict[str, Vital], kind: str,
             zone: ZoneInfo | None) -> Iterator[Item]:
    found = _at(record, path)
    if found is not None and not isinstance(found, list):
        raise OddError("not a list")
    clock = Clock(zone)
    for index, sample in enumerate(found or []):
        yield from alone(f"{'.'.join(path)}[{index}]",
                         partial(_sample, sample, names, kind, clock))


def _sample(sample: Any, names: dict[str, Vital], kind: str, clock: Clock) -> Iterator[Item]:
    sample = record_of(sample)
    if str(sample.get("type", "")).lower() in _MUSCLE:
        return
    values = {vital: plausible(vital, number(sample[name])) for name, vital in names.items()
              if sample.get(name) is not None}
    if not values:
        return
    refuse_crossed(values)
    moment, offset_s = clock.read(sample.get("timestamp"))
    for vital, value in values.items():
        yield Observation(
            vital=vital, value=value, effective_start=moment, effective_end=moment,
            utc_offset_s=offset_s, context=_CONTEXTS.get(kind, Context.UNKNOWN),
            group_id=moment.isoformat() if len(names) > 1 else None)


def _average(record: dict[str, Any], path: tuple[str, ...], vital: Vital, kind: str,
             zone: ZoneInfo | None) -> Iterator[Item]:
    figure = _at(record, path)
    if figure is None:
        return
    metadata = record_of(record.get("metadata"))
    clock = Clock(zone)
    start, offset_s = clock.read(metadata.get("start_time"))
    end, end_offset_s = clock.read(metadata.get("end_time"))
    told = _TOLD.get(kind)
    context = _CONTEXTS.get(kind, Context.UNKNOWN)
    yield over_time(Observation(
        vital=vital, value=plausible(vital, number(figure)), effective_start=start,
        effective_end=end, utc_offset_s=offset_s, statistic=Statistic.MEAN,
        civil_date=civil_date(end, end_offset_s) if told is Granularity.NIGHT else None,
        context=Context.REST if vital is Vital.RESTING_HEART_RATE else context), told)


def _at(record: dict[str, Any], path: tuple[str, ...]) -> Any:
    """What stands there, None where it or something on the way is absent or null."""
    holder: Any = record
    for place, name in enumerate(path):
        if holder is None:
            return None
        if not isinstance(holder, dict):
            raise OddError(f"{'.'.join(path[:place])} is not an object")
        holder = holder.get(name)
    return holder
