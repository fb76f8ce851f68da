"""What a record of a file stands for: its stretch of time, its place, its wearer's doing."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clinical.vitals import Vital
from providers.google_health import DATA_TYPES, parse_data_points
from providers.imports import FORMATS, FileRefused, Item
from providers.observation import Context, Granularity, Observation, Refusal, Statistic

START = datetime(2026, 8, 6, 3, tzinfo=UTC)


def read(name: str, body: Any, zone: str | None = None) -> list[Item]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(FORMATS[name].read(io.BytesIO(data), ZoneInfo(zone) if zone else None))


def observations(items: list[Item]) -> list[Observation]:
    return [one for one in items if isinstance(one, Observation)]


def refused(items: list[Item]) -> dict[str, str]:
    return {one.record: one.reason for one in items if isinstance(one, Refusal)}


def omh(length: timedelta, **members: Any) -> list[Item]:
    return read("open-mhealth", {
        "heart_rate": {"value": 131, "unit": "beats/min"},
        "effective_time_frame": {"time_interval": {
            "start_date_time": START.isoformat(), "end_date_time": (START + length).isoformat()}},
        **members})


def fhir(**members: Any) -> list[Item]:
    return read("fhir", {
        "resourceType": "Observation", "status": "final", "id": "o",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": START.isoformat(),
        "valueQuantity": {"value": 71, "code": "/min"}, **members})


def garmin(kind: str, **members: Any) -> list[Item]:
    return read("garmin", {kind: [{
        "userId": "u", "summaryId": "s", "startTimeInSeconds": int(START.timestamp()),
        "startTimeOffsetInSeconds": 0, "durationInSeconds": 900, **members}]})


def terra(kind: str, start: str, end: str, **members: Any) -> list[Item]:
    return read("terra", {"type": kind, "user": {"user_id": "u"}, "data": [{
        "metadata": {"start_time": start, "end_time": end}, **members}]})


def apple(kind: str, value: str, unit: str, *, hours: float = 0, site: str = "") -> list[Item]:
    start, end = (f"{at:%Y-%m-%d %H:%M:%S} +0000" for at in (START, START + timedelta(hours=hours)))
    key = ("HKMetadataKey" if site == "4" else "HK") + "BodyTemperatureSensorLocation"
    entry = f'<MetadataEntry key="{key}" value="{site}"/>' if site else ""
    return read("apple-health", (
        f'<HealthData><Record type="HKQuantityTypeIdentifier{kind}" sourceName="W" unit="{unit}" '
        f'startDate="{start}" endDate="{end}" value="{value}">{entry}</Record></HealthData>'
        ).encode())


# --- stretches of time ---------------------------------------------------------------------

@pytest.mark.parametrize(("hours", "members", "stands_for"), [
    (1, {}, (Granularity.INTERVAL, Statistic.MEAN, None)),
    (1, {"descriptive_statistic": "minimum"}, (Granularity.INTERVAL, Statistic.MIN, None)),
    (24, {"descriptive_statistic": "average"},
     (Granularity.DAY, Statistic.MEAN, date(2026, 8, 6))),
    (25, {"descriptive_statistic": "maximum"},
     (Granularity.DAY, Statistic.MAX, date(2026, 8, 6))),
    (24 * 7, {"descriptive_statistic": "average"}, None),
    (5, {"descriptive_statistic": "average"}, None),
    (0, {"descriptive_statistic": "average"}, None),
    (-1, {"descriptive_statistic": "average"}, None),
    (24, {}, None),
    (8, {"descriptive_statistic": "average", "temporal_relationship_to_sleep": "during sleep"},
     (Granularity.NIGHT, Statistic.MEAN, date(2026, 8, 6))),
])
def test_what_lasts_longer_than_an_hour_is_no_reading_of_one(
        hours: int, members: dict[str, Any], stands_for: Any) -> None:
    items = omh(timedelta(hours=hours), **members)
    assert [(one.granularity, one.statistic, one.civil_date) for one in observations(items)] == \
        ([stands_for] if stands_for else [])
    assert len(refused(items)) == (0 if stands_for else 1)


def test_no_format_takes_a_week_or_a_negative_span_for_a_moment() -> None:
    week = {"start": START.isoformat(), "end": (START + timedelta(days=7)).isoformat()}
    back = {"start": week["end"], "end": week["start"]}
    for items in (
            *(fhir(effectiveDateTime=None, effectivePeriod=period) for period in (week, back)),
            *(garmin("epochs", meanHeartRateInBeatsPerMinute=90, durationInSeconds=seconds)
              for seconds in (30 * 86400, -86400)),
            garmin("dailies", averageHeartRateInBeatsPerMinute=90, durationInSeconds=-86400),
            *(apple("HeartRate", "71", "count/min", hours=hours) for hours in (2, -1)),
            *(terra("daily", period["start"], period["end"],
                    oxygen_data={"avg_saturation_percentage": 96}) for period in (week, back))):
        assert not observations(items)
        assert len(refused(items)) == 1


# --- Terra's kinds -------------------------------------------------------------------------

def test_a_terra_sleep_is_a_night_of_the_date_of_waking() -> None:
    (one,) = observations(terra("sleep", "2026-08-05T23:00:00-04:00", "2026-08-06T07:00:00-04:00",
                                respiration_data={"breaths_data": {"avg_breaths_per_min": 14}}))
    assert (one.granularity, one.context, one.civil_date) == (
        Granularity.NIGHT, Context.SLEEP, date(2026, 8, 6))


def test_a_terra_activity_is_exercise_and_an_interval() -> None:
    items = terra("activity", "2026-08-06T07:00:00-04:00", "2026-08-06T07:30:00-04:00",
                  heart_rate_data={"summary": {"avg_hr_bpm": 142}, "detailed": {"hr_samples": [
                      {"timestamp": "2026-08-06T07:10:00-04:00", "bpm": 150}]}})
    assert [(float(one.value), one.granularity, one.context) for one in observations(items)] == [
        (150, Granularity.SAMPLE, Context.ACTIVE), (142, Granularity.INTERVAL, Context.ACTIVE)]


def test_one_odd_list_of_terra_costs_no_other() -> None:
    items = terra("daily", START.isoformat(), START.isoformat(),
                  oxygen_data={"saturation_samples": 5},
                  blood_pressure_data={"blood_pressure_samples": [
                      {"timestamp": START.isoformat(), "systolic_bp": 80, "diastolic_bp": 120}]},
                  heart_rate_data={"detailed": {"hr_samples": [
                      {"timestamp": START.isoformat(), "bpm": 61}]}})
    assert [one.value for one in observations(items)] == [61]
    assert refused(items) == {
        "data[0].oxygen_data.saturation_samples": "not a list",
        "data[0].blood_pressure_data.blood_pressure_samples[0]":
            "systolic is not above diastolic"}


# --- bounds, figures beside the reading ----------------------------------------------------

@pytest.mark.parametrize("comparator", ["<", ">=", "ad"])
def test_a_bound_is_no_value(comparator: str) -> None:
    items = fhir(valueQuantity={"value": 71, "code": "/min", "comparator": comparator})
    assert not observations(items)
    assert refused(items) == {"Observation[0]": "a bound, not a value"}


@pytest.mark.parametrize("odd", [-1, 0, 4000, "72"])
def test_an_odd_figure_beside_readings_costs_the_figure_alone(odd: Any) -> None:
    none = isinstance(odd, int) and odd <= 0
    samples = {"0": 60, "900": 65}
    daily = garmin("dailies", timeOffsetHeartRateSamples=samples,
                   averageHeartRateInBeatsPerMinute=odd, restingHeartRateInBeatsPerMinute=55)
    assert [one.value for one in observations(daily)] == [60, 65, 55]
    assert list(refused(daily)) == (
        [] if none else ["dailies[0].averageHeartRateInBeatsPerMinute"])
    cuff = garmin("bloodPressures", systolic=182, diastolic=113, pulse=odd,
                  measurementTimeInSeconds=int(START.timestamp()))
    assert [one.value for one in observations(cuff)] == [182, 113]
    assert list(refused(cuff)) == ([] if none else ["bloodPressures[0].pulse"])
    ihealth = read("ihealth", {"BPDataList": [{
        "HP": 182, "LP": 113, "HR": odd, "MDate": 1, "TimeZone": "+0100"} | {
            "MDate": int(START.timestamp())}]})
    assert [one.value for one in observations(ihealth)] == [182, 113]
    assert list(refused(ihealth)) == ([] if none else ["BPDataList[0].HR"])


def test_a_daily_without_its_duration_keeps_its_samples() -> None:
    items = garmin("dailies", timeOffsetHeartRateSamples={"0": 60}, durationInSeconds=None,
                   averageHeartRateInBeatsPerMinute=70)
    assert [one.value for one in observations(items)] == [60]
    assert list(refused(items)) == ["dailies[0].averageHeartRateInBeatsPerMinute"]


def test_a_daily_with_odd_samples_keeps_its_figures() -> None:
    items = garmin("dailies", timeOffsetHeartRateSamples=[60], restingHeartRateInBeatsPerMinute=55)
    assert [one.value for one in observations(items)] == [55]
    assert refused(items) == {"dailies[0].timeOffsetHeartRateSamples": "not an object"}


def test_both_lists_of_ihealth_are_read() -> None:
    moment = {"MDate": int(START.timestamp()), "TimeZone": "+0000"}
    items = read("ihealth", {"BPDataList": [moment | {"HP": 120, "LP": 80}],
                             "BODataList": [moment | {"BO": 97}]})
    assert [one.value for one in observations(items)] == [120, 80, 97]


def test_a_garmin_list_of_an_unknown_kind_costs_no_other() -> None:
    user = {"userId": "u", "summaryId": "s"}
    items = read("garmin", {"sleeps": [user], "bloodPressures": [user | {
        "systolic": 120, "diastolic": 80, "measurementTimeInSeconds": int(START.timestamp())}]})
    assert [one.value for one in observations(items)] == [120, 80]
    assert refused(items) == {"sleeps": "summaries of a kind that is not read"}


def test_garmins_skin_temperature_is_a_deviation_of_the_night() -> None:
    (one,) = observations(garmin("skinTemp", avgDeviationCelsius=-1.6, calendarDate="2026-08-06",
                                 durationInSeconds=1980))
    assert (one.vital, float(one.value), one.granularity, one.civil_date) == (
        Vital.SKIN_TEMPERATURE_DEVIATION, -1.6, Granularity.NIGHT, date(2026, 8, 6))


# --- where it was taken --------------------------------------------------------------------

def omh_temperature(site: str | None) -> list[Item]:
    return read("open-mhealth", {
        "body_temperature": {"value": 34, "unit": "C"},
        "effective_time_frame": {"date_time": START.isoformat()}} | (
            {"measurement_location": site} if site else {}))


def fhir_temperature(site: str | None) -> list[Item]:
    return fhir(code={"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
                valueQuantity={"value": 34, "code": "Cel"},
                bodySite={"coding": [{"display": site}]} if site else None)


def google_temperature(site: str | None) -> list[Item]:
    record = {"temperatureCelsius": 34, "sampleTime": {
        "physicalTime": START.isoformat(), "utcOffset": "0s"}}
    page = {"dataPoints": [{"coreBodyTemperature": record | (
        {"measurementLocation": site.upper()} if site else {})}]}
    parsed = parse_data_points(page, DATA_TYPES["core-body-temperature"])
    return [*parsed.observations, *parsed.refused]


def apple_temperature(site: str | None) -> list[Item]:
    number = {"finger": "4", "toe": "8", "mouth": "6", "forehead": "11"}
    return apple("BodyTemperature", "34", "degC", site=number[site] if site else "")


@pytest.mark.parametrize(
    "read_at", [omh_temperature, fhir_temperature, google_temperature, apple_temperature])
def test_a_temperature_of_a_limb_is_the_skins(read_at: Any) -> None:
    for site, vital in (("finger", Vital.SKIN_TEMPERATURE), ("toe", Vital.SKIN_TEMPERATURE),
                        ("mouth", Vital.BODY_TEMPERATURE), ("forehead", Vital.BODY_TEMPERATURE),
                        (None, Vital.BODY_TEMPERATURE)):
        (one,) = observations(read_at(site))
        assert (one.vital, one.body_site) == (vital, site)


def test_a_place_told_by_a_code_is_understood_or_the_temperature_refused() -> None:
    def at(code: str) -> list[Item]:
        return fhir(code={"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
                    valueQuantity={"value": 34, "code": "Cel"},
                    bodySite={"coding": [{"system": "http://snomed.info/sct", "code": code}]})

    assert [one.vital for one in observations(at("39937001"))] == [Vital.SKIN_TEMPERATURE]
    assert not observations(at("1"))
    assert len(refused(at("1"))) == 1


def test_a_venous_saturation_is_no_spo2() -> None:
    items = read("open-mhealth", {
        "oxygen_saturation": {"value": 70, "unit": "%"}, "system": "mixed venous",
        "effective_time_frame": {"date_time": START.isoformat()}})
    assert not observations(items)
    assert len(refused(items)) == 1


# --- whatever else a record must not be ----------------------------------------------------

def test_a_night_that_ends_before_it_begins_is_refused() -> None:
    night = {"id": 1, "startdate": 1641698630, "enddate": 1641677401, "date": "2022-01-09",
             "data": {"hr_average": 60}}
    items = read("withings", {"status": 0, "body": {"series": [night]}})
    assert refused(items) == {"series[0].hr_average": "it ends before it begins"}


def test_a_panel_of_vital_signs_says_how_to_give_them() -> None:
    panel = {"code": {"coding": [{"system": "http://loinc.org", "code": "85353-1"}]}}
    assert fhir(**panel, hasMember=[{"reference": "Observation/o2"}]) == []
    items = fhir(**panel, component=[{"code": {"coding": [
        {"system": "http://loinc.org", "code": "8867-4"}]}}])
    assert not observations(items)
    assert "an Observation of its own" in refused(items)["Observation[0]"]


def test_a_record_inside_a_record_costs_neither() -> None:
    def record(value: int, inner: str = "") -> str:
        time = f"2026-08-06 07:{value - 60:02d}:00 +0000"
        return (f'<Record type="HKQuantityTypeIdentifierHeartRate" unit="count/min" '
                f'startDate="{time}" endDate="{time}" value="{value}">{inner}</Record>')

    items = read("apple-health", f"<HealthData>{record(61, record(62))}</HealthData>".encode())
    assert [one.value for one in observations(items)] == [62, 61]


def test_entities_are_refused_with_their_line() -> None:
    with pytest.raises(FileRefused, match="line 3"):
        read("apple-health", b'<?xml version="1.0"?>\n<!DOCTYPE a [\n<!ENTITY b "c">\n]>\n<a/>')


@pytest.mark.parametrize(("form", "good"), [
    ("userid=12345&appli=4&startdate=1530576000&enddate=1530698753", True),
    ("userid=12345&appli=4\n", True), ("userid=12345&appli=44&date=2026-08-06", True),
    ("userid=12345&appli=4&startda", False), ("userid=12345&ap", False),
    ("userid=12345&appli=4garbage", False), ("userid=&appli=4", False),
])
def test_a_notification_is_whole_or_refused(form: str, good: bool) -> None:
    if good:
        assert read("withings", form.encode()) == []
    else:
        with pytest.raises(FileRefused, match="line 1"):
            read("withings", form.encode())
