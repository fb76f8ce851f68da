"""Saved answers of the Fitbit Web API, which is off since November 2026: only exports are left.

Times are the wearer's local ones without an offset, so they need --timezone; nightly values have a
date alone and do not. Skin temperature is a deviation from the wearer's own baseline.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import OddError, day_of, night_of, number, object_at, plausible
from providers.imports.reading import (
    FileRefused,
    Item,
    each_record,
    local,
    object_or_refused,
    opened_json,
    record_of,
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


def read_fitbit(file: BinaryIO, zone: ZoneInfo | None) -> Iterator[Item]:
    """Intraday heart rate or saturation, breathing rate, temperatures; devices hold none."""
    document = opened_json(file)
    if isinstance(document, list):
        yield from _listed(document, zone)
        return
    document = object_or_refused(document)
    if "errors" in document:
        raise FileRefused("line 1: an error of Fitbit, no readings")
    if "activities-heart" in document:
        yield from _heart(document, zone)
    elif "minutes" in document:
        yield from each_record(document["minutes"], "minutes", lambda one: _saturation(one, zone))
    elif "br" in document:
        yield from each_record(document["br"], "br", _breathing)
    elif "tempSkin" in document:
        yield from each_record(document["tempSkin"], "tempSkin", _skin)
    elif "tempCore" in document:
        yield from each_record(document["tempCore"], "tempCore", lambda one: _core(one, zone))
    else:
        raise refused_keys(document, "an answer of Fitbit")


def _listed(document: list[Any], zone: ZoneInfo | None) -> Iterator[Item]:
    """Devices, or saturations of several days."""
    for index, day in enumerate(document):
        if isinstance(day, dict) and "minutes" in day:
            yield from each_record(day["minutes"], f"[{index}].minutes",
                                   lambda one: _saturation(one, zone))
        elif not (isinstance(day, dict) and "deviceVersion" in day):
            raise FileRefused(f"[{index}]: neither a device nor a day of saturations")


def _heart(document: dict[str, Any], zone: ZoneInfo | None) -> Iterator[Item]:
    """Heart rates by the minute or second; the date stands in the day's summary beside them."""
    days, intraday = document["activities-heart"], document.get("activities-heart-intraday")
    if intraday is None:
        return                                       # zones of days, no readings
    if not isinstance(intraday, dict) or not isinstance(days, list) or len(days) != 1:
        raise FileRefused("activities-heart: intraday readings need exactly one day beside them")
    try:
        day = day_of(record_of(days[0]).get("dateTime"))
    except OddError as odd:
        raise FileRefused(f"activities-heart[0]: {odd}") from None
    yield from each_record(intraday.get("dataset"), "activities-heart-intraday.dataset",
                           lambda one: _rate(one, day, zone))


def _rate(record: Any, day: date, zone: ZoneInfo | None) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.HEART_RATE, record.get("value"), f"{day}T{record.get('time')}", zone)


def _saturation(record: Any, zone: ZoneInfo | None) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.SPO2, record.get("value"), record.get("minute"), zone, asleep=True)


def _core(record: Any, zone: ZoneInfo | None) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.BODY_TEMPERATURE, record.get("value"), record.get("dateTime"), zone,
                  manual=True)


def _breathing(record: Any) -> Iterator[Item]:
    record = record_of(record)
    value = object_at(record, "value").get("breathingRate")
    yield _night(Vital.RESPIRATORY_RATE, value, record.get("dateTime"))


def _skin(record: Any) -> Iterator[Item]:
    record = record_of(record)
    value = object_at(record, "value").get("nightlyRelative")
    yield _night(Vital.SKIN_TEMPERATURE_DEVIATION, value, record.get("dateTime"))


def _moment(vital: Vital, value: Any, time: Any, zone: ZoneInfo | None, *,
            asleep: bool = False, manual: bool = False) -> Observation | Refusal:
    moment, offset_s = local(time, zone)
    return Observation(
        vital=vital, value=plausible(vital, number(value)), effective_start=moment,
        effective_end=moment, utc_offset_s=offset_s,
        context=Context.SLEEP if asleep else Context.UNKNOWN,
        method=Method.MANUAL if manual else Method.DEVICE)


def _night(vital: Vital, value: Any, day_text: Any) -> Observation:
    day = day_of(day_text)
    start, end = night_of(day)
    return Observation(
        vital=vital, value=plausible(vital, number(value)), effective_start=start,
        effective_end=end, civil_date=day, granularity=Granularity.NIGHT,
        statistic=Statistic.MEAN, context=Context.SLEEP, method=Method.DERIVED)
