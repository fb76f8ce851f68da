"""Series for the drift benchmark: stationary ones of each vital, real ones, and injected shifts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from clinical.vitals import SPECS, Vital
from forecasting.detectors.charts import Hours, charts, compare, scaled_errors
from forecasting.detectors.scan import mean
from forecasting.detectors.usual import clip, learn
from forecasting.types import BoolArray, FloatArray

USUAL, RECENT = 336, 336
WINDOW = USUAL + RECENT
DAY = 24
NORMAL_80 = 1.2816

USUALLY: dict[Vital, tuple[float, float]] = {
    Vital.HEART_RATE: (72, 7), Vital.RESPIRATORY_RATE: (16, 2), Vital.SYSTOLIC_BP: (122, 11),
    Vital.DIASTOLIC_BP: (76, 7), Vital.BODY_TEMPERATURE: (36.8, 0.3), Vital.SPO2: (96, 1.3),
}
"""Mean, and deviation around the daily pattern, in the vital's unit."""

WARM_UP = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """S series of one vital, (S, n) hours; `sigma` their deviation around the daily pattern.

    A shift is felt by `clean`, the same series before gaps and rounding; `gaps` are their gaps.
    """

    vital: Vital
    clean: FloatArray
    rhythm: FloatArray
    gaps: BoolArray
    sigma: float

    def seen(self, clean: FloatArray | None = None, gaps: BoolArray | None = None) -> FloatArray:
        """What arrives: rounded to the resolution, NaN in gaps."""
        step = SPECS[self.vital].resolution if self.vital != Vital.HEART_RATE else 0.1
        y = np.round((self.clean if clean is None else clean) / step) * step
        return np.where(self.gaps if gaps is None else gaps, np.nan, y)


def stationary(vital: Vital, series: int, hours: int, rng: np.random.Generator) -> Cohort:
    """AR(1), φ from 0.2 to 0.7, around a daily rhythm of up to 1.5 deviations.

    Three in ten have innovations with Student's t of five degrees; six in ten have gaps, 2 to 40 %
    of the hours in runs of 1 to 8 h on average.
    """
    centre, sigma = USUALLY[vital]
    phi = rng.uniform(0.2, 0.7, series)
    shocks = rng.normal(size=(series, hours + WARM_UP))
    heavy = rng.random(series) < 0.3
    shocks[heavy] = rng.standard_t(5, size=(int(heavy.sum()), hours + WARM_UP)) / np.sqrt(5 / 3)
    x = np.zeros_like(shocks)
    for t in range(1, x.shape[1]):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi ** 2) * shocks[:, t]
    clock = np.arange(hours)[None, :] - rng.uniform(0, DAY, series)[:, None]
    rhythm = rng.uniform(0, 1.5, series)[:, None] * np.sin(2 * np.pi * clock / DAY)
    pattern = centre + sigma * rhythm
    return Cohort(vital=vital, rhythm=pattern, clean=pattern + sigma * x[:, WARM_UP:],
                  gaps=_gaps(series, hours, rng), sigma=sigma)


def _gaps(series: int, hours: int, rng: np.random.Generator) -> BoolArray:
    """Runs of missing hours: a Markov chain that enters and leaves gaps."""
    share = np.where(rng.random(series) < 0.4, 0, rng.uniform(0.02, 0.4, series))
    leave = 1 / rng.uniform(1, 8, series)
    enter = share * leave / (1 - share)
    found = np.zeros((series, hours), dtype=bool)
    gap = rng.random(series) < share
    for t in range(hours):
        luck = rng.random(series)
        gap = np.where(gap, luck >= leave, luck < enter)
        found[:, t] = gap
    return found


def errors(y: FloatArray, resolution: float) -> FloatArray:
    """Scaled errors an hour ahead, of the hour-of-day pattern with an AR(1), learned anew each day.

    A stand-in for the ensemble, whose errors the watch reads: it adapts as training does, and its
    80 % interval has the size of its errors in the two weeks before.
    """
    found = np.full_like(y, np.nan)
    for day in range(RECENT // 2, y.shape[1], DAY):
        since = max(day - USUAL, 0)
        before = y[:, since:day]
        usual = learn(before, np.ones(before.shape, dtype=bool), since % DAY, resolution)
        old = clip(usual.deviations(before, since % DAY))
        inner = old[:, 1:] - usual.phi[:, None] * old[:, :-1]
        width = np.sqrt(mean(inner ** 2))[:, None]
        now = usual.deviations(y[:, day - 1:day + DAY], (day - 1) % DAY)
        point = usual.phi[:, None] * np.where(np.isnan(now[:, :-1]), 0, now[:, :-1])
        found[:, day:day + DAY] = scaled_errors(
            now[:, 1:], point, point - NORMAL_80 * width, point + NORMAL_80 * width, 0.1)
    return found


def scores(y: FloatArray, z: FloatArray, at: int, vital: Vital) -> dict[str, FloatArray]:
    """The score of each chart in a look at hour `at`: of the `WINDOW` hours before it."""
    hours = Hours(y=y[:, at - WINDOW:at], errors=z[:, at - WINDOW:at], first=(at - WINDOW) % DAY,
                  usual=USUAL, resolution=SPECS[vital].resolution)
    return {one.kind.value: one.score for one in charts(compare(hours))}


def level(one: Cohort, at: int, _: np.random.Generator) -> FloatArray:
    """One deviation up."""
    clean = one.clean.copy()
    clean[:, at:] += one.sigma
    return one.seen(clean)


def variance(one: Cohort, at: int, _: np.random.Generator) -> FloatArray:
    """Twice the variance around the daily rhythm."""
    clean = one.clean.copy()
    clean[:, at:] = one.rhythm[:, at:] + (clean - one.rhythm)[:, at:] * np.sqrt(2)
    return one.seen(clean)


def missing(one: Cohort, at: int, rng: np.random.Generator) -> FloatArray:
    """Thirty of a hundred hours more have no reading, each by its own luck."""
    gaps = one.gaps.copy()
    share = 0.3 / (1 - gaps.mean(axis=1, keepdims=True))
    gaps[:, at:] |= rng.random(gaps[:, at:].shape) < share
    return one.seen(gaps=gaps)


SHIFTS: dict[str, Callable[[Cohort, int, np.random.Generator], FloatArray]] = {
    "level +1 sigma": level, "variance x 2": variance, "missing +30 %": missing}


def real(shared: Path) -> dict[str, list[tuple[Vital, FloatArray]]]:
    """Hourly means of the replayed wearers and stays, by group: (vital, (n,) from midnight on)."""
    readings = pd.read_parquet(shared / "data" / "replay" / "readings.parquet")
    readings = readings[readings.value > 0]
    hourly = readings.groupby(["subject_id", "vital", readings.ts.dt.floor("h")]).value.mean()
    found: dict[str, list[tuple[Vital, FloatArray]]] = {"wearers": [], "stays": []}
    for key, one in hourly.groupby(level=[0, 1]):
        subject, vital = cast(tuple[str, str], key)
        hours = one.droplevel([0, 1])
        whole = pd.date_range(hours.index[0].normalize(), hours.index[-1], freq="h")
        group = "stays" if subject.startswith("stay") else "wearers"
        found[group].append((Vital(vital), hours.reindex(whole).to_numpy(dtype=np.float64)))
    return found


def ending_together(series: Sequence[FloatArray]) -> FloatArray:
    """Whole days of real series, (S, n); all end with the last look, shorter ones begin later.

    Led by what a look needs before it, without a reading.
    """
    whole = [y[:y.size // DAY * DAY] for y in series]
    longest = max(y.size for y in whole)
    return np.array([np.concatenate([
        np.full(WINDOW + USUAL // 2 + longest - y.size, np.nan), y]) for y in whole])


def in_random_order(y: FloatArray, days: int, rng: np.random.Generator) -> FloatArray:
    """Days of a real series drawn at random: stationary, with its values, rhythm and gaps."""
    whole = y[:y.size // DAY * DAY].reshape(-1, DAY)
    kept = whole[(~np.isnan(whole)).any(axis=1)]
    return kept[rng.integers(len(kept), size=days)].ravel()
