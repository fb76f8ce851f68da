"""Payloads that Garmin Health pushes: summaries of dailies, epochs, respiration, pressure, SpO2.

Samples stand at an offset in seconds from the summary's start; a negative one means "no reading".
A summary that is sent again with more data has the same id, and its readings the same keys. The
field names are those of public client libraries.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from clinical.vitals import Vital
from providers.checks import OddError, at_epoch, day_of, near_utc, number, plausible, text_at
from providers.imports.reading import (
    FileRefused,
    Item,
    Owner,
    alone,
    each_record,
    object_or_refused,
    opened_json,
    over_time,
    record_of,
    refuse_crossed,
    refused_keys,
    told_rate,
)
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Refusal,
    Statistic,
)

_CONTEXTS = {"ACTIVE": Context.ACTIVE, "HIGHLY_ACTIVE": Context.ACTIVE, "SEDENTARY": Context.REST}


def read_garmin(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """Every list of summaries of one payload; pings and deregistrations hold no readings.

    A list of a kind that is not read is refused by its name, and those beside it stand.
    """
    document = object_or_refused(opened_json(file))
    if document and not document.keys() & _READERS.keys():
        raise refused_keys(document, "a payload of Garmin Health")
    for name, records in document.items():
        if isinstance(records, list):
            yield from _owners(records)
        if name in _READERS:
            yield from each_record(records, name, _READERS[name])
        else:
            yield Refusal(record=name, reason="summaries of a kind that is not read")


def _owners(records: list[Any]) -> Iterator[Item]:
    try:
        users = {text_at(record, "userId") for record in records if isinstance(record, dict)}
    except OddError as odd:
        raise FileRefused(f"whose readings they are: {odd}") from None
    yield from (Owner(user_id=user) for user in sorted(user for user in users if user))


def _dailies(record: Any) -> Iterator[Item]:
    record = record_of(record)
    if "callbackURL" in record:
        return
    yield from _samples(record, "timeOffsetHeartRateSamples", Vital.HEART_RATE)
    for name, vital, context in (
            ("averageHeartRateInBeatsPerMinute", Vital.HEART_RATE, Context.UNKNOWN),
            ("restingHeartRateInBeatsPerMinute", Vital.RESTING_HEART_RATE, Context.REST)):
        yield from _rate(record, name, vital, context, told=Granularity.DAY)


def _epochs(record: Any) -> Iterator[Item]:
    record = record_of(record)
    if "callbackURL" in record:
        return
    context = _CONTEXTS.get(text_at(record, "intensity") or "", Context.UNKNOWN)
    for name, statistic in (("meanHeartRateInBeatsPerMinute", Statistic.MEAN),
                            ("maxHeartRateInBeatsPerMinute", Statistic.MAX)):
        yield from _rate(record, name, Vital.HEART_RATE, context, statistic)


def _skin_temperature(record: Any) -> Iterator[Item]:
    record = record_of(record)
    name = "avgDeviationCelsius"
    if "callbackURL" not in record and record.get(name) is not None:
        yield _whole(record, name, Vital.SKIN_TEMPERATURE_DEVIATION, Context.SLEEP,
                     told=Granularity.NIGHT)


def _respiration(record: Any) -> Iterator[Item]:
    record = record_of(record)
    for name in ("timeOffsetEpochToBreaths", "timeOffsetRespirationValues"):
        yield from _samples(record, name, Vital.RESPIRATORY_RATE)


def _pulse_oximetry(record: Any) -> Iterator[Item]:
    yield from _samples(record_of(record), "timeOffsetSpo2Values", Vital.SPO2)


def _pressures(record: Any) -> Iterator[Item]:
    record = record_of(record)
    if "callbackURL" in record:
        return
    moment = at_epoch(record.get("measurementTimeInSeconds"))
    values = {vital: plausible(vital, number(record.get(name))) for name, vital in (
        ("systolic", Vital.SYSTOLIC_BP), ("diastolic", Vital.DIASTOLIC_BP))}
    refuse_crossed(values)
    manual = text_at(record, "sourceType") == "MANUAL"
    pressures = [Observation(
        vital=vital, value=value, effective_start=moment, effective_end=moment,
        utc_offset_s=_offset(record, "measurementTimeOffsetInSeconds"),
        method=Method.MANUAL if manual else Method.DEVICE,
        source_record_id=_id(record), group_id=_id(record)) for vital, value in values.items()]
    yield from pressures
    yield from alone("pulse", lambda: [replace(pressures[0], vital=Vital.HEART_RATE, value=pulse)
                                       for pulse in told_rate(record, "pulse", Vital.HEART_RATE)])


def _nothing(record: Any) -> Iterator[Item]:
    record_of(record)
    return iter(())


_READERS: dict[str, Callable[[Any], Iterator[Item]]] = {
    "dailies": _dailies, "epochs": _epochs, "allDayRespiration": _respiration,
    "pulseox": _pulse_oximetry, "bloodPressures": _pressures,
    "skinTemp": _skin_temperature, "deregistrations": _nothing, "userPermissionsChange": _nothing,
}


def _samples(record: dict[str, Any], name: str, vital: Vital) -> Iterator[Item]:
    """Readings of a map from seconds after the start to the value; odd ones are refused alone."""
    samples = record.get(name)
    if samples is None:
        return
    if not isinstance(samples, dict):
        yield Refusal(record=name, reason="not an object")
        return
    start = _start(record)
    for place, (after, value) in enumerate(samples.items()):
        try:
            if number(value) < 0:
                continue
            moment = start + timedelta(seconds=_seconds(after))
            yield Observation(
                vital=vital, value=plausible(vital, number(value)), effective_start=moment,
                effective_end=moment, utc_offset_s=_offset(record, "startTimeOffsetInSeconds"),
                source_record_id=_id(record))
        except OddError as odd:
            yield Refusal(record=f"{name}[{place}]", reason=str(odd))


def _rate(record: dict[str, Any], name: str, vital: Vital, context: Context,
          statistic: Statistic = Statistic.MEAN, *,
          told: Granularity | None = None) -> Iterator[Item]:
    """One rate of the whole summary, refused alone; none where it is not above zero."""
    return alone(name, lambda: [_whole(record, name, vital, context, statistic, told=told)
                                for _ in told_rate(record, name, vital)])


def _whole(record: dict[str, Any], name: str, vital: Vital, context: Context,
           statistic: Statistic = Statistic.MEAN, *,
           told: Granularity | None = None) -> Observation:
    """One figure of the whole summary."""
    start, duration = _start(record), number(record.get("durationInSeconds"))
    return over_time(Observation(
        vital=vital, value=plausible(vital, number(record[name])), effective_start=start,
        effective_end=start + timedelta(seconds=int(duration)),
        utc_offset_s=_offset(record, "startTimeOffsetInSeconds"), context=context,
        civil_date=day_of(record["calendarDate"]) if told and "calendarDate" in record else None,
        statistic=statistic, source_record_id=_id(record)), told)


def _start(record: dict[str, Any]) -> datetime:
    return at_epoch(record.get("startTimeInSeconds"))


def _seconds(text: str) -> int:
    if not (text.isdecimal() and len(text) < 8):
        raise OddError("the offset is not in seconds")
    return int(text)


def _offset(record: dict[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is not None and type(value) is not int:
        raise OddError(f"{name} is not in whole seconds")
    return None if value is None else near_utc(value)


def _id(record: dict[str, Any]) -> str | None:
    return text_at(record, "summaryId")
