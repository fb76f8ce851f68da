"""Fitbit, whose Web API is off since November 2026: saved answers of it, and Google's Takeout.

Times of the API are the wearer's local ones without an offset, so they need --timezone; nightly
values have a date alone and do not. The Takeout's `heart_rate-….json` counts in UTC (its files are
of local days and begin at 05:00 where the wearer is five hours behind), whatever it looks like.
Skin temperature is a deviation from the wearer's own baseline. Field names of the Takeout are those
of public readers of it; its CSVs are in `takeout`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    day_of,
    in_our_time,
    night_of,
    number,
    object_at,
    plausible,
    text_at,
)
from providers.imports.reading import (
    Clock,
    FileRefused,
    Item,
    each_record,
    json_of,
    object_or_refused,
    opened_text,
    record_of,
    refused_keys,
)
from providers.imports.takeout import READ, nightly, read_takeout, spo2
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Quality,
    Refusal,
    Statistic,
)

Reader = Callable[[Any], Iterator[Item]]

_NIGHT_SPO2 = {"avg": Statistic.MEAN, "min": Statistic.MIN, "max": Statistic.MAX}
_UNSURE = "confidence 0: the tracker does not trust it"


def read_fitbit(file: BinaryIO, zone: ZoneInfo | None) -> Iterator[Item]:
    """Every vital of an answer or a Takeout file. Of two values for one moment the first counts."""
    text = opened_text(file)
    if text.lstrip()[:1] not in ("{", "["):
        yield from _once(read_takeout(text, zone))
        return
    document = json_of(text)
    if isinstance(document, list):
        yield from _once(_listed(document, zone))
    else:
        yield from _once(_answer(object_or_refused(document), zone))


def _once(items: Iterable[Item]) -> Iterator[Item]:
    """A second value for a moment is refused: it would replace the first without a word."""
    given: dict[tuple[Any, ...], Decimal] = {}
    for one in items:
        if isinstance(one, Observation):
            key = (one.vital, one.statistic, one.granularity, one.effective_start, one.device_model)
            if given.setdefault(key, one.value) != one.value:
                yield Refusal(record=one.effective_start.isoformat(), vital=one.vital,
                              reason="another value for the same moment stands before it")
                continue
        yield one


def _answer(document: dict[str, Any], zone: ZoneInfo | None) -> Iterator[Item]:
    """Intraday heart rate or saturation, a night's saturation, breathing rate, temperatures."""
    if "errors" in document:
        raise FileRefused("line 1: an error of Fitbit, no readings")
    clock = Clock(zone)
    if "activities-heart" in document:
        yield from _heart(document, clock)
    elif "minutes" in document:
        yield from each_record(document["minutes"], "minutes", lambda one: _saturation(one, clock))
    elif "br" in document:
        yield from each_record(document["br"], "br", _breathing)
    elif "tempSkin" in document:
        yield from each_record(document["tempSkin"], "tempSkin", _skin)
    elif "tempCore" in document:
        yield from each_record(document["tempCore"], "tempCore", lambda one: _core(one, clock))
    elif {"dateTime", "value"} <= document.keys():
        yield from each_record([document], "", _night_saturation)
    else:
        raise refused_keys(document, f"an answer of Fitbit, and no file of its Takeout ({READ})")


def _listed(document: list[Any], zone: ZoneInfo | None) -> Iterator[Item]:
    """A list of the Takeout, devices, or saturations of several days."""
    if reader := _reader_of(document):
        yield from each_record(document, "", reader)
        return
    clock = Clock(zone)
    for index, day in enumerate(document):
        if isinstance(day, dict) and "minutes" in day:
            yield from each_record(day["minutes"], f"[{index}].minutes",
                                   lambda one: _saturation(one, clock))
        elif not (isinstance(day, dict) and "deviceVersion" in day):
            raise FileRefused(f"[{index}]: neither a device nor a day of saturations, nor a record "
                              f"of the Takeout that is read ({READ})")


def _reader_of(document: list[Any]) -> Reader | None:
    """How a list of the Takeout is read, by what the value of any of its records holds."""
    values = (record.get("value") for record in document if isinstance(record, dict))
    return next((_LISTED[name] for value in values if isinstance(value, dict)
                 for name in _LISTED if name in value), None)


def _heart(document: dict[str, Any], clock: Clock) -> Iterator[Item]:
    """Resting rates of days, and rates by the minute or second, whose date stands beside them."""
    days, intraday = document["activities-heart"], document.get("activities-heart-intraday")
    yield from each_record(days, "activities-heart", _resting_of_day)
    if intraday is None:
        return
    if not isinstance(intraday, dict) or len(days) != 1:
        raise FileRefused("activities-heart: intraday readings need exactly one day beside them")
    try:
        day = day_of(record_of(days[0]).get("dateTime"))
    except OddError as odd:
        raise FileRefused(f"activities-heart[0]: {odd}") from None
    yield from each_record(intraday.get("dataset"), "activities-heart-intraday.dataset",
                           lambda one: _rate(one, day, clock))


def _resting_of_day(record: Any) -> Iterator[Item]:
    record = record_of(record)
    value = record.get("value")
    if isinstance(value, dict) and value.get("restingHeartRate") is not None:
        yield _resting(day_of(record.get("dateTime")), number(value["restingHeartRate"]))


def _resting(day: date, value: Decimal) -> Observation:
    start, noon = night_of(day)
    return Observation(
        vital=Vital.RESTING_HEART_RATE, value=plausible(Vital.RESTING_HEART_RATE, value),
        effective_start=start, effective_end=noon + (noon - start), civil_date=day,
        granularity=Granularity.DAY, statistic=Statistic.MEAN, context=Context.REST,
        method=Method.DERIVED)


def _rate(record: Any, day: date, clock: Clock) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.HEART_RATE, number(record.get("value")),
                  clock.read(f"{day}T{record.get('time')}"))


def _saturation(record: Any, clock: Clock) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.SPO2, spo2(number(record.get("value"))), clock.read(record.get("minute")),
                  context=Context.SLEEP)


def _core(record: Any, clock: Clock) -> Iterator[Item]:
    record = record_of(record)
    yield _moment(Vital.BODY_TEMPERATURE, number(record.get("value")),
                  clock.read(record.get("dateTime")), method=Method.MANUAL)


def _moment(vital: Vital, value: Decimal, time: tuple[datetime, int | None], *,
            context: Context = Context.UNKNOWN, method: Method = Method.DEVICE) -> Observation:
    return Observation(
        vital=vital, value=plausible(vital, value), effective_start=time[0],
        effective_end=time[0], utc_offset_s=time[1], context=context, method=method)


def _breathing(record: Any) -> Iterator[Item]:
    record = record_of(record)
    value = object_at(record, "value")
    holder = object_at(value, "fullSleepSummary") if "fullSleepSummary" in value else value
    yield nightly(Vital.RESPIRATORY_RATE, number(holder.get("breathingRate")),
                  day_of(record.get("dateTime")))


def _skin(record: Any) -> Iterator[Item]:
    record = record_of(record)
    value = object_at(record, "value").get("nightlyRelative")
    yield nightly(Vital.SKIN_TEMPERATURE_DEVIATION, number(value), day_of(record.get("dateTime")))


def _night_saturation(record: Any) -> Iterator[Item]:
    record = record_of(record)
    day, value = day_of(record.get("dateTime")), object_at(record, "value")
    for name in (name for name in _NIGHT_SPO2 if value.get(name) is not None):
        yield nightly(Vital.SPO2, number(value[name]), day, _NIGHT_SPO2[name])


def _takeout_rate(record: Any) -> Iterator[Item]:
    """A rate of `heart_rate-….json`, which counts in UTC."""
    record = record_of(record)
    value = object_at(record, "value")
    moment = _american(text_at(record, "dateTime"), "%m/%d/%y %H:%M:%S")
    unsure = value.get("confidence") == 0
    yield Observation(
        vital=Vital.HEART_RATE, value=plausible(Vital.HEART_RATE, number(value.get("bpm"))),
        effective_start=moment, effective_end=moment,
        quality=Quality.SUSPECT if unsure else Quality.OK,
        quality_reasons=(_UNSURE,) if unsure else ())


def _takeout_resting(record: Any) -> Iterator[Item]:
    """A day of `resting_heart_rate-….json`; zero and no date where nothing was measured."""
    value = object_at(record_of(record), "value")
    if value.get("date") is not None:
        yield _resting(_american(text_at(value, "date"), "%m/%d/%y").date(),
                       number(value.get("value")))


def _american(text: str | None, form: str) -> datetime:
    try:
        return in_our_time(datetime.strptime(text or "", form).replace(tzinfo=UTC))
    except ValueError as error:
        raise error if isinstance(error, OddError) else OddError("the time is not readable") \
            from None


_LISTED: dict[str, Reader] = {
    "bpm": _takeout_rate, "error": _takeout_resting, "avg": _night_saturation}
"""By a member that the value of such a record has."""
