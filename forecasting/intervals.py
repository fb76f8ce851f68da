"""Prediction intervals from scaled rolling-origin errors (split conformal, with a prior).

An error is divided by a scale of its horizon bucket and hour of day; quantiles of these scores,
pooled over origins and leads, times the scale of a future hour give its bounds. Scores of one
window are few and overlap, so scale and quantiles are shrunk towards common ones. Bounds contain
the point forecast, never cross, are no narrower than the vital's resolution and stay in its
plausible range. Everything is for S series at once, a row each.
"""

from dataclasses import dataclass

import numpy as np

from clinical.vitals import Vital, VitalSpec
from forecasting.config import BUCKETS
from forecasting.history import first_observed
from forecasting.kernels import pool
from forecasting.kernels.light import DAY
from forecasting.types import ConfigError, FloatArray, IntArray
from forecasting.weights import buckets_of

Bounds = dict[int, tuple[FloatArray, FloatArray]]

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark) and on the hours of
# wearable_hr_benchmark before each wearer's first test hour: see docs/engine.md.
USUAL_SCALE = np.array([0.75, 1.05, 1.22, 1.30])
"""Usual mean error per bucket, as a share of the hours' deviation from pattern and day before."""

USUAL_DEVIATION = {
    Vital.HEART_RATE: 7.5, Vital.RESPIRATORY_RATE: 2.7, Vital.SYSTOLIC_BP: 11.0,
    Vital.DIASTOLIC_BP: 6.2, Vital.BODY_TEMPERATURE: 0.38, Vital.SPO2: 1.5,
}
"""Mean deviation of an hour from the day before, in the vital's unit, over subjects of `replay`."""

DEVIATIONS_ENOUGH = 24
"""A history with fewer deviations of its own is filled up with usual ones: one reading has none."""

SCALE_PRIOR_ORIGINS = 10.0
RHYTHM_PRIOR_DAYS = 7.0
QUANTILE_PRIOR_ORIGINS = 20.0
PRIOR_QUANTILES = {50: 0.85, 80: 1.9, 95: 3.3}       # of |error| / mean |error|

FIRST_HOUR_TAIL, TAIL_FROM = 1.15, 90
"""Errors an hour ahead have heavier tails than later ones: bounds of these levels are wider."""

DISSENT_FROM, DISSENT_UPTO, DISSENT_GAIN = 0.8, 2.4, 0.5
"""Members that stand further from the point than so many scales widen the bounds an hour ahead.

After an unusual hour some say that it stays and some that it passes, and the errors are greater.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`scale` of shape (S, buckets) in the vital's unit; `rhythm` of shape (S, season) around 1;
    `quantiles` of the scaled errors per level, of shape (S, 2): lower and upper."""

    scale: FloatArray
    rhythm: FloatArray
    quantiles: dict[int, FloatArray]


def calibrate(errors: FloatArray, origins: IntArray, counts: IntArray, y: FloatArray,
              pattern: FloatArray, *, levels: tuple[int, ...],
              vital: VitalSpec | None) -> Calibration:
    """Calibration from `errors` (observed - point; S x origins x leads, NaN = not known).

    `origins` are hours of the window, of which `counts` (S,) tell something of a series; `y` (S, n)
    is the window and `pattern` (S, season) its daily pattern, for common scales.
    """
    deviations, rhythm = np.empty(y.shape), np.empty(pattern.shape)
    mean, scale = np.empty(y.shape[0]), np.empty((y.shape[0], len(BUCKETS)))
    pool.deviations_of(y, pattern, DAY, deviations)
    pool.rhythm_of(deviations, y.shape[1] - first_observed(y), 3 * RHYTHM_PRIOR_DAYS, mean, rhythm)
    mean = _filled_up(mean, deviations, vital)
    buckets = buckets_of(np.arange(1, errors.shape[2] + 1))
    pool.scales_of(errors, origins, buckets, rhythm, USUAL_SCALE * mean[:, None],
                   SCALE_PRIOR_ORIGINS, scale)
    scale = np.maximum(scale, _least_scale(scale, y)[:, None])
    shares = np.array([share for level in levels for share in _tails(level)])
    found = np.empty((y.shape[0], shares.size))
    pool.quantiles_of(errors, origins, buckets, rhythm, scale, shares, found)
    weight = counts / (counts + QUANTILE_PRIOR_ORIGINS)
    return Calibration(scale=scale, rhythm=rhythm, quantiles={
        level: _shrunk(found[:, 2 * i:2 * i + 2], level, weight) for i, level in enumerate(levels)})


def bounds(point: FloatArray, dissent: FloatArray, phases: IntArray, ages: IntArray,
           calibration: Calibration, *, levels: tuple[int, ...],
           vital: VitalSpec | None) -> Bounds:
    """(lower, upper) per level around `point` (S, horizon), whose first hours have `phases` (S,).

    `dissent` (S, horizon) is how far the members stand from the point, by mean. Phases are hours
    of the season that `calibration.rhythm` is of; arrays of shape (S, horizon). `ages` (S,) are
    hours without a reading before the first one: with the last reading three hours old, an hour
    ahead is as unsure as four.
    """
    missing = [level for level in levels if level not in calibration.quantiles]
    if missing:
        raise ConfigError(f"levels {missing} were not calibrated: refit the ensemble with them")
    leads, rhythm = np.arange(point.shape[1]), calibration.rhythm
    hours = (phases[:, None] + leads) % rhythm.shape[1]
    buckets = buckets_of(leads + 1 + ages[:, None])
    scale = np.take_along_axis(calibration.scale, buckets, axis=1)
    widened = np.where(buckets == 0, _widened(dissent / scale), 1.0)
    spread = scale * np.take_along_axis(rhythm, hours, axis=1) * widened
    below, above = np.zeros(point.shape), np.zeros(point.shape)
    found: Bounds = {}
    for level in sorted(levels):
        low, high = calibration.quantiles[level].T[..., None]
        tail = np.where(buckets == 0, FIRST_HOUR_TAIL if level >= TAIL_FROM else 1.0, 1.0) * spread
        below, above = np.maximum(below, -low * tail), np.maximum(above, high * tail)
        found[level] = _placed(point - below, point + above, point, vital)
    return found


def _widened(dissent: FloatArray) -> FloatArray:
    """How much wider bounds are where members stand `dissent` scales from their mean."""
    return 1 + DISSENT_GAIN * (np.clip(dissent, DISSENT_FROM, DISSENT_UPTO) - DISSENT_FROM)


def _placed(lower: FloatArray, upper: FloatArray, point: FloatArray,
            vital: VitalSpec | None) -> tuple[FloatArray, FloatArray]:
    if vital is None:
        return lower, upper
    half = vital.resolution / 2
    lower, upper = np.minimum(lower, point - half), np.maximum(upper, point + half)
    lower = np.clip(lower, vital.low, vital.high - vital.resolution)
    return lower, np.clip(upper, vital.low + vital.resolution, vital.high)


def _filled_up(mean: FloatArray, deviations: FloatArray, vital: VitalSpec | None) -> FloatArray:
    """Mean deviations (S,), those of few (S, n; NaN = none) drawn towards the vital's usual one."""
    usual = USUAL_DEVIATION.get(vital.vital) if vital is not None else None
    if usual is None:
        return mean
    known = (~np.isnan(deviations)).sum(axis=1)
    drawn = (known * mean + (DEVIATIONS_ENOUGH - known) * usual) / DEVIATIONS_ENOUGH
    return np.where(known < DEVIATIONS_ENOUGH, drawn, mean)


def _least_scale(scale: FloatArray, y: FloatArray) -> FloatArray:
    """What a scale may not go below, (S,): never quite 0."""
    greatest = np.where(np.isnan(y), 0.0, np.abs(y)).max(axis=1, initial=0.0)
    floor = np.maximum(scale.max(axis=1) * 1e-3, greatest * 1e-9)
    return np.where(floor > 0, floor, np.finfo(float).tiny)


def _tails(level: int) -> tuple[float, float]:
    tail = (1 - level / 100) / 2
    return tail, 1 - tail


def _shrunk(own: FloatArray, level: int, weight: FloatArray) -> FloatArray:
    """Central quantiles (S, 2): own ones (NaN = none) and symmetric usual ones, by `weight`."""
    usual = _usual(level) * np.array([-1.0, 1.0])
    mixed = weight[:, None] * own + (1 - weight[:, None]) * usual
    mixed = np.where(np.isnan(own), usual, mixed)
    return np.column_stack((np.minimum(mixed[:, 0], 0.0), np.maximum(mixed[:, 1], 0.0)))


def _usual(level: int) -> float:
    """Usual quantile of |error| / mean |error|: tabled levels, and Laplace's beside them."""
    return PRIOR_QUANTILES.get(level, float(-np.log(1 - level / 100)))
