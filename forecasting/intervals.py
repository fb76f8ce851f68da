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
from forecasting.config import BUCKETS
from forecasting.light import trailing_means
from forecasting.types import ConfigError, FloatArray, IntArray

Bounds = dict[int, tuple[FloatArray, FloatArray]]

# Chosen on `replay` (wearers and those stays that are not in icu_benchmark): see docs/engine.md.
PRIOR_SCALE = np.array([0.55, 0.85, 1.0, 1.05])     # mean error per bucket / deviation of the hours
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
    rhythm = _rhythm(y, season)
    buckets = buckets_of(np.arange(1, errors.shape[1] + 1))
    scale = _scale(errors / rhythm[phases], buckets, y)
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


def _scale(errors: FloatArray, buckets: IntArray, y: FloatArray) -> FloatArray:
    """Mean absolute error per bucket, shrunk towards the usual share of the hours' deviation."""
    prior = PRIOR_SCALE * _deviation(y)
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


def _deviation(y: FloatArray) -> float:
    """Mean |y - mean of the day before|; 0 where nothing can be compared."""
    means = trailing_means(y, 24)
    gaps = np.abs(y[1:] - means[:-1])
    known = gaps[~np.isnan(gaps)]
    return float(known.mean()) if known.size else 0.0


def _rhythm(y: FloatArray, season: int) -> FloatArray:
    """How much more an hour of day deviates than the mean hour, smoothed, shrunk towards 1."""
    gaps = np.abs(y[1:] - trailing_means(y, 24)[:-1])
    phases = np.arange(1, y.size) % season
    known = ~np.isnan(gaps)
    days = y.size / season
    if season < 3 or days < 3 or not known.any() or gaps[known].mean() <= 0:
        return np.ones(season)
    overall = float(gaps[known].mean())
    sums = np.bincount(phases[known], weights=gaps[known], minlength=season)
    counts = np.bincount(phases[known], minlength=season)
    around = np.sum([np.roll(sums, step) for step in (-1, 0, 1)], axis=0)
    numbers = np.sum([np.roll(counts, step) for step in (-1, 0, 1)], axis=0)
    prior = RHYTHM_PRIOR_DAYS
    shares = (around / overall + 3 * prior) / (numbers + 3 * prior)
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
