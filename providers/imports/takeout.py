"""CSVs of Google's Takeout of Fitbit, told apart by their columns.

Times with an offset are what they say; those of temperatures are local (--timezone). A daily value
is of the date that it shows at midnight, else of the wearer's date then. 50 % stands for "no valid
reading" in saturations by the minute. Columns are those that public readers of the Takeout show;
files whose unit or meaning differs between them (device temperature, which is relative; breathing
by sleep stage "in milli breaths") are not read.
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    in_our_time,
    night_of,
    number_in_text,
    plausible,
    text_or_none,
)
from providers.imports.reading import Clock, FileRefused, Item, each_record, over_time, zoned
from providers.observation import Context, Granularity, Method, Observation, Statistic

READ = ("heart_rate and resting_heart_rate JSON; CSVs of heart rate, SpO2 by minute and day, "
        "daily respiratory rate, body and computed temperature")
"""What of a Takeout is read, for messages."""

_INVALID_SPO2 = 50
_Row = dict[str, Any]
_Reader = Callable[[_Row, ZoneInfo | None], Iterator[Item]]


def read_takeout(text: str, zone: ZoneInfo | None) -> Iterator[Item]:
    """Every row of the CSV. FileRefused for columns that are not known."""
    lines = csv.DictReader(io.StringIO(text))
    try:
        columns = set(lines.fieldnames or ())
        reader = next((read for needed, read in _READERS
                       if needed == columns or _MINUTES != needed < columns), None)
        if reader is None:
            raise FileRefused(f"line 1: neither JSON nor a CSV that is read ({READ})")
        rows = list(lines)
    except csv.Error as error:
        raise FileRefused(f"line {max(lines.line_num, 1)}: not a CSV ({error})") from None
    if columns >= _HEART_RATE and _by_day([str(row["timestamp"]) for row in rows]):
        raise FileRefused("line 2: one heart rate a day: resting rates are read from "
                          "resting_heart_rate-YYYY-MM-DD.json")
    if columns == _MINUTES and not all(_may_be_spo2(row["value"]) for row in rows):
        raise FileRefused("line 1: columns of SpO2 by the minute, but values that are not within "
                          f"50 to 100 %: it is something else ({READ})")
    yield from each_record(rows, "row", lambda row: reader(row, zone))


def _by_day(times: list[str]) -> bool:
    """One a day on several days, or a single one at midnight, which stands for its day."""
    if len(times) == 1:
        return times[0][11:19] in ("", "00:00:00")
    return bool(times) and len({time[:10] for time in times}) == len(times)


def _may_be_spo2(text: Any) -> bool:
    """A percentage that a saturation may have; what is no number is refused with its row alone."""
    try:
        return _INVALID_SPO2 <= number_in_text(text) <= 100
    except OddError:
        return True


def spo2(value: Decimal) -> Decimal:
    """A saturation by the minute. OddError for what stands for an invalid one."""
    if value == _INVALID_SPO2:
        raise OddError("50 % stands for no valid reading")
    return value


def nightly(vital: Vital, value: Decimal, day: date,
            statistic: Statistic = Statistic.MEAN) -> Observation:
    """A value of the night before `day`, without times."""
    start, end = night_of(day)
    return Observation(
        vital=vital, value=plausible(vital, value), effective_start=start, effective_end=end,
        civil_date=day, granularity=Granularity.NIGHT, statistic=statistic,
        context=Context.SLEEP, method=Method.DERIVED)


def _sample(vital: Vital, column: str, context: Context = Context.UNKNOWN,
            site: str | None = None) -> _Reader:
    def read(row: _Row, _: ZoneInfo | None) -> Iterator[Item]:
        moment, _offset = zoned(row["timestamp"])
        value = number_in_text(row[column])
        yield Observation(
            vital=vital, value=plausible(vital, spo2(value) if vital is Vital.SPO2 else value),
            effective_start=moment, effective_end=moment, context=context, body_site=site,
            device_model=text_or_none(row.get("data source")))
    return read


def _night(vital: Vital, columns: dict[str, Statistic]) -> _Reader:
    def read(row: _Row, zone: ZoneInfo | None) -> Iterator[Item]:
        day = _date(row["timestamp"], zone)
        for name in (name for name in columns if row.get(name)):
            yield nightly(vital, number_in_text(row[name]), day, columns[name])
    return read


def _date(text: str, zone: ZoneInfo | None) -> date:
    """The wearer's date of a daily value. OddError where only the zone could tell it."""
    try:
        told = in_our_time(datetime.fromisoformat(text))
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, OddError) else OddError("the time is not readable") \
            from None
    if told.tzinfo is None or told.time() == datetime.min.time():
        return told.date()
    if zone is None:
        raise OddError("the date depends on the zone: name it with --timezone")
    return told.astimezone(zone).date()


def _computed_temperature(row: _Row, zone: ZoneInfo | None) -> Iterator[Item]:
    if row["type"] != "SKIN":
        raise OddError("not the skin's temperature, but the device's")
    clock = Clock(zone)
    (start, offset_s), (end, _) = clock.read(row["sleep_start"]), clock.read(row["sleep_end"])
    yield over_time(Observation(
        vital=Vital.SKIN_TEMPERATURE, effective_start=start, effective_end=end,
        value=plausible(Vital.SKIN_TEMPERATURE, number_in_text(row["nightly_temperature"])),
        utc_offset_s=offset_s, statistic=Statistic.MEAN, context=Context.SLEEP,
        method=Method.DERIVED, civil_date=date.fromisoformat(row["sleep_end"][:10])),
        Granularity.NIGHT)


_HEART_RATE = {"timestamp", "beats per minute"}
_MINUTES = {"timestamp", "value"}
"""SpO2 by the minute. The names do not tell, so that nothing else may stand beside them."""
_READERS: tuple[tuple[set[str], _Reader], ...] = (
    (_HEART_RATE, _sample(Vital.HEART_RATE, "beats per minute")),
    ({"timestamp", "oxygen saturation percentage"},
     _sample(Vital.SPO2, "oxygen saturation percentage")),
    ({"timestamp", "temperature celsius"},
     _sample(Vital.SKIN_TEMPERATURE, "temperature celsius", site="wrist")),
    ({"timestamp", "average_value", "lower_bound", "upper_bound"},
     _night(Vital.SPO2, {"average_value": Statistic.MEAN})),
    ({"timestamp", "average percentage"},
     _night(Vital.SPO2, {"average percentage": Statistic.MEAN})),
    ({"timestamp", "daily_respiratory_rate"},
     _night(Vital.RESPIRATORY_RATE, {"daily_respiratory_rate": Statistic.MEAN})),
    ({"timestamp", "full_sleep_breathing_rate"},
     _night(Vital.RESPIRATORY_RATE, {"full_sleep_breathing_rate": Statistic.MEAN})),
    ({"timestamp", "breaths per minute"},
     _night(Vital.RESPIRATORY_RATE, {"breaths per minute": Statistic.MEAN})),
    ({"type", "sleep_start", "sleep_end", "nightly_temperature"}, _computed_temperature),
    (_MINUTES, _sample(Vital.SPO2, "value", Context.SLEEP)),
)
