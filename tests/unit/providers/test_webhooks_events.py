"""What a webhook says, read from the vendors' own examples."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.observation import Provider
from providers.webhooks import EventRefused, Gone, Hint, Pull, Push, read_event

WEBHOOKS = [Provider.WITHINGS, Provider.GOOGLE_HEALTH, Provider.OURA, Provider.GARMIN,
            Provider.TERRA]


def body_of(shared: Path, name: str) -> bytes:
    return (shared / "fixtures" / name).read_bytes()


def test_withings_hints_at_a_category(shared: Path) -> None:
    body = body_of(shared, "withings/notification_form.txt")
    assert read_event(Provider.WITHINGS, body.strip()) == [
        Hint(account="12345", resources=("getmeas",))]
    [hint] = read_event(Provider.WITHINGS, b"userid=1&appli=44&startdate=1530576000&enddate=1")
    assert hint == Hint(account="1", resources=("sleep",),
                        since=datetime(2018, 7, 3, tzinfo=UTC))
    assert read_event(Provider.WITHINGS, b"userid=1&appli=1") == [Hint(account="1", resources=())]
    assert read_event(Provider.WITHINGS, b"userid=1&appli=46") == [
        Hint(account="1", resources=None)]


def test_google_hints_at_a_type_and_an_interval(shared: Path) -> None:
    body = body_of(shared, "google_health/webhook_notification_heart_rate.json")
    assert read_event(Provider.GOOGLE_HEALTH, body) == [
        Hint(account="0000000000000000000", resources=("heart-rate",),
             since=datetime(2026, 8, 6, 11, 30, tzinfo=UTC))]


def test_a_civil_date_begins_where_the_day_begins_first() -> None:
    event = {"data": {"healthUserId": "u", "dataType": "daily-respiratory-rate", "intervals": [
        {"civilDateTimeInterval": {"startDateTime": {"date": {"year": 2026, "month": 8,
                                                              "day": 6}}}}]}}
    [hint] = read_event(Provider.GOOGLE_HEALTH, json.dumps(event).encode())
    assert isinstance(hint, Hint) and hint.since == datetime(2026, 8, 5, tzinfo=UTC)


def test_oura_hints_at_a_type(shared: Path) -> None:
    body = body_of(shared, "oura/webhook_event.json")
    assert read_event(Provider.OURA, body) == [Hint(account="user-0001", resources=("sleep",))]


@pytest.mark.parametrize("name", ["push_dailies", "push_epochs", "push_all_day_respiration",
                                  "push_blood_pressures", "push_pulseox"])
def test_garmins_push_of_one_account_is_kept_as_it_came(shared: Path, name: str) -> None:
    body = body_of(shared, f"garmin/{name}.json")
    assert read_event(Provider.GARMIN, body) == [Push(account="garmin_user_123", body=body)]


def test_garmins_push_of_several_accounts_is_taken_apart() -> None:
    def record(user: str, name: str) -> dict[str, str]:
        return {"userId": user, "summaryId": name}

    body = json.dumps({"epochs": [record("a", "1"), record("b", "2"), record("a", "3")],
                       "dailies": [record("b", "4")]}).encode()
    parts = {part.account: json.loads(part.body) for part in read_event(Provider.GARMIN, body)
             if isinstance(part, Push)}
    assert parts == {"a": {"epochs": [record("a", "1"), record("a", "3")]},
                     "b": {"epochs": [record("b", "2")], "dailies": [record("b", "4")]}}


def test_a_deregistration_ends_a_link(shared: Path) -> None:
    body = body_of(shared, "garmin/deregistrations.json")
    assert read_event(Provider.GARMIN, body) == [Gone(account="garmin_user_123")]


def test_a_ping_points_to_readings_and_its_address_stays_unseen(shared: Path) -> None:
    [pull] = read_event(Provider.GARMIN, body_of(shared, "garmin/ping_dailies.json"))
    assert isinstance(pull, Pull)
    assert (pull.account, pull.name) == ("garmin_user_123", "dailies")
    assert pull.address.startswith("https://apis.garmin.com/wellness-api/rest/dailies?")
    assert "token" not in repr(pull)


def test_what_stands_beside_a_ping_is_pushed_without_it() -> None:
    ping, push = {"userId": "a", "callbackURL": "x"}, {"summaryId": "1", "userId": "a"}
    assert read_event(Provider.GARMIN, json.dumps({"dailies": [ping, push]}).encode()) == [
        Pull(account="a", name="dailies", address="x"),
        Push(account="a", body=json.dumps({"dailies": [push]}, separators=(",", ":")).encode())]


def test_terra_pushes_readings_and_says_who_left(shared: Path) -> None:
    body = body_of(shared, "terra/daily_min.json")
    user = "00000000-0000-4000-8000-000000000000"
    assert read_event(Provider.TERRA, body) == [Push(account=user, body=body)]
    left = json.dumps({"type": "deauth", "user": {"user_id": user}}).encode()
    assert read_event(Provider.TERRA, left) == [Gone(account=user)]
    assert read_event(Provider.TERRA, b'{"type": "healthcheck"}') == []


@pytest.mark.parametrize(("provider", "body", "why"), [
    (Provider.WITHINGS, b"appli=4", "userid"), (Provider.WITHINGS, b"\xff", "form"),
    (Provider.WITHINGS, b"userid=1&appli=44&startdate=soon", "startdate"),
    (Provider.GOOGLE_HEALTH, b'{"data": {"healthUserId": "u", "dataType": "sleep", "intervals": '
     b'[{"physicalTimeInterval": {"startTime": "0001-01-01T00:00:00+10:00"}}]}}', "time"),
    (Provider.GOOGLE_HEALTH, b'{"data": {"healthUserId": "u", "dataType": "sleep", "intervals": '
     b'[{"civilDateTimeInterval": {"startDateTime": {"date": {"year": 1, "month": 1, "day": 1}}}}'
     b']}}', "date"),
    (Provider.GOOGLE_HEALTH, b"[]", "object"), (Provider.GOOGLE_HEALTH, b"{", "JSON"),
    (Provider.OURA, b'{"user_id": 7, "data_type": "sleep"}', "user_id"),
    (Provider.OURA, b'{"user_id": "a\\u0000", "data_type": "sleep"}', "user_id"),
    (Provider.GARMIN, b'{"dailies": {}}', "list"), (Provider.GARMIN, b'{"dailies": [{}]}', "user"),
    (Provider.TERRA, b'{"type": "daily", "data": []}', "user"),
])
def test_what_is_not_understood_is_refused(provider: Provider, body: bytes, why: str) -> None:
    with pytest.raises(EventRefused, match=why):
        read_event(provider, body)


@given(st.sampled_from(WEBHOOKS), st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["data", "intervals", "userId", "dailies", "user", "user_id", "type",
                         "healthUserId", "dataType", "physicalTimeInterval", "startTime",
                         "civilDateTimeInterval", "startDateTime", "date", "callbackURL"]),
        inner, max_size=4), max_leaves=12).map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(provider: Provider, body: bytes) -> None:
    with suppress(EventRefused):
        read_event(provider, body)
