"""What the file formats share: the whole-file refusal, opened JSON, items, local times."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import orjson
from msgspec.structs import replace

from clinical.vitals import Vital
from providers.checks import OddError, in_order, in_our_time, near_utc, number, plausible
from providers.observation import (
    Context,
    Granularity,
    Observation,
    Parsed,
    Provider,
    Refusal,
    Statistic,
)

MOST_BYTES = 512 * 2**20
"""A JSON file is read as a whole; Apple's exports are larger, and streamed."""


OUT_OF_RANGE = "a number or a time beyond what can be reckoned with"

LONGEST_MOMENT = timedelta(hours=1)
"""What sums up a longer time is no reading of its hour, and nothing that is scored now."""
NO_MOMENT = "of more than an hour, and which statistic of it is not said"
HALF_DAY, LONGEST_DAY = timedelta(hours=12), timedelta(hours=25)
"""A day has 25 hours where the clocks are put back."""


class FileRefused(Exception):
    """The file as a whole is not of the format; says which line or record, never what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose readings the file says it holds: an id of the vendor's, or a date of birth."""

    user_id: str | None = None
    birth_date: str | None = None


Item = Observation | Refusal | Owner
Importer = Callable[[BinaryIO, ZoneInfo | None], Iterator[Item]]
"""An open file, and the zone of local times where the format has them; FileRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format: the source its readings are stored under, and how it is read."""

    provider: Provider
    read: Importer
    about: str


def opened_text(file: BinaryIO) -> str:
    """The text of a file that is not empty. FileRefused names the line where it is no UTF-8."""
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise FileRefused(f"larger than {MOST_BYTES >> 20} MiB: split it into several files")
    if data.startswith(b"PK\x03\x04"):
        raise FileRefused("line 1: a zip: unpack it and name the files in it, one by one")
    if not data.strip():
        raise FileRefused("line 1: the file is empty")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileRefused(f"line {line}: not text in UTF-8; save it as UTF-8") from None


def opened_json(file: BinaryIO) -> Any:
    """The JSON document of a file. FileRefused names the line where it ends or breaks."""
    return json_of(opened_text(file))


def json_of(text: str) -> Any:
    """The JSON document of a text. FileRefused names the line where it ends or breaks."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FileRefused(f"line {error.lineno}: not JSON, or cut off ({error.msg})") from None


def object_or_refused(document: Any) -> dict[str, Any]:
    """The document itself. FileRefused unless it is a JSON object."""
    if not isinstance(document, dict):
        raise FileRefused("line 1: the top level is not a JSON object")
    return document


def refused_keys(document: dict[str, Any], expected: str) -> FileRefused:
    """A refusal of a top level that is not what the format has."""
    return FileRefused(f"line 1: not {expected}: none of its top-level members, "
                       f"{len(document)} others")


def items_of(parsed: Parsed) -> Iterator[Item]:
    """What a page held, as items."""
    yield from parsed.observations
    yield from parsed.refused


def each_record(records: Any, name: str,
                read: Callable[[Any], Iterable[Item]]) -> Iterator[Item]:
    """Items of every record of a list; an odd one is refused under `name[index]`, of others the
    odd parts under `name[index].part`."""
    if not isinstance(records, list):
        raise FileRefused(f"{name} is not a list")
    for index, record in enumerate(records):
        place = f"{name}[{index}]"
        for one in alone("", partial(read, record)):
            yield Refusal(record=f"{place}.{one.record}".rstrip("."), reason=one.reason) \
                if isinstance(one, Refusal) else one


def alone(name: str, read: Callable[[], Iterable[Item]]) -> Iterator[Item]:
    """Items of a part of a record; an odd part is refused by its name, and by itself."""
    try:
        yield from list(read())
    except OddError as odd:
        yield Refusal(record=name, reason=str(odd))
    except ArithmeticError:
        yield Refusal(record=name, reason=OUT_OF_RANGE)


def record_of(value: Any) -> dict[str, Any]:
    """A record. OddError unless it is an object."""
    if not isinstance(value, dict):
        raise OddError("not an object")
    return value


def told_rate(record: Mapping[str, Any], name: str, vital: Vital) -> list[Decimal]:
    """The rate that stands there; none where it is absent or not above zero. OddError."""
    value = Decimal(0) if record.get(name) is None else number(record[name])
    return [plausible(vital, value)] if value > 0 else []


def refuse_crossed(values: Mapping[Vital, Decimal]) -> None:
    """OddError where a systolic pressure is not above the diastolic beside it."""
    pair = values.get(Vital.SYSTOLIC_BP), values.get(Vital.DIASTOLIC_BP)
    if pair[0] is not None and pair[1] is not None and pair[0] <= pair[1]:
        raise OddError("systolic is not above diastolic")


def zoned(text: Any) -> tuple[datetime, int]:
    """A time with an offset, in UTC, and that offset in seconds. OddError for a naive one."""
    try:
        moment = datetime.fromisoformat(text)
        offset = moment.utcoffset()
        if offset is None:
            raise OddError("time without a zone")
        return in_our_time(moment).astimezone(UTC), near_utc(_seconds(offset))
    except (TypeError, OverflowError):
        raise OddError("the time is not readable") from None
    except ValueError as error:
        raise error if isinstance(error, OddError) else OddError("the time is not readable") \
            from None


def over_time(one: Observation, told: Granularity | None = None) -> Observation:
    """The reading as one of a moment, an interval, a night or a day: by its length, or as `told`.

    What lasts more than an hour must say which statistic it is. Asleep it is a night's, with the
    date of waking; from half a day on a day's, with the date of its middle. OddError for an
    average of no time, of other lengths, and for an end before the start.
    """
    length = in_order(one.effective_start, one.effective_end)
    if told is None and not length and one.statistic is Statistic.INSTANT:
        return one
    if told is None and length > LONGEST_MOMENT and one.statistic is Statistic.INSTANT:
        raise OddError(NO_MOMENT)
    if not length or length > LONGEST_DAY:
        raise OddError("a statistic of no stretch of time, or of more than a day")
    statistic = Statistic.MEAN if one.statistic is Statistic.INSTANT else one.statistic
    if told is None and length <= LONGEST_MOMENT:
        return replace(one, granularity=Granularity.INTERVAL, statistic=statistic)
    night = told is Granularity.NIGHT or (told is None and one.context is Context.SLEEP)
    if told is None and not night and length < HALF_DAY:
        raise OddError("a statistic of some hours: of no moment, no night and no day")
    day = one.effective_end if night else one.effective_start + length / 2
    return replace(one, granularity=Granularity.NIGHT if night else Granularity.DAY,
                   statistic=statistic,
                   civil_date=one.civil_date or civil_date(day, one.utc_offset_s))


def civil_date(moment: datetime, offset_s: int | None) -> date | None:
    """The date that the wearer's calendar showed then, where the offset is known."""
    return None if offset_s is None else (moment + timedelta(seconds=offset_s)).date()


@dataclass(slots=True)
class Clock:
    """Reads the times of one list, in its order: those without an offset are the zone's.

    Of an hour that the clocks strike twice the first is meant, and the second from where an
    ascending list goes back within it.
    """

    zone: ZoneInfo | None
    _last: datetime | None = None
    _twice: bool = False
    _ascending: bool | None = None
    _second: bool = False

    def read(self, text: Any) -> tuple[datetime, int]:
        """The time in UTC and its offset in seconds. OddError without a zone, for a time that the
        clocks left out, and for no time."""
        try:
            wall = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise OddError("the time is not readable") from None
        if wall.tzinfo is not None:
            return zoned(text)
        if self.zone is None:
            raise OddError("local time without a zone: name it with --timezone")
        return self._local(in_our_time(wall), self.zone)

    def _local(self, wall: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
        first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        gained = _seconds(second.utcoffset()) - _seconds(first.utcoffset())
        if gained > 0:
            raise OddError("a time that the clocks left out: is it the right zone?")
        twice = gained < 0
        if self._last is not None and wall < self._last:
            self._second = (twice and self._twice and self._ascending is True
                            and not self._second)
            self._ascending = self._second
        elif self._last is not None and wall > self._last:
            self._ascending = self._ascending is not False
            self._second = self._second and twice
        self._last, self._twice = wall, twice
        moment = second if self._second else first
        return moment.astimezone(UTC), _seconds(moment.utcoffset())


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset is not None else 0
