"""Prediction intervals from scaled rolling-origin errors (split conformal, with a prior).

An error is divided by a scale of its horizon bucket and hour of day; quantiles of these scores,
pooled over origins and leads, times the scale of a future hour give its bounds. Scores of one
window are few and overlap, so scale and quantiles are shrunk towards common ones. Bounds contain
the point forecast, never cross, are no narrower than the vital's resolution and stay in its
plausible range.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clinical.vitals import VitalSpec
from forecasting.baselines import DAY, trailing_means
from forecasting.config import BUCKETS
from forecasting.profile import daily_pattern
from forecasting.types import ConfigError, FloatArray, IntArray

Bounds = dict[int, tuple[FloatArray, FloatArray]]

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark) and on the hours of
# wearable_hr_benchmark before each wearer's first test hour: see docs/engine.md.
USUAL_SCALE = np.array([0.75, 1.05, 1.22, 1.30])
"""Usual mean error per bucket, as a share of the hours' deviation from pattern and day before."""

SCALE_PRIOR_ORIGINS = 10.0
RHYTHM_PRIOR_DAYS = 7.0
QUANTILE_PRIOR_ORIGINS = 20.0
PRIOR_QUANTILES = {50: 0.85, 80: 1.9, 95: 3.3}       # of |error| / mean |error|


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`scale` of shape (buckets,) in the vital's unit; `rhythm` of shape (season,) around 1;
    `quantiles` of the scaled errors, (lower, upper) per level."""

    scale: FloatArray
    rhythm: FloatArray
    quantiles: Mapping[int, tuple[float, float]]


def buckets_of(leads: IntArray) -> IntArray:
    """Index of the horizon bucket of each lead (1 = the first hour); the last one has no end."""
    starts = np.array([first for first, _ in BUCKETS.values()])
    return np.searchsorted(starts, leads, side="right") - 1


def calibrate(errors: FloatArray, phases: IntArray, y: FloatArray, *, season: int,
              levels: tuple[int, ...]) -> Calibration:
    """Calibration from `errors` (actual - point; origins x leads, NaN = not observed).

    `phases` (same shape) are the hours of day of the errors, `y` the window, for common scales.
    """
    pattern, _ = daily_pattern(y, season)
    deviations = _deviations(y - pattern[np.arange(y.size) % season])
    rhythm = _rhythm(deviations, season)
    buckets = buckets_of(np.arange(1, errors.shape[1] + 1))
    scale = _scale(errors / rhythm[phases], buckets, USUAL_SCALE * _mean(deviations), y)
    scores = errors / (scale[buckets] * rhythm[phases])
    known = np.sort(scores[~np.isnan(scores)])
    weight = errors.shape[0] / (errors.shape[0] + QUANTILE_PRIOR_ORIGINS) if known.size else 0.0
    quantiles = {level: _quantiles(known, level, weight) for level in levels}
    return Calibration(scale=scale, rhythm=rhythm, quantiles=quantiles)


def bounds(point: FloatArray, phases: IntArray, calibration: Calibration, *,
           levels: tuple[int, ...], vital: VitalSpec | None) -> Bounds:
    """(lower, upper) per level around `point` of shape (horizon,), whose hours have `phases`."""
    missing = [level for level in levels if level not in calibration.quantiles]
    if missing:
        raise ConfigError(f"levels {missing} were not calibrated: refit the ensemble with them")
    buckets = buckets_of(np.arange(1, point.size + 1))
    spread = calibration.scale[buckets] * calibration.rhythm[phases]
    below, above = np.zeros(point.size), np.zeros(point.size)
    found: Bounds = {}
    for level in sorted(levels):
        low, high = calibration.quantiles[level]
        below, above = np.maximum(below, -low * spread), np.maximum(above, high * spread)
        found[level] = _placed(point - below, point + above, point, vital)
    return found


def _placed(lower: FloatArray, upper: FloatArray, point: FloatArray,
            vital: VitalSpec | None) -> tuple[FloatArray, FloatArray]:
    if vital is None:
        return lower, upper
    half = vital.resolution / 2
    lower, upper = np.minimum(lower, point - half), np.maximum(upper, point + half)
    lower = np.clip(lower, vital.low, vital.high - vital.resolution)
    return lower, np.clip(upper, vital.low + vital.resolution, vital.high)


def _scale(errors: FloatArray, buckets: IntArray, prior: FloatArray, y: FloatArray) -> FloatArray:
    """Mean absolute error per bucket, shrunk towards `prior`; never quite 0."""
    scale = prior.copy()
    for bucket in range(prior.size):
        inside = np.abs(errors[:, buckets == bucket])
        known = inside[~np.isnan(inside)]
        if known.size:
            origins = int((~np.isnan(inside)).any(axis=1).sum())
            weight = origins / (origins + SCALE_PRIOR_ORIGINS)
            scale[bucket] = weight * known.mean() + (1 - weight) * prior[bucket]
    floor = max(float(scale.max()) * 1e-3, float(np.nanmax(np.abs(y), initial=0.0)) * 1e-9)
    return np.maximum(scale, floor if floor > 0 else np.finfo(float).tiny)


def _deviations(y: FloatArray) -> FloatArray:
    """|y - mean of the day before| of every hour; NaN where one of them is not known."""
    if not y.size:
        return y
    return np.concatenate(([np.nan], np.abs(y[1:] - trailing_means(y, DAY)[:-1])))


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0


def _rhythm(deviations: FloatArray, season: int) -> FloatArray:
    """How much more an hour of day deviates than the mean hour, smoothed, shrunk towards 1."""
    known, overall = ~np.isnan(deviations), _mean(deviations)
    if season < 3 or deviations.size < 3 * season or overall <= 0:
        return np.ones(season)
    phases = np.flatnonzero(known) % season
    sums = np.bincount(phases, weights=deviations[known], minlength=season)
    counts = np.bincount(phases, minlength=season)
    around, numbers = (np.sum([np.roll(each, step) for step in (-1, 0, 1)], axis=0)
                       for each in (sums, counts))
    prior = 3 * RHYTHM_PRIOR_DAYS
    shares = (around / overall + prior) / (numbers + prior)
    return np.asarray(shares / shares.mean())


def _quantiles(scores: FloatArray, level: int, weight: float) -> tuple[float, float]:
    """Central quantiles of sorted scores: own and symmetric usual ones, mixed by `weight`."""
    usual = _usual(level)
    if not scores.size:
        return -usual, usual
    tail = (1 - level / 100) / 2
    low, high = (float(value) for value in np.quantile(scores, (tail, 1 - tail)))
    return min(weight * low - (1 - weight) * usual, 0.0), max(weight * high + (1 - weight) * usual,
                                                              0.0)


def _usual(level: int) -> float:
    """Usual quantile of |error| / mean |error|: tabled levels, and Laplace's beside them."""
    return PRIOR_QUANTILES.get(level, float(-np.log(1 - level / 100)))
