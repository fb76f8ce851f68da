"""Google Health's payloads, value by value on the recorded ones, and its errors."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical.vitals import Vital
from providers.errors import (
    NotLinked,
    RateLimited,
    RequestRejected,
    SchemaError,
    ScopeMissing,
    TokenRejected,
    VendorUnavailable,
)
from providers.google_health import DATA_TYPES, judge, parse_data_points, parse_paired_devices
from providers.observation import Context, Granularity, Method, Observation, Provider, Statistic

HEART_RATE = DATA_TYPES["heart-rate"]


def read(shared: Path, name: str) -> bytes:
    return (shared / "fixtures" / "google_health" / f"{name}.json").read_bytes()


def only(shared: Path, name: str, kind: str) -> Observation:
    parsed = parse_data_points(read(shared, name), DATA_TYPES[kind])
    assert (parsed.received, len(parsed.refused), parsed.next_page) == (1, 0, None)
    [one] = parsed.observations
    return one


def point(beats: Any = "72", time: Any = "2026-08-06T05:02:00Z", **more: Any) -> dict[str, Any]:
    return {"dataSource": {"platform": "FITBIT"},
            "heartRate": {"sampleTime": {"physicalTime": time}, "beatsPerMinute": beats} | more}


def parse(*points: Any) -> Any:
    return parse_data_points({"dataPoints": list(points)}, HEART_RATE)


def test_saturation(shared: Path) -> None:
    one = only(shared, "oxygen_saturation_list", "oxygen-saturation")
    assert (one.vital, one.value) == (Vital.SPO2, Decimal("96.8"))
    assert one.effective_start == one.effective_end == datetime(2026, 8, 6, 5, 2, tzinfo=UTC)
    assert (one.utc_offset_s, one.device_model, one.device_id) == (-14400, "Charge 5", None)
    assert (one.granularity, one.method) == (Granularity.SAMPLE, Method.DEVICE)


def test_core_temperature_entered_by_hand(shared: Path) -> None:
    one = only(shared, "core_body_temperature_list", "core-body-temperature")
    assert (one.vital, one.value) == (Vital.BODY_TEMPERATURE, Decimal("37.2"))
    assert (one.method, one.body_site, one.device_id) == (Method.MANUAL, "mouth", "FITBIT")
    assert one.source_record_id == "6685309773198399081"


def test_nightly_respiratory_rate_belongs_to_the_day_of_waking(shared: Path) -> None:
    one = only(shared, "daily_respiratory_rate_list", "daily-respiratory-rate")
    assert (one.vital, one.value) == (Vital.RESPIRATORY_RATE, Decimal("14.6"))
    assert (one.granularity, one.statistic) == (Granularity.NIGHT, Statistic.MEAN)
    assert one.civil_date == date(2026, 8, 6)
    assert one.effective_start == datetime(2026, 8, 6, tzinfo=UTC)
    assert one.effective_end == datetime(2026, 8, 6, 12, tzinfo=UTC)
    assert (one.method, one.context) == (Method.DERIVED, Context.SLEEP)


def test_nightly_temperature_is_the_skins(shared: Path) -> None:
    one = only(shared, "daily_sleep_temperature_derivations_list",
               "daily-sleep-temperature-derivations")
    assert (one.vital, one.value) == (Vital.SKIN_TEMPERATURE, Decimal("33.9"))
    assert one.granularity is Granularity.NIGHT


def test_sleep_summary_gives_the_whole_nights_rate(shared: Path) -> None:
    one = only(shared, "respiratory_rate_sleep_summary_list", "respiratory-rate-sleep-summary")
    assert (one.vital, one.value) == (Vital.RESPIRATORY_RATE, Decimal("14.6"))
    assert one.effective_start == datetime(2026, 8, 6, 11, 7, tzinfo=UTC)
    assert (one.civil_date, one.granularity) == (date(2026, 8, 6), Granularity.NIGHT)


def test_last_sync(shared: Path) -> None:
    parsed = parse_paired_devices(read(shared, "paired_devices_list"))
    assert parsed.figures["last_sync"] == datetime(2026, 8, 6, 12, 5, tzinfo=UTC)


def test_an_empty_page_may_go_on_and_the_last_may_be_nothing(shared: Path) -> None:
    going_on = parse_data_points(read(shared, "empty_page_with_token"), HEART_RATE)
    assert (going_on.received, going_on.next_page) == (0, "CAEQ...")
    last = parse_data_points(read(shared, "empty_last_page"), HEART_RATE)
    assert (last.received, last.next_page) == (0, None)


@pytest.mark.parametrize(("name", "status", "error"), [
    ("error_400_bad_data_type", 400, RequestRejected),
    ("error_401_unauthenticated", 401, TokenRejected),
    ("error_403_scope_insufficient", 403, ScopeMissing),
    ("error_429_resource_exhausted", 429, RateLimited),
    ("error_500_internal", 500, VendorUnavailable),
])
def test_errors(shared: Path, name: str, status: int, error: type) -> None:
    document = orjson.loads(read(shared, name))
    assert type(judge(status, document)) is error
    assert type(judge(200, document)) is error, "also in the shape of a success"
    with pytest.raises(SchemaError):
        parse_data_points(document, HEART_RATE)


def test_an_account_without_a_wearable_is_not_linked() -> None:
    told = {"error": {"code": 400, "details": [{"reason": "ACCOUNT_NOT_LINKED"}]}}
    assert type(judge(400, told)) is NotLinked


@pytest.mark.parametrize("error", [
    {"code": 403, "details": [{"reason": "RATE_LIMIT_EXCEEDED"}]},
    {"code": 403, "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}]},
])
def test_a_quota_told_by_403_is_no_missing_scope(error: dict[str, Any]) -> None:
    assert type(judge(403, {"error": error})) is RateLimited


def test_heart_rate_is_an_integer_in_text() -> None:
    [one] = parse(point("72", metadata={"motionContext": "SEDENTARY"})).observations
    assert (one.vital, one.value, one.context) == (Vital.HEART_RATE, 72, Context.REST)
    assert one.device_id == "FITBIT"


@pytest.mark.parametrize("beats", [72, 72.0, "72.5", "", " 72", "7_2", None, True, "0", "-3",
                                   "301", "9" * 5000])
def test_anything_else_is_refused(beats: Any) -> None:
    parsed = parse(point(beats), point("60"))
    assert [one.value for one in parsed.observations] == [60]
    assert [one.record for one in parsed.refused] == ["dataPoints[0]"]


@pytest.mark.parametrize(("time", "reason"), [
    ("2026-08-06T05:02:00", "time without a zone"), ("2026-08-06", "time without a zone"),
    ("yesterday", "the time is not readable"), (None, "the time is not readable"),
    ("0001-01-01T00:00:00+14:00", "the year is not of our time"),
])
def test_a_time_that_is_not_a_moment_is_refused(time: Any, reason: str) -> None:
    assert [one.reason for one in parse(point(time=time)).refused] == [reason]


def test_nanoseconds_and_offsets_are_read() -> None:
    parsed = parse(point(time="2026-08-06T05:02:00.123456789Z"),
                   point(time="2026-08-06T07:02:00+02:00"))
    assert [one.effective_start.isoformat() for one in parsed.observations] == [
        "2026-08-06T05:02:00.123456+00:00", "2026-08-06T05:02:00+00:00"]


def test_a_point_under_another_key_is_refused() -> None:
    [refusal] = parse({"heart_rate": {}}).refused
    assert refusal.reason == "heartRate is missing or not an object"


@pytest.mark.parametrize("payload", [
    b"", b"[]", b"null", {"points": []}, {"dataPoints": {}}, {"dataPoints": None},
    {"dataPoints": [], "nextPageToken": 7}, {"error": {"code": 500, "status": "INTERNAL"}},
    {"dataPoints": [], "error": {"code": 500}},
])
def test_another_shape_is_given_up_as_a_whole(payload: Any) -> None:
    with pytest.raises(SchemaError):
        parse_data_points(payload, HEART_RATE)


def test_two_points_at_one_moment_from_two_devices_have_two_keys() -> None:
    points = [point(), point() | {"dataSource": {"device": {"displayName": "Charge 5"}}}]
    one, other = parse(*points).observations
    assert one.key("p", Provider.GOOGLE_HEALTH) != other.key("p", Provider.GOOGLE_HEALTH)
