"""Oura's payloads, value by value on the recorded ones, and its errors."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical.vitals import Vital
from providers.errors import SchemaError, ScopeMissing, SubscriptionLapsed, TokenRejected
from providers.observation import Context, Granularity, Method, Statistic
from providers.oura import (
    judge,
    parse_daily_readiness,
    parse_daily_spo2,
    parse_heartrate,
    parse_ring_battery_level,
    parse_sleep,
)


def read(shared: Path, name: str) -> bytes:
    return (shared / "fixtures" / "oura" / f"{name}.json").read_bytes()


def night(shared: Path, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(read(shared, "sleep"))
    document["data"][0] |= changes
    return document


def test_heart_rate_every_five_minutes(shared: Path) -> None:
    parsed = parse_heartrate(read(shared, "heartrate"))
    told = [(one.effective_start, one.value, one.context) for one in parsed.observations]
    assert told == [(datetime(2024, 1, 12, 6, minute, 46, tzinfo=UTC), Decimal(value), Context.REST)
                    for minute, value in ((4, 78), (9, 79), (14, 75))]
    assert (parsed.received, parsed.next_page, len(parsed.refused)) == (3, None, 0)


def test_the_newer_shape_of_heart_rate(shared: Path) -> None:
    [one] = parse_heartrate(read(shared, "heartrate_v135")).observations
    assert (one.vital, one.value, one.context) == (Vital.HEART_RATE, Decimal(58), Context.SLEEP)
    assert one.effective_start == datetime(2026, 8, 6, 6, 4, 46, tzinfo=UTC)


def test_a_night_gives_means_and_the_lowest_rate(shared: Path) -> None:
    parsed = parse_sleep(read(shared, "sleep"))
    assert [(one.vital, one.statistic, str(one.value)) for one in parsed.observations] == [
        (Vital.RESPIRATORY_RATE, Statistic.MEAN, "15.5"),
        (Vital.HEART_RATE, Statistic.MEAN, "55.0"),
        (Vital.HEART_RATE, Statistic.MIN, "48"),
    ]
    assert not parsed.refused, "a null in heart_rate.items is no fault"
    for one in parsed.observations:
        assert one.effective_start == datetime(2024, 1, 15, 23, tzinfo=UTC)
        assert one.effective_end == datetime(2024, 1, 16, 7, tzinfo=UTC)
        assert (one.civil_date, one.granularity) == (date(2024, 1, 16), Granularity.NIGHT)
        assert (one.source_record_id, one.method) == ("sleep-abc123", Method.DERIVED)


def test_local_times_keep_their_offset(shared: Path) -> None:
    document = night(shared, bedtime_start="2024-01-15T23:00:00-05:00",
                     bedtime_end="2024-01-16T07:00:00-05:00")
    one = parse_sleep(document).observations[0]
    assert (one.utc_offset_s, one.effective_start.hour) == (-18000, 4)


@pytest.mark.parametrize("kind", ["rest", "deleted"])
def test_rests_and_deleted_nights_are_left_out(shared: Path, kind: str) -> None:
    parsed = parse_sleep(night(shared, type=kind))
    assert (parsed.received, len(parsed.observations), len(parsed.refused)) == (1, 0, 0)


def test_a_figure_that_is_null_is_left_out(shared: Path) -> None:
    parsed = parse_sleep(night(shared, average_breath=None, lowest_heart_rate=None))
    assert [one.vital for one in parsed.observations] == [Vital.HEART_RATE]


@pytest.mark.parametrize("changes", [
    {"bedtime_start": "2024-01-15T23:00:00"}, {"bedtime_end": "2024-01-15T07:00:00Z"},
    {"day": "16.1.2024"},
])
def test_an_odd_night_is_refused(shared: Path, changes: dict[str, Any]) -> None:
    parsed = parse_sleep(night(shared, **changes))
    assert not parsed.observations
    assert [one.record for one in parsed.refused] == ["data[0]"]


def test_saturation_is_a_nightly_mean_or_null(shared: Path) -> None:
    parsed = parse_daily_spo2(read(shared, "daily_spo2"))
    [one] = parsed.observations
    assert (one.vital, one.value, one.statistic) == (Vital.SPO2, Decimal("97.4"), Statistic.MEAN)
    assert (one.civil_date, one.granularity) == (date(2024, 1, 16), Granularity.NIGHT)
    assert (parsed.received, len(parsed.refused)) == (2, 0)


def test_saturation_as_a_fraction_is_refused() -> None:
    record = {"id": "x", "day": "2024-01-16", "spo2_percentage": {"average": 0.974}}
    [refusal] = parse_daily_spo2({"data": [record], "next_token": None}).refused
    assert refusal.reason == "out of plausible range"


def test_temperature_is_a_deviation_and_no_body_temperature(shared: Path) -> None:
    [one] = parse_daily_readiness(read(shared, "daily_readiness")).observations
    assert (one.vital, one.value) == (Vital.SKIN_TEMPERATURE_DEVIATION, Decimal("-0.12"))


def test_last_sync_is_the_last_battery_report(shared: Path) -> None:
    parsed = parse_ring_battery_level(read(shared, "ring_battery_level"))
    assert parsed.figures["last_sync"] == datetime(2026, 8, 6, 6, tzinfo=UTC)


def test_a_token_leads_to_the_next_page() -> None:
    assert parse_heartrate({"data": [], "next_token": "abc"}).next_page == "abc"


@pytest.mark.parametrize("bpm", [0, -1, 301, "60", None, True])
def test_what_cannot_be_a_heart_rate_is_refused(bpm: Any) -> None:
    record = {"bpm": bpm, "source": "rest", "timestamp": "2024-01-12T06:04:46+00:00"}
    parsed = parse_heartrate({"data": [record], "next_token": None})
    assert (len(parsed.observations), len(parsed.refused)) == (0, 1)


@pytest.mark.parametrize("payload", [
    b"{", {}, {"data": {}}, {"data": [], "next_token": 3}, {"data": [], "detail": "x"},
])
def test_another_shape_is_given_up_as_a_whole(payload: Any) -> None:
    for parse in (parse_heartrate, parse_sleep, parse_daily_spo2, parse_daily_readiness,
                  parse_ring_battery_level):
        with pytest.raises(SchemaError):
            parse(payload)


def test_403_is_a_lapsed_membership_unless_scopes_are_spoken_of() -> None:
    assert type(judge(403, {"status": 403, "title": "Forbidden"})) is SubscriptionLapsed
    assert type(judge(403, {"status": 403, "title": "Missing Scopes"})) is ScopeMissing
    assert type(judge(403, None)) is SubscriptionLapsed
    assert type(judge(401, None)) is TokenRejected
    assert judge(200, {}) is None


@pytest.mark.parametrize("odd", [0, "48"])
def test_an_odd_figure_of_a_night_costs_the_figure_alone(shared: Path, odd: Any) -> None:
    parsed = parse_sleep(night(shared, lowest_heart_rate=odd))
    assert [float(one.value) for one in parsed.observations] == [15.5, 55]
    assert [one.record for one in parsed.refused] == ["data[0].lowest_heart_rate"]
