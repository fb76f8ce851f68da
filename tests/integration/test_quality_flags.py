"""Flags of readings on a real server: raised on arrival, whatever the order, and cleared again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from clinical.vitals import Vital
from providers.observation import Observation, Provider, Quality
from registry.database import transaction
from registry.panels import read_panels
from registry.quality import Checked
from registry.readings import daily_readings, last_readings
from tests.reference.arrivals import arrive
from tests.reference.quality import Plain, flags

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def observed(one: Plain, **more: Any) -> Observation:
    return Observation(
        vital=one.vital, value=Decimal(str(one.value)), effective_start=one.time,
        effective_end=one.time, device_model=one.device, group_id=one.group or None,
        source_record_id=str(one.name), **more)


def standing(engine: Engine) -> set[tuple[int, str]]:
    with transaction(engine) as conn:
        return {(int(name), flag) for name, flag in conn.execute(text("""
            SELECT o.source_record_id, f.flag
            FROM quality_flags f JOIN observations o USING (key) WHERE f.cleared_at IS NULL"""))}


def ever(engine: Engine) -> list[tuple[str, bool]]:
    with transaction(engine) as conn:
        return [(row.flag, row.gone) for row in conn.execute(text("""
            SELECT flag, cleared_at IS NOT NULL AS gone FROM quality_flags ORDER BY flagged_at"""))]


def pulse(name: int, value: float, *, minutes: int = 0, **more: Any) -> Plain:
    return Plain(name=name, vital=Vital.HEART_RATE, value=value,
                 time=START + timedelta(minutes=minutes), **more)


SOME = st.builds(
    Plain, name=st.just(0), time=st.integers(0, 40 * 4).map(
        lambda quarter: START + quarter * timedelta(minutes=15)),
    vital=st.sampled_from([Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP]),
    value=st.sampled_from([60, 60, 60, 130]), platform=st.sampled_from(["withings", "oura"]),
    device=st.sampled_from(["", "watch"]), group=st.just(""))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(SOME, min_size=10, max_size=50),
       cuts=st.lists(st.integers(1, 49), max_size=4), again=st.integers(0, 5),
       read_back=st.integers(0, 3))
def test_what_stands_at_the_end_does_not_depend_on_how_readings_came(
        engine: Engine, drawn: list[Plain], cuts: list[int], again: int, read_back: int) -> None:
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE observations, quality_flags"))
    named = [Plain(name=name, vital=one.vital, time=one.time, value=one.value,
                   platform=one.platform, device=one.device) for name, one in enumerate(drawn)]
    edges = sorted({0, *(cut for cut in cuts if cut < len(named)), len(named)})
    for number, (first, last) in enumerate(pairwise(edges)):
        for platform in ("withings", "oura"):
            part = [observed(one) for one in named[max(0, first - again):last]
                    if one.platform == platform]
            arrive(engine, part, platform=platform, read_back=number == read_back)
    in_order = sorted(named, key=lambda one: (
        one.time, observed(one).key("p1", Provider(one.platform))))
    assert standing(engine) == flags(in_order)


@pytest.mark.parametrize("read_back", [False, True])
def test_one_reading_that_comes_to_google_by_two_routes_is_flagged_once(
        engine: Engine, read_back: bool) -> None:
    """Whether it is judged from memory or as stored; two devices that agree are none."""
    for name, device in enumerate((None, "HEALTH_CONNECT", "HEALTH_KIT")):
        arrive(engine, [observed(Plain(name=name, vital=Vital.HEART_RATE, time=START, value=70),
                                 device_id=device)],
               platform="google_health", read_back=read_back)
    assert standing(engine) == {(1, "duplicate"), (2, "duplicate")}
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE observations, quality_flags"))
    for name, device in enumerate(("watch", "mat")):
        arrive(engine, [observed(Plain(name=name, vital=Vital.HEART_RATE, time=START, value=70),
                                 device_id=device)], read_back=read_back)
    assert standing(engine) == set()


def test_the_same_readings_again_change_nothing(engine: Engine) -> None:
    readings = [observed(pulse(i, value, minutes=i)) for i, value in enumerate([70, 150, 70])]
    assert arrive(engine, readings) == Checked(raised=1, cleared=0)
    assert arrive(engine, readings) == Checked()
    assert ever(engine) == [("jump", False)]


def test_a_jump_that_is_confirmed_later_is_cleared_and_stays_on_record(engine: Engine) -> None:
    arrive(engine, [observed(pulse(i, value, minutes=i)) for i, value in enumerate([70, 165])])
    assert standing(engine) == {(1, "jump")}
    arrive(engine, [observed(pulse(2, 160, minutes=2))])
    assert standing(engine) == set()
    assert ever(engine) == [("jump", True)]


def test_a_revision_takes_its_flags_along(engine: Engine) -> None:
    pair = [Plain(name=i, vital=vital, time=START, value=value) for i, (vital, value) in enumerate(
        [(Vital.SYSTOLIC_BP, 80), (Vital.DIASTOLIC_BP, 120)])]
    arrive(engine, [observed(one) for one in pair])
    assert standing(engine) == {(0, "impossible_pair"), (1, "impossible_pair")}
    arrive(engine, [observed(Plain(name=0, vital=Vital.SYSTOLIC_BP, time=START, value=130),
                             provider_modified_at=START + HOUR)])
    assert standing(engine) == set()


def test_a_reading_that_is_no_longer_accepted_loses_its_flags(engine: Engine) -> None:
    readings = [observed(pulse(i, value, minutes=i)) for i, value in enumerate([70, 150, 70])]
    arrive(engine, readings)
    arrive(engine, [observed(pulse(1, 150, minutes=1), provider_modified_at=START + HOUR,
                             quality=Quality.SUSPECT, quality_reasons=("somebody else",))])
    assert standing(engine) == set()


def test_a_long_import_is_judged_piece_by_piece_as_if_at_once(engine: Engine) -> None:
    times = [pulse(i, 70 if i % 50 else 150, minutes=60 * (i - 600)) for i in range(600)]
    arrive(engine, [observed(one) for one in times], resource="file fitbit")
    assert standing(engine) == flags(times)


def test_only_what_was_pushed_or_imported_can_be_ahead_of_its_arrival(engine: Engine) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + 3 * HOUR
    ahead = Plain(name=0, vital=Vital.SPO2, time=soon, value=97)
    arrive(engine, [observed(ahead)])          # a fetch for an hour of a simulated clock
    assert standing(engine) == set()
    arrive(engine, [observed(Plain(name=1, vital=Vital.SPO2, time=soon, value=97))],
           platform="garmin", resource="webhook")
    assert (1, "clock_ahead") in standing(engine)


def test_what_cannot_be_is_not_forecast_from_and_not_scored(engine: Engine) -> None:
    good = [Plain(name=i, vital=vital, time=START, value=value, group="a") for i, (vital, value) in
            enumerate([(Vital.SYSTOLIC_BP, 120), (Vital.DIASTOLIC_BP, 80)])]
    bad = [Plain(name=2 + i, vital=vital, time=START + HOUR / 2, value=value, group="b")
           for i, (vital, value) in enumerate([(Vital.SYSTOLIC_BP, 84), (Vital.DIASTOLIC_BP, 84)])]
    arrive(engine, [observed(one) for one in (*good, *bad)])
    with transaction(engine) as conn:
        panels = read_panels(conn, ["p1"], list(Vital), START, START + 2 * HOUR)
        newest = last_readings(conn, ["p1"], list(Vital), START, START + 2 * HOUR)["p1"]
        daily = daily_readings(conn, ["p1"], list(Vital), START, START + 2 * HOUR)["p1"]
    assert {vital.value: panel.y[0, 0] for vital, panel in panels.items()} == {
        "systolic_bp": 120, "diastolic_bp": 80}
    assert {one.vital.value: one.value for one in newest} == {
        "systolic_bp": 120, "diastolic_bp": 80}
    assert {one.vital: (one.lowest, one.highest, one.last) for one in daily} == {
        "systolic_bp": (120, 120, 120), "diastolic_bp": (80, 80, 80)}
