"""Whatever a vendor sends, a parse function understands, refuses, or gives the page up."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.vitals import SPECS
from providers import google_health, oura
from providers import withings_pages as withings
from providers.errors import SchemaError
from providers.observation import Parsed

Parse = Callable[[Any], Parsed]

SCALARS = (st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
           | st.text(max_size=8)
           | st.sampled_from(["72", "2026-11-21T06:00:00Z", "2026-11-21", "-3600s", "1618875124"]))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=12)

GOOGLE: list[Parse] = [partial(google_health.parse_data_points, kind=kind)
                       for kind in google_health.DATA_TYPES.values()]
ALL: list[Parse] = [
    *GOOGLE, google_health.parse_paired_devices, withings.parse_getmeas, withings.parse_sleep,
    withings.parse_intraday, withings.parse_sleep_summary, withings.parse_devices,
    oura.parse_heartrate, oura.parse_sleep, oura.parse_daily_spo2, oura.parse_daily_readiness,
    oura.parse_ring_battery_level,
]


def records(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records with known names, any of them absent, and anything as their values."""
    return st.fixed_dictionaries({}, optional={name: value | JSON
                                               for name, value in members.items()}) | JSON


MEASURES = records(type=st.sampled_from([9, 10, 11, 12, 54, 71, 73]), value=st.integers(),
                   unit=st.integers(-5, 5))
GROUPS = records(grpid=st.integers(), attrib=st.integers(), date=st.integers(), category=st.just(1),
                 modified=st.integers(), measures=st.lists(MEASURES, max_size=3))
SEGMENTS = records(hr=st.dictionaries(st.text(max_size=12) | st.just("1618875124"), JSON),
                   rr=JSON, model=JSON)
NIGHTS = records(data=records(hr_average=JSON, rr_min=JSON), startdate=JSON, enddate=JSON,
                 date=JSON, id=JSON, modified=JSON)
DOCUMENTS = records(timestamp=JSON, bpm=JSON, source=JSON, day=JSON, type=JSON, id=JSON,
                    bedtime_start=st.just("2026-11-20T22:00:00+01:00"), bedtime_end=JSON,
                    average_breath=JSON, average_heart_rate=JSON, lowest_heart_rate=JSON,
                    spo2_percentage=records(average=JSON), temperature_deviation=JSON)
BODIES = records(measuregrps=st.lists(GROUPS, max_size=3), updatetime=st.integers(), more=JSON,
                 offset=JSON, series=st.lists(SEGMENTS | NIGHTS, max_size=3)
                 | st.dictionaries(st.text(max_size=4), records(rr=JSON, heart_rate=JSON)),
                 devices=st.lists(records(last_session_date=JSON)))
TIMES = records(physicalTime=JSON, utcOffset=JSON, civilTime=records(
    date=records(year=JSON, month=JSON, day=JSON)))
POINTS = records(dataSource=records(device=records(displayName=JSON), platform=JSON,
                                    recordingMethod=JSON),
                 name=JSON, **{kind.key: records(**{
                     kind.field: JSON, "sampleTime": TIMES, "date": JSON, "metadata": JSON,
                     "measurementLocation": JSON, "fullSleepStats": JSON})
                     for kind in google_health.DATA_TYPES.values()})


def holds(parse: Parse, payload: Any) -> None:
    """Only SchemaError is raised; what is understood is plausible, what is refused has a name."""
    with contextlib.suppress(SchemaError):
        parsed = parse(payload)
        for one in parsed.observations:
            assert SPECS[one.vital].plausible(float(one.value))
            assert one.effective_start.tzinfo is not None
        records_refused = [one.record for one in parsed.refused]
        assert len(set(records_refused)) == len(records_refused)


@given(payload=JSON | st.binary(max_size=20))
def test_arbitrary_json(payload: Any) -> None:
    for parse in ALL:
        holds(parse, payload)


@settings(max_examples=150)
@given(body=BODIES)
def test_withings_shapes_with_anything_in_them(body: Any) -> None:
    for parse in (withings.parse_getmeas, withings.parse_sleep, withings.parse_intraday,
                  withings.parse_sleep_summary, withings.parse_devices):
        holds(parse, {"status": 0, "body": body})


@settings(max_examples=150)
@given(points=st.lists(POINTS, max_size=3), token=JSON)
def test_google_shapes_with_anything_in_them(points: Any, token: Any) -> None:
    for parse in GOOGLE:
        holds(parse, {"dataPoints": points, "nextPageToken": token})


@settings(max_examples=150)
@given(documents=st.lists(DOCUMENTS, max_size=3), token=JSON)
def test_oura_shapes_with_anything_in_them(documents: Any, token: Any) -> None:
    for parse in ALL[-5:]:
        holds(parse, {"data": documents, "next_token": token})


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308, "9" * 400])
def test_numbers_beyond_all_ranges_are_refused(value: Any) -> None:
    group = {"grpid": 1, "category": 1, "date": 1, "attrib": 0,
             "measures": [{"type": 11, "value": value, "unit": 0}]}
    page = {"status": 0, "body": {"updatetime": 1, "measuregrps": [group]}}
    assert len(withings.parse_getmeas(page).refused) == 1
    record = {"bpm": value, "timestamp": "2026-11-21T06:00:00Z"}
    assert len(oura.parse_heartrate({"data": [record]}).refused) == 1


def test_bytes_and_their_json_are_read_alike() -> None:
    page = {"data": [{"bpm": 61, "timestamp": "2026-11-21T06:00:00Z"}], "next_token": None}
    assert oura.parse_heartrate(page) == oura.parse_heartrate(orjson.dumps(page))
