"""Fitbit: what is left of it, saved answers of its API and files of Google's Takeout."""

import io
import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.vitals import SPECS, Vital
from providers.imports import FORMATS, FileRefused, Item
from providers.observation import Granularity, Observation, Quality, Refusal, Statistic


def read(body: Any, zone: str | None = None) -> list[Item]:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return list(FORMATS["fitbit"].read(io.BytesIO(data), ZoneInfo(zone) if zone else None))


def told(items: list[Item]) -> list[str]:
    return [f"{one.vital} {one.value} {one.effective_start:%Y-%m-%dT%H:%M:%SZ} {one.granularity} "
            f"{one.statistic} {one.civil_date}" for one in items if isinstance(one, Observation)]


def refused(items: list[Item]) -> list[str]:
    return [one.record for one in items if isinstance(one, Refusal)]


def test_rates_of_the_takeout_count_in_utc() -> None:
    items = read([
        {"dateTime": "01/01/20 05:00:07", "value": {"bpm": 70, "confidence": 3}},
        {"dateTime": "01/01/20 05:00:12", "value": {"bpm": 71, "confidence": 0}},
        {"dateTime": "13/01/20 05:00:12", "value": {"bpm": 71, "confidence": 2}},
        {"dateTime": "01/01/20 05:00:22", "value": {"bpm": 0, "confidence": 2}}])
    assert told(items) == ["heart_rate 70 2020-01-01T05:00:07Z sample instant None",
                           "heart_rate 71 2020-01-01T05:00:12Z sample instant None"]
    assert [one.quality for one in items if isinstance(one, Observation)] == [
        Quality.OK, Quality.SUSPECT]
    assert refused(items) == ["[2]", "[3]"]


def test_resting_rates_are_days() -> None:
    none = {"dateTime": "05/07/26 00:00:00", "value": {"date": None, "value": 0.0, "error": 0.0}}
    takeout = [none, {"dateTime": "05/08/26 00:00:00", "value": {
        "date": "05/08/26", "value": 61.5, "error": 6.8}}]
    answer = {"activities-heart": [{"dateTime": "2026-05-08", "value": {"restingHeartRate": 61.5}}]}
    for body in (takeout, answer):
        items = read(body)
        assert told(items) == ["resting_heart_rate 61.5 2026-05-08T00:00:00Z day mean 2026-05-08"]
        assert not refused(items)


def test_a_nights_saturation_is_its_mean_and_its_ends() -> None:
    night = {"dateTime": "2021-10-04", "value": {"avg": 97.5, "min": 94, "max": 100}}
    for body in (night, [night]):
        assert told(read(body)) == [
            "spo2 97.5 2021-10-04T00:00:00Z night mean 2021-10-04",
            "spo2 94 2021-10-04T00:00:00Z night min 2021-10-04",
            "spo2 100 2021-10-04T00:00:00Z night max 2021-10-04"]


def test_breathing_by_stage_of_sleep_gives_the_whole_nights() -> None:
    stages = {"deepSleepSummary": {"breathingRate": 16.8},
              "fullSleepSummary": {"breathingRate": 17.8}}
    items = read({"br": [{"dateTime": "2021-10-25", "value": stages}]})
    assert told(items) == ["respiratory_rate 17.8 2021-10-25T00:00:00Z night mean 2021-10-25"]


@pytest.mark.parametrize(("rows", "zone", "expected"), [
    ("timestamp,beats per minute,data source\n2024-10-27T00:00:04Z,65.0,Pixel Watch\n"
     "2024-10-27T00:00:09Z,62.0,Pixel Watch\n", None,
     ["heart_rate 65.0 2024-10-27T00:00:04Z sample instant None",
      "heart_rate 62.0 2024-10-27T00:00:09Z sample instant None"]),
    ("timestamp,beats per minute\n2024-10-27T08:14:04Z,65.0\n", None,
     ["heart_rate 65.0 2024-10-27T08:14:04Z sample instant None"]),
    ("timestamp,value\n2024-02-23T08:14:30Z,95.2\n2024-02-23T08:15:30Z,none\n", None,
     ["spo2 95.2 2024-02-23T08:14:30Z sample instant None"]),
    ("timestamp,value\n2024-02-23T08:14:30Z,95.2\n2024-02-23T08:15:30Z,50.0\n", None,
     ["spo2 95.2 2024-02-23T08:14:30Z sample instant None"]),
    ("timestamp,oxygen saturation percentage,data source\n2024-02-23T08:14:30Z,95.2,W\n", None,
     ["spo2 95.2 2024-02-23T08:14:30Z sample instant None"]),
    ("timestamp,temperature celsius,data source\n2026-10-06T04:00:00Z,33.1,Air\n", None,
     ["skin_temperature 33.1 2026-10-06T04:00:00Z sample instant None"]),
    ("timestamp,average_value,lower_bound,upper_bound\n2026-09-19T20:01:00Z,94.1,93.0,95.5\n",
     "Australia/Sydney", ["spo2 94.1 2026-09-20T00:00:00Z night mean 2026-09-20"]),
    ("timestamp,average_value,lower_bound,upper_bound\n2026-09-19T20:01:00Z,94.1,93.0,95.5\n",
     None, []),
    ("timestamp,average percentage,lower bound percentage\n2026-06-11T00:00:00Z,94.8,93.2\n", None,
     ["spo2 94.8 2026-06-11T00:00:00Z night mean 2026-06-11"]),
    ("timestamp,daily_respiratory_rate\n2020-09-01T00:00:00,14.2\n", None,
     ["respiratory_rate 14.2 2020-09-01T00:00:00Z night mean 2020-09-01"]),
    ("timestamp,full_sleep_breathing_rate,full_sleep_standard_deviation\n"
     "2024-01-15T07:00:00,15.2,1.1\n", None,
     ["respiratory_rate 15.2 2024-01-15T00:00:00Z night mean 2024-01-15"]),
    ("timestamp,breaths per minute,data source\n2026-06-11T00:00:00,13.8,Air\n", None,
     ["respiratory_rate 13.8 2026-06-11T00:00:00Z night mean 2026-06-11"]),
    ("type,sleep_start,sleep_end,temperature_samples,nightly_temperature\n"
     "SKIN,2021-05-24T23:48:30,2021-05-25T08:56:30,548,33.79\n"
     "IDT,2021-05-25T23:48:30,2021-05-26T08:56:30,548,28.44\n", "Europe/Athens",
     ["skin_temperature 33.79 2021-05-24T20:48:30Z night mean 2021-05-25"]),
])
def test_csvs_of_the_takeout_are_told_apart_by_their_columns(
        rows: str, zone: str | None, expected: list[str]) -> None:
    items = read(rows, zone)
    assert told(items) == expected
    assert len(expected) + len(refused(items)) == rows.count("\n") - 1


@pytest.mark.parametrize("rows", [
    "timestamp,steps\n2024-10-27T00:00:00Z,4\n",
    "recorded_time,temperature,sensor_type\n2025-05-30T00:00,-2.09,SKIN\n",
    "timestamp,beats per minute\n2024-10-27T00:00:00Z,61\n2024-10-28T00:00:00Z,62\n",
    "timestamp,beats per minute\n2024-10-27T06:01:00Z,61\n2024-10-28T06:02:00Z,62\n",
    "timestamp,beats per minute\n2024-10-27T00:00:00Z,61\n",
    "timestamp,value,unit\n2024-10-27T08:00:00Z,95,mg/dL\n",
    "timestamp,value\n2024-10-27T08:00:00Z,95\n2024-10-27T08:05:00Z,101\n",
    "timestamp,value\n2024-10-27T08:00:00Z,95\n2024-10-27T08:05:00Z,49.9\n",
    '[{"dateTime": "01/01/20 05:00:00", "value": "12"}]',
    '[{"logId": 1, "dateOfSleep": "2020-01-01"}]',
])
def test_what_is_not_read_is_refused_with_what_is(rows: str) -> None:
    with pytest.raises(FileRefused, match="resting_heart_rate"):
        read(rows)


def test_another_value_for_the_same_moment_is_refused() -> None:
    minutes = [{"minute": "2021-10-04T04:02:17", "value": value} for value in (95.7, 95.7, 91)]
    items = read({"dateTime": "2021-10-04", "minutes": minutes}, "UTC")
    assert [float(one.value) for one in items if isinstance(one, Observation)] == [95.7, 95.7]
    assert refused(items) == ["2021-10-04T04:02:17+00:00"]


def test_a_zip_says_what_to_do() -> None:
    with pytest.raises(FileRefused, match="unpack it"):
        list(FORMATS["fitbit"].read(io.BytesIO(b"PK\x03\x04..."), None))


@given(text=st.text(alphabet='timestamp,value"\n\r\0 Z0123:-.T', max_size=80),
       head=st.sampled_from((
           "timestamp,value\n", "timestamp,beats per minute\n",
           "timestamp,average_value,lower_bound,upper_bound\n",
           "type,sleep_start,sleep_end,nightly_temperature\nSKIN,", "")))
def test_any_csv_is_read_or_refused(text: str, head: str) -> None:
    try:
        items = read(head + text, "Europe/Berlin")
    except FileRefused:
        return
    for one in items:
        if isinstance(one, Observation):
            assert SPECS[one.vital].plausible(float(one.value))
            assert one.vital is not Vital.BODY_TEMPERATURE


def test_a_skin_temperature_has_its_place_and_a_night_its_own_times() -> None:
    rows = "timestamp,temperature celsius\n2026-10-06T04:00:00Z,33.1\n"
    (one,) = [one for one in read(rows) if isinstance(one, Observation)]
    assert one.body_site == "wrist"
    (night,) = [one for one in read(
        "type,sleep_start,sleep_end,nightly_temperature\n"
        "SKIN,2021-05-24T23:00:00,2021-05-25T07:00:00,33.8\n", "UTC")
        if isinstance(one, Observation)]
    assert (night.granularity, night.statistic, night.civil_date, night.effective_end) == (
        Granularity.NIGHT, Statistic.MEAN, date(2021, 5, 25), datetime(2021, 5, 25, 7, tzinfo=UTC))
