"""What is measured of forecasts of many windows, and how sure differences are.

Errors and losses are divided by the window's scale; a mean is over windows, each the mean of its
observed test hours. Coverage is the share of all observed test hours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy_sets import DAY, Case
from forecasting.config import BUCKETS
from forecasting.types import FloatArray, IntArray

LEVELS = (50, 80, 95)
TERCILES = ("calm", "middle", "active")
DRAWS = 2000
SEED = 20261121

Bounds = Mapping[int, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One forecast of one window: `point` (H,) and, where there are any, `bounds` per level."""

    point: FloatArray
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean paired difference over windows, its standard error and 95 % interval over subjects."""

    mean: float
    se: float
    low: float
    high: float

    @property
    def surely_worse(self) -> bool:
        """Whether it is above 0 by more than one standard error."""
        return self.mean > self.se


def errors(cases: Sequence[Case], said: Sequence[Said]) -> FloatArray:
    """Absolute errors over scale, (windows, H); NaN where an hour was not observed."""
    return np.array([np.abs(case.window.test - each.point) / case.scale
                     for case, each in zip(cases, said, strict=True)])


def interval_scores(cases: Sequence[Case], said: Sequence[Said], level: int) -> FloatArray:
    """Interval scores over scale (Gneiting & Raftery 2007), (windows, H)."""
    alpha, rows = 1 - level / 100, []
    for case, each in zip(cases, said, strict=True):
        lower, upper = _bounds(each)[level]
        outside = np.maximum(lower - case.window.test, 0) + np.maximum(case.window.test - upper, 0)
        rows.append((upper - lower + 2 / alpha * outside) / case.scale)
    return np.array(rows)


def pinball_losses(cases: Sequence[Case], said: Sequence[Said]) -> FloatArray:
    """Mean pinball loss over scale of the median and the bounds of all LEVELS, (windows, H)."""
    rows = []
    for case, each in zip(cases, said, strict=True):
        quantiles = [(0.5, each.point)]
        for level in LEVELS:
            tail = (1 - level / 100) / 2
            lower, upper = _bounds(each)[level]
            quantiles += [(tail, lower), (1 - tail, upper)]
        losses = [np.maximum(share * (case.window.test - quantile),
                             (share - 1) * (case.window.test - quantile))
                  for share, quantile in quantiles]
        rows.append(np.mean(losses, axis=0) / case.scale)
    return np.array(rows)


def inside(cases: Sequence[Case], said: Sequence[Said], level: int) -> FloatArray:
    """1 where an observed hour lies within the bounds, 0 where not, NaN if not observed."""
    rows = []
    for case, each in zip(cases, said, strict=True):
        lower, upper = _bounds(each)[level]
        hit = ((case.window.test >= lower) & (case.window.test <= upper)).astype(np.float64)
        rows.append(np.where(np.isnan(case.window.test), np.nan, hit))
    return np.array(rows)


def by_window(values: FloatArray) -> FloatArray:
    """Mean of each row's known numbers, (windows,); NaN where there is none."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def mean(values: FloatArray) -> float:
    """Mean of what is known."""
    return float(np.nanmean(values))


def bucket_slices() -> dict[str, slice]:
    """Leads of each horizon bucket, as columns."""
    return {name: slice(first - 1, last) for name, (first, last) in BUCKETS.items()}


def terciles(cases: Sequence[Case]) -> IntArray:
    """Calm (0), middle and active (2) third of each window's test hours, (windows, DAY).

    By the mean of that hour of the day over the training part, so that nothing of the test hour
    decides where it counts.
    """
    return np.array([_terciles(case.window.train) for case in cases])


def _terciles(train: FloatArray) -> IntArray:
    padded = np.concatenate((np.full(-train.size % DAY, np.nan), train)).reshape(-1, DAY)
    known = ~np.isnan(padded)
    sums, counts = np.where(known, padded, 0.0).sum(axis=0), known.sum(axis=0)
    overall = sums.sum() / max(counts.sum(), 1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return np.argsort(np.argsort(means, kind="stable"), kind="stable") * 3 // DAY


def paired(one: FloatArray, other: FloatArray, subjects: Sequence[str]) -> Difference:
    """Difference of two losses by window, bootstrapped over subjects with all their windows."""
    difference = one - other
    known = ~np.isnan(difference)
    names, owner = np.unique(np.array(subjects)[known], return_inverse=True)
    sums = np.bincount(owner, weights=difference[known], minlength=names.size)
    counts = np.bincount(owner, minlength=names.size)
    drawn = np.random.default_rng(SEED).integers(names.size, size=(DRAWS, names.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Difference(mean=float(sums.sum() / counts.sum()), se=float(means.std(ddof=1)),
                      low=float(low), high=float(high))


def _bounds(said: Said) -> Bounds:
    if said.bounds is None:
        raise ValueError("this method gives no bounds")
    return said.bounds
