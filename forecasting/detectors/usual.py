"""What is usual for a series: level by hour of day, deviation, and share of missing hours."""

from dataclasses import dataclass

import numpy as np

from forecasting.detectors.scan import DAY, MAX_PHI, correlation
from forecasting.types import BoolArray, FloatArray, IntArray

CLIP = 3.0
"""An hour counts for at most so many deviations: exercise and artefacts are no drift."""

MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usual:
    """The training windows of S series.

    pattern   (S, 24) usual value of each hour of the day, shrunk towards flat by its noise
    scale     (S,) deviation from the pattern (median absolute, as of a normal), at least
              the resolution
    phi       (S,) correlation of neighbouring deviations, 0 to 0.95
    hours     (S,) observed hours
    missing   (S, 24) share of missing hours by hour of the day, shrunk towards the mean share
    """

    pattern: FloatArray
    scale: FloatArray
    phi: FloatArray
    hours: IntArray
    missing: FloatArray

    def deviations(self, y: FloatArray, first: int) -> FloatArray:
        """Hours `y` (S, n), the first of them `first` o'clock, in deviations from the pattern."""
        return (y - self.pattern[:, _clock(y.shape[1], first)]) / self.scale[:, None]

    def more_missing(self, y: FloatArray, first: int) -> FloatArray:
        """1 for a missing hour, 0 for an observed one, less the usual share of that hour."""
        return np.isnan(y) - self.missing[:, _clock(y.shape[1], first)]


def learn(y: FloatArray, within: BoolArray, first: int, resolution: float) -> Usual:
    """What is usual in the hours `within` of `y`, both (S, n), the first `first` o'clock UTC."""
    clock = _clock(y.shape[1], first)
    known = np.where(within, y, np.nan)
    by_hour = np.full((y.shape[0], DAY, -(-y.shape[1] // DAY)), np.nan)
    by_hour[:, clock, np.arange(y.shape[1]) // DAY] = known
    middle = median(known)
    pattern = middle[:, None] + _shrunk(by_hour - middle[:, None, None])
    deviation = known - pattern[:, clock]
    scale = np.maximum(MAD_TO_DEVIATION * median(np.abs(deviation)), resolution)
    clipped = clip(deviation / scale[:, None])
    return Usual(
        pattern=pattern, scale=scale, hours=np.sum(~np.isnan(known), axis=1),
        phi=np.clip(correlation(clipped), 0, MAX_PHI), missing=_missing(np.isnan(y), within, clock))


def clip(x: FloatArray) -> FloatArray:
    """Deviations of at most CLIP either way."""
    return np.clip(x, -CLIP, CLIP)


def _clock(hours: int, first: int) -> IntArray:
    return (first + np.arange(hours)) % DAY


def _shrunk(by_hour: FloatArray) -> FloatArray:
    """Mean deviation (S, 24) of each hour of the day over its days (S, 24, d), noise taken off.

    Smoothed over the neighbouring hours (1 2 1), then times the share of its variance that is
    more than the noise of a mean of so many days. Deviations are bounded first by their scale.
    """
    scale = MAD_TO_DEVIATION * median(np.abs(by_hour.reshape(by_hour.shape[0], -1)))
    bound = (CLIP * np.where(scale > 0, scale, np.inf))[:, None, None]
    bounded = np.clip(by_hour, -bound, bound)
    counts = np.sum(~np.isnan(bounded), axis=2)
    means = np.nansum(bounded, axis=2) / np.maximum(counts, 1)
    within = np.nansum((bounded - means[:, :, None]) ** 2, axis=(1, 2))
    total = counts.sum(axis=1)
    noise = within / np.maximum(total - DAY, 1) * DAY / np.maximum(total, 1)
    signal = np.var(means, axis=1)
    share = np.clip(1 - np.divide(noise, signal, out=np.ones_like(noise), where=signal > 0), 0, 1)
    level = np.nansum(means * counts, axis=1) / np.maximum(total, 1)
    smooth = (np.roll(means, 1, axis=1) + 2 * means + np.roll(means, -1, axis=1)) / 4
    found: FloatArray = level[:, None] + share[:, None] * (smooth - smooth.mean(axis=1)[:, None])
    return found


def _missing(gaps: BoolArray, within: BoolArray, clock: IntArray) -> FloatArray:
    """Share (S, 24) of missing hours of those `within`; a week of the mean share is mixed in."""
    hour = np.eye(DAY)[clock]                                     # (n, 24): which hour it is
    missing, days = (gaps & within) @ hour, within @ hour
    share = missing.sum(axis=1) / np.maximum(days.sum(axis=1), 1)
    shrunk: FloatArray = (missing + 7 * share[:, None]) / (days + 7)
    return shrunk


def median(x: FloatArray) -> FloatArray:
    """Median of the known values of each row (S, n), 0 where there are none."""
    ordered, known = np.sort(x, axis=1), np.sum(~np.isnan(x), axis=1)
    rows, middle = np.arange(x.shape[0]), np.maximum(known - 1, 0)
    found = (ordered[rows, middle // 2] + ordered[rows, (middle + 1) // 2]) / 2
    return np.where(known > 0, found, 0.0)
