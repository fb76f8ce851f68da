"""Saved answers of the APIs that are also fetched: the same parse functions, found by shape.

Answers without readings (devices, subscriptions, notifications) are read and hold nothing; error
answers and tokens are refused, for they are no readings and were saved by mistake.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from providers import google_health, oura, withings_pages
from providers.errors import SchemaError
from providers.imports.reading import (
    FileRefused,
    Item,
    items_of,
    object_or_refused,
    opened_json,
    refused_keys,
)
from providers.observation import Parsed

Parse = Callable[[Any], Parsed]

_NOTIFICATION = re.compile(rb"(?=.*\buserid=\d+(?:&|\s*$))(?=.*\bappli=\d+(?:&|\s*$))"
                           rb"[a-z_]+=[\w%.:+-]*(?:&[a-z_]+=[\w%.:+-]*)*\s*")
"""The form that Withings sends when something is new."""


def read_withings(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """An answer of `measure`, `v2/sleep`, `v2/measure`, `v2/user`, `notify`, or a notification."""
    if _NOTIFICATION.fullmatch(file.read(512)):
        return
    file.seek(0)
    document = object_or_refused(opened_json(file))
    status, body = document.get("status"), document.get("body")
    if status != 0:
        raise FileRefused(f"line 1: an error of Withings, status {_number(status)}, no readings")
    if not isinstance(body, dict):
        raise refused_keys(document, "an answer of Withings")
    if "access_token" in body:
        raise _tokens()
    if "profiles" in body:
        return
    if parse := _withings_parser(body):
        yield from _items(parse, document)
        return
    raise refused_keys(body, "an answer of Withings with readings")


def _withings_parser(body: dict[str, Any]) -> Parse | None:
    if "measuregrps" in body:
        return withings_pages.parse_getmeas
    if "devices" in body:
        return withings_pages.parse_devices
    series = body.get("series")
    if isinstance(series, dict) or series == []:
        return withings_pages.parse_intraday
    if isinstance(series, list):
        nightly = any(isinstance(one, dict) and "data" in one for one in series)
        return withings_pages.parse_sleep_summary if nightly else withings_pages.parse_sleep
    return None


def read_google_health(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """A page of data points of one or several types, or another answer of the API."""
    document = object_or_refused(opened_json(file))
    if isinstance(error := document.get("error"), dict):
        raise FileRefused(f"line 1: an error of Google, code {_number(error.get('code'))}, "
                          "no readings")
    if "access_token" in document:
        raise _tokens()
    if "pairedDevices" in document:
        yield from _items(google_health.parse_paired_devices, document)
    elif document.keys() <= {"dataPoints", "nextPageToken"}:
        yield from _items(google_health.parse_any_points, document)
    elif not _told_apart_google(document):
        raise refused_keys(document, "an answer of Google Health")


def _told_apart_google(document: dict[str, Any]) -> bool:
    """Whether it is one of the API's documents that hold no readings."""
    data = document.get("data")
    notified = isinstance(data, dict) and "healthUserId" in data
    return "healthUserId" in document or document.get("type") == "verification" or notified


_OURA: dict[str, Parse] = {
    "bpm": oura.parse_heartrate, "bedtime_start": oura.parse_sleep,
    "spo2_percentage": oura.parse_daily_spo2,
    "temperature_deviation": oura.parse_daily_readiness, "level": oura.parse_ring_battery_level,
}


def read_oura(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """A page of heartrate, sleep, daily_spo2, daily_readiness or ring_battery_level."""
    document = object_or_refused(opened_json(file))
    if "event_type" in document:
        return
    if "access_token" in document:
        raise _tokens()
    if "data" not in document:
        raise refused_keys(document, "an answer of Oura")
    records = document["data"]
    if not isinstance(records, list):
        raise FileRefused("line 1: data is not a list")
    members = {key for record in records if isinstance(record, dict) for key in record}
    parsers = [parse for member, parse in _OURA.items() if member in members]
    if records and len(parsers) != 1:
        raise FileRefused("data[0]: not a record of " + ", ".join(
            ("heartrate", "sleep", "daily_spo2", "daily_readiness", "ring_battery_level")))
    for parse in parsers:
        yield from _items(parse, document)


def _items(parse: Parse, document: dict[str, Any]) -> Iterator[Item]:
    try:
        parsed = parse(document)
    except SchemaError as error:
        raise FileRefused(f"line 1: {error}") from None
    yield from items_of(parsed)


def _tokens() -> FileRefused:
    return FileRefused("line 1: this answer holds tokens and no readings: delete the file")


def _number(value: object) -> str:
    return str(value) if type(value) is int else "unknown"
