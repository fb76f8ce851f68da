"""Fetching over real HTTP: outcomes, cursors, windows, and what is withheld."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from clinical.vitals import Vital
from providers.fetching import (
    FetchRequest,
    FetchResult,
    Outcome,
    VendorClient,
    reread_from,
    windows,
)
from providers.google_health import GoogleHealthClient
from providers.google_health import judge as google_judge
from providers.observation import NaiveTimeError
from providers.oura import OuraClient
from providers.oura import judge as oura_judge
from providers.withings import WithingsClient
from providers.withings import judge as withings_judge

from .conftest import Asked, Desk, Reply, Tokens

END = datetime(2026, 11, 21, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def google(desk: Desk, **changes: Any) -> GoogleHealthClient:
    return GoogleHealthClient(desk.session(google_judge, **changes))


def withings(desk: Desk) -> WithingsClient:
    return WithingsClient(desk.session(withings_judge))


def oura(desk: Desk) -> OuraClient:
    return OuraClient(desk.session(oura_judge))


def request(resource: str, *, days: float = 1, cursor: str | None = None,
            end: datetime = END) -> FetchRequest:
    return FetchRequest(resource=resource, start=END - timedelta(days=days), end=end,
                        cursor=cursor)


def beat(moment: datetime, beats: Any = "60") -> dict[str, Any]:
    return {"heartRate": {"sampleTime": {"physicalTime": moment.isoformat()},
                          "beatsPerMinute": beats}}


def group(moment: datetime, modified: datetime, grpid: int = 1) -> dict[str, Any]:
    return {"grpid": grpid, "attrib": 0, "category": 1, "date": int(moment.timestamp()),
            "modified": int(modified.timestamp()),
            "measures": [{"type": 11, "value": 60, "unit": 0}]}


def getmeas(*groups: dict[str, Any], updated: datetime = END, **more: Any) -> Reply:
    return Reply({"status": 0, "body": {"updatetime": int(updated.timestamp()),
                                        "measuregrps": list(groups)} | more})


def script(desk: Desk, data: Callable[[Asked], Reply], sync: Reply | None = None) -> None:
    """Answers data requests by `data`, and the device endpoint by `sync`."""
    def replies(asked: Asked) -> Reply:
        device = ("pairedDevices" in asked.path or asked.path == "/v2/user"
                  or "battery" in asked.path)
        return (sync or Reply({})) if device else data(asked)

    desk.vendor.replies = replies


def asked_for_data(desk: Desk) -> list[Asked]:
    return [one for one in desk.vendor.asked if "pairedDevices" not in one.path
            and "battery" not in one.path and one.path != "/v2/user"]


def test_every_page_is_read_and_kept_with_its_hash(desk: Desk) -> None:
    pages = {"": Reply({"dataPoints": [beat(END - HOUR)], "nextPageToken": "b"}),
             "b": Reply({"nextPageToken": "c"}),
             "c": Reply({"dataPoints": [beat(END - 2 * HOUR)]})}
    script(desk, lambda asked: pages[asked.fields.get("pageToken", "")],
           Reply({"pairedDevices": [{"lastSyncTime": "2026-11-21T05:30:00Z"}]}))
    result = google(desk).fetch(request("heart-rate"))
    assert (result.outcome, result.reason, result.http_status) == (Outcome.COMPLETE, None, 200)
    assert (result.received, result.parsed, result.refused, len(result.pages)) == (2, 2, 0, 3)
    assert all(len(page.sha256) == 64 for page in result.pages)
    assert result.cursor_after == END.isoformat()
    assert result.last_sync == datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
    assert desk.vendor.asked[0].fields["filter"] == (
        'heart_rate.sample_time.physical_time >= "2026-11-20T06:00:00Z" AND '
        'heart_rate.sample_time.physical_time < "2026-11-21T06:00:00Z"')
    assert desk.vendor.asked[0].fields["pageSize"] == "10000"


def test_a_failure_on_a_later_page_keeps_the_earlier_and_not_the_cursor(desk: Desk) -> None:
    def data(asked: Asked) -> Reply:
        if "pageToken" in asked.fields:
            return Reply({"error": {"code": 500, "status": "INTERNAL"}}, status=500)
        return Reply({"dataPoints": [beat(END - HOUR)], "nextPageToken": "b"})

    script(desk, data)
    result = google(desk).fetch(request("heart-rate"))
    assert (result.outcome, result.http_status) == (Outcome.FETCH_FAILED, 500)
    assert result.reason is not None
    assert result.reason.startswith("vendor_unavailable: ")
    assert (result.parsed, result.cursor_after, result.status) == (1, None, None)


@pytest.mark.parametrize(("reply", "outcome", "status"), [
    (Reply({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, status=403),
     Outcome.NOT_ENTITLED, None),
    (Reply({"error": {"code": 400, "details": [{"reason": "ACCOUNT_NOT_LINKED"}]}}, status=400),
     Outcome.NOT_ENTITLED, "not_linked"),
    (Reply({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status=401),
     Outcome.FETCH_FAILED, "reauth_required"),
    (Reply({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, status=429),
     Outcome.FETCH_FAILED, None),
    (Reply({"error": {"code": 500, "status": "INTERNAL"}}), Outcome.FETCH_FAILED, None),
    (Reply(body=b"<html>"), Outcome.FETCH_FAILED, None),
    (Reply({"points": []}), Outcome.FORMAT_DISCREPANCY, None),
])
def test_failures_become_outcomes(desk: Desk, reply: Reply, outcome: Outcome,
                                  status: str | None) -> None:
    script(desk, lambda _: reply)
    result = google(desk, tokens=Tokens(dead=True)).fetch(request("heart-rate"))
    assert (result.outcome, result.status, result.cursor_after) == (outcome, status, None)
    assert result.reason


def test_a_lapsed_membership_is_for_the_connection(desk: Desk) -> None:
    script(desk, lambda _: Reply({"title": "Forbidden"}, status=403))
    result = oura(desk).fetch(request("heartrate"))
    assert (result.outcome, result.status) == (Outcome.NOT_ENTITLED, "subscription_lapsed")


def test_a_page_of_another_shape_is_kept_for_a_person_to_see(desk: Desk) -> None:
    script(desk, lambda _: Reply({"points": [1]}))
    result = google(desk).fetch(request("heart-rate"))
    [page] = result.pages
    assert page.body == b'{"points": [1]}'
    assert (result.received, result.parsed, result.refused) == (0, 0, 1)


def test_more_refused_than_understood_is_a_format_discrepancy(desk: Desk) -> None:
    points = [beat(END - HOUR, "60"), beat(END - 2 * HOUR, 61), beat(END - 3 * HOUR, 62)]
    script(desk, lambda _: Reply({"dataPoints": points}))
    result = google(desk).fetch(request("heart-rate"))
    assert result.outcome is Outcome.FORMAT_DISCREPANCY
    assert (result.received, result.parsed, result.refused) == (3, 1, 2)
    assert "61" not in str(result.reason)


def test_one_odd_record_among_good_ones_stops_nothing(desk: Desk) -> None:
    points = [beat(END - HOUR), beat(END - 2 * HOUR, "0")]
    script(desk, lambda _: Reply({"dataPoints": points}))
    result = google(desk).fetch(request("heart-rate"))
    assert (result.outcome, result.parsed, result.refused) == (Outcome.COMPLETE, 1, 1)


def test_observations_at_the_end_or_later_wait_for_the_next_cycle(desk: Desk) -> None:
    points = [beat(END + HOUR), beat(END), beat(END - timedelta(seconds=1))]
    script(desk, lambda _: Reply({"dataPoints": points}))
    client = google(desk)
    result = client.fetch(request("heart-rate"))
    assert [len(page.withheld) for page in result.pages] == [2]
    assert result.parsed == 1
    later = client.fetch(request("heart-rate", end=END + 2 * HOUR, cursor=result.cursor_after))
    assert later.parsed == 3 * len(later.pages)


def test_a_night_waits_until_it_is_over(desk: Desk) -> None:
    night = {"id": "n", "day": "2026-11-21", "type": "long_sleep", "average_breath": 14,
             "average_heart_rate": 55, "lowest_heart_rate": 50,
             "bedtime_start": "2026-11-20T22:00:00+00:00",
             "bedtime_end": "2026-11-21T06:30:00+00:00"}
    script(desk, lambda _: Reply({"data": [night], "next_token": None}),
           Reply({"data": [], "next_token": None}))
    client = oura(desk)
    assert client.fetch(request("sleep")).parsed == 0
    assert client.fetch(request("sleep", end=END + HOUR)).parsed == 3


def test_the_same_request_gives_the_same_result(desk: Desk) -> None:
    script(desk, lambda _: getmeas(group(END - HOUR, END - HOUR)),
           Reply({"status": 0, "body": {"devices": []}}))
    first: FetchResult = withings(desk).fetch(request("getmeas"))
    assert first == withings(desk).fetch(request("getmeas"))
    assert first.outcome is Outcome.COMPLETE


def test_withings_goes_on_from_the_time_of_modification(desk: Desk) -> None:
    updated = END - timedelta(minutes=1)
    script(desk, lambda _: getmeas(updated=updated),
           Reply({"status": 0, "body": {"devices": []}}))
    client = withings(desk)
    result = client.fetch(request("getmeas", days=28))
    assert result.cursor_after == str(int(updated.timestamp()))
    client.fetch(request("getmeas", days=28, cursor=result.cursor_after))
    first, second = (int(asked.fields["lastupdate"]) for asked in asked_for_data(desk))
    assert first == (END - timedelta(days=28)).timestamp()
    assert second == updated.timestamp() - 60
    assert asked_for_data(desk)[0].fields["meastypes"] == "9,10,11,12,54,71,73"


def test_withings_cursor_never_passes_what_was_withheld(desk: Desk) -> None:
    ahead = group(END + HOUR, END - HOUR)  # a device whose clock is fast
    late = getmeas(ahead, updated=END + 5 * HOUR)
    script(desk, lambda _: late, Reply({"status": 0, "body": {"devices": []}}))
    result = withings(desk).fetch(request("getmeas"))
    assert result.parsed == 0
    assert result.cursor_after == str(int((END - HOUR).timestamp()))


def test_withings_pages_by_offset(desk: Desk) -> None:
    def data(asked: Asked) -> Reply:
        if asked.fields.get("offset") == "1":
            return getmeas(group(END - 2 * HOUR, END, 2))
        return getmeas(group(END - HOUR, END), more=1, offset=1)

    script(desk, data, Reply({"status": 0, "body": {"devices": []}}))
    assert withings(desk).fetch(request("getmeas")).parsed == 2


def test_withings_sleep_is_asked_by_days_of_at_most_24_hours(desk: Desk) -> None:
    script(desk, lambda _: Reply({"status": 0, "body": {"series": []}}),
           Reply({"status": 0, "body": {"devices": []}}))
    withings(desk).fetch(request("sleep", days=2))
    spans = [(int(asked.fields["startdate"]), int(asked.fields["enddate"]))
             for asked in asked_for_data(desk)]
    assert len(spans) == 3
    assert all(0 < end - start <= 86_400 for start, end in spans)
    assert (spans[0][0], spans[-1][1]) == ((END - timedelta(days=2)).timestamp(), END.timestamp())
    assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_reading_again_begins_72_hours_back_at_a_midnight(desk: Desk) -> None:
    again = request("heart-rate", days=28, cursor=END.isoformat())
    assert reread_from(again) == datetime(2026, 11, 18, tzinfo=UTC)
    assert reread_from(request("heart-rate", days=28)) == END - timedelta(days=28)
    script(desk, lambda _: Reply({}))
    google(desk).fetch(again)
    assert len(asked_for_data(desk)) == 4, "three closed days and the running one"


def test_daily_values_are_asked_by_dates_around_the_window(desk: Desk) -> None:
    script(desk, lambda _: Reply({}))
    google(desk).fetch(request("daily-respiratory-rate", days=2))
    assert desk.vendor.asked[0].fields["filter"] == (
        'daily_respiratory_rate.date >= "2026-11-18" AND '
        'daily_respiratory_rate.date < "2026-11-23"')


def test_oura_asks_a_month_of_heart_rates_at_most_and_days_with_an_open_end(desk: Desk) -> None:
    script(desk, lambda _: Reply({"data": [], "next_token": None}),
           Reply({"data": [], "next_token": None}))
    client = oura(desk)
    client.fetch(request("heartrate", days=70))
    for asked in asked_for_data(desk):
        start, end = (datetime.fromisoformat(asked.fields[name])
                      for name in ("start_datetime", "end_datetime"))
        assert timedelta(0) < end - start <= timedelta(days=30)
    client.fetch(request("sleep", days=1))
    last = asked_for_data(desk)[-1]
    assert last.fields == {"start_date": "2026-11-19", "end_date": "2026-11-23"}


def test_an_unknown_last_sync_does_not_undo_a_complete_fetch(desk: Desk) -> None:
    script(desk, lambda _: Reply({}), Reply({"error": {"code": 403}}, status=403))
    result = google(desk).fetch(request("heart-rate"))
    assert (result.outcome, result.last_sync) == (Outcome.COMPLETE, None)
    assert str(result.reason).startswith("last sync unknown: scope_missing")
    assert result.cursor_after is not None


def test_last_sync_is_asked_once_for_all_resources(desk: Desk) -> None:
    script(desk, lambda _: Reply({}), Reply({"pairedDevices": []}))
    client = google(desk)
    for resource in client.resources:
        client.fetch(request(resource))
    assert sum("pairedDevices" in asked.path for asked in desk.vendor.asked) == 1


def test_ouras_last_sync_is_looked_for_in_the_last_week(desk: Desk) -> None:
    script(desk, lambda _: Reply({}), Reply(
        {"data": [{"timestamp": "2026-11-20T20:00:00+00:00"}], "next_token": None}))
    assert oura(desk).last_sync(END) == datetime(2026, 11, 20, 20, tzinfo=UTC)
    assert desk.vendor.asked[0].fields["start_datetime"] == "2026-11-14T06:00:00+00:00"


def test_a_page_held_back_may_give_its_token_again_but_not_for_ever(desk: Desk) -> None:
    held = [Reply({"nextPageToken": "b"})] * 3
    desk.vendor.replies = [*held, Reply({"dataPoints": [beat(END - HOUR)]}), Reply({})]
    assert google(desk).fetch(request("heart-rate")).parsed == 1
    script(desk, lambda _: Reply({"nextPageToken": "b"}))
    result = google(desk).fetch(request("heart-rate"))
    assert result.outcome is Outcome.FORMAT_DISCREPANCY
    assert "paging does not come to an end" in str(result.reason)


@pytest.mark.parametrize("make", [google, withings, oura])
def test_a_resource_that_the_vendor_does_not_have_is_refused(
        desk: Desk, make: Callable[[Desk], VendorClient]) -> None:
    with pytest.raises(ValueError, match="choose from"):
        make(desk).fetch(request("blood-pressure"))
    with pytest.raises(ValueError, match="choose from"):
        type(make(desk))(desk.session(), ("blood-pressure",))


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(NaiveTimeError):
        FetchRequest(resource="x", start=END.replace(tzinfo=None), end=END)


def test_windows_are_gapless_and_cut_at_midnights() -> None:
    start = END - timedelta(days=3)
    cut = list(windows(start, END, days=1))
    assert cut[0] == (start, datetime(2026, 11, 19, tzinfo=UTC))
    assert cut[-1] == (datetime(2026, 11, 21, tzinfo=UTC), END)
    assert [stop for _, stop in cut[:-1]] == [first for first, _ in cut[1:]]
    assert list(windows(END, END, days=1)) == []


def test_spot_and_continuous_readings_arrive_under_their_vitals(desk: Desk) -> None:
    script(desk, lambda _: getmeas(group(END - HOUR, END)),
           Reply({"status": 0, "body": {"devices": []}}))
    [page] = withings(desk).fetch(request("getmeas")).pages
    assert [one.vital for one in page.parsed.observations] == [Vital.HEART_RATE]


def test_all_of_one_vital_refused_among_many_good_ones_is_a_changed_unit(desk: Desk) -> None:
    def reply(odd: int) -> Reply:
        points = {str(int((END - HOUR * n).timestamp())): {
            "heart_rate": 60, "rr": 15, "spo2_auto": 0.96 if n <= odd else 96} for n in range(1, 9)}
        return Reply({"status": 0, "body": {"series": points}})

    sync = Reply({"status": 0, "body": {"devices": []}})
    for odd, outcome in ((8, Outcome.FORMAT_DISCREPANCY), (5, Outcome.FORMAT_DISCREPANCY),
                         (4, Outcome.COMPLETE), (1, Outcome.COMPLETE)):
        script(desk, lambda _, odd=odd: reply(odd), sync)  # type: ignore[misc]
        result = withings(desk).fetch(request("intraday", days=0.25))
        assert (result.outcome, result.refused) == (outcome, odd)
        assert "0.96" not in str(result.reason)


def test_a_few_odd_ones_of_a_seldom_measured_vital_do_not_stop_the_others(desk: Desk) -> None:
    hot = group(END - HOUR, END) | {"measures": [{"type": 71, "value": 60, "unit": 0}]}
    others = [group(END - n * HOUR, END, n) for n in range(2, 6)]
    script(desk, lambda _: getmeas(hot, *others), Reply({"status": 0, "body": {"devices": []}}))
    result = withings(desk).fetch(request("getmeas"))
    assert (result.outcome, result.parsed, result.refused) == (Outcome.COMPLETE, 4, 1)


@pytest.mark.parametrize(("make", "resource", "data", "sync"), [
    (google, "heart-rate", Reply({}), Reply({"pairedDevices": [{"lastSyncTime": 1}]})),
    (withings, "getmeas", getmeas(),
     Reply({"status": 0, "body": {"devices": [{"last_session_date": "today"}]}})),
    (oura, "heartrate", Reply({"data": [], "next_token": None}),
     Reply({"data": [{"timestamp": 1}], "next_token": None}))])
def test_a_sync_that_cannot_be_read_does_not_pass_for_none(
        desk: Desk, make: Callable[[Desk], VendorClient], resource: str, data: Reply,
        sync: Reply) -> None:
    script(desk, lambda _: data, sync)
    result = make(desk).fetch(request(resource))
    assert (result.outcome, result.last_sync) == (Outcome.COMPLETE, None)
    assert str(result.reason).startswith("last sync unknown: schema: ")
