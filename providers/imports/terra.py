"""Payloads that Terra pushes: `daily`, `body`, `sleep` and `activity` data of one user.

A timestamp without an offset is the wearer's local time (--timezone). `percentage` of a saturation
sample is a blood saturation unless its `type` says that it is a muscle's. Field names: Terra's
published client library.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import OddError, number, plausible, text_at
from providers.imports.reading import (
    FileRefused,
    Item,
    Owner,
    civil_date,
    each_record,
    local,
    object_or_refused,
    opened_json,
    record_of,
    zoned,
)
from providers.observation import Context, Granularity, Observation, Refusal, Statistic

_TYPES = ("daily", "body", "sleep", "activity")
_MUSCLE = ("1", "smo2", "muscle")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Where samples of a vital stand in a record, and under which name their value."""

    path: tuple[str, ...]
    value: str
    vital: Vital


_SAMPLES = (
    _Samples(path=("heart_rate_data", "detailed", "hr_samples"), value="bpm",
             vital=Vital.HEART_RATE),
    _Samples(path=("oxygen_data", "saturation_samples"), value="percentage", vital=Vital.SPO2),
    _Samples(path=("respiration_data", "breaths_data", "samples"), value="breaths_per_min",
             vital=Vital.RESPIRATORY_RATE),
    _Samples(path=("temperature_data", "body_temperature_samples"), value="temperature_celsius",
             vital=Vital.BODY_TEMPERATURE),
    _Samples(path=("temperature_data", "skin_temperature_samples"), value="temperature_celsius",
             vital=Vital.SKIN_TEMPERATURE),
    _Samples(path=("blood_pressure_data", "blood_pressure_samples"), value="systolic_bp",
             vital=Vital.SYSTOLIC_BP),
    _Samples(path=("blood_pressure_data", "blood_pressure_samples"), value="diastolic_bp",
             vital=Vital.DIASTOLIC_BP),
)

_AVERAGES = (
    (("heart_rate_data", "summary"), "avg_hr_bpm", Vital.HEART_RATE, Context.UNKNOWN),
    (("heart_rate_data", "summary"), "resting_hr_bpm", Vital.RESTING_HEART_RATE, Context.REST),
    (("oxygen_data",), "avg_saturation_percentage", Vital.SPO2, Context.UNKNOWN),
    (("respiration_data", "breaths_data"), "avg_breaths_per_min", Vital.RESPIRATORY_RATE,
     Context.UNKNOWN),
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
    asleep = Context.SLEEP if kind == "sleep" else Context.UNKNOWN
    yield from each_record(document.get("data"), "data",
                           lambda record: _record(record_of(record), zone, asleep))


def _owner(user: Any) -> Iterator[Item]:
    try:
        if name := text_at(record_of(user), "user_id"):
            yield Owner(user_id=name)
    except OddError as odd:
        raise FileRefused(f"whose readings they are: {odd}") from None


def _record(record: dict[str, Any], zone: ZoneInfo | None, context: Context) -> Iterator[Item]:
    for samples in _SAMPLES:
        found = _at(record, samples.path)
        if found is not None and not isinstance(found, list):
            raise OddError(f"{'.'.join(samples.path)} is not a list")
        for index, sample in enumerate(found or []):
            try:
                yield from _sample(record_of(sample), samples, zone, context)
            except OddError as odd:
                yield Refusal(record=f"{'.'.join(samples.path)}[{index}].{samples.value}",
                              reason=str(odd))
    yield from _averages(record, zone)


def _sample(sample: dict[str, Any], samples: _Samples, zone: ZoneInfo | None,
            context: Context) -> Iterator[Item]:
    value = sample.get(samples.value)
    if value is None or str(sample.get("type", "")).lower() in _MUSCLE:
        return
    moment, offset_s = _time(sample.get("timestamp"), zone)
    paired = samples.vital in (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)
    yield Observation(
        vital=samples.vital, value=plausible(samples.vital, number(value)),
        effective_start=moment, effective_end=moment, utc_offset_s=offset_s, context=context,
        group_id=moment.isoformat() if paired else None)


def _averages(record: dict[str, Any], zone: ZoneInfo | None) -> Iterator[Item]:
    for path, name, vital, context in _AVERAGES:
        figure = _at(record, (*path, name))
        if figure is None:
            continue
        try:
            yield _average(record, vital, number(figure), context, zone)
        except OddError as odd:
            yield Refusal(record=".".join((*path, name)), reason=str(odd))


def _average(record: dict[str, Any], vital: Vital, value: Decimal, context: Context,
             zone: ZoneInfo | None) -> Observation:
    metadata = record_of(record.get("metadata"))
    start, offset_s = _time(metadata.get("start_time"), zone)
    end, _ = _time(metadata.get("end_time"), zone)
    return Observation(
        vital=vital, value=plausible(vital, value), effective_start=start, effective_end=end,
        utc_offset_s=offset_s, civil_date=civil_date(start, offset_s),
        granularity=Granularity.DAY, statistic=Statistic.MEAN, context=context)


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


def _time(text: Any, zone: ZoneInfo | None) -> Any:
    return local(text, zone) if zone is not None else zoned(text)
