"""Oura v2: documents under `data`, paged by `next_token`, oldest first.

Heart rate and battery are asked for by date-time (at most 30 days), the rest by day; the end day
of `sleep` is exclusive. Temperature exists only as a deviation from the wearer's own usual.
"""

import base64
import binascii
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from starlette.routing import Route

from providers.observation import Provider
from providers.sandbox.exchange import Answer, Call, Dialect, Handler, data_endpoint, token_endpoint
from providers.sandbox.notices import oura_account
from providers.sandbox.oauth import (
    authorise_endpoint,
    grant_refused,
    issue,
    revoke_endpoint,
    token_answer,
)
from providers.sandbox.readings import DAY_S, HOUR_S, Channel
from providers.sandbox.wear import in_charger
from providers.sandbox.world import World, epoch, iso

_PREFIX = f"/{Provider.OURA}"
_LONGEST_S = 30 * DAY_S
_BATTERY_HOURS = 96

Row = tuple[int, dict[str, Any]]


def _problem(status: int, title: str, detail: str) -> Answer:
    return Answer(status=status, body={"status": status, "title": title, "detail": detail})


def _rate_limited(retry_after: int | None) -> Answer:
    wait = 60 if retry_after is None else retry_after
    headers = {"Retry-After": str(wait), "X-RateLimit-Limit": "5000", "X-RateLimit-Window": "300",
               "X-RateLimit-Reset": str(wait), "X-RateLimit-Tier": "token"}
    refused = _problem(429, "Too Many Requests", "Request Rate Limit Exceeded")
    return Answer(status=429, body=refused.body, headers=headers)


def _vendor_error(status: int | None) -> Answer:
    return _problem(status or 403, "Forbidden", "The user's subscription to Oura has expired and "
                    "their data is not available via the API")


def _empty_page(call: Call) -> Answer:
    """A page without documents whose token leads to the page that was asked for."""
    return Answer(body={"data": [], "next_token": call.params.get("next_token") or _token(-1)})


_SCOPES = {"heartrate": "heartrate", "sleep": "daily", "daily_readiness": "daily",
           "daily_spo2": "spo2", "personal_info": "personal"}

DIALECT = Dialect(
    provider=Provider.OURA,
    unauthorised=_problem(401, "Unauthorized", "The access token is missing, expired or invalid"),
    internal_error=_problem(500, "Internal Server Error", "An unexpected error occurred"),
    rate_limited=_rate_limited,
    vendor_error=_vendor_error,
    empty_page=_empty_page,
    grant_refused=grant_refused,
    scope_of=lambda call: _SCOPES.get(call.path.rpartition("/")[2]),
    scope_missing=_problem(403, "Forbidden", "The access token was not granted the scope that "
                           "this resource needs"),
    records=frozenset({"data"}), paging=frozenset({"next_token"}),
    clock_of=lambda call: frozenset(
        {"timestamp"} if call.path.endswith("ring_battery_level") else ()),
    renamed={"bpm": "beats_per_minute", "average_breath": "breath_average", "average": "mean",
             "temperature_deviation": "deviation_temperature"},
)


class _ParameterError(ValueError):
    """A parameter is wrong; answered as 400."""


def _token(after: int) -> str:
    return base64.urlsafe_b64encode(str(after).encode()).decode()


def _page_after(call: Call) -> int:
    token = call.params.get("next_token", "")
    try:
        return int(base64.urlsafe_b64decode(token)) if token else -1
    except (ValueError, binascii.Error) as error:
        raise _ParameterError("next_token is not valid") from error


def _paged(find: Callable[[Call], Iterator[Row]]) -> Handler:
    """A handler that serves one page of the rows that `find` gives, ascending by time."""

    def handler(call: Call) -> Answer:
        try:
            after = _page_after(call)
            rows = [row for row in find(call) if row[0] > after]
        except _ParameterError as error:
            return _problem(400, "Bad Request", str(error))
        size = call.world.settings.oura_page
        page = rows[:size]
        token = _token(page[-1][0]) if len(rows) > size else None
        return Answer(body={"data": [document for _, document in page], "next_token": token})

    return handler


def _times(call: Call) -> tuple[int, int]:
    """[start, end) of `start_datetime` and `end_datetime`; the last day by default.

    Dates in their place silently give nothing, as at the vendor's.
    """
    if "start_date" in call.params or "end_date" in call.params:
        return 0, 0
    try:
        end_text, start_text = (call.params.get(f"{n}_datetime") for n in ("end", "start"))
        end = epoch(end_text) if end_text else call.world.now + 1
        start = epoch(start_text) if start_text else end - DAY_S
    except ValueError as error:
        raise _ParameterError(
            f"start_datetime and end_datetime must be ISO 8601: {error}") from error
    if end - start > _LONGEST_S:
        raise _ParameterError("start_datetime and end_datetime must be at most 30 days apart")
    return start, end


def _days(call: Call) -> tuple[date, date]:
    """`start_date` and `end_date`; yesterday and today by default."""
    today = _day(call.world.now)
    try:
        first, last = (call.params.get(name) for name in ("start_date", "end_date"))
        end = date.fromisoformat(last) if last else today
        return (date.fromisoformat(first) if first else date.fromordinal(end.toordinal() - 1)), end
    except ValueError as error:
        raise _ParameterError(f"start_date and end_date must be YYYY-MM-DD: {error}") from error


def _day(t: int) -> date:
    return datetime.fromtimestamp(t, UTC).date()


def _stamp(t: int) -> dict[str, Any]:
    return {"timestamp": iso(t).replace("Z", ".000Z"), "timestamp_unix": t * 1000}


def _heartrate(call: Call) -> Iterator[Row]:
    start, end = _times(call)
    found = call.visible(Channel.HEART_RATE).between(start, end)
    for t, value in zip(found.t.tolist(), found.value.tolist(), strict=True):
        night = t % DAY_S < 6.5 * HOUR_S
        yield t, {**_stamp(t), "bpm": round(value), "source": "sleep" if night else "awake"}


def _battery(call: Call) -> Iterator[Row]:
    """Hourly, up to the last sync: the only sign of one that this vendor gives."""
    start, end = _times(call)
    last = call.subject.last_sync(call.world.now)
    first = call.world.anchor - 60 * DAY_S
    if last is None:
        return
    lowest = -(-max(start, first) // HOUR_S)
    pulse = call.subject.readings(Channel.HEART_RATE, call.world.now)
    for hour in range(lowest, min(end - 1, last) // HOUR_S + 1):
        spent = hour % _BATTERY_HOURS
        charged = in_charger(pulse, hour * HOUR_S)
        yield hour * HOUR_S, {**_stamp(hour * HOUR_S), "level": 100 - spent,
                              "charging": charged, "in_charger": charged}


def _nights(call: Call, channel: Channel) -> dict[int, float]:
    """Values by time of waking; a value the vendor has but could not compute is nan."""
    found = call.visible(channel)
    return dict(zip(found.t.tolist(), found.value.tolist(), strict=True))


def _id(call: Call, kind: str, wake: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{call.subject.subject_id} {kind} {wake}"))


def _sleep(call: Call) -> Iterator[Row]:
    """One long sleep a night; `heart_rate` is null, its samples stand in their own collection."""
    first, end = _days(call)
    breath, pulse, lowest = (_nights(call, channel) for channel in (
        Channel.NIGHT_RESPIRATORY_RATE, Channel.NIGHT_HEART_RATE, Channel.NIGHT_LOWEST_HEART_RATE))
    for wake, start in _nights(call, Channel.NIGHT_START).items():
        if first <= _day(wake) < end:
            yield wake, {
                "id": _id(call, "sleep", wake), "day": _day(wake).isoformat(),
                "average_breath": breath.get(wake), "average_heart_rate": pulse.get(wake),
                "average_hrv": None, "lowest_heart_rate": round(lowest[wake]),
                "bedtime_start": _local(int(start)), "bedtime_end": _local(wake),
                "heart_rate": None, **_stages(wake - int(start))}


def _stages(in_bed_s: int) -> dict[str, Any]:
    """The night's stages, in fixed shares: nothing in the sandbox depends on them."""
    deep, rem, light = (round(in_bed_s * share) for share in (0.2, 0.25, 0.47))
    asleep = deep + rem + light
    return {"type": "long_sleep", "period": 0, "time_in_bed": in_bed_s,
            "total_sleep_duration": asleep, "awake_time": in_bed_s - asleep,
            "deep_sleep_duration": deep, "rem_sleep_duration": rem,
            "light_sleep_duration": light, "efficiency": round(100 * asleep / in_bed_s),
            "latency": 600, "restless_periods": 12, "low_battery_alert": False}


def _local(t: int) -> str:
    """Local time with its offset; the sandbox's patients live in UTC."""
    return datetime.fromtimestamp(t, UTC).isoformat()


def _daily_spo2(call: Call) -> Iterator[Row]:
    first, last = _days(call)
    for wake, value in _nights(call, Channel.NIGHT_SPO2).items():
        if first <= _day(wake) <= last:
            yield wake, {"id": _id(call, "spo2", wake), "day": _day(wake).isoformat(),
                         "spo2_percentage": None if np.isnan(value) else {"average": value},
                         "breathing_disturbance_index": None}


def _daily_readiness(call: Call) -> Iterator[Row]:
    first, last = _days(call)
    for wake, value in _nights(call, Channel.NIGHT_SKIN_DEVIATION).items():
        if first <= _day(wake) <= last:
            midnight = wake // DAY_S * DAY_S
            yield wake, {"id": _id(call, "readiness", wake), "day": _day(wake).isoformat(),
                         "score": round(max(40, 88 - 25 * abs(value))),
                         "temperature_deviation": value, "temperature_trend_deviation": None,
                         "timestamp": _local(midnight), "contributors": {}}


def _personal_info(call: Call) -> Answer:
    """The account's id alone: the sandbox knows neither weight nor address."""
    return Answer(body={"id": oura_account(call.subject)})


def routes(world: World) -> list[Route]:
    """The vendor's routes, its authorise page among them."""
    provider = Provider.OURA
    collections = {"heartrate": _heartrate, "sleep": _sleep, "daily_spo2": _daily_spo2,
                   "daily_readiness": _daily_readiness, "ring_battery_level": _battery}
    return [
        Route(f"{_PREFIX}/authorize", authorise_endpoint(world, provider)),
        Route(f"{_PREFIX}/oauth/token", token_endpoint(
            world, DIALECT, lambda w, params: token_answer(issue(w, provider, params))),
            methods=["POST"]),
        Route(f"{_PREFIX}/oauth/revoke", revoke_endpoint(world, provider, "access_token"),
              methods=["POST"]),
        Route(f"{_PREFIX}/v2/usercollection/personal_info",
              data_endpoint(world, DIALECT, _personal_info)),
        *(Route(f"{_PREFIX}/v2/usercollection/{name}", data_endpoint(world, DIALECT, _paged(find)))
          for name, find in collections.items()),
    ]
