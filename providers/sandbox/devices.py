"""What each vendor's devices record of a day: when they sample, how finely, and what they miss.

Withings is a home kit: a cuff every half hour by day and hourly by night (pressure and pulse), an
oximeter every half hour, a thermometer hourly, a watch for respiration every ten minutes, and for
some a sleep mat every five minutes at night. One spot reading in 25 is missing.
Google Health is a watch: heart rate every one to five minutes, SpO2 every five minutes of sleep,
respiration once a night, a temperature by hand every other morning and every six hours in fever.
Oura is a ring: heart rate every five minutes, the rest once a night.
Wearables come off for about forty minutes each morning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clinical.vitals import Vital
from providers.observation import Provider
from providers.sandbox.readings import DAY_S, HOUR_S, Channel, FloatArray, IntArray, Readings

MISSED_SPOT = 0.04
NIGHT_KNOWN_AFTER_S = 2 * HOUR_S
CHARGING_S = 2400
FEVER_C = 0.7
SKIN_C = 33.6
SLIP = 20
"""Percentage points that an oximeter reads too low when it has slipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """No readings for `hours` from `start_h` after the anchor: device off, or read but not synced.

    With `synced_late` the readings exist and become known when the gap ends.
    """

    start_h: float
    hours: float
    synced_late: bool = False

    def start(self, anchor: int) -> int:
        """First second of the gap."""
        return anchor + round(self.start_h * HOUR_S)

    def end(self, anchor: int) -> int:
        """First second after the gap."""
        return self.start(anchor) + round(self.hours * HOUR_S)

    def holds(self, t: IntArray, anchor: int) -> NDArray[np.bool_]:
        """Which of the times fall into the gap."""
        return (t >= self.start(anchor)) & (t < self.end(anchor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One UTC day of one patient: the true course, and what keeps devices from recording it."""

    rng: np.random.Generator
    start: int
    anchor: int
    grid: IntArray
    fever_c: FloatArray
    course: Mapping[Vital, FloatArray]
    gaps: tuple[Gap, ...]
    slips: tuple[float, ...]
    every_s: int
    sleep_mat: bool

    def every(self, seconds: int, jitter_s: int = 0) -> IntArray:
        """Times of the day `seconds` apart, each later by up to `jitter_s`; ascending."""
        t = np.arange(self.start, self.start + DAY_S, seconds, dtype=np.int64)
        return t + self.rng.integers(0, jitter_s + 1, len(t)) if jitter_s else t

    def hour(self, t: IntArray) -> FloatArray:
        """Hour of the day, 0 ≤ h < 24."""
        return (t - self.start) / HOUR_S

    def truth(self, vital: Vital, t: IntArray) -> FloatArray:
        """The true course at the times `t`."""
        return np.interp(t, self.grid, self.course[vital])

    def recorded(self, t: IntArray, value: FloatArray, *, known_after_s: int = 0) -> Readings:
        """Readings at `t` without those of gaps; unsynced ones are known late."""
        keep, seen = np.ones(len(t), dtype=np.bool_), t + known_after_s
        for gap in self.gaps:
            inside = gap.holds(t, self.anchor)
            if gap.synced_late:
                seen = np.where(inside, np.maximum(seen, gap.end(self.anchor)), seen)
            else:
                keep &= ~inside
        return Readings(t=t, value=value, seen=seen).where(keep)

    def measure(self, vital: Vital, t: IntArray, *, error_sd: float, decimals: int) -> Readings:
        """The vital at `t` with the device's error, rounded to its resolution."""
        value = self.truth(vital, t) + self.rng.normal(0, error_sd, len(t))
        if vital is Vital.SPO2:
            value = np.minimum(value, 100) - SLIP * self.slipped(t)
        return self.recorded(t, np.round(value, decimals))

    def slipped(self, t: IntArray) -> NDArray[np.bool_]:
        """Which of the times are the first within the hour after the oximeter has slipped."""
        found = np.zeros(len(t), dtype=np.bool_)
        for slip in self.slips:
            at = self.anchor + round(slip * HOUR_S)
            found[(t >= at) & (t < at + HOUR_S) & (np.cumsum(t >= at) == 1)] = True
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Asleep from `start` (the evening before) to `wake`; `mean` is over midnight to waking."""

    start: int
    wake: int
    day: Day

    def mean(self, vital: Vital) -> float:
        """Mean of the vital's true course from midnight to waking."""
        return float(self.day.course[vital][self.day.grid < self.wake].mean())

    def lowest(self, vital: Vital) -> float:
        """Lowest value of the vital's true course from midnight to waking."""
        return float(self.day.course[vital][self.day.grid < self.wake].min())

    def warmth(self) -> float:
        """Skin temperature above the usual, °C: it follows most of a fever."""
        fever = float(self.day.fever_c[self.day.grid < self.wake].mean())
        return 0.7 * fever + float(self.day.rng.normal(0, 0.12))

    def value(self, value: float, decimals: int) -> Readings:
        """One nightly value, known some hours after waking."""
        return self.day.recorded(np.array([self.wake], dtype=np.int64),
                                 np.array([round(value, decimals)]),
                                 known_after_s=NIGHT_KNOWN_AFTER_S)


def _night(day: Day) -> Night:
    evening, morning = day.rng.uniform(-1.5, -0.3), day.rng.uniform(6.2, 7.4)
    return Night(day=day, start=day.start + round(evening * HOUR_S),
                 wake=day.start + round(morning * HOUR_S))


def record(provider: Provider, day: Day) -> dict[Channel, Readings]:
    """What the vendor's devices made of the day, by channel."""
    return _RECORDERS[provider](day, _night(day))


def _spot(day: Day, t: IntArray) -> IntArray:
    return t[day.rng.random(len(t)) >= MISSED_SPOT]


def _withings(day: Day, night: Night) -> dict[Channel, Readings]:
    halves = day.every(1800, jitter_s=600)
    hour = day.hour(halves)
    by_day = (hour >= 7) & (hour < 23)
    hourly = np.arange(len(halves)) % 2 == 0
    cuff = _spot(day, halves[by_day | hourly])
    found = {
        Channel.HEART_RATE: day.measure(Vital.HEART_RATE, cuff, error_sd=1.5, decimals=0),
        Channel.SYSTOLIC_BP: day.measure(Vital.SYSTOLIC_BP, cuff, error_sd=2.5, decimals=0),
        Channel.DIASTOLIC_BP: day.measure(Vital.DIASTOLIC_BP, cuff, error_sd=2, decimals=0),
        Channel.SPO2: day.measure(
            Vital.SPO2, _spot(day, day.every(1800, jitter_s=900)), error_sd=0.5, decimals=0),
        Channel.BODY_TEMPERATURE: day.measure(
            Vital.BODY_TEMPERATURE, _spot(day, day.every(3600, jitter_s=2400)), error_sd=0.05,
            decimals=1),
        Channel.RESPIRATORY_RATE: day.measure(
            Vital.RESPIRATORY_RATE, day.every(600), error_sd=0.4, decimals=0),
    }
    return {**found, **_mat(day, night)} if day.sleep_mat else found


def _mat(day: Day, night: Night) -> dict[Channel, Readings]:
    """The mat tells of a night when it is over."""
    t = day.every(300) + 30
    asleep = t[t < night.wake]
    pulse = day.measure(Vital.HEART_RATE, asleep, error_sd=1, decimals=0)
    breath = day.measure(Vital.RESPIRATORY_RATE, asleep, error_sd=0.5, decimals=0)
    return {
        Channel.MAT_HEART_RATE: pulse.known_from(night.wake),
        Channel.MAT_RESPIRATORY_RATE: breath.known_from(night.wake),
        Channel.NIGHT_START: day.recorded(np.array([night.wake], dtype=np.int64),
                                          np.array([float(day.start)])),
    }


def _worn(day: Day, t: IntArray) -> IntArray:
    off = day.start + round(day.rng.uniform(7.5, 8.5) * HOUR_S)
    return t[(t < off) | (t >= off + CHARGING_S)]


def _google(day: Day, night: Night) -> dict[Channel, Readings]:
    worn = _worn(day, day.every(day.every_s))
    sleep = day.every(300)
    return {
        Channel.HEART_RATE: day.measure(Vital.HEART_RATE, worn, error_sd=1, decimals=0),
        Channel.SPO2: day.measure(Vital.SPO2, sleep[sleep < night.wake], error_sd=0.4, decimals=1),
        Channel.BODY_TEMPERATURE: day.measure(
            Vital.BODY_TEMPERATURE, _thermometer(day), error_sd=0.05, decimals=1),
        Channel.NIGHT_RESPIRATORY_RATE: night.value(night.mean(Vital.RESPIRATORY_RATE), 1),
        Channel.NIGHT_SKIN_TEMPERATURE: night.value(SKIN_C + night.warmth(), 1),
    }


def _thermometer(day: Day) -> IntArray:
    """By hand: at 8 h every other day, and at 2, 8, 14 and 20 h while there is a fever."""
    t = day.start + np.array([2, 8, 14, 20], dtype=np.int64) * HOUR_S + 420
    feverish = np.interp(t, day.grid, day.fever_c) > FEVER_C
    routine = (day.hour(t).astype(np.int64) == 8) & (day.start // DAY_S % 2 == 0)
    chosen: IntArray = t[feverish | routine]
    return chosen


def _oura(day: Day, night: Night) -> dict[Channel, Readings]:
    worn = _worn(day, day.every(300) + 46)
    unread = day.start // DAY_S % 9 == 0  # the vendor gives null for a night it could not read
    spo2 = float("nan") if unread else night.mean(Vital.SPO2)
    return {
        Channel.HEART_RATE: day.measure(Vital.HEART_RATE, worn, error_sd=1, decimals=0),
        Channel.NIGHT_START: night.value(float(night.start), 0),
        Channel.NIGHT_HEART_RATE: night.value(night.mean(Vital.HEART_RATE), 1),
        Channel.NIGHT_LOWEST_HEART_RATE: night.value(night.lowest(Vital.HEART_RATE), 0),
        Channel.NIGHT_RESPIRATORY_RATE: night.value(night.mean(Vital.RESPIRATORY_RATE), 2),
        Channel.NIGHT_SPO2: night.value(spo2, 2),
        Channel.NIGHT_SKIN_DEVIATION: night.value(night.warmth(), 2),
    }


_RECORDERS: dict[Provider, Callable[[Day, Night], dict[Channel, Readings]]] = {
    Provider.WITHINGS: _withings,
    Provider.GOOGLE_HEALTH: _google,
    Provider.OURA: _oura,
}
