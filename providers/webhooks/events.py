"""What a verified webhook says: accounts to fetch from, readings that came along, who left.

A body may tell of several accounts (Garmin sends many in one); each is a part of its own, so that
what is stored of a patient holds nobody else. An address in a body (Garmin's `callbackURL`) is only
told here; `providers.webhooks.pings` says whether it may be asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson

from providers.checks import OddError, at_epoch, text_or_none
from providers.observation import Provider

JsonObject = dict[str, Any]

DAY = timedelta(days=1)


class EventRefused(Exception):
    """The body is not understood, or may not be; says why, never what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something is new: fetch these resources of the account, back to `since` where it is told.

    `resources` may be empty: news of something that holds no vital. None means every resource.
    """

    account: str
    resources: tuple[str, ...] | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Readings of one account, as a payload of the vendor's importer."""

    account: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Readings of one account that wait at an address, which may be anybody's: a list named `name`.
    The address holds a token."""

    account: str
    name: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The account's owner took the permission back."""

    account: str


Part = Hint | Push | Pull | Gone

# Categories of Withings' notifications that tell of vitals; 46 is the end of a link, and of all.
_WITHINGS: dict[str, tuple[str, ...] | None] = {
    "2": ("getmeas",), "4": ("getmeas",), "16": ("intraday",), "44": ("sleep",), "46": None,
}
_REREAD_BY_MODIFICATION = "getmeas"
_GOOGLE = {"sleep": ("daily-respiratory-rate", "daily-sleep-temperature-derivations")}
_TERRA_GONE = ("deauth", "access_revoked")
_TERRA_EMPTY = ("healthcheck",)


def read_event(provider: Provider, body: bytes) -> list[Part]:
    """What the body says, one part an account and kind. EventRefused."""
    try:
        return list(_READERS[provider](body))
    except OddError as odd:
        raise EventRefused(str(odd)) from None


def _withings(body: bytes) -> Iterator[Part]:
    try:
        form = {name: values[0] for name, values in parse_qs(body.decode("ascii")).items()}
    except (UnicodeDecodeError, ValueError):
        raise EventRefused("not a form") from None
    resources = _WITHINGS.get(_named(form, "appli"), ())
    dated = resources not in (None, (_REREAD_BY_MODIFICATION,)) and "startdate" in form
    since = at_epoch(_number(form["startdate"])) if dated else None
    yield Hint(account=_named(form, "userid"), resources=resources, since=since)


def _google_health(body: bytes) -> Iterator[Part]:
    data = _object(_json(body).get("data"), "data")
    kind = _named(data, "dataType")
    starts = [start for one in _list(data.get("intervals", []), "intervals")
              if (start := _interval_start(_object(one, "interval")))]
    yield Hint(account=_named(data, "healthUserId"), resources=_GOOGLE.get(kind, (kind,)),
               since=min(starts, default=None))


def _interval_start(interval: JsonObject) -> datetime | None:
    """When it begins in UTC; of a civil date, the earliest moment that the date has anywhere."""
    physical = interval.get("physicalTimeInterval")
    if isinstance(physical, dict) and isinstance(physical.get("startTime"), str):
        return _moment(physical["startTime"])
    civil = interval.get("civilDateTimeInterval")
    if not isinstance(civil, dict):
        return None
    day = _object(_object(civil.get("startDateTime"), "startDateTime").get("date"), "date")
    try:
        return datetime(day["year"], day["month"], day["day"], tzinfo=UTC) - DAY
    except (KeyError, OverflowError, TypeError, ValueError):
        raise EventRefused("the interval's date is not readable") from None


def _oura(body: bytes) -> Iterator[Part]:
    event = _json(body)
    yield Hint(account=_named(event, "user_id"), resources=(_named(event, "data_type"),))


def _garmin(body: bytes) -> Iterator[Part]:
    document = _json(body)
    accounts: dict[str, dict[str, list[JsonObject]]] = {}
    pulls: list[Pull] = []
    for name, records in document.items():
        for record in _list(records, name):
            record = _object(record, name)
            account = _named(record, "userId")
            if "callbackURL" in record:
                pulls.append(Pull(account=account, name=name, address=str(record["callbackURL"])))
            else:
                accounts.setdefault(account, {}).setdefault(name, []).append(record)
    yield from pulls
    for account, lists in accounts.items():
        gone = lists.pop("deregistrations", None)
        if lists:
            alone = len(accounts) == 1 and not gone and not pulls
            yield Push(account=account, body=_own(body, lists, alone=alone))
        if gone:
            yield Gone(account=account)


def _terra(body: bytes) -> Iterator[Part]:
    document = _json(body)
    if document.get("type") in _TERRA_EMPTY:
        return
    account = _named(_object(document.get("user"), "user"), "user_id")
    if document.get("type") in _TERRA_GONE:
        yield Gone(account=account)
    else:
        yield Push(account=account, body=body)


def _own(body: bytes, lists: dict[str, list[JsonObject]], *, alone: bool) -> bytes:
    """One account's part of a body; the body itself where there is nobody else in it."""
    return body if alone else orjson.dumps(lists, option=orjson.OPT_SORT_KEYS)


def _json(body: bytes) -> JsonObject:
    try:
        return _object(orjson.loads(body), "the top level")
    except orjson.JSONDecodeError:
        raise EventRefused("not JSON") from None


def _object(value: Any, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise EventRefused(f"{name} is not an object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise EventRefused(f"{name} is not a list")
    return value


def _named(record: JsonObject, name: str) -> str:
    """A member that must be a text."""
    found = text_or_none(record.get(name))
    if not found or "\0" in found:
        raise EventRefused(f"no {name}")
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise EventRefused("startdate is not in seconds")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise EventRefused("the interval's time has no zone")
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise EventRefused("the interval's time is not readable") from None


_READERS: dict[Provider, Callable[[bytes], Iterator[Part]]] = {
    Provider.WITHINGS: _withings, Provider.GOOGLE_HEALTH: _google_health, Provider.OURA: _oura,
    Provider.GARMIN: _garmin, Provider.TERRA: _terra,
}
