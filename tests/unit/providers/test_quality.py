"""Checks over arrays beside the same checks said plainly."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.quality import KEEPS_OUT, LABELS, Flag
from clinical.vitals import FORECAST_VITALS, Vital
from providers.quality import (
    Readings,
    check,
    clock_shift,
    impossible_pairs,
    numbered,
    reach,
)
from tests.reference.quality import Plain, flags

START = datetime(2026, 11, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def arrays(readings: Sequence[Plain], vital: Vital) -> tuple[list[int], Readings]:
    """Names and arrays of one vital; sources and groups are numbered over all readings."""
    of = [i for i, one in enumerate(readings) if one.vital == vital]
    sources = numbered([f"{one.platform} {one.device}" for one in readings])
    platforms = numbered([one.platform for one in readings])
    groups = numbered([one.group for one in readings])
    return [readings[i].name for i in of], Readings(
        vital=vital, times_us=np.array([in_us(readings[i].time) for i in of], dtype=np.int64),
        values=np.array([readings[i].value for i in of], dtype=np.float64),
        sources=sources[of], platforms=platforms[of], groups=groups[of],
        arrived_us=np.array([math.inf if (at := readings[i].pushed_at) is None else in_us(at)
                             for i in of]))


def found(readings: Sequence[Plain]) -> set[tuple[int, str]]:
    told = set()
    for vital in Vital:
        names, own = arrays(readings, vital)
        told |= {(names[one.index], one.flag.value) for one in check(own)}
    systolic, diastolic = (arrays(readings, vital)
                           for vital in (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP))
    if systolic[0] and diastolic[0]:
        for (names, _), own_findings in zip((systolic, diastolic),
                                            impossible_pairs(systolic[1], diastolic[1]),
                                            strict=True):
            told |= {(names[one.index], one.flag.value) for one in own_findings}
    return told


VALUES = {Vital.HEART_RATE: (60, 61, 75, 130, 151, 250, 310),
          Vital.SYSTOLIC_BP: (80, 120, 170), Vital.DIASTOLIC_BP: (60, 80, 130),
          Vital.BODY_TEMPERATURE: (36.5, 37.4, 38.7, 46), Vital.SKIN_TEMPERATURE: (20, 33)}


@st.composite
def some_readings(draw: st.DrawFn) -> list[Plain]:
    """Readings in which every check has something to find, in the order of time and name."""
    steps = draw(st.sampled_from([(0, 10, 60, 900, 1800), (3600, 3601, 7200, 7200, 7201)]))
    vitals = draw(st.sets(st.sampled_from(list(VALUES)), min_size=1))
    devices = draw(st.sampled_from([["watch"], ["", "watch"]]))
    drawn, second = [], 0
    for name in range(draw(st.integers(0, 45))):
        second += draw(st.sampled_from(steps))
        vital = draw(st.sampled_from(sorted(vitals)))
        time = START + timedelta(seconds=second)
        drawn.append(Plain(
            name=name, vital=vital, time=time, value=draw(st.sampled_from(VALUES[vital])),
            platform=draw(st.sampled_from(["apple_health", "withings"])),
            device=draw(st.sampled_from(devices)), group=draw(st.sampled_from(["", "a"])),
            pushed_at=draw(st.sampled_from([
                None, time, time - timedelta(minutes=5), time - timedelta(minutes=6)]))))
    return drawn


@settings(max_examples=200)
@given(some_readings())
def test_checks_find_what_plain_ones_do(readings: list[Plain]) -> None:
    assert found(readings) == flags(readings)


@pytest.mark.parametrize(("hours", "lasts"), [(8, True), (7.5, False)])
def test_a_line_is_flat_from_its_hours_on(hours: float, lasts: bool) -> None:
    count = int(hours * 2) + 1
    readings = [Plain(name=i, vital=Vital.HEART_RATE, time=START + i * timedelta(minutes=30),
                      value=62) for i in range(count)]
    assert found(readings) == ({(i, "flat_line") for i in range(count)} if lasts else set())


def test_a_rise_that_the_next_reading_confirms_is_no_jump() -> None:

    def told(values: Sequence[float]) -> set[tuple[int, str]]:
        return found([Plain(name=i, vital=Vital.HEART_RATE, value=value,
                            time=START + timedelta(minutes=i)) for i, value in enumerate(values)])

    assert told([70, 72, 125, 128, 126]) == set()
    assert told([70, 72, 125, 71, 71]) == {(2, "jump")}


def test_reasons_say_what_was_found() -> None:
    readings = [Plain(name=0, vital=Vital.HEART_RATE, time=START, value=70),
                Plain(name=1, vital=Vital.HEART_RATE, time=START + timedelta(minutes=4), value=310,
                      pushed_at=START - timedelta(hours=3))]
    _, own = arrays(readings, Vital.HEART_RATE)
    assert {one.flag: one.reason for one in check(own)} == {
        Flag.OUT_OF_RANGE: "310 /min is not between 20 and 300",
        Flag.JUMP: "up by 240 /min in 4 min, and no reading since",
        Flag.CLOCK_AHEAD: "begins 3.07 h after it arrived"}


def quarters(values: Sequence[float], *, shift: timedelta = timedelta()) -> Readings:
    times = [in_us(START + shift + i * timedelta(minutes=15)) for i in range(len(values))]
    zeros = np.zeros(len(values), dtype=np.int64)
    return Readings(vital=Vital.HEART_RATE, times_us=np.array(times, dtype=np.int64),
                    values=np.array(values, dtype=np.float64), sources=zeros, platforms=zeros,
                    groups=zeros, arrived_us=np.full(len(values), math.inf))


@pytest.mark.parametrize("hours", [-14, -5.75, -1, 0.25, 2, 9.5, 14])
def test_a_shifted_clock_is_told_by_the_other_device(hours: float) -> None:
    rng = np.random.default_rng(4)
    truth = 70 + 12 * np.sin(np.arange(288) / 96 * 2 * np.pi) + rng.normal(0, 6, 288).cumsum() / 4
    one = quarters((truth + rng.normal(0, 0.5, 288)).tolist(), shift=timedelta(hours=hours))
    assert clock_shift(one, quarters(truth.tolist())) == timedelta(hours=hours)
    assert clock_shift(quarters(truth.tolist()), one) == -timedelta(hours=hours)


@pytest.mark.parametrize("noise", [0.5, 30.0])
def test_clocks_that_agree_or_say_nothing_are_left_alone(noise: float) -> None:
    rng = np.random.default_rng(5)
    truth = 70 + 12 * np.sin(np.arange(288) / 96 * 2 * np.pi)
    one = quarters((truth + rng.normal(0, noise, 288)).tolist())
    assert clock_shift(one, quarters((truth + rng.normal(0, noise, 288)).tolist())) is None
    assert clock_shift(one, one) is None
    assert clock_shift(one, quarters([70.0] * 288)) is None
    assert clock_shift(one, quarters(truth[:8].tolist())) is None
    assert clock_shift(one, quarters([])) is None


def test_what_cannot_be_is_kept_out_and_what_may_be_illness_is_not() -> None:
    assert {Flag.JUMP, Flag.FLAT_LINE, Flag.DEVICES_DIFFER}.isdisjoint(KEEPS_OUT)
    assert {Flag.IMPOSSIBLE_PAIR, Flag.CLOCK_AHEAD} <= KEEPS_OUT
    assert set(LABELS) == set(Flag)


def test_checks_look_as_far_as_the_longest_of_them() -> None:
    assert {vital: reach(vital) / timedelta(hours=1) for vital in FORECAST_VITALS} == {
        Vital.HEART_RATE: 10, Vital.RESPIRATORY_RATE: 26, Vital.SYSTOLIC_BP: 1,
        Vital.DIASTOLIC_BP: 1, Vital.BODY_TEMPERATURE: 20, Vital.SPO2: 26}
