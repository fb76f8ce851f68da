"""Generated patients for the cycle benchmark: hours of vitals as a monitor would leave them.

A patient has a level, a daily rhythm, a drift and correlated noise in each vital; hours without a
reading come one by one and, when the device is off, many in a row and in all vitals at once. An
hour has one reading at most. Blood pressure is measured in nine of ten hours, as on a ward: a
home cuff's few readings a day would leave little to fit and flatter the figures. Temperature is
there in 38 % of the hours, as in the hospital data of this project.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5

import numpy as np
import numpy.typing as npt

from clinical.vitals import SPECS, Vital
from providers.observation import Context, Granularity, Provider, Statistic

Array = npt.NDArray[np.float64]

PROVIDER = Provider.WITHINGS
DEVICE = "monitor"
HOUR_S = 3600
NIGHT_HOURS = 6
NIGHTLY = (Vital.HEART_RATE, Vital.RESPIRATORY_RATE)
DEVICE_OFF = 0.008
"""Chance that a device which is on goes off in an hour; it comes back with `DEVICE_BACK`."""
DEVICE_BACK = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How a vital behaves, in its own unit; `observed` is the share of hours with a reading."""

    vital: Vital
    level: float
    between: float
    rhythm: float
    drift: float
    noise: float
    observed: float


HABITS = (
    Habit(vital=Vital.HEART_RATE, level=76, between=9, rhythm=7, drift=4, noise=5, observed=0.95),
    Habit(vital=Vital.RESPIRATORY_RATE, level=16, between=2, rhythm=1, drift=0.8, noise=1.3,
          observed=0.95),
    Habit(vital=Vital.SYSTOLIC_BP, level=126, between=12, rhythm=6, drift=4, noise=7,
          observed=0.9),
    Habit(vital=Vital.DIASTOLIC_BP, level=76, between=8, rhythm=4, drift=3, noise=5,
          observed=0.9),
    Habit(vital=Vital.BODY_TEMPERATURE, level=36.8, between=0.25, rhythm=0.25, drift=0.15,
          noise=0.15, observed=0.38),
    Habit(vital=Vital.SPO2, level=96.5, between=1, rhythm=0.3, drift=0.4, noise=0.9,
          observed=0.95),
)
"""In the order in which `--vitals` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of distinct patient `source`; `arrived` is the hour that brought it.

    key_tail  what the observation's key is made of after patient and provider
    """

    source: int
    arrived: datetime
    vital: Vital
    start: datetime
    end: datetime
    value: str
    granularity: Granularity
    statistic: Statistic
    context: Context
    key_tail: str
    page: str

    def line(self) -> str:
        """As a line of COPY's text format, in the order of the fields."""
        return "\t".join((
            str(self.source), self.arrived.isoformat(), self.vital, self.start.isoformat(),
            self.end.isoformat(), self.value, self.granularity, self.statistic, self.context,
            self.key_tail, self.page)) + "\n"


def generate(patients: int, vitals: int, start: datetime, hours: int,
             seed: int = 20261121) -> Iterator[Reading]:
    """Readings of `patients` in the first `vitals` of `HABITS` over `hours` from `start`.

    The same arguments give the same readings. Nightly means come at the end of each night.
    """
    rng = np.random.default_rng(seed)
    on = _device_on(rng, patients, hours)
    seconds = rng.integers(0, HOUR_S, (patients, hours))
    cuff = rng.random((patients, hours))
    for habit in HABITS[:vitals]:
        pressure = habit.vital in (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)
        chance = cuff if pressure else rng.random((patients, hours))
        values = _values(rng, habit, start, patients, hours)
        values[~on | (chance > habit.observed / on.mean())] = np.nan
        yield from _samples(habit.vital, values, seconds, start)
        if habit.vital in NIGHTLY:
            yield from _nights(habit.vital, values, start)


def _device_on(rng: np.random.Generator, patients: int, hours: int) -> npt.NDArray[np.bool_]:
    """Whether the device is on, shape (patients, hours): a chain of two states."""
    drawn = rng.random((patients, hours))
    on = np.ones((patients, hours), dtype=np.bool_)
    for hour in range(1, hours):
        before = on[:, hour - 1]
        on[:, hour] = np.where(before, drawn[:, hour] > DEVICE_OFF, drawn[:, hour] < DEVICE_BACK)
    return on


def _values(rng: np.random.Generator, habit: Habit, start: datetime, patients: int,
            hours: int) -> Array:
    """What there was to measure, shape (patients, hours), rounded and plausible."""
    level = habit.level + habit.between * rng.standard_normal((patients, 1))
    height = habit.rhythm * rng.uniform(0.3, 1.5, (patients, 1))
    peak = 16 + 2 * rng.standard_normal((patients, 1))
    clock = start.hour + np.arange(hours)
    rhythm = height * np.cos(2 * np.pi * (clock - peak) / 24)
    values = (level + rhythm + habit.drift * _correlated(rng, patients, hours, 0.985)
              + habit.noise * _correlated(rng, patients, hours, 0.4))
    spec = SPECS[habit.vital]
    return np.clip(np.round(values / spec.resolution) * spec.resolution, spec.low, spec.high)


def _correlated(rng: np.random.Generator, patients: int, hours: int, memory: float) -> Array:
    """A first-order autoregression of variance 1, shape (patients, hours)."""
    noise = rng.standard_normal((patients, hours))
    for hour in range(1, hours):
        noise[:, hour] = memory * noise[:, hour - 1] + (1 - memory**2) ** 0.5 * noise[:, hour]
    return noise


def _samples(vital: Vital, values: Array, seconds: npt.NDArray[np.int64],
             start: datetime) -> Iterator[Reading]:
    digits = 1 if SPECS[vital].resolution < 1 else 0
    for source, hour in np.argwhere(~np.isnan(values)).tolist():
        begin = start + timedelta(hours=hour)
        moment = begin + timedelta(seconds=int(seconds[source, hour]))
        yield _reading(source, vital, begin, moment, moment, f"{values[source, hour]:.{digits}f}")


def _nights(vital: Vital, values: Array, start: datetime) -> Iterator[Reading]:
    """Means over the hours from midnight (UTC) to six, where half of them are known."""
    first = -start.hour % 24
    for midnight in range(first, values.shape[1] - NIGHT_HOURS + 1, 24):
        night = values[:, midnight:midnight + NIGHT_HOURS]
        begin = start + timedelta(hours=midnight)
        last = begin + timedelta(hours=NIGHT_HOURS - 1)
        for source in np.flatnonzero((~np.isnan(night)).sum(axis=1) * 2 >= NIGHT_HOURS).tolist():
            yield _reading(source, vital, last, begin, last + timedelta(hours=1),
                           f"{np.nanmean(night[source]):.2f}")


def _reading(source: int, vital: Vital, hour: datetime, start: datetime, end: datetime,
             value: str) -> Reading:
    """A sample where `start` is `end`, a night's mean otherwise; `hour` is when it was taken."""
    night = end > start
    granularity = Granularity.NIGHT if night else Granularity.SAMPLE
    statistic = Statistic.MEAN if night else Statistic.INSTANT
    arrived = (hour + timedelta(hours=1)).astimezone(UTC)
    return Reading(
        source=source, arrived=arrived, vital=vital, start=start, end=end, value=value,
        granularity=granularity, statistic=statistic,
        context=Context.SLEEP if night else Context.REST,
        key_tail="\x1f".join((vital, statistic, granularity, start.isoformat(), DEVICE, "")),
        page=md5(arrived.isoformat().encode(), usedforsecurity=False).hexdigest())
