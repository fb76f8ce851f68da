"""A vendor that changes a type: read alike, refused with a reason, or the page is given up.

What must not be: a reading that is silently gone, or silently another one.
"""

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import google_health, oura
from providers import withings_pages as withings
from providers.errors import SchemaError
from providers.imports import FORMATS, FileRefused, Owner
from providers.observation import Observation, Parsed, Refusal

Parse = Callable[[Any], Parsed]
Path = tuple[str | int, ...]

GROUP = {
    "grpid": 27, "attrib": 1, "date": 1620039631, "created": 1620237692, "modified": 1620237692,
    "category": 1, "deviceid": "91a7", "hash_deviceid": "91a7", "model": "BPM Core", "modelid": 44,
    "measures": [{"type": 9, "value": 8200, "unit": -2}, {"type": 10, "value": 14300, "unit": -2},
                 {"type": 71, "value": 371, "unit": -1}]}
SEGMENT = {
    "startdate": 1618875124, "enddate": 1618875724, "state": 1, "model": "Aura Sensor V2",
    "model_id": 63, "hash_deviceid": "201d", "hr": {"1618875124": 52, "1618875184": 50},
    "rr": {"1618875124": 19}}
MOMENT = {"deviceid": "f998", "model": "ScanWatch", "model_id": 93, "heart_rate": 71,
          "spo2_auto": 96.0, "rr": 15}
NIGHT = {
    "id": 25, "timezone": "Europe/Paris", "model": 32, "model_id": 63, "hash_deviceid": "201d",
    "startdate": 1641677401, "enddate": 1641698630, "date": "2022-01-09", "modified": 1641720352,
    "data": {"hr_average": 60, "hr_min": 50, "hr_max": 90, "rr_average": 15, "sleep_score": 80}}
DEVICE = {"type": "Scale", "model": "Body+", "last_session_date": 1693867179, "deviceid": "f998"}

SOURCE = {"recordingMethod": "DERIVED", "platform": "FITBIT", "device": {"displayName": "Charge"}}
SAMPLE_TIME = {"physicalTime": "2026-08-06T05:02:00Z", "utcOffset": "-14400s",
               "civilTime": {"date": {"year": 2026, "month": 8, "day": 6}}}


def point(kind: google_health.DataType) -> dict[str, Any]:
    """A point of this type with every member that is read."""
    value: Any = "72" if kind.field == "beatsPerMinute" else (
        37.2 if "emperature" in kind.field else 96.8 if "ercentage" in kind.field else 14.6)
    figures = {kind.field: value}
    record = {kind.within: figures} if kind.within else figures
    when = {"date": {"year": 2026, "month": 8, "day": 6}} if kind.daily else {
        "sampleTime": SAMPLE_TIME, "metadata": {"motionContext": "SEDENTARY"},
        "measurementLocation": "MOUTH"}
    return {"name": "users/1/dataTypes/x/dataPoints/66", "dataSource": SOURCE,
            kind.key: record | when}


def body(**members: Any) -> dict[str, Any]:
    return {"status": 0, "body": members}


def data(*records: Any) -> dict[str, Any]:
    return {"data": list(records), "next_token": "n"}


WITHINGS: list[tuple[Parse, Any]] = [
    (withings.parse_getmeas, body(updatetime=1683000000, timezone="Europe/Paris", more=1, offset=2,
                                  measuregrps=[GROUP, GROUP | {"grpid": 28, "attrib": 0}])),
    (withings.parse_sleep, body(series=[SEGMENT, SEGMENT | {"startdate": 1618875725}], model=32)),
    (withings.parse_intraday, body(series={"1690491236": MOMENT, "1690491296": MOMENT})),
    (withings.parse_sleep_summary, body(series=[NIGHT, NIGHT | {"id": 26}], more=False, offset=0)),
    (withings.parse_devices, body(devices=[DEVICE, DEVICE])),
]
GOOGLE: list[tuple[Parse, Any]] = [
    *((partial(google_health.parse_data_points, kind=kind),
       {"dataPoints": [point(kind), point(kind)], "nextPageToken": "t"})
      for kind in google_health.DATA_TYPES.values()),
    (google_health.parse_paired_devices,
     {"pairedDevices": [{"lastSyncTime": "2026-08-06T12:05:00Z"}], "nextPageToken": "t"}),
]
OURA: list[tuple[Parse, Any]] = [
    (oura.parse_heartrate, data({"bpm": 78, "source": "rest",
                                 "timestamp": "2024-01-12T06:04:46+00:00"})),
    (oura.parse_sleep, data({
        "id": "s", "average_breath": 15.5, "average_heart_rate": 55.0, "lowest_heart_rate": 48,
        "bedtime_start": "2024-01-15T23:00:00+01:00", "bedtime_end": "2024-01-16T07:00:00+01:00",
        "day": "2024-01-16", "type": "long_sleep", "period": 0})),
    (oura.parse_daily_spo2, data({"id": "a", "day": "2024-01-16",
                                  "spo2_percentage": {"average": 97.4}})),
    (oura.parse_daily_readiness, data({"id": "r", "day": "2024-01-16", "score": 82,
                                       "temperature_deviation": -0.12})),
    (oura.parse_ring_battery_level, data({"timestamp": "2026-08-06T06:00:00Z", "level": 62})),
]

SUMMARY = {"userId": "u", "summaryId": "s", "calendarDate": "2024-01-15",
           "startTimeInSeconds": 1705276800, "startTimeOffsetInSeconds": -18000,
           "durationInSeconds": 86400}


def pushed(name: str) -> Parse:
    """The importer of a format as a parse function."""
    def parse(payload: Any) -> Parsed:
        try:
            items = list(FORMATS[name].read(BytesIO(orjson.dumps(payload)), None))
        except FileRefused as refused:
            raise SchemaError(str(refused)) from None
        owners = tuple(one.user_id for one in items if isinstance(one, Owner))
        return Parsed(observations=[one for one in items if isinstance(one, Observation)],
                      refused=[one for one in items if isinstance(one, Refusal)],
                      figures={"owners": owners})
    return parse


AT = "2026-08-06T08:01:29.000000-04:00"
PUSHES: list[tuple[Parse, Any]] = [
    (pushed("garmin"), {
        "dailies": [SUMMARY | {"restingHeartRateInBeatsPerMinute": 55,
                               "averageHeartRateInBeatsPerMinute": 72,
                               "timeOffsetHeartRateSamples": {"0": 60, "900": 65}}],
        "epochs": [SUMMARY | {"meanHeartRateInBeatsPerMinute": 85, "intensity": "ACTIVE",
                              "maxHeartRateInBeatsPerMinute": 95}],
        "allDayRespiration": [SUMMARY | {"timeOffsetEpochToBreaths": {"0": 11.33}}],
        "pulseox": [SUMMARY | {"timeOffsetSpo2Values": {"0": 98}}],
        "bloodPressures": [{
            "userId": "u", "summaryId": "b", "systolic": 112, "diastolic": 73, "pulse": 69,
            "sourceType": "MANUAL", "measurementTimeInSeconds": 1781643600,
            "measurementTimeOffsetInSeconds": -18000}]}),
    (pushed("terra"), {
        "type": "daily", "user": {"user_id": "u", "provider": "GARMIN"}, "data": [{
            "metadata": {"start_time": "2026-08-06T00:00:00-04:00",
                         "end_time": "2026-08-07T00:00:00-04:00", "upload_type": 1},
            "heart_rate_data": {"summary": {"avg_hr_bpm": 72, "resting_hr_bpm": 55},
                                "detailed": {"hr_samples": [{"timestamp": AT, "bpm": 72}]}},
            "oxygen_data": {"saturation_samples": [
                {"timestamp": AT, "percentage": 97, "type": "spo2"}]},
            "blood_pressure_data": {"blood_pressure_samples": [
                {"timestamp": AT, "systolic_bp": 120, "diastolic_bp": 80}]}}]}),
]

OTHERS = st.one_of(
    st.booleans(), st.integers(-5, 10**12), st.floats(0.5, 400).filter(lambda x: x % 1 != 0),
    st.sampled_from(["", "72", "x", "2026-08-06", "1618875124"]),
    st.lists(st.integers(0, 300), min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["a", "value"]), st.integers(0, 300), min_size=1, max_size=2))


def kind_of(value: Any, path: Path) -> str:
    """The JSON type. Whole and broken numbers are of one, and some members have two by the docs."""
    if path[-1] == "more" and isinstance(value, int):
        return "number"                                        # Withings: 1 or true
    if path[-3:-2] == ("saturation_samples",) and path[-1] == "type":
        return "text"                                          # Terra: 1 or "smo2"
    return "number" if type(value) in (int, float) else type(value).__name__


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document, without the document itself."""
    inner: list[tuple[str | int, Any]] = (
        list(value.items()) if isinstance(value, dict)
        else list(enumerate(value)) if isinstance(value, list) else [])
    for name, one in inner:
        yield (*path, name)
        yield from paths(one, (*path, name))


def at(document: Any, path: Path) -> Any:
    for name in path:
        document = document[name]
    return document


def told(parsed: Parsed) -> tuple[Any, ...]:
    """What is made of a page."""
    return list(parsed.observations), parsed.next_page, parsed.figures


def hold(parse: Parse, document: Any, path: Path, value: Any) -> None:
    before = parse(document)
    assert not before.refused
    changed = deepcopy(document)
    at(changed, path[:-1])[path[-1]] = value
    try:
        after = parse(changed)
    except SchemaError:
        return
    assert after.refused or told(after) == told(before), f"{path} became {value!r} unnoticed"
    assert not any(one not in before.observations for one in after.observations), path


@pytest.mark.parametrize("payloads", [WITHINGS, GOOGLE, OURA, PUSHES],
                         ids=["withings", "google", "oura", "pushes"])
def test_every_real_shaped_payload_is_understood(payloads: list[tuple[Parse, Any]]) -> None:
    for parse, document in payloads:
        parsed = parse(document)
        assert parsed.observations or parsed.figures["last_sync"]
        assert not parsed.refused


@pytest.mark.parametrize("payloads", [WITHINGS, GOOGLE, OURA, PUSHES],
                         ids=["withings", "google", "oura", "pushes"])
@settings(max_examples=int(os.environ.get("VITALCAST_LONG") or 0) * 3000 or 100)
@given(data=st.data())
def test_a_changed_type_is_never_lost_without_a_word(
        payloads: list[tuple[Parse, Any]], data: st.DataObject) -> None:
    parse, document = data.draw(st.sampled_from(payloads))
    path = data.draw(st.sampled_from(list(paths(document))))
    was = kind_of(at(document, path), path)
    hold(parse, document, path, data.draw(
        OTHERS.filter(lambda value: kind_of(value, path) != was)))


@pytest.mark.parametrize("payloads", [WITHINGS, GOOGLE, OURA],
                         ids=["withings", "google", "oura"])
def test_an_unknown_member_of_the_page_gives_it_up(payloads: list[tuple[Parse, Any]]) -> None:
    for parse, document in payloads:
        with pytest.raises(SchemaError, match="undocumented"):
            parse(document | {"cursor": "another way of paging"})


def test_an_unknown_member_of_withings_body_gives_the_page_up() -> None:
    for parse, document in WITHINGS[:-1]:
        with pytest.raises(SchemaError, match="undocumented"):
            parse(document | {"body": document["body"] | {"cursor": "another way of paging"}})
