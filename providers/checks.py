"""Small checks at the vendor's edge, shared by the parse functions.

An `OddError` tells what is wrong with one record and never what it said; a `SchemaError` gives
the whole page up.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from clinical.vitals import SPECS, Vital
from providers.errors import SchemaError

Payload = bytes | Mapping[str, Any]
Day = TypeVar("Day", bound=date)

LIMITS: dict[Vital, tuple[Decimal, Decimal]] = {
    vital: (Decimal(str(spec.low)), Decimal(str(spec.high))) for vital, spec in SPECS.items()
}
"""Plausible range of each vital, both ends allowed."""

SKIN_SITES = frozenset({
    "skin", "wrist", "finger", "fingertip", "toe", "hand", "palm", "foot", "ankle", "arm",
    "forearm", "leg", "thigh", "calf", "chest", "abdomen", "neck"})
"""Words of places where a temperature is the skin's. Of the forehead it is an estimate of the
body's, made by the thermometer."""

FIRST_YEAR, LAST_YEAR = 1900, 2999

MOST_OFFSET_S = 18 * 3600
"""As java.time has it; clocks show -12 to +14 hours."""

_LONGEST_INT = 18
_WORD = re.compile(r"[a-z]+")
_INT64_TEXT = re.compile(r"-?[0-9]{1,18}")
_OFFSET = re.compile(r"(-?[0-9]{1,5})(?:\.0+)?s")


class OddError(ValueError):
    """One record is not as documented; the page goes on without it."""


def opened(payload: Payload, *, known: frozenset[str], required: frozenset[str]) -> dict[str, Any]:
    """The JSON object of a page. Raises SchemaError unless its top-level keys are as documented."""
    if isinstance(payload, bytes):
        try:
            payload = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise SchemaError("the body is not JSON") from None
    if not isinstance(payload, dict):
        raise SchemaError("the body is not a JSON object")
    if unknown := payload.keys() - known:
        raise SchemaError(f"{len(unknown)} undocumented top-level key(s)")
    if missing := required - payload.keys():
        raise SchemaError(f"top-level key missing: {', '.join(sorted(missing))}")
    return payload


def list_at(holder: Mapping[str, Any], key: str) -> list[Any]:
    """The list under `key`. Raises SchemaError when it is missing or something else."""
    value = holder.get(key)
    if not isinstance(value, list):
        raise SchemaError(f"{key} is not a list")
    return value


def token_at(page: Mapping[str, Any], key: str) -> str | None:
    """The next page's token, None on the last page. Raises SchemaError when it is no text."""
    token = page.get(key)
    if token is None or isinstance(token, str):
        return token or None
    raise SchemaError(f"{key} is not text")


def object_at(holder: object, key: str) -> dict[str, Any]:
    """The object under `key` of a record. Raises OddError when there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, dict):
        raise OddError(f"{key} is missing or not an object")
    return value


def text_or_none(value: object) -> str | None:
    """The text, None when it is empty, absent or something else (descriptive members only)."""
    return value if isinstance(value, str) and value and "\0" not in value else None


def text_at(holder: Mapping[str, Any], key: str) -> str | None:
    """The text under `key`, None when it is empty, null or absent. OddError for anything else:
    what a reading's key or meaning hangs on must not be lost by a changed type."""
    value = holder.get(key)
    if value is None or (isinstance(value, str) and "\0" not in value):
        return value or None
    raise OddError(f"{key} is not text")


def number(value: object) -> Decimal:
    """A JSON number, exactly as it is written. Raises OddError for anything else."""
    if type(value) is float or (type(value) is int and abs(value) < 10**_LONGEST_INT):
        return Decimal(repr(value))
    raise OddError("the value is not a number")


def number_in_text(text: object) -> Decimal:
    """A decimal number as text. Raises OddError for anything else."""
    try:
        value = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if value.is_finite():
        return value
    raise OddError("the value is not a number")


def int64_text(value: object) -> Decimal:
    """An int64 that JSON carries as text (Google). Raises OddError for a bare number too:
    a changed type is a changed schema."""
    found = _int64(value) if isinstance(value, str) else None
    if found is None:
        raise OddError("the value is not an integer in text")
    return found


@lru_cache(maxsize=1024)
def _int64(text: str) -> Decimal | None:
    return Decimal(text) if _INT64_TEXT.fullmatch(text) else None


def plausible(vital: Vital, value: Decimal) -> Decimal:
    """`value` itself. Raises OddError when it cannot be this vital in its own unit."""
    low, high = LIMITS[vital]
    if low <= value <= high:
        return value
    raise OddError("out of plausible range")


def temperature_at(site: str | None) -> Vital:
    """What a temperature is that was taken there: on skin or a limb it is not the body's."""
    words = set(_WORD.findall((site or "").lower()))
    return Vital.SKIN_TEMPERATURE if words & SKIN_SITES else Vital.BODY_TEMPERATURE


def in_our_time(day: Day) -> Day:
    """The time or date itself. Raises OddError when its year cannot be that of a reading.

    What was never set comes as the year 1 or 1601: windows around such a time leave the calendar.
    """
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    raise OddError("the year is not of our time")


def in_order(start: datetime, end: datetime) -> timedelta:
    """The time between them. Raises OddError when the end is before the start."""
    if end < start:
        raise OddError("it ends before it begins")
    return end - start


def utc(text: object) -> datetime:
    """An RFC 3339 time with a zone, in UTC. Raises OddError for a naive one or anything else."""
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]
        if moment.tzinfo is UTC:
            return in_our_time(moment)
        if moment.tzinfo is None:
            raise OddError("time without a zone")
        return in_our_time(moment).astimezone(UTC)
    except (TypeError, OverflowError):
        raise OddError("the time is not readable") from None
    except ValueError as error:
        raise error if isinstance(error, OddError) else OddError("the time is not readable") \
            from None


def at_epoch(seconds: object) -> datetime:
    """Epoch seconds, a whole number, in UTC. Raises OddError for anything else."""
    if type(seconds) is not int:
        raise OddError("the time is not in epoch seconds")
    return _moment(seconds)


@lru_cache(maxsize=64)                  # a group's measures share theirs, taken and modified
def _moment(seconds: int) -> datetime:
    try:
        return in_our_time(datetime.fromtimestamp(seconds, UTC))
    except OddError:
        raise
    except (ValueError, OverflowError, OSError):
        raise OddError("the time is not readable") from None


def at_epoch_key(text: str) -> datetime:
    """Epoch seconds as a JSON object's key, which can only be text. Raises OddError."""
    return at_epoch(int(text) if _INT64_TEXT.fullmatch(text) else None)


@lru_cache(maxsize=256)
def _offset_s(text: str) -> int | None:
    match = _OFFSET.fullmatch(text)
    return near_utc(int(match[1])) if match else None


def near_utc(offset_s: int) -> int:
    """An offset from UTC in seconds, itself. Raises OddError for one that no clock shows."""
    if abs(offset_s) > MOST_OFFSET_S:
        raise OddError("the offset from UTC is of no place on earth")
    return offset_s


def offset_s(text: object) -> int | None:
    """Seconds of a protobuf duration such as "-14400s"; None when it is absent or no such text.

    Raises OddError for anything but text: a changed type is a changed schema.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise OddError("the offset from UTC is not text")
    return _offset_s(text)


def day_of(text: object) -> date:
    """A civil date "YYYY-MM-DD". Raises OddError for anything else."""
    try:
        return in_our_time(date.fromisoformat(text))  # type: ignore[arg-type]
    except OddError:
        raise
    except (TypeError, ValueError):
        raise OddError("the day is not a date") from None


def night_of(day: date) -> tuple[datetime, datetime]:
    """Where a nightly value without times stands: midnight to noon UTC of the day of waking.

    Vendors give the civil date alone; by noon the night is over and the value final.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(hours=12)
