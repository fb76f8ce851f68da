"""How much each member counts, per horizon bucket, for many series at once.

Weights begin at a prior between a flat and a rhythmic one, by how surely the days of the series
repeat, or one for long windows, and move with the series' own rolling-origin errors as far as the
number of origins allows. After the first hour they change on straight lines between the centres
of the buckets: a step would be a step in the forecast.

Arrays are of shape (S, M, B): series, members, buckets. Sums run over members or buckets one by
one, so that a series' result does not depend on the others in the batch.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from forecasting.config import BUCKETS, KNOWN_MEMBERS, LIBRARY
from forecasting.types import BoolArray, FloatArray, IntArray

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark) and on the hours of
# wearable_hr_benchmark before each wearer's first test hour: see docs/engine.md.
FLAT_PRIOR: dict[str, tuple[float, float, float, float]] = {
    "arima": (0.3, 0.3, 0.3, 0.3),
    "ets": (0.7, 0.7, 0.7, 0.7),
    "theta": (0.5, 0.5, 0.5, 0.5),
    "tbats": (0.7, 0.7, 0.7, 0.7),
    "mstl": (0.7, 0.7, 0.7, 0.7),
    "profile": (1.0, 1.0, 2.0, 2.0),
    "revert": (1.0, 2.0, 2.0, 2.0),
    "seasonal_naive": (0.0, 0.0, 0.3, 0.5),
    "hour_of_day": (0.0, 0.0, 0.5, 0.5),
    "mean_of_last_day": (0.3, 0.5, 1.0, 1.0),
    "last_value": (8.0, 1.0, 0.7, 0.5),
    **dict.fromkeys(LIBRARY, (0.7, 0.7, 0.7, 0.7)),
}
"""Prior weights per bucket of a series without a daily rhythm: the last value, then reversion."""

RHYTHMIC_PRIOR: dict[str, tuple[float, float, float, float]] = {
    "arima": (1.0, 0.5, 0.5, 0.5),
    "ets": (0.5, 0.2, 0.1, 0.1),
    "theta": (0.3, 0.2, 0.1, 0.1),
    "tbats": (1.0, 1.0, 1.0, 1.0),
    "mstl": (1.0, 1.0, 1.0, 1.0),
    "profile": (4.0, 6.0, 6.0, 6.0),
    "revert": (0.5, 0.1, 0.1, 0.1),
    "seasonal_naive": (0.5, 0.3, 0.5, 0.5),
    "hour_of_day": (0.5, 3.0, 5.0, 5.0),
    "mean_of_last_day": (0.0, 0.0, 0.0, 0.0),
    "last_value": (1.0, 0.0, 0.0, 0.0),
    **dict.fromkeys(LIBRARY, (0.5, 0.2, 0.1, 0.1)),
}
"""Prior weights per bucket of a series that repeats day by day."""

# Chosen on the last 48 and the 48 before them of M4 Hourly's training hours.
LONG_PRIOR: dict[str, float] = {
    **dict.fromkeys(KNOWN_MEMBERS, 0.3),
    "arima": 4.0, "hour_of_day": 2.0, "profile": 1.0,
    "revert": 0.0, "mean_of_last_day": 0.0, "last_value": 0.0,
}
"""Prior weights of a window of four weeks and more, where parameters are surely known."""

LONG_BEGINS, LONG_FULLY = 336, 672
"""Hours up to which a window counts as short, and from which on as long."""

ERROR_POWER = 4.0
LEFT_OUT_RATIO = 1.5
LEFT_OUT_ORIGINS = 4
"""Fewer origins that tell something are no reason to leave anybody out."""

_FIRST = np.array([first for first, _ in BUCKETS.values()], dtype=np.float64)
_LAST = np.array([last for _, last in BUCKETS.values()], dtype=np.float64)


def buckets_of(leads: IntArray) -> IntArray:
    """Index of the horizon bucket of each lead (1 = the first hour); the last one has no end."""
    return np.searchsorted(_FIRST, leads, side="right") - 1


def along_leads(weights: FloatArray, horizon: int) -> FloatArray:
    """Weights (…, B) per bucket as weights (…, horizon) per lead.

    The first hour has its own; from then on they lie on straight lines between the centres of the
    buckets, level before the first centre and after the last.
    """
    leads, centres = np.arange(1, horizon + 1), (_FIRST[1:] + _LAST[1:]) / 2
    shares = [np.where(leads == 1, 0.0, np.interp(leads, centres, unit))
              for unit in np.eye(centres.size)]
    along: FloatArray = weights[..., :1] * (leads == 1)
    for bucket, share in enumerate(shares, start=1):
        along = along + weights[..., bucket, None] * share
    return along


def mean_over_day(bucket_errors: FloatArray) -> FloatArray:
    """Mean over the leads of a day of errors (…, B) given per bucket; NaN where none is known."""
    leads, known = _LAST - _FIRST + 1, ~np.isnan(bucket_errors)
    total, count = np.zeros(bucket_errors.shape[:-1]), np.zeros(bucket_errors.shape[:-1])
    for bucket, hours in enumerate(leads):
        inside = known[..., bucket]
        total += np.where(inside, bucket_errors[..., bucket], 0.0) * hours
        count += inside * hours
    return _ratio(total, count)


def left_out(of_day: FloatArray, origins: IntArray) -> BoolArray:
    """Members (S, M) whose error over the day is far beyond the median member's; NaN = unknown.

    `origins` (S,) as in `weigh`.
    """
    limit = np.where(origins < LEFT_OUT_ORIGINS, np.inf, LEFT_OUT_RATIO * _median_known(of_day))
    with np.errstate(invalid="ignore"):
        return np.asarray(of_day > limit[:, None])


def left_out_reason(error: float) -> str:
    """Why a member with this error over the day is left out."""
    return f"rolling-origin error {error:.4g}, above {LEFT_OUT_RATIO} x the median member's"


def prior_weights(rhythm: FloatArray, hours: IntArray, names: Sequence[str]) -> FloatArray:
    """Prior weights (S, M, B) of the members: between flat and rhythmic ones by `rhythm` (S,).

    `hours` (S,) are the lengths of the windows: beyond two weeks the prior moves towards that of
    long ones. `names` are all members of the configuration: each prior is shared out among those.
    """
    flat, rhythmic = (_table(prior, names) for prior in (FLAT_PRIOR, RHYTHMIC_PRIOR))
    lasting = _table({name: (weight,) * len(BUCKETS) for name, weight in LONG_PRIOR.items()}, names)
    share = rhythm[:, None, None]
    length = np.clip((hours - LONG_BEGINS) / (LONG_FULLY - LONG_BEGINS), 0.0, 1.0)[:, None, None]
    return np.asarray(length * lasting + (1 - length) * (share * rhythmic + (1 - share) * flat))


def weigh(errors: FloatArray, prior: FloatArray, counted: BoolArray, origins: IntArray,
          shrinkage: float) -> FloatArray:
    """Prior weights times (error / mean error) ** -power, the power shrunk by few origins.

    `errors` and `prior` (S, M, B); `counted` (S, M) members that are there and not left out, the
    others get 0; `origins` (S,) how many rolling origins tell something. Shape (S, M, B).
    """
    table = np.where(counted[..., None], errors, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.maximum(table / _mean_known(table)[:, None], 0.1)
        power = np.where(origins > 0, ERROR_POWER * origins / (origins + shrinkage), 0.0)
    relative[~np.isfinite(relative)] = 1.0
    return renormalised(prior * relative ** -power[:, None, None], counted)


def renormalised(weights: FloatArray, counted: BoolArray) -> FloatArray:
    """Weights (S, M, B) of the members in `counted` (S, M), summing to 1 in every bucket.

    Equal ones where all are 0; the others are 0. All 0 where no member is counted.
    """
    kept = np.where(counted[..., None], weights, 0.0)
    kept = np.where(_sum_members(kept)[:, None] > 0, kept, counted[..., None].astype(np.float64))
    total = _sum_members(kept)
    return np.asarray(kept / np.where(total > 0, total, 1.0)[:, None])


def _table(prior: Mapping[str, tuple[float, ...]], names: Sequence[str]) -> FloatArray:
    table = np.array([prior[name] for name in names])
    total = table.sum(axis=0)
    return np.asarray(table / np.where(total > 0, total, 1.0))


def _sum_members(values: FloatArray) -> FloatArray:
    total = np.zeros((values.shape[0], *values.shape[2:]))
    for member in range(values.shape[1]):
        total += values[:, member]
    return total


def _mean_known(values: FloatArray) -> FloatArray:
    known = ~np.isnan(values)
    return _ratio(_sum_members(np.where(known, values, 0.0)), _sum_members(known * 1.0))


def _median_known(values: FloatArray) -> FloatArray:
    """Median of each row's numbers (S, M); NaN where there is none."""
    ordered, counts = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)
    rows, middle = np.arange(values.shape[0]), np.maximum(counts - 1, 0)
    return np.asarray((ordered[rows, middle // 2] + ordered[rows, (middle + 1) // 2]) / 2)


def _ratio(total: FloatArray, count: FloatArray) -> FloatArray:
    ratio = np.full(total.shape, np.nan)
    np.divide(total, count, out=ratio, where=count > 0)
    return ratio
