"""Each way in which the sandbox can be told to fail."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from providers.catalogue import make_client, make_limiter, sandbox_endpoints
from providers.fetching import FetchRequest, FetchResult
from providers.http import Patience, Timeouts
from providers.limits import RateLimit
from providers.observation import Provider
from providers.sandbox.faults import Kind
from providers.sandbox.readings import DAY_S, HOUR_S
from providers.sandbox.world import iso
from tests.reference.sandbox_user import NOW, SandboxUser, Tokens, sandbox_user
from vitalcast.sandbox_admin import SandboxError, arm, armed, disarm

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "sandbox.md").read_text()
WHOSE = {Provider.WITHINGS: ("demo-01", "getmeas"), Provider.GOOGLE_HEALTH: ("demo-04",
         "heart-rate"), Provider.OURA: ("demo-07", "heartrate")}
GOOGLE = "/google_health/v4/users/me/dataTypes/heart-rate/dataPoints"
HEART = "/oura/v2/usercollection/heartrate"


@pytest.fixture
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


@pytest.fixture
def withings(user: SandboxUser) -> SandboxUser:
    return user.connect(Provider.WITHINGS, "demo-01")


@pytest.fixture
def google(user: SandboxUser) -> SandboxUser:
    return user.connect(Provider.GOOGLE_HEALTH, "demo-04")


@pytest.fixture
def oura(user: SandboxUser) -> SandboxUser:
    return user.connect(Provider.OURA, "demo-07")


def fail(user: SandboxUser, kind: str, **fields: object) -> None:
    assert user.post("/sandbox/faults", {"kind": kind, **fields})["kind"] == kind


def test_429_lasts_as_often_as_told(google: SandboxUser) -> None:
    fail(google, "http_429", provider="google_health", times=2, retry_after=7)
    answers = [google.asked(GOOGLE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert google.get("/sandbox/faults") == []


def test_a_fault_may_let_requests_pass_first(google: SandboxUser) -> None:
    fail(google, "http_500", after=2, times=1)
    assert [google.asked(GOOGLE).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_429_of_google_has_no_retry_after_unless_told(google: SandboxUser) -> None:
    fail(google, "http_429", times=1)
    assert "Retry-After" not in google.asked(GOOGLE).headers


def test_429_of_oura_says_when_to_come_back(oura: SandboxUser) -> None:
    fail(oura, "http_429", times=1)
    answer = oura.asked(HEART)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_429_of_withings_is_its_status_601(withings: SandboxUser) -> None:
    fail(withings, "http_429", times=1)
    assert withings.withings("/measure", "getmeas")["status"] == 601


def test_500_without_end_until_deleted(oura: SandboxUser) -> None:
    fail(oura, "http_500")
    assert [oura.asked(HEART).status_code for _ in range(3)] == [500] * 3
    assert oura.session.delete(f"{oura.root}/sandbox/faults", timeout=60).json() == {"removed": 1}
    assert oura.asked(HEART).status_code == 200


def test_vendor_error_of_withings_is_http_200(withings: SandboxUser) -> None:
    fail(withings, "vendor_error", times=1, status=2555)
    fail(withings, "vendor_error", times=1)
    answers = [withings.withings("/measure", "getmeas") for _ in range(3)]
    assert [answer["status"] for answer in answers] == [2555, 215, 0]


def test_vendor_errors_of_the_others_are_not_for_retrying(
        user: SandboxUser) -> None:
    fail(user, "vendor_error")
    answer = user.connect(Provider.GOOGLE_HEALTH, "demo-04").asked(GOOGLE)
    assert answer.json()["error"]["details"][0]["reason"] == "ACCOUNT_NOT_LINKED"
    assert user.connect(Provider.OURA, "demo-07").asked(HEART).status_code == 403


def test_a_hang_outlasts_the_clients_patience(oura: SandboxUser) -> None:
    fail(oura, "hang", times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        oura.session.get(oura.root + HEART, timeout=0.3)
    assert oura.asked(HEART).status_code == 200


def test_a_short_hang_ends_with_the_answer(oura: SandboxUser) -> None:
    fail(oura, "hang", times=1, seconds=0.2)
    answer = oura.asked(HEART)
    assert answer.elapsed.total_seconds() > 0.2
    assert answer.json()["data"]


def test_a_truncated_body_is_no_json(google: SandboxUser) -> None:
    fail(google, "truncated_body", times=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        google.get(GOOGLE)
    assert google.get(GOOGLE)["dataPoints"]


def test_a_changed_schema_keeps_records_and_renames_their_values(user: SandboxUser) -> None:
    fail(user, "changed_schema")
    group = user.connect(Provider.WITHINGS, "demo-01").groups(startdate=NOW - HOUR_S)[0]
    assert "val" in group["measures"][0]
    assert "value" not in group["measures"][0]
    point = user.connect(Provider.GOOGLE_HEALTH, "demo-04").get(GOOGLE, pageSize=1)
    assert "bpm" in point["dataPoints"][0]["heartRate"]
    assert "beats_per_minute" in user.connect(Provider.OURA, "demo-07").documents("heartrate")[0]


def test_duplicates_come_next_to_each_other(user: SandboxUser) -> None:
    fail(user, "duplicates")
    groups = user.connect(Provider.WITHINGS, "demo-01").groups(lastupdate=NOW - HOUR_S)
    points = user.connect(Provider.GOOGLE_HEALTH, "demo-04").get(GOOGLE)["dataPoints"]
    documents = user.connect(Provider.OURA, "demo-07").documents("heartrate")
    for records in (groups, points, documents):
        assert records
        assert records[::2] == records[1::2]


def test_an_empty_page_leads_back_to_the_page_itself(user: SandboxUser) -> None:
    user.connect(Provider.GOOGLE_HEALTH, "demo-04")
    whole = user.points("heart-rate", pageSize=5000)
    fail(user, "empty_page", times=2)
    first = user.get(GOOGLE, pageSize=5000)
    assert list(first) == ["nextPageToken"]
    assert user.points("heart-rate", pageSize=5000) == whole
    user.connect(Provider.OURA, "demo-07")
    day = user.documents("heartrate")
    fail(user, "empty_page", times=1)
    assert user.documents("heartrate") == day
    user.connect(Provider.WITHINGS, "demo-01")
    groups = user.groups()
    fail(user, "empty_page", times=1)
    assert user.groups() == groups


def test_late_data_appears_when_the_clock_has_passed_it(withings: SandboxUser) -> None:
    start = NOW - 3 * HOUR_S
    prompt = withings.groups(startdate=start, enddate=NOW)
    fail(withings, "late_data", subject_id="demo-01", seconds=5 * HOUR_S, since=iso(start))
    assert withings.groups(startdate=start, enddate=NOW) == []
    withings.post("/sandbox/clock", {"now": iso(NOW + 5 * HOUR_S)})
    late = withings.groups(startdate=start, enddate=NOW, lastupdate=NOW)
    assert [g["grpid"] for g in late] == [g["grpid"] for g in prompt]
    assert all(g["modified"] == g["date"] + 5 * HOUR_S for g in late)


def test_a_fault_keeps_to_its_resource_patient_and_vendor(user: SandboxUser) -> None:
    fail(user, "http_500", provider="oura", resource="/v2/usercollection/sleep",
         subject_id="demo-07")
    user.connect(Provider.OURA, "demo-07")
    assert user.asked("/oura/v2/usercollection/sleep").status_code == 500
    assert user.asked(HEART).status_code == 200
    user.connect(Provider.OURA, "demo-08")
    assert user.asked("/oura/v2/usercollection/sleep").status_code == 200


def test_token_requests_fail_only_when_named(user: SandboxUser) -> None:
    fail(user, "http_500", times=1)
    user.connect(Provider.OURA, "demo-07")
    assert user.asked(HEART).status_code == 500
    fail(user, "http_500", times=1, resource="/oauth/token")
    assert user.refreshed(Provider.OURA, user.token["refresh_token"]).status_code == 500
    assert user.refreshed(Provider.OURA, user.token["refresh_token"]).ok


def test_active_faults_are_told(user: SandboxUser) -> None:
    fail(user, "http_500", provider="withings", times=3)
    fail(user, "hang", provider="oura")
    first, second = user.get("/sandbox/faults")
    assert (first["kind"], first["left"], second["left"]) == ("http_500", 3, None)
    answer = user.session.delete(f"{user.root}/sandbox/faults", timeout=60,
                                 params={"fault_id": first["fault_id"]})
    assert answer.json() == {"removed": 1}
    assert [fault["kind"] for fault in user.get("/sandbox/faults")] == ["hang"]


@pytest.mark.parametrize(("fields", "status"), [
    ({"kind": "explode"}, 422), ({"kind": "hang", "tmes": 1}, 422),
    ({"kind": "hang", "subject_id": "nobody"}, 404), ({"kind": "hang", "resource": "v2"}, 422)])
def test_an_impossible_fault_is_refused(
        user: SandboxUser, fields: dict[str, object], status: int) -> None:
    answer = user.session.post(f"{user.root}/sandbox/faults", json=fields, timeout=60)
    assert answer.status_code == status


def rows(header: str) -> list[list[str]]:
    """The rows of the document's table that begins with this header, cell by cell."""
    _, _, below = DOCUMENT.partition(header)
    lines = below.partition("\n\n")[0].strip().splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


TOLD = rows("| kind | Withings | Google Health | Oura |")
ENDS = [(cells[0], provider, ending.strip("`"))
        for cells in TOLD for provider, ending in zip(WHOSE, cells[1:], strict=True)]


def test_the_document_lists_every_fault() -> None:
    kinds = [cells[0].strip("`") for cells in rows("| kind | what happens |")]
    assert kinds == [kind.value for kind in Kind]
    assert {re.sub(r"`( \*once\*)?", "", cells[0]) for cells in TOLD} == set(kinds)


@pytest.mark.parametrize(("kind", "provider", "ending"), ENDS)
def test_a_fault_ends_in_the_ledger_as_documented(
        kind: str, provider: Provider, ending: str, faulty: SandboxUser) -> None:
    kind, *once = kind.strip("`").replace("`", "").split(" ")
    patient, resource = WHOSE[provider]
    disarm(faulty.root)
    tokens = Tokens(faulty, provider, patient)
    arm(faulty.root, kind, times=1 if once else None)
    result = fetched(faulty, provider, tokens, resource, hanging=kind == "hang")
    assert ": ".join([result.outcome, *(result.reason or "").split(":")[:1]]).rstrip(": ") == ending


@pytest.fixture(scope="module")
def faulty() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


def fetched(user: SandboxUser, provider: Provider, tokens: Tokens, resource: str, *,
            hanging: bool = False) -> FetchResult:
    end = datetime.fromtimestamp(NOW, UTC)
    client = make_client(
        provider, endpoints=sandbox_endpoints(provider, user.root), tokens=tokens, account="a",
        limiter=make_limiter(provider, RateLimit(calls=10_000, period_s=1)),
        timeouts=Timeouts(read_s=0.2 if hanging else 30),
        patience=Patience(attempts=2, first_s=0.001, retry_after_s=0))
    try:
        return client.fetch(FetchRequest(resource=resource, end=end, start=end - timedelta(days=1)))
    finally:
        client.close()


def test_a_429_may_come_without_retry_after(oura: SandboxUser) -> None:
    fail(oura, "http_429_bare", times=1)
    answer = oura.asked(HEART)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


def test_a_duplicated_page_leads_back_to_itself(user: SandboxUser) -> None:
    user.connect(Provider.GOOGLE_HEALTH, "demo-04")
    since = f'heart_rate.sample_time.physical_time >= "{iso(NOW - HOUR_S)}"'
    hour = user.points("heart-rate", filter=since)
    fail(user, "duplicated_page", times=1)
    assert user.points("heart-rate", filter=since) == hour + hour
    user.connect(Provider.OURA, "demo-07")
    day = user.documents("heartrate")
    fail(user, "duplicated_page", times=1)
    assert user.documents("heartrate") == day + day
    user.connect(Provider.WITHINGS, "demo-01")
    groups = user.groups(startdate=NOW - HOUR_S)
    fail(user, "duplicated_page", times=1)
    assert user.groups(startdate=NOW - HOUR_S) == groups + groups


def test_a_vendors_clock_may_be_ahead(user: SandboxUser) -> None:
    user.connect(Provider.WITHINGS, "demo-01")
    fail(user, "clock_skew", seconds=90)
    assert user.withings("/measure", "getmeas")["body"]["updatetime"] == NOW + 90
    devices = user.withings("/v2/user", "getdevice")["body"]["devices"]
    assert max(device["last_session_date"] for device in devices) == NOW + 90
    user.connect(Provider.GOOGLE_HEALTH, "demo-04")
    (device,) = user.get("/google_health/v4/users/me/pairedDevices")["pairedDevices"]
    assert device["lastSyncTime"] == iso(NOW + 90)
    user.connect(Provider.OURA, "demo-07")
    last = user.documents("ring_battery_level")[-1]["timestamp"]
    assert last == iso(NOW + 90)


def test_a_token_dies_and_its_refresh_token_lives(oura: SandboxUser) -> None:
    fail(oura, "token_death", times=1)
    assert [oura.asked(HEART).status_code for _ in range(2)] == [401, 401]
    assert oura.refreshed(Provider.OURA, oura.token["refresh_token"]).ok


def test_with_a_consent_every_token_dies(google: SandboxUser) -> None:
    fail(google, "consent_death", times=1)
    assert google.asked(GOOGLE).status_code == 401
    again = google.refreshed(Provider.GOOGLE_HEALTH, google.token["refresh_token"])
    assert again.status_code == 400


def test_a_group_comes_again_with_the_pulse(withings: SandboxUser) -> None:
    start, delay = NOW - 3 * HOUR_S, 5 * HOUR_S
    whole = withings.groups(startdate=start, meastypes="9,10,11")
    fail(withings, "resent_summary", since=iso(start), seconds=delay)
    first = withings.groups(startdate=start, meastypes="9,10,11")
    assert [group["grpid"] for group in first] == [group["grpid"] for group in whole]
    assert {measure["type"] for group in first for measure in group["measures"]} == {9, 10}
    withings.post("/sandbox/clock", {"now": iso(NOW + delay)})
    again = withings.groups(startdate=start, enddate=NOW, lastupdate=NOW, meastypes="9,10,11")
    assert [group["measures"] for group in again] == [group["measures"] for group in whole]
    assert all(group["modified"] == group["date"] + delay for group in again)


def test_a_night_comes_again_whole_under_its_id(oura: SandboxUser) -> None:
    asked = {"start_date": iso(NOW)[:10], "end_date": iso(NOW + DAY_S)[:10]}
    fail(oura, "resent_summary", since=iso(NOW - DAY_S), seconds=DAY_S)
    oura.post("/sandbox/clock", {"now": iso(NOW + 6 * HOUR_S)})
    (first,) = oura.documents("sleep", **asked)
    oura.post("/sandbox/clock", {"now": iso(NOW + 40 * HOUR_S)})
    (whole,) = oura.documents("sleep", **asked)
    assert first["id"] == whole["id"]
    assert first["average_breath"] is None and whole["average_breath"] is not None
    assert first["average_heart_rate"] == pytest.approx(0.9 * whole["average_heart_rate"], abs=0.1)


def test_a_device_may_be_fast(withings: SandboxUser) -> None:
    start = NOW - 3 * HOUR_S
    right = withings.groups(startdate=start, meastypes="10")
    fail(withings, "device_clock", since=iso(start), seconds=120)
    fast = withings.groups(startdate=start, meastypes="10")
    assert [group["date"] for group in fast] == [
        group["date"] + 120 for group in right if group["date"] + 120 <= NOW]


def test_what_the_sandbox_refuses_is_told(user: SandboxUser) -> None:
    with pytest.raises(SandboxError, match=r"kind: .*'http_429'"):
        arm(user.root, "explode")
    with pytest.raises(SandboxError, match="no subject nobody"):
        arm(user.root, "hang", subject_id="nobody")
    number = arm(user.root, "hang", provider="oura")
    assert armed(user.root) == [{
        "fault_id": number, "kind": "hang", "provider": "oura", "after": 0, "since": iso(NOW)}]
    assert disarm(user.root, number) == 1
