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
from providers.checks import OddError, at_epoch, day_of, number, plausible, text_at
from providers.imports.reading import (
    FileRefused,
    Item,
    Owner,
    civil_date,
    each_record,
    object_or_refused,
    opened_json,
    record_of,
    refuse_crossed,
    refused_keys,
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
    """Every list of summaries of one payload; pings and deregistrations hold no readings."""
    document = object_or_refused(opened_json(file))
    if unknown := document.keys() - _READERS.keys():
        raise refused_keys(dict.fromkeys(unknown), "a payload of Garmin Health")
    for name, records in document.items():
        if isinstance(records, list):
            yield from _owners(records)
        yield from each_record(records, name, _READERS[name])


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
        if record.get(name) is not None:
            whole = _whole(record, name, vital, Statistic.MEAN)
            yield replace(whole, context=context, granularity=Granularity.DAY,
                          civil_date=day_of(record["calendarDate"]) if "calendarDate" in record
                          else civil_date(whole.effective_start, whole.utc_offset_s))


def _epochs(record: Any) -> Iterator[Item]:
    record = record_of(record)
    if "callbackURL" in record:
        return
    context = _CONTEXTS.get(text_at(record, "intensity") or "", Context.UNKNOWN)
    for name, statistic in (("meanHeartRateInBeatsPerMinute", Statistic.MEAN),
                            ("maxHeartRateInBeatsPerMinute", Statistic.MAX)):
        if record.get(name) is not None and number(record[name]) > 0:
            yield replace(_whole(record, name, Vital.HEART_RATE, statistic), context=context)


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
    if record.get("pulse") is not None:
        values[Vital.HEART_RATE] = plausible(Vital.HEART_RATE, number(record["pulse"]))
    manual = text_at(record, "sourceType") == "MANUAL"
    for vital, value in values.items():
        yield Observation(
            vital=vital, value=value, effective_start=moment, effective_end=moment,
            utc_offset_s=_offset(record, "measurementTimeOffsetInSeconds"),
            method=Method.MANUAL if manual else Method.DEVICE,
            source_record_id=_id(record), group_id=_id(record))


def _nothing(record: Any) -> Iterator[Item]:
    record_of(record)
    return iter(())


_READERS: dict[str, Callable[[Any], Iterator[Item]]] = {
    "dailies": _dailies, "epochs": _epochs, "allDayRespiration": _respiration,
    "pulseox": _pulse_oximetry, "bloodPressures": _pressures,
    "deregistrations": _nothing, "userPermissionsChange": _nothing,
}


def _samples(record: dict[str, Any], name: str, vital: Vital) -> Iterator[Item]:
    """Readings of a map from seconds after the start to the value; odd ones are refused alone."""
    samples = record.get(name)
    if samples is None:
        return
    if not isinstance(samples, dict):
        raise OddError(f"{name} is not an object")
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
            yield Refusal(record=f"{_id(record)}.{name}[{place}]", reason=str(odd))


def _whole(record: dict[str, Any], name: str, vital: Vital, statistic: Statistic) -> Observation:
    """One figure of the whole summary."""
    start, duration = _start(record), number(record.get("durationInSeconds"))
    return Observation(
        vital=vital, value=plausible(vital, number(record[name])), effective_start=start,
        effective_end=start + timedelta(seconds=int(duration)),
        utc_offset_s=_offset(record, "startTimeOffsetInSeconds"),
        granularity=Granularity.INTERVAL, statistic=statistic, source_record_id=_id(record))


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
    return value


def _id(record: dict[str, Any]) -> str | None:
    return text_at(record, "summaryId")
