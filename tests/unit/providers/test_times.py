"""Times of every source against zoneinfo: clocks put forward and back, travel, civil dates.

A reading is taken at an instant, somewhere. Each source writes it in its own way; read back, it
must stand at that instant, with the offset that was in force there, where the source tells one.
"""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.vitals import Vital
from providers.google_health import DATA_TYPES, parse_data_points
from providers.imports import FORMATS
from providers.observation import Granularity, Observation
from providers.oura import parse_daily_readiness, parse_heartrate, parse_sleep
from providers.withings_pages import parse_getmeas, parse_intraday, parse_sleep_summary

ZONES = [ZoneInfo(name) for name in (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
    "Pacific/Apia", "America/St_Johns")]
CHANGES = [datetime.fromisoformat(f"2026-{change}:00Z") for change in (
    "03-08T07:00", "03-29T01:00", "10-25T01:00", "11-01T06:00", "04-04T15:00", "10-03T15:30")]
"""When clocks are changed: in America, in Europe, and by half an hour on Lord Howe Island."""

instants = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes),
    st.sampled_from(CHANGES), st.integers(-200, 200)) | st.builds(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
    st.integers(0, 365 * 24 * 60))

Writer = Callable[[datetime], Any]
"""What a source tells of a heart rate of 61 taken at a local time."""


def epoch(at: datetime) -> int:
    return int(at.timestamp())


def offset_s(at: datetime) -> int:
    offset = at.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def seconds_of(at: datetime) -> str:
    """The offset as Google writes it."""
    return f"{offset_s(at)}s"


def signed(at: datetime) -> str:
    return at.isoformat()[-6:]


def imported(name: str, body: Any, zone: ZoneInfo | None = None) -> list[Observation]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [one for one in FORMATS[name].read(io.BytesIO(data), zone)
            if isinstance(one, Observation)]


def withings(at: datetime) -> list[Observation]:
    group = {"grpid": 1, "attrib": 0, "date": epoch(at), "created": epoch(at),
             "modified": epoch(at), "category": 1, "deviceid": None,
             "measures": [{"value": 61, "type": 11, "unit": 0}]}
    body = {"updatetime": epoch(at), "timezone": "Europe/Paris", "measuregrps": [group]}
    return list(parse_getmeas({"status": 0, "body": body}).observations)


def withings_intraday(at: datetime) -> list[Observation]:
    series = {str(epoch(at)): {"heart_rate": 61, "model": "ScanWatch", "model_id": 93,
                               "deviceid": "d"}}
    return list(parse_intraday({"status": 0, "body": {"series": series}}).observations)


def google(at: datetime) -> list[Observation]:
    time = {"physicalTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "utcOffset": seconds_of(at),
            "civilTime": {"date": {"year": at.year, "month": at.month, "day": at.day},
                          "time": {"hours": at.hour, "minutes": at.minute}}}
    point = {"dataSource": {"recordingMethod": "PASSIVELY_MEASURED", "platform": "FITBIT"},
             "heartRate": {"sampleTime": time, "beatsPerMinute": "61"}}
    read = partial(parse_data_points, kind=DATA_TYPES["heart-rate"])
    return list(read({"dataPoints": [point]}).observations)


def oura(at: datetime) -> list[Observation]:
    told = at.astimezone(UTC).isoformat().replace("+00:00", ".000Z")
    return list(parse_heartrate({"data": [
        {"timestamp": told, "bpm": 61, "source": "awake"}], "next_token": None}).observations)


def garmin(at: datetime) -> list[Observation]:
    return imported("garmin", {"dailies": [{
        "userId": "u", "summaryId": "s", "startTimeInSeconds": epoch(at) - 90,
        "startTimeOffsetInSeconds": offset_s(at), "durationInSeconds": 900,
        "timeOffsetHeartRateSamples": {"90": 61}}]})


def terra(at: datetime) -> list[Observation]:
    return imported("terra", terra_of(at.isoformat()))


def terra_of(time: str) -> Any:
    return {"type": "daily", "user": {"user_id": "u"}, "data": [{
        "metadata": {"start_time": time, "end_time": time}, "heart_rate_data": {
            "detailed": {"hr_samples": [{"timestamp": time, "bpm": 61}]}}}]}


def apple(at: datetime) -> list[Observation]:
    time = f"{at:%Y-%m-%d %H:%M:%S} {signed(at).replace(':', '')}"
    record = (f'<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" '
              f'unit="count/min" startDate="{time}" endDate="{time}" value="61"/>')
    return imported("apple-health", f"<HealthData>{record}</HealthData>".encode())


def omh(at: datetime) -> list[Observation]:
    return imported("open-mhealth", {"heart_rate": {"value": 61, "unit": "beats/min"},
                                     "effective_time_frame": {"date_time": at.isoformat()}})


def fhir(at: datetime) -> list[Observation]:
    return imported("fhir", {
        "resourceType": "Observation", "status": "final", "id": "o",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": at.isoformat(), "valueQuantity": {"value": 61, "code": "/min"}})


def ihealth(at: datetime) -> list[Observation]:
    wall = int(at.replace(tzinfo=UTC).timestamp())
    found = imported("ihealth", {"BODataList": [{
        "BO": 97, "HR": 61, "MDate": wall, "TimeZone": signed(at), "DataID": "i",
        "DataSource": "FromDevice"}]})
    return [one for one in found if one.vital is Vital.HEART_RATE]


TELL_OFFSET = [google, garmin, terra, apple, omh, fhir, ihealth]
TELL_NONE = [withings, withings_intraday, oura]


@pytest.mark.parametrize("read", [*TELL_OFFSET, *TELL_NONE], ids=lambda one: one.__name__)
@settings(max_examples=60)
@given(instant=instants, zone=st.sampled_from(ZONES))
def test_a_reading_stands_at_its_instant_with_its_offset(
        read: Callable[[datetime], list[Observation]], instant: datetime, zone: ZoneInfo) -> None:
    (one,) = read(instant.astimezone(zone))
    assert one.effective_start == instant
    assert one.effective_start.utcoffset() == timedelta(0)
    expected = offset_s(instant.astimezone(zone)) if read in TELL_OFFSET else None
    assert one.utc_offset_s == expected


@pytest.mark.parametrize("moment", [
    datetime(1, 1, 1, tzinfo=UTC), datetime(1601, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, tzinfo=UTC)], ids=str)
@pytest.mark.parametrize("read", [*TELL_OFFSET, *TELL_NONE], ids=lambda one: one.__name__)
def test_a_time_that_was_never_set_is_refused(
        read: Callable[[datetime], list[Observation]], moment: datetime) -> None:
    """Windows around it would leave the calendar, and with one reading the whole shard fail."""
    assert read(moment) == []


def fitbit(wall: datetime, zone: ZoneInfo | None) -> list[Observation]:
    return imported("fitbit", {
        "activities-heart": [{"dateTime": f"{wall:%Y-%m-%d}", "value": {}}],
        "activities-heart-intraday": {"dataset": [{"time": f"{wall:%H:%M:%S}", "value": 61}]}},
        zone)


def terra_local(wall: datetime, zone: ZoneInfo | None) -> list[Observation]:
    return imported("terra", terra_of(wall.isoformat()), zone)


@pytest.mark.parametrize("read", [fitbit, terra_local], ids=lambda one: one.__name__)
@settings(max_examples=60)
@given(instant=instants, zone=st.sampled_from(ZONES))
def test_a_local_time_is_read_in_its_zone_and_of_a_double_hour_the_first_is_meant(
        read: Callable[[datetime, ZoneInfo | None], list[Observation]], instant: datetime,
        zone: ZoneInfo) -> None:
    there = instant.astimezone(zone)
    (one,) = read(there.replace(tzinfo=None, fold=0), zone)
    first = there.replace(fold=0)
    assert one.effective_start == first.astimezone(UTC)
    assert one.utc_offset_s == offset_s(first)
    assert there.fold == 1 or one.effective_start == instant
    assert read(there.replace(tzinfo=None), None) == []            # without a zone: refused


def test_a_double_hour_has_two_readings_where_the_offset_is_told() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
    for read in TELL_OFFSET:
        (one,), (other,) = read(first), read(second)
        assert other.effective_start - one.effective_start == timedelta(hours=1)
        assert (one.utc_offset_s, other.utc_offset_s) == (7200, 3600)


def test_a_time_that_the_clocks_left_out_is_refused() -> None:
    for minute in (0, 30, 59):
        assert fitbit(datetime(2026, 3, 29, 2, minute), ZoneInfo("Europe/Berlin")) == []  # noqa: DTZ001


def fitbit_day(day: str, walls: list[str]) -> list[datetime]:
    return [one.effective_start for one in imported("fitbit", {
        "activities-heart": [{"dateTime": day, "value": {}}],
        "activities-heart-intraday": {"dataset": [
            {"time": f"{wall}:00", "value": 60 + place % 9} for place, wall in enumerate(walls)]}},
        ZoneInfo("Europe/Berlin"))]


@settings(max_examples=40)
@given(kept=st.sets(st.integers(0, 239), min_size=1))
def test_where_a_day_goes_back_the_second_of_a_double_hour_begins(kept: set[int]) -> None:
    """Minutes 01:00 to 03:59 of the day that the clocks are put back, 02:00 to 02:59 twice."""
    there = [datetime(2026, 10, 24, 23, tzinfo=UTC) + timedelta(minutes=minute)
             for minute in sorted(kept | {0, 119, 120})]          # that it goes back is seen
    walls = [f"{at.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}" for at in there]
    assert fitbit_day("2026-10-25", walls) == there


def test_a_day_out_of_order_keeps_the_first_of_a_double_hour_and_refuses_the_other() -> None:
    walls = ["03:01", "03:00", "02:59", "02:58", "02:59", "02:58"]
    assert fitbit_day("2026-10-25", walls) == [
        datetime(2026, 10, 25, *time, tzinfo=UTC) for time in ((2, 1), (2, 0), (0, 59), (0, 58))]


# --- nights and days ----------------------------------------------------------------------

NIGHTS = [  # asleep and awake where the patient was: at home, over the change, abroad, back
    (datetime(2026, 10, 23, 23, tzinfo=ZONES[0]), datetime(2026, 10, 24, 7, tzinfo=ZONES[0])),
    (datetime(2026, 10, 24, 23, tzinfo=ZONES[0]), datetime(2026, 10, 25, 7, tzinfo=ZONES[0])),
    (datetime(2026, 10, 26, 0, 30, tzinfo=ZONES[1]), datetime(2026, 10, 26, 8, tzinfo=ZONES[1])),
    (datetime(2026, 10, 27, 22, tzinfo=ZONES[3]), datetime(2026, 10, 28, 4, tzinfo=ZONES[3]))]


def oura_night(start: datetime, end: datetime) -> list[Observation]:
    return list(parse_sleep({"data": [{
        "id": "n", "day": f"{end:%Y-%m-%d}", "bedtime_start": start.isoformat(),
        "bedtime_end": end.isoformat(), "average_breath": 14.5, "average_heart_rate": None,
        "lowest_heart_rate": None, "type": "long_sleep"}], "next_token": None}).observations)


def oura_deviation(_: datetime, end: datetime) -> list[Observation]:
    return list(parse_daily_readiness({"data": [{
        "id": "r", "day": f"{end:%Y-%m-%d}", "temperature_deviation": 0.3}],
        "next_token": None}).observations)


def google_night(_: datetime, end: datetime) -> list[Observation]:
    point = {"dataSource": {"recordingMethod": "DERIVED", "platform": "FITBIT"},
             "dailySleepTemperatureDerivations": {
                 "date": {"year": end.year, "month": end.month, "day": end.day},
                 "nightlyTemperatureCelsius": 34.1}}
    kind = DATA_TYPES["daily-sleep-temperature-derivations"]
    return list(parse_data_points({"dataPoints": [point]}, kind=kind).observations)


def withings_night(start: datetime, end: datetime) -> list[Observation]:
    night = {"id": 1, "startdate": epoch(start), "enddate": epoch(end), "date": f"{end:%Y-%m-%d}",
             "modified": epoch(end), "data": {"hr_average": 61}}
    return list(parse_sleep_summary({"status": 0, "body": {
        "series": [night], "more": False, "offset": 0}}).observations)


def apple_night(start: datetime, end: datetime) -> list[Observation]:
    first, last = (f"{at:%Y-%m-%d %H:%M:%S} {signed(at).replace(':', '')}" for at in (start, end))
    return imported("apple-health", (
        '<HealthData><Record type="HKQuantityTypeIdentifierAppleSleepingWristTemperature" '
        f'sourceName="Watch" unit="degC" startDate="{first}" endDate="{last}" value="34.1"/>'
        "</HealthData>").encode())


def fitbit_night(_: datetime, end: datetime) -> list[Observation]:
    return imported("fitbit", {"tempSkin": [
        {"dateTime": f"{end:%Y-%m-%d}", "value": {"nightlyRelative": 0.3}, "logType": "x"}]})


NIGHTLY = [oura_night, oura_deviation, google_night, withings_night, apple_night, fitbit_night]


@pytest.mark.parametrize("read", NIGHTLY, ids=lambda one: one.__name__)
def test_a_night_belongs_to_the_civil_date_of_waking_wherever_that_was(
        read: Callable[[datetime, datetime], list[Observation]]) -> None:
    for start, end in NIGHTS:
        (one,) = read(start, end)
        assert (one.granularity, one.civil_date) == (Granularity.NIGHT, end.date())
        if read in (oura_night, apple_night):
            assert (one.effective_start, one.effective_end) == (start, end)
            assert one.utc_offset_s == offset_s(start)


def days(at: datetime) -> Iterator[tuple[str, list[Observation]]]:
    """Figures of the day that begins at a local midnight."""
    end = at + timedelta(days=1)
    yield "garmin", imported("garmin", {"dailies": [{
        "userId": "u", "summaryId": "s", "startTimeInSeconds": epoch(at),
        "startTimeOffsetInSeconds": offset_s(at), "durationInSeconds": 86400,
        "restingHeartRateInBeatsPerMinute": 55}]})
    yield "terra", imported("terra", {"type": "daily", "data": [{
        "metadata": {"start_time": at.isoformat(), "end_time": end.isoformat()},
        "heart_rate_data": {"summary": {"resting_hr_bpm": 55}}}]})
    time = f"{at:%Y-%m-%d %H:%M:%S} {signed(at).replace(':', '')}"
    yield "apple", imported("apple-health", (
        '<HealthData><Record type="HKQuantityTypeIdentifierRestingHeartRate" sourceName="Watch" '
        f'unit="count/min" startDate="{time}" endDate="{time}" value="55"/></HealthData>').encode())


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_day_has_its_civil_date(zone: ZoneInfo) -> None:
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)):
        for name, found in days(datetime(day.year, day.month, day.day, tzinfo=zone)):
            (one,) = found
            assert (name, one.granularity, one.civil_date) == (name, Granularity.DAY, day)


def test_a_temperature_of_the_skin_is_never_that_of_the_body() -> None:
    start, end = NIGHTS[0]
    group = {"grpid": 1, "attrib": 0, "date": epoch(end), "modified": epoch(end), "category": 1,
             "measures": [{"value": 341, "type": 73, "unit": -1}]}
    told = [*oura_deviation(start, end), *google_night(start, end), *apple_night(start, end),
            *fitbit_night(start, end),
            *parse_getmeas({"status": 0, "body": {
                "updatetime": 1, "measuregrps": [group]}}).observations,
            *imported("terra", {"type": "body", "data": [{"temperature_data": {
                "skin_temperature_samples": [
                    {"timestamp": end.isoformat(), "temperature_celsius": 34.1}]}}]})]
    assert [one.vital for one in told] == [
        Vital.SKIN_TEMPERATURE_DEVIATION, Vital.SKIN_TEMPERATURE, Vital.SKIN_TEMPERATURE,
        Vital.SKIN_TEMPERATURE_DEVIATION, Vital.SKIN_TEMPERATURE, Vital.SKIN_TEMPERATURE]
