"""Oura API v2: parse functions and client.

`heartrate` is asked by time and gives UTC; the daily documents are asked by the patient's own
dates, with an exclusive end, and give local times with an offset. Temperature is a deviation from
the wearer's own baseline and never a body temperature. The ring has no blood pressure.
Schema: Oura's OpenAPI 1.35. The curve inside a sleep document (`heart_rate.items`, null where
the ring saw nothing) is left alone: `heartrate` carries the same samples.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    Payload,
    day_of,
    in_order,
    list_at,
    night_of,
    number,
    object_at,
    opened,
    plausible,
    text_at,
    token_at,
    utc,
)
from providers.errors import ProviderError, ScopeMissing, SubscriptionLapsed
from providers.fetching import (
    DAY,
    FetchRequest,
    Page,
    VendorClient,
    last_sync_of,
    reread_from,
    walk,
    windows,
)
from providers.http import Answer, Session, judge_status
from providers.limits import RateLimit
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Parsed,
    Provider,
    Refusal,
    Statistic,
)
from providers.vendor import Endpoints, Entry

RESOURCES = ("heartrate", "sleep", "daily_spo2", "daily_readiness")
_PATH = "/v2/usercollection/"
_MONTH_DAYS = 30
_SYNC_DAYS = 7
"""How far back the last ring_battery_level is looked for; older means the same: not synced."""

_PAGE = frozenset({"data", "next_token"})
_CONTEXTS = {"sleep": Context.SLEEP, "rest": Context.REST, "workout": Context.ACTIVE}
_NO_SLEEP = ("rest", "deleted")
_SLEEP = {
    "average_breath": (Vital.RESPIRATORY_RATE, Statistic.MEAN),
    "average_heart_rate": (Vital.HEART_RATE, Statistic.MEAN),
    "lowest_heart_rate": (Vital.HEART_RATE, Statistic.MIN),
}
_SLEEP_MEMBERS = frozenset({
    "id", "average_breath", "average_heart_rate", "average_hrv", "awake_time", "bedtime_end",
    "bedtime_start", "day", "deep_sleep_duration", "efficiency", "heart_rate", "hrv", "latency",
    "light_sleep_duration", "low_battery_alert", "lowest_heart_rate", "movement_30_sec", "period",
    "readiness", "readiness_score_delta", "rem_sleep_duration", "restless_periods", "ring_id",
    "sleep_algorithm_version", "sleep_analysis_reason", "sleep_phase_30_sec",
    "sleep_phase_5_min", "app_sleep_phase_5_min", "sleep_score_delta", "time_in_bed",
    "total_sleep_duration", "type",
})
"""What a sleep document may hold; another name where a figure is missing is a renamed figure."""

Reader = Callable[[Any], Sequence[Observation | Refusal]]


def parse_heartrate(payload: Payload) -> Parsed:
    """Heart rate every five minutes. Raises SchemaError for a page that is not one."""
    return _parsed(payload, _heartrate)


def parse_sleep(payload: Payload) -> Parsed:
    """Nightly figures; rests and deleted nights are left out, and a night with one implausible
    figure is refused as a whole. Raises SchemaError."""
    return _parsed(payload, _sleep)


def parse_daily_spo2(payload: Payload) -> Parsed:
    """Nightly mean saturation, null where it was not measured. Raises SchemaError."""
    return _parsed(payload, _daily_spo2)


def parse_daily_readiness(payload: Payload) -> Parsed:
    """Deviation of the nightly skin temperature, in °C. Raises SchemaError."""
    return _parsed(payload, _daily_readiness)


def parse_ring_battery_level(payload: Payload) -> Parsed:
    """`figures["last_sync"]` is the latest battery report: the ring has been synced since.

    `figures["charging"]` are the reports from the charger, where nobody wears it.
    """
    page = _page(payload)
    moments: list[datetime] = []
    charging: list[datetime] = []
    refused: list[Refusal] = []
    for index, level in enumerate(page["data"]):
        try:
            moments.append(utc(level.get("timestamp") if isinstance(level, dict) else None))
            if level.get("in_charger") is True or level.get("charging") is True:
                charging.append(moments[-1])
        except OddError as odd:
            refused.append(Refusal(record=f"data[{index}]", reason=str(odd)))
    return Parsed(received=len(page["data"]), refused=refused,
                  next_page=token_at(page, "next_token"),
                  figures={"last_sync": max(moments, default=None), "charging": charging,
                           "devices": {"ring": max(moments, default=None)}})


PARSERS: dict[str, Callable[[Payload], Parsed]] = {
    "heartrate": parse_heartrate, "sleep": parse_sleep, "daily_spo2": parse_daily_spo2,
    "daily_readiness": parse_daily_readiness,
}
"""The parse function of each resource."""


def judge(status: int, document: Any) -> ProviderError | None:
    """403 is a lapsed membership unless the problem document speaks of scopes."""
    if status != 403:
        return judge_status(status)
    told = document if isinstance(document, dict) else {}
    words = f"{told.get('title')} {told.get('detail')}".lower()
    return ScopeMissing() if "scope" in words else SubscriptionLapsed()


class OuraClient(VendorClient):
    """One account at Oura."""

    provider = Provider.OURA
    known = RESOURCES

    def __init__(self, session: Session, resources: tuple[str, ...] = RESOURCES) -> None:
        super().__init__(session, resources)

    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        parse = PARSERS[request.resource]
        for params in _params(request):
            yield from self._walk(request.resource, params, parse, request.end)

    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        params = _between(as_of - _SYNC_DAYS * DAY, as_of)
        pages = list(self._walk("ring_battery_level", params, parse_ring_battery_level, as_of))
        self._devices[as_of] = [page.parsed for page in pages]
        return last_sync_of(pages)

    def _walk(self, resource: str, params: dict[str, str], parse: Callable[[Payload], Parsed],
              end: datetime) -> Iterator[Page]:
        def ask(token: str | None) -> Answer:
            return self._session.get(_PATH + resource,
                                     params | ({"next_token": token} if token else {}))

        return walk(ask, parse, end)


def _params(request: FetchRequest) -> Iterator[dict[str, str]]:
    """One set per listing: a month of heart rates at most, closed days when reading again."""
    start = reread_from(request)
    if request.resource == "heartrate":
        days = 1 if request.cursor else _MONTH_DAYS
        for first, stop in windows(start, request.end, days=days):
            yield _between(first, stop)
        return
    # The patient's day may be one off from the day in UTC, and the end is exclusive.
    yield {"start_date": (start - DAY).date().isoformat(),
           "end_date": (request.end + 2 * DAY).date().isoformat()}


def _between(start: datetime, end: datetime) -> dict[str, str]:
    return {"start_datetime": start.isoformat(), "end_datetime": end.isoformat()}


def _page(payload: Payload) -> dict[str, Any]:
    page = opened(payload, known=_PAGE, required=frozenset({"data"}))
    list_at(page, "data")
    return page


def _parsed(payload: Payload, read: Reader) -> Parsed:
    page = _page(payload)
    observations: list[Observation] = []
    refused: list[Refusal] = []
    for index, record in enumerate(page["data"]):
        try:
            for one in read(record):
                if isinstance(one, Observation):
                    observations.append(one)
                else:
                    refused.append(replace(one, record=f"data[{index}].{one.record}"))
        except OddError as odd:
            refused.append(Refusal(record=f"data[{index}]", reason=str(odd)))
    return Parsed(observations=observations, refused=refused, received=len(page["data"]),
                  next_page=token_at(page, "next_token"))


def _record(record: object) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise OddError("not an object")
    return record


def _nullable(record: dict[str, Any], name: str) -> object:
    """A member that may be null but is always there: a missing one is a changed schema."""
    if name not in record:
        raise OddError(f"{name} is missing")
    return record[name]


def _heartrate(record: Any) -> list[Observation]:
    record = _record(record)
    moment = utc(record.get("timestamp"))
    return [Observation(
        vital=Vital.HEART_RATE, value=plausible(Vital.HEART_RATE, number(record.get("bpm"))),
        effective_start=moment, effective_end=moment,
        context=_CONTEXTS.get(text_at(record, "source") or "", Context.UNKNOWN),
    )]


def _sleep(record: Any) -> Sequence[Observation | Refusal]:
    record = _record(record)
    if text_at(record, "type") in _NO_SLEEP:
        return []
    if _SLEEP.keys() - record.keys() and record.keys() - _SLEEP_MEMBERS:
        raise OddError(f"undocumented members, and {', '.join(_SLEEP)} not all there")
    start, end = utc(record.get("bedtime_start")), utc(record.get("bedtime_end"))
    in_order(start, end)
    offset = datetime.fromisoformat(record["bedtime_start"]).utcoffset()
    civil_date, record_id = day_of(record.get("day")), _id(record)
    found: list[Observation | Refusal] = []
    for name in (name for name in _SLEEP if record.get(name) is not None):
        vital, statistic = _SLEEP[name]
        try:
            found.append(Observation(
                vital=vital, value=plausible(vital, number(record[name])), effective_start=start,
                effective_end=end, civil_date=civil_date, granularity=Granularity.NIGHT,
                utc_offset_s=int(offset.total_seconds()) if offset is not None else None,
                statistic=statistic, context=Context.SLEEP, method=Method.DERIVED,
                source_record_id=record_id))
        except OddError as odd:
            found.append(Refusal(record=name, reason=str(odd), vital=vital))
    return found


def _daily_spo2(record: Any) -> list[Observation]:
    record = _record(record)
    if _nullable(record, "spo2_percentage") is None:
        return []
    average = _nullable(object_at(record, "spo2_percentage"), "average")
    return [] if average is None else [_nightly(record, Vital.SPO2, number(average))]


def _daily_readiness(record: Any) -> list[Observation]:
    record = _record(record)
    deviation = _nullable(record, "temperature_deviation")
    if deviation is None:
        return []
    return [_nightly(record, Vital.SKIN_TEMPERATURE_DEVIATION, number(deviation))]


def _nightly(record: dict[str, Any], vital: Vital, value: Decimal) -> Observation:
    day: date = day_of(record.get("day"))
    start, end = night_of(day)
    return Observation(
        vital=vital, value=plausible(vital, value), effective_start=start, effective_end=end,
        civil_date=day, granularity=Granularity.NIGHT, statistic=Statistic.MEAN,
        context=Context.SLEEP, method=Method.DERIVED, source_record_id=_id(record),
    )


def _id(record: dict[str, Any]) -> str | None:
    return text_at(record, "id")


ENTRY = Entry(
    endpoints=Endpoints(
        api="https://api.ouraring.com",
        authorise="https://cloud.ouraring.com/oauth/authorize",
        token="https://api.ouraring.com/oauth/token",
        revoke="https://api.ouraring.com/oauth/revoke"),
    limit=RateLimit(calls=5000, period_s=300),
    scopes={
        "daily": (Vital.RESPIRATORY_RATE, Vital.SKIN_TEMPERATURE_DEVIATION),
        "heartrate": (Vital.HEART_RATE,), "spo2": (Vital.SPO2,), "personal": ()},
    client=OuraClient, judge=judge, parsers=PARSERS, resources=RESOURCES,
    pkce=False, sandbox_token_path="/oauth/token", sandbox_revoke_path="/oauth/revoke",
)
