"""Withings' payloads, value by value on the recorded ones."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical.vitals import Vital
from providers.errors import RateLimited, RequestRejected, SchemaError, TokenRejected
from providers.observation import Context, Granularity, Method, Quality, Statistic
from providers.withings import judge
from providers.withings_pages import (
    parse_devices,
    parse_getmeas,
    parse_intraday,
    parse_sleep,
    parse_sleep_summary,
)


def read(shared: Path, name: str) -> bytes:
    return (shared / "fixtures" / "withings" / f"{name}.json").read_bytes()


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def page(*measures: dict[str, Any], **group: Any) -> dict[str, Any]:
    whole = {"grpid": 7, "attrib": 0, "date": 1620039631, "category": 1,
             "measures": list(measures)} | group
    return {"status": 0, "body": {"updatetime": 1683000000, "measuregrps": [whole]}}


def measure(kind: int, value: Any, unit: Any = 0) -> dict[str, Any]:
    return {"type": kind, "value": value, "unit": unit}


def test_blood_pressure_comes_in_pairs_with_ten_as_the_systolic(shared: Path) -> None:
    parsed = parse_getmeas(read(shared, "getmeas_blood_pressure"))
    assert not parsed.refused
    assert parsed.received == 5
    assert parsed.next_page is None
    assert parsed.figures == {"updatetime": 1683000000}
    told = [(one.group_id, one.vital, one.value) for one in parsed.observations]
    assert told == [
        ("2726388728", Vital.DIASTOLIC_BP, Decimal("106.00")),
        ("2726388728", Vital.SYSTOLIC_BP, Decimal("143.00")),
        ("2726388728", Vital.HEART_RATE, Decimal("82.00")),
        ("2726388772", Vital.DIASTOLIC_BP, Decimal("96.00")),
        ("2726388772", Vital.SYSTOLIC_BP, Decimal("177.00")),
        ("2726388772", Vital.HEART_RATE, Decimal("65.00")),
        ("2726388814", Vital.DIASTOLIC_BP, Decimal("113.00")),
        ("2726388814", Vital.SYSTOLIC_BP, Decimal("118.00")),
        ("2726388814", Vital.HEART_RATE, Decimal("63.00")),
        ("2730382406", Vital.HEART_RATE, Decimal("69")),
        ("3091325665", Vital.HEART_RATE, Decimal("59")),
    ]
    first, manual = parsed.observations[0], parsed.observations[9]
    assert first.effective_start == first.effective_end == at(1620039631)
    assert first.provider_modified_at == at(1620237692)
    assert first.device_id == "91a7e556c2022ef54dca6e07a853c3193734d148"
    assert first.device_model == "BPM Connect"
    assert (first.method, first.quality) == (Method.DEVICE, Quality.OK)
    assert first.quality_reasons == ("attrib undocumented",)
    assert (manual.method, manual.device_id, manual.quality_reasons) == (Method.MANUAL, None, ())


def test_a_page_with_more_names_the_next_offset(shared: Path) -> None:
    parsed = parse_getmeas(read(shared, "getmeas_page1_more"))
    assert parsed.next_page == "1"
    assert [one.value for one in parsed.observations] == [106, 143, 82]


def test_saturation_body_and_skin_temperature_keep_their_digits(shared: Path) -> None:
    parsed = parse_getmeas(read(shared, "getmeas_spo2_temperature"))
    told = [(one.vital, str(one.value), one.effective_start) for one in parsed.observations]
    assert told == [
        (Vital.SPO2, "97", at(1690491236)),
        (Vital.BODY_TEMPERATURE, "36.930", at(1690490000)),
        (Vital.SKIN_TEMPERATURE, "34.650", at(1690490000)),
    ]


def test_weight_is_no_vital_and_no_refusal(shared: Path) -> None:
    parsed = parse_getmeas(read(shared, "getmeas_weight"))
    assert (parsed.received, len(parsed.observations), len(parsed.refused)) == (2, 0, 0)


def test_sleep_gives_both_rates_by_the_minute(shared: Path) -> None:
    parsed = parse_sleep(read(shared, "sleep_get_hr_rr"))
    starts = [at(1618875124 + 60 * i) for i in range(5)]
    told = [(one.vital, one.effective_start, one.value) for one in parsed.observations]
    assert told == [
        *zip([Vital.HEART_RATE] * 5, starts, map(Decimal, [52, 50, 50, 50, 50]), strict=True),
        *zip([Vital.RESPIRATORY_RATE] * 5, starts, map(Decimal, [19, 18, 18, 17, 17]), strict=True),
    ]
    one = parsed.observations[0]
    assert one.context is Context.SLEEP
    assert one.device_id == "201d0b9a0556d6b755166b2cf8d22d3bdf0487ee"
    assert (parsed.received, parsed.next_page) == (10, None)


def test_sleep_summary_gives_nightly_figures_and_pages_by_a_boolean(shared: Path) -> None:
    parsed = parse_sleep_summary(read(shared, "sleep_summary"))
    assert parsed.next_page == "300"
    told = [(one.vital, one.statistic, one.value) for one in parsed.observations]
    rates = [(Vital.HEART_RATE, Statistic.MEAN), (Vital.HEART_RATE, Statistic.MIN),
             (Vital.HEART_RATE, Statistic.MAX), (Vital.RESPIRATORY_RATE, Statistic.MEAN),
             (Vital.RESPIRATORY_RATE, Statistic.MIN), (Vital.RESPIRATORY_RATE, Statistic.MAX)]
    values = [90, 50, 120, 16, 10, 20, 73, 50, 103, 12, 10, 18]
    assert told == [(*rate, Decimal(value)) for rate, value in zip(rates * 2, values, strict=True)]
    one = parsed.observations[0]
    assert (one.granularity, one.civil_date) == (Granularity.NIGHT, date(2022, 1, 9))
    assert (one.effective_start, one.effective_end) == (at(1641677401), at(1641698630))
    assert one.source_record_id == "2516719681"


def test_intraday_gives_what_each_moment_holds(shared: Path) -> None:
    parsed = parse_intraday(read(shared, "getintradayactivity"))
    told = [(one.vital, one.effective_start, str(one.value)) for one in parsed.observations]
    assert told == [
        (Vital.HEART_RATE, at(1690491236), "71"),
        (Vital.RESPIRATORY_RATE, at(1690491236), "15"),
        (Vital.SPO2, at(1690491236), "96.0"),
        (Vital.HEART_RATE, at(1690491296), "73"),
    ]
    assert parsed.observations[0].device_model == "ScanWatch"


def test_the_last_sync_is_the_latest_session_that_is_told(shared: Path) -> None:
    assert parse_devices(read(shared, "getdevice")).figures["last_sync"] == at(1693867179)
    unused = {"status": 0, "body": {"devices": [{"last_session_date": None}]}}
    assert parse_devices(unused).figures["last_sync"] is None


@pytest.mark.parametrize(("name", "error"), [
    ("error_401_http200", TokenRejected), ("error_503_http200", RequestRejected),
    ("error_601_http200", RateLimited),
])
def test_errors_inside_http_200_are_errors(shared: Path, name: str, error: type) -> None:
    body = read(shared, name)
    assert type(judge(200, orjson.loads(body))) is error
    for parse in (parse_getmeas, parse_sleep, parse_intraday, parse_sleep_summary, parse_devices):
        with pytest.raises(SchemaError):
            parse(body)


def test_a_reading_that_may_be_another_persons_is_quarantined() -> None:
    [one] = parse_getmeas(page(measure(11, 60), attrib=1)).observations
    assert (one.method, one.quality) == (Method.AMBIGUOUS, Quality.QUARANTINED)


def test_type_12_is_a_body_temperature_with_a_note() -> None:
    [one] = parse_getmeas(page(measure(12, 371, -1))).observations
    assert (one.vital, str(one.value), one.quality) == (Vital.BODY_TEMPERATURE, "37.1", Quality.OK)
    assert one.quality_reasons == ("type 12: where it was taken is not told",)


@pytest.mark.parametrize("bad", [
    measure(11, 0), measure(11, -5), measure(54, 97, -2), measure(71, 986, -1),
    measure(11, 60, 10**9), measure(11, "60"), measure(11, 60.5), measure(11, True),
    measure(11, 10**40),
])
def test_what_cannot_be_a_reading_is_refused_without_naming_it(bad: dict[str, Any]) -> None:
    parsed = parse_getmeas(page(bad))
    assert not parsed.observations
    [refusal] = parsed.refused
    assert refusal.record == "measuregrps[0].measures[0]"
    assert str(bad["value"]) not in refusal.reason


def test_a_systolic_not_above_the_diastolic_loses_the_pair_only() -> None:
    parsed = parse_getmeas(page(measure(9, 120), measure(10, 80), measure(11, 60)))
    assert [one.vital for one in parsed.observations] == [Vital.HEART_RATE]
    assert [one.reason for one in parsed.refused] == ["systolic is not above diastolic"]


def test_a_goal_is_no_reading() -> None:
    assert not parse_getmeas(page(measure(11, 60), category=2)).observations


def test_an_empty_map_may_be_an_empty_list() -> None:
    assert parse_intraday({"status": 0, "body": {"series": []}}).received == 0
    night = {"status": 0, "body": {"series": [{"startdate": 1, "hr": [], "rr": []}]}}
    assert parse_sleep(night).received == 0


@pytest.mark.parametrize("payload", [
    b"{", b"[]", {"status": 0}, {"status": 0, "body": []}, {"status": 0, "body": {}},
    {"status": 0, "body": {"measuregrps": {}, "updatetime": 1}},
    {"status": 0, "body": {"measuregrps": [], "updatetime": "1"}},
    {"status": 0, "body": {"measuregrps": [], "updatetime": 1, "more": 1}},
    {"status": 0, "body": {"measuregrps": [], "updatetime": 1}, "data": {}},
])
def test_another_shape_is_given_up_as_a_whole(payload: Any) -> None:
    with pytest.raises(SchemaError):
        parse_getmeas(payload)


def test_a_moment_after_the_last_of_time_is_refused() -> None:
    parsed = parse_getmeas(page(measure(11, 60), date=10**17))
    assert [one.reason for one in parsed.refused] == ["the time is not readable"]


def test_times_are_utc(shared: Path) -> None:
    for one in parse_getmeas(read(shared, "getmeas_blood_pressure")).observations:
        assert one.effective_start.utcoffset() == timedelta(0)
