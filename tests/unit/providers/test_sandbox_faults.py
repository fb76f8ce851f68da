"""Each way in which the sandbox can be told to fail."""

from collections.abc import Iterator

import pytest
import requests

from providers.observation import Provider
from providers.sandbox.readings import HOUR_S
from providers.sandbox.world import iso
from tests.reference.sandbox_user import NOW, SandboxUser, sandbox_user

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
    assert oura.session.delete(f"{oura.root}/sandbox/faults", timeout=20).json() == {"removed": 1}
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
    answer = user.session.delete(f"{user.root}/sandbox/faults", timeout=20,
                                 params={"fault_id": first["fault_id"]})
    assert answer.json() == {"removed": 1}
    assert [fault["kind"] for fault in user.get("/sandbox/faults")] == ["hang"]


@pytest.mark.parametrize(("fields", "status"), [
    ({"kind": "explode"}, 422), ({"kind": "hang", "tmes": 1}, 422),
    ({"kind": "hang", "subject_id": "nobody"}, 404), ({"kind": "hang", "resource": "v2"}, 422)])
def test_an_impossible_fault_is_refused(
        user: SandboxUser, fields: dict[str, object], status: int) -> None:
    answer = user.session.post(f"{user.root}/sandbox/faults", json=fields, timeout=20)
    assert answer.status_code == status
