"""The vendors' shapes: pages, filters, windows, and a clock that hides the future."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.observation import Provider
from providers.sandbox.cohort import cohort
from providers.sandbox.readings import DAY_S, HOUR_S, Channel, Readings, Subject
from providers.sandbox.world import RateLimit, SandboxSettings, iso
from tests.reference.sandbox_user import NOW, SandboxUser, sandbox_user

SMALL = SandboxSettings(withings_page=37, google_page=53, google_page_max=400, oura_page=41)
HEART = "heart_rate.sample_time.physical_time"


@pytest.fixture(scope="module")
def user() -> Iterator[SandboxUser]:
    with sandbox_user(settings=SMALL) as found:
        yield found


def truth(subject_id: str, channel: Channel, now: int = NOW) -> Readings:
    found: dict[str, Subject] = {s.subject_id: s for s in cohort(7)(NOW)}
    return found[subject_id].readings(channel, now).visible(now)


def set_clock(user: SandboxUser, moment: int) -> None:
    assert user.post("/sandbox/clock", {"now": iso(moment)}) == {"now": iso(moment)}


# Withings

def measures(groups: list[dict[str, Any]], kind: int) -> list[tuple[int, float]]:
    return sorted((group["date"], round(measure["value"] * 10.0 ** measure["unit"], 3))
                  for group in groups for measure in group["measures"] if measure["type"] == kind)


def rows(readings: Readings) -> list[tuple[int, float]]:
    return list(zip(readings.t.tolist(), readings.value.tolist(), strict=True))


def test_withings_pages_give_every_measure_once(user: SandboxUser) -> None:
    groups = user.connect(Provider.WITHINGS, "demo-01").groups(meastypes="9,10,11,54,71")
    assert max(Counter(group["grpid"] for group in groups).values()) == 1
    for kind, channel in {9: Channel.DIASTOLIC_BP, 10: Channel.SYSTOLIC_BP, 54: Channel.SPO2,
                          11: Channel.HEART_RATE, 71: Channel.BODY_TEMPERATURE}.items():
        assert measures(groups, kind) == rows(truth("demo-01", channel))


def test_withings_pages_hold_no_more_than_the_setting(user: SandboxUser) -> None:
    body = user.connect(Provider.WITHINGS, "demo-01").withings("/measure", "getmeas")["body"]
    assert (len(body["measuregrps"]), body["more"], body["offset"]) == (37, 1, 37)
    assert (body["updatetime"], body["timezone"]) == (NOW, "UTC")


def test_withings_measures_are_integers_and_pressures_share_a_group(user: SandboxUser) -> None:
    groups = user.connect(Provider.WITHINGS, "demo-02").groups(meastypes="9,10",
                                                               startdate=NOW - DAY_S)
    assert groups
    assert all([m["type"] for m in g["measures"]] == [9, 10] for g in groups)
    assert all(type(m["value"]) is int for g in groups for m in g["measures"])


def test_withings_lastupdate_goes_by_the_time_of_modification(user: SandboxUser) -> None:
    groups = user.connect(Provider.WITHINGS, "demo-01").groups(lastupdate=NOW - HOUR_S)
    assert groups
    assert all(group["modified"] >= NOW - HOUR_S for group in groups)


def test_withings_respiration_comes_by_day_when_asked_for(user: SandboxUser) -> None:
    user.connect(Provider.WITHINGS, "demo-01")
    window = {"startdate": NOW - DAY_S, "enddate": NOW}
    series = user.withings("/v2/measure", "getintradayactivity", data_fields="rr", **window)
    found = [(int(t), float(point["rr"])) for t, point in series["body"]["series"].items()]
    expected = truth("demo-01", Channel.RESPIRATORY_RATE).between(NOW - DAY_S, NOW + 1)
    assert found == rows(expected)
    silent = user.withings("/v2/measure", "getintradayactivity", data_fields="steps", **window)
    assert silent == {"status": 0, "body": {"series": {}}}


@pytest.mark.parametrize(("path", "action"), [
    ("/v2/measure", "getintradayactivity"), ("/v2/sleep", "get")])
def test_withings_windows_are_at_most_a_day(user: SandboxUser, path: str, action: str) -> None:
    answer = user.connect(Provider.WITHINGS, "demo-02").withings(
        path, action, startdate=NOW - DAY_S - 1, enddate=NOW, data_fields="rr,hr")
    assert answer["status"] == 503


def test_withings_sleep_tells_of_finished_nights_by_the_mat(user: SandboxUser) -> None:
    user.connect(Provider.WITHINGS, "demo-02")
    yesterday = NOW // DAY_S * DAY_S - DAY_S
    series = user.withings("/v2/sleep", "get", startdate=yesterday, enddate=yesterday + DAY_S - 1,
                           data_fields="hr,rr")["body"]["series"]
    expected = truth("demo-02", Channel.MAT_HEART_RATE).between(yesterday, yesterday + DAY_S)
    assert [(int(t), float(v)) for s in series for t, v in s["hr"].items()] == rows(expected)
    summary = user.withings("/v2/sleep", "getsummary", data_fields="hr_average",
                            startdateymd="2026-11-19", enddateymd="2026-11-20")["body"]
    assert [night["date"] for night in summary["series"]] == ["2026-11-19", "2026-11-20"]
    assert summary["series"][0]["data"]["rr_min"] > 5


def test_withings_devices_tell_their_last_session(user: SandboxUser) -> None:
    devices = user.connect(Provider.WITHINGS, "demo-02").withings("/v2/user", "getdevice")
    sessions = {d["model"]: d["last_session_date"] for d in devices["body"]["devices"]}
    assert sessions["ScanWatch"] == NOW
    assert set(sessions) == {"ScanWatch", "Thermo", "BPM Connect", "Aura Sensor V2"}


@pytest.mark.parametrize(("fields", "status"), [
    ({"action": "getmea"}, 2554), ({"action": "getmeas", "offset": "x"}, 503),
    ({"action": "getmeas", "meastypes": "a"}, 503)])
def test_withings_refuses_with_http_200(
        user: SandboxUser, fields: dict[str, str], status: int) -> None:
    assert user.connect(Provider.WITHINGS, "demo-01").withings("/measure", **fields)[
        "status"] == status


# Google Health

def test_google_pages_give_every_sample_once_newest_first(user: SandboxUser) -> None:
    points = user.connect(Provider.GOOGLE_HEALTH, "demo-05").points("heart-rate", pageSize=389)
    found = [(_moment(p["heartRate"]["sampleTime"]["physicalTime"]),
              float(p["heartRate"]["beatsPerMinute"])) for p in points]
    assert found == rows(truth("demo-05", Channel.HEART_RATE))[::-1]
    assert all(isinstance(p["heartRate"]["beatsPerMinute"], str) for p in points)


def test_google_cuts_the_page_size_without_a_word(user: SandboxUser) -> None:
    user.connect(Provider.GOOGLE_HEALTH, "demo-05")
    path = "/google_health/v4/users/me/dataTypes/heart-rate/dataPoints"
    assert len(user.get(path, pageSize=100_000)["dataPoints"]) == 400
    assert len(user.get(path)["dataPoints"]) == 53


def test_google_filters_samples_by_physical_time(user: SandboxUser) -> None:
    start, end = NOW - 5 * HOUR_S, NOW - 2 * HOUR_S
    points = user.connect(Provider.GOOGLE_HEALTH, "demo-05").points(
        "heart-rate", filter=f'{HEART} >= "{iso(start)}" AND {HEART} < "{iso(end)}"')
    times = [_moment(p["heartRate"]["sampleTime"]["physicalTime"]) for p in points]
    expected = truth("demo-05", Channel.HEART_RATE).between(start, end).t.tolist()
    assert times == expected[::-1]


def test_google_filters_daily_values_by_date(user: SandboxUser) -> None:
    points = user.connect(Provider.GOOGLE_HEALTH, "demo-05").points(
        "daily-respiratory-rate", filter='daily_respiratory_rate.date >= "2026-11-17" AND '
                                         'daily_respiratory_rate.date < "2026-11-20"')
    assert [p["dailyRespiratoryRate"]["date"]["day"] for p in points] == [19, 18, 17]


@pytest.mark.parametrize(("kebab", "text", "reason"), [
    ("heart-rate", 'heart_rate.date >= "2026-11-17"',
     "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER"),
    ("heart-rate", 'heartRate.sample_time.physical_time >= "2026-11-17T00:00:00Z"',
     "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER"),
    ("daily-respiratory-rate", f'{HEART} >= "2026-11-17T00:00:00Z"',
     "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER"),
    ("heart-rate", f'{HEART} >= "2026-11-17T00:00:00"', "INVALID_DATA_POINT_FILTER"),
    ("heart-rate", f'{HEART} > "2026-11-17T00:00:00Z"', "INVALID_DATA_POINT_FILTER"),
    ("heartRate", "", "INVALID_PARENT_DATA_TYPE_COLLECTION")])
def test_google_refuses_what_it_does_not_understand(
        user: SandboxUser, kebab: str, text: str, reason: str) -> None:
    answer = user.connect(Provider.GOOGLE_HEALTH, "demo-05").asked(
        f"/google_health/v4/users/me/dataTypes/{kebab}/dataPoints", filter=text)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["reason"] == reason


def test_google_types_without_data_answer_an_empty_object(user: SandboxUser) -> None:
    path = "/google_health/v4/users/me/dataTypes/daily-resting-heart-rate/dataPoints"
    assert user.connect(Provider.GOOGLE_HEALTH, "demo-05").get(path) == {}


def test_google_page_stays_when_newer_readings_arrive_between_two_requests(
        user: SandboxUser) -> None:
    user.connect(Provider.GOOGLE_HEALTH, "demo-05")
    path = "/google_health/v4/users/me/dataTypes/heart-rate/dataPoints"
    token = user.get(path)["nextPageToken"]
    before = user.get(path, pageToken=token)["dataPoints"]
    try:
        set_clock(user, NOW + HOUR_S)
        assert user.get(path, pageToken=token)["dataPoints"] == before
    finally:
        set_clock(user, NOW)


def test_google_devices_tell_the_last_sync(user: SandboxUser) -> None:
    devices = user.connect(Provider.GOOGLE_HEALTH, "demo-05").get(
        "/google_health/v4/users/me/pairedDevices")
    assert [d["lastSyncTime"] for d in devices["pairedDevices"]] == [iso(NOW)]


# Oura

def test_oura_pages_give_every_sample_once(user: SandboxUser) -> None:
    user.connect(Provider.OURA, "demo-07")
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=29)
    found = user.documents("heartrate", start_datetime=start.isoformat(),
                           end_datetime=iso(NOW + 1))
    assert [(_moment(d["timestamp"]), float(d["bpm"])) for d in found] == rows(
        truth("demo-07", Channel.HEART_RATE).between(int(start.timestamp()), NOW + 1))


def test_oura_windows_are_at_most_thirty_days(user: SandboxUser) -> None:
    answer = user.connect(Provider.OURA, "demo-07").asked(
        "/oura/v2/usercollection/heartrate", start_datetime=iso(NOW - 30 * DAY_S - 1),
        end_datetime=iso(NOW))
    assert answer.status_code == 400
    assert "30 days" in answer.json()["detail"]


def test_oura_heart_rate_by_date_silently_gives_nothing(user: SandboxUser) -> None:
    user.connect(Provider.OURA, "demo-07")
    assert user.documents("heartrate", start_date="2026-11-19", end_date="2026-11-21") == []


def test_oura_sleep_excludes_the_end_day(user: SandboxUser) -> None:
    user.connect(Provider.OURA, "demo-07")
    nights = user.documents("sleep", start_date="2026-11-18", end_date="2026-11-20")
    assert [night["day"] for night in nights] == ["2026-11-18", "2026-11-19"]
    assert user.documents("sleep", start_date="2026-11-18", end_date="2026-11-18") == []


def test_oura_days_include_the_end_day_and_may_be_null(user: SandboxUser) -> None:
    user.connect(Provider.OURA, "demo-07")
    days = user.documents("daily_spo2", start_date="2026-10-24", end_date="2026-11-20")
    assert [day["day"] for day in days][-1] == "2026-11-20"
    assert {type(day["spo2_percentage"]) for day in days} == {dict, type(None)}
    ready = user.documents("daily_readiness", start_date="2026-11-20", end_date="2026-11-20")
    assert abs(ready[0]["temperature_deviation"]) < 1


def test_oura_battery_ends_with_the_last_sync(user: SandboxUser) -> None:
    user.connect(Provider.OURA, "demo-08")
    levels = user.documents("ring_battery_level", start_datetime=iso(NOW - DAY_S),
                            end_datetime=iso(NOW + 1))
    assert levels[-1]["timestamp"] == "2026-11-20T20:00:00.000Z"


# The clock and the limits

def test_the_clock_hides_the_future_and_reveals_it(user: SandboxUser) -> None:
    user.connect(Provider.WITHINGS, "demo-01")
    before = {group["grpid"] for group in user.groups()}
    try:
        set_clock(user, NOW + 3 * HOUR_S)
        after = {group["grpid"]: group for group in user.groups()}
    finally:
        set_clock(user, NOW)
    arrived = [after[number]["date"] for number in after.keys() - before]
    assert before < after.keys()
    assert arrived
    assert all(NOW < date <= NOW + 3 * HOUR_S for date in arrived)
    assert {group["grpid"] for group in user.groups()} == before


@pytest.mark.parametrize("text", ["2026-11-21T06:00:00", "soon"])
def test_a_clock_without_a_zone_is_refused(user: SandboxUser, text: str) -> None:
    answer = user.session.post(f"{user.root}/sandbox/clock", json={"now": text}, timeout=60)
    assert answer.status_code == 422


def test_a_clock_years_after_the_anchor_is_refused(user: SandboxUser) -> None:
    answer = user.post("/sandbox/clock", {"now": "2062-11-21T06:00:00Z"})
    assert "--anchor" in answer["detail"]
    assert user.get("/sandbox/clock") == {"now": iso(NOW)}


def test_the_first_time_set_is_the_anchor() -> None:
    with sandbox_user(now=None) as user:
        set_clock(user, NOW)
        set_clock(user, NOW + DAY_S)
        assert user.get("/sandbox/health") == {
            "status": "ok", "now": iso(NOW + DAY_S), "anchor": iso(NOW)}


def test_subjects_are_listed_as_far_as_the_clock_lets(user: SandboxUser) -> None:
    listed = user.get("/sandbox/subjects")
    assert [s["subject_id"] for s in listed] == [f"demo-0{n}" for n in range(1, 9)]
    assert all(s["last"] <= iso(NOW) for s in listed)
    assert listed[5]["birth_date"] == "2011-01-15"
    assert listed[0]["vitals"] == ["body_temperature", "diastolic_bp", "heart_rate",
                                   "respiratory_rate", "spo2", "systolic_bp"]


def test_requests_are_counted() -> None:
    with sandbox_user() as user:
        user.connect(Provider.OURA, "demo-07").asked("/oura/v2/usercollection/sleep")
        assert user.get("/sandbox/requests") == {
            "POST /oura/oauth/token": 1, "GET /oura/v2/usercollection/sleep": 1}


def test_another_host_name_is_refused(user: SandboxUser) -> None:
    answer = user.session.get(f"{user.root}/sandbox/health", headers={"Host": "evil.example"},
                              timeout=60)
    assert answer.status_code == 400


def test_rate_limits_are_answered_in_each_vendors_way() -> None:
    limits = dict.fromkeys(Provider, RateLimit(requests=2, seconds=60))
    with sandbox_user(settings=SandboxSettings(rate_limits=limits)) as user:
        user.connect(Provider.WITHINGS, "demo-01")
        assert [user.withings("/v2/user", "getdevice")["status"] for _ in range(2)] == [0, 0]
        user.connect(Provider.WITHINGS, "demo-02")  # counted per application, not per patient
        assert user.withings("/v2/user", "getdevice") == {
            "status": 601, "body": {}, "error": "Too Many Requests"}
        user.connect(Provider.GOOGLE_HEALTH, "demo-04")
        answers = [user.asked("/google_health/v4/users/me/identity") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        user.connect(Provider.OURA, "demo-07")
        answers = [user.asked("/oura/v2/usercollection/sleep") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 0 < int(answers[2].headers["Retry-After"]) <= 60


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
