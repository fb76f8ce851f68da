"""The generated cohort: repeatable, plausible, ill where its story says so."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.vitals import SPECS
from providers.catalogue import CATALOGUE
from providers.sandbox.cohort import PROFILES, cohort
from providers.sandbox.devices import SLIP
from providers.sandbox.readings import DAY_S, HOUR_S, VITAL_OF, Channel, Readings, Subject

ANCHOR = 1_795_240_800  # 2026-11-21T06:00:00Z
IDS = [profile.subject_id for profile in PROFILES]


def patients(seed: int = 7, anchor: int = ANCHOR) -> dict[str, Subject]:
    return {subject.subject_id: subject for subject in cohort(seed)(anchor)}


@cache
def known(subject_id: str, channel: Channel) -> Readings:
    return patients()[subject_id].readings(channel, ANCHOR).visible(ANCHOR)


def same(left: Readings, right: Readings) -> bool:
    return (np.array_equal(left.t, right.t) and np.array_equal(left.seen, right.seen)
            and np.array_equal(left.value, right.value, equal_nan=True))


def test_eight_patients_over_all_three_providers() -> None:
    assert len(IDS) == 8
    assert {profile.provider for profile in PROFILES} == CATALOGUE.keys()


@pytest.mark.parametrize("subject_id", IDS)
def test_same_readings_whether_the_clock_moves_in_steps_or_at_once(subject_id: str) -> None:
    stepped, at_once = patients()[subject_id], patients()[subject_id]
    for moment in range(ANCHOR - 3 * DAY_S, ANCHOR + 3 * DAY_S, 7 * HOUR_S):
        stepped.readings(Channel.HEART_RATE, moment)
    late = ANCHOR + 3 * DAY_S
    for channel in at_once.channels:
        assert same(stepped.readings(channel, late), at_once.readings(channel, late))


def test_another_seed_gives_other_readings() -> None:
    one, other = (patients(seed)["demo-01"].readings(Channel.HEART_RATE, ANCHOR) for seed in (7, 8))
    assert not same(one, other)


@pytest.mark.parametrize("subject_id", IDS)
def test_three_weeks_before_the_anchor_and_on_after_it(subject_id: str) -> None:
    patient = patients()[subject_id]
    readings = patient.readings(Channel.HEART_RATE, ANCHOR + 2 * DAY_S)
    assert readings.t[0] <= ANCHOR - 21 * DAY_S
    assert readings.t[-1] >= ANCHOR + DAY_S


@pytest.mark.parametrize("subject_id", IDS)
def test_times_ascend_values_are_plausible_and_known_after_measuring(subject_id: str) -> None:
    for channel in patients()[subject_id].channels & VITAL_OF.keys():
        readings, spec = known(subject_id, channel), SPECS[VITAL_OF[channel]]
        values = readings.value[~np.isnan(readings.value)]
        assert len(values), channel
        assert (np.diff(readings.t) > 0).all(), channel
        assert (readings.seen >= readings.t).all(), channel
        assert spec.low <= values.min(), channel
        assert values.max() <= spec.high, channel


@pytest.mark.parametrize("subject_id", ["demo-01", "demo-02", "demo-03"])
def test_a_cuff_reads_three_values_at_once_systolic_above_diastolic(subject_id: str) -> None:
    systolic = known(subject_id, Channel.SYSTOLIC_BP)
    diastolic = known(subject_id, Channel.DIASTOLIC_BP)
    assert np.array_equal(systolic.t, diastolic.t)
    assert np.array_equal(systolic.t, known(subject_id, Channel.HEART_RATE).t)
    assert (systolic.value > diastolic.value).all()


@pytest.mark.parametrize("subject_id", ["demo-01", "demo-02", "demo-03"])
@pytest.mark.parametrize("channel", [
    Channel.HEART_RATE, Channel.SYSTOLIC_BP, Channel.BODY_TEMPERATURE, Channel.SPO2])
def test_a_home_kit_reads_nearly_every_hour(subject_id: str, channel: Channel) -> None:
    readings = known(subject_id, channel).between(ANCHOR - 14 * DAY_S, ANCHOR)
    assert len(set((readings.t // HOUR_S).tolist())) > 0.9 * 14 * 24


def test_the_first_patient_is_clearly_ill_on_the_last_day() -> None:
    last_hours = {channel: known("demo-01", channel).between(ANCHOR - 3 * HOUR_S, ANCHOR).value
                  for channel in (Channel.BODY_TEMPERATURE, Channel.SPO2, Channel.HEART_RATE,
                                  Channel.RESPIRATORY_RATE)}
    assert last_hours[Channel.BODY_TEMPERATURE].mean() > 38
    assert last_hours[Channel.SPO2].mean() <= 92
    assert last_hours[Channel.HEART_RATE].mean() > 90
    assert last_hours[Channel.RESPIRATORY_RATE].mean() > 20


def test_hearts_beat_faster_in_the_afternoon_than_at_night() -> None:
    readings = known("demo-07", Channel.HEART_RATE)
    hour = readings.t % DAY_S // HOUR_S
    by_day = readings.value[(hour >= 13) & (hour < 17)].mean()
    assert by_day > readings.value[(hour >= 2) & (hour < 5)].mean() + 8


def test_noise_is_autocorrelated() -> None:
    readings = known("demo-02", Channel.RESPIRATORY_RATE)
    hour = readings.t % DAY_S // HOUR_S
    usual = np.array([readings.value[hour == h].mean() for h in range(24)])
    rest = readings.value - usual[hour]
    assert np.corrcoef(rest[:-1], rest[1:])[0, 1] > 0.5


def test_nothing_is_read_while_the_watch_is_off() -> None:
    gap = PROFILES[3].gaps[1]
    readings = known("demo-04", Channel.HEART_RATE)
    assert len(readings.between(gap.start(ANCHOR), gap.end(ANCHOR))) == 0
    assert len(readings.between(gap.start(ANCHOR) - HOUR_S, gap.start(ANCHOR)))


def test_a_slipped_oximeter_reads_too_low_once() -> None:
    oximeter, slips = known("demo-01", Channel.SPO2), PROFILES[0].slips
    fallen = np.flatnonzero(np.diff(oximeter.value) < -SLIP / 2) + 1
    assert len(fallen) == len(slips)
    for at, slip in zip(fallen, slips, strict=True):
        begun = ANCHOR + slip * HOUR_S
        assert oximeter.t[at - 1] < begun <= oximeter.t[at] < begun + HOUR_S
        assert oximeter.value[at + 1] - oximeter.value[at] > SLIP / 2


def test_unsynced_readings_become_known_when_the_ring_is_synced() -> None:
    patient, gap = patients()["demo-08"], PROFILES[7].gaps[0]
    synced = gap.end(ANCHOR)
    def inside(now: int) -> int:
        readings = patient.readings(Channel.HEART_RATE, now).visible(now)
        return len(readings.between(gap.start(ANCHOR), ANCHOR))
    assert inside(ANCHOR) == 0
    assert patient.last_sync(ANCHOR) == gap.start(ANCHOR)
    assert inside(synced) > 80
    assert patient.last_sync(synced) == synced


def test_one_patient_is_under_sixteen() -> None:
    assert [profile.subject_id for profile in PROFILES if profile.age < 16] == ["demo-06"]


@given(st.integers(min_value=-40 * DAY_S, max_value=3 * DAY_S), st.sampled_from(IDS))
def test_a_server_never_knows_the_future(offset: int, subject_id: str) -> None:
    now = ANCHOR + offset
    patient = _GENERATED[subject_id]
    for channel in patient.channels:
        readings = patient.readings(channel, now).visible(now)
        assert (readings.t <= now).all()
        assert (readings.seen <= now).all()


_GENERATED = patients()
