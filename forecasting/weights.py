"""How much each member counts, per horizon bucket.

Weights begin at a prior between a flat and a rhythmic one, by how surely the days of the series
repeat, and move with the series' own rolling-origin errors as far as the number of origins allows.
"""

from collections.abc import Mapping

import numpy as np

from forecasting.config import BUCKETS, LIBRARY
from forecasting.intervals import buckets_of
from forecasting.types import FloatArray

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark) and on the hours of
# wearable_hr_benchmark before each wearer's first test hour: see docs/engine.md.
FLAT_PRIOR: dict[str, tuple[float, float, float, float]] = {
    "arima": (1.0, 1.0, 1.0, 1.0),
    "ets": (1.0, 1.0, 1.0, 1.0),
    "theta": (1.0, 1.0, 1.0, 1.0),
    "tbats": (1.0, 1.0, 1.0, 1.0),
    "mstl": (1.0, 1.0, 1.0, 1.0),
    "profile": (1.0, 1.0, 2.0, 2.0),
    "revert": (1.0, 2.0, 2.0, 2.0),
    "seasonal_naive": (0.0, 0.0, 0.3, 0.5),
    "hour_of_day": (0.0, 0.0, 0.5, 0.5),
    "mean_of_last_day": (0.3, 0.5, 1.0, 1.0),
    "last_value": (1.0, 1.0, 1.0, 1.0),
    **dict.fromkeys(LIBRARY, (1.0, 1.0, 1.0, 1.0)),
}
"""Prior weights per bucket of a series without a daily rhythm: nearly equal."""

RHYTHMIC_PRIOR: dict[str, tuple[float, float, float, float]] = {
    "arima": (1.0, 1.0, 1.0, 1.0),
    "ets": (1.0, 0.5, 0.2, 0.2),
    "theta": (0.5, 0.5, 0.2, 0.2),
    "tbats": (1.0, 1.0, 1.0, 1.0),
    "mstl": (1.0, 1.0, 1.0, 1.0),
    "profile": (4.0, 6.0, 6.0, 6.0),
    "revert": (0.5, 0.3, 0.1, 0.1),
    "seasonal_naive": (0.5, 0.3, 0.5, 0.5),
    "hour_of_day": (0.5, 2.0, 4.0, 3.0),
    "mean_of_last_day": (0.0, 0.0, 0.0, 0.0),
    "last_value": (0.5, 0.0, 0.0, 0.0),
    **dict.fromkeys(LIBRARY, (1.0, 0.5, 0.2, 0.2)),
}
"""Prior weights per bucket of a series that repeats day by day."""

ERROR_POWER = 4.0
LEFT_OUT_RATIO = 1.5


def bucket_errors(errors: FloatArray) -> FloatArray:
    """Mean absolute error per horizon bucket, (buckets,); NaN where nothing was observed."""
    buckets = buckets_of(np.arange(1, errors.shape[1] + 1))
    means = np.full(len(BUCKETS), np.nan)
    for bucket in range(len(BUCKETS)):
        inside = np.abs(errors[:, buckets == bucket])
        known = inside[~np.isnan(inside)]
        if known.size:
            means[bucket] = known.mean()
    return means


def mean_over_day(bucket_errors: FloatArray) -> float:
    """Mean over the leads of a day of errors given per bucket; NaN where none is known."""
    leads = np.array([last - first + 1 for first, last in BUCKETS.values()], dtype=np.float64)
    known = ~np.isnan(bucket_errors)
    if not known.any():
        return float("nan")
    return float(np.average(bucket_errors[known], weights=leads[known]))


def left_out_reasons(errors: Mapping[str, FloatArray]) -> dict[str, str]:
    """Members whose error is far beyond the median member's, and that reason."""
    errors_of_day = {name: mean_over_day(each) for name, each in errors.items()}
    known = [error for error in errors_of_day.values() if not np.isnan(error)]
    if not known:
        return {}
    limit = LEFT_OUT_RATIO * float(np.median(known))
    return {name: f"rolling-origin error {error:.4g}, above {LEFT_OUT_RATIO} x the median member's"
            for name, error in sorted(errors_of_day.items()) if error > limit}


def prior_weights(rhythm: float) -> dict[str, FloatArray]:
    """Prior weights of all members, (buckets,): between flat and rhythmic ones by `rhythm`."""
    flat, rhythmic = (
        renormalised({name: np.array(weights) for name, weights in table.items()})
        for table in (FLAT_PRIOR, RHYTHMIC_PRIOR)
    )
    return {name: rhythm * rhythmic[name] + (1 - rhythm) * flat[name] for name in flat}


def weigh(errors: Mapping[str, FloatArray], prior: Mapping[str, FloatArray], origins: int,
             shrinkage: float) -> dict[str, FloatArray]:
    """Prior weights times (error / mean error) ** -power, the power shrunk by few origins."""
    table = np.array([errors[name] for name in errors])
    reference = np.array([_mean_known(column) for column in table.T])
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.maximum(table / reference, 0.1)
    relative[~np.isfinite(relative)] = 1.0
    power = ERROR_POWER * origins / (origins + shrinkage) if origins else 0.0
    raw = np.array([prior[name] for name in errors]) * relative ** -power
    return renormalised(dict(zip(errors, raw, strict=True)))


def _mean_known(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def renormalised(weights: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Weights that sum to 1 in every bucket; equal ones where all are 0."""
    table = np.array([weights[name] for name in weights], dtype=np.float64)
    totals = table.sum(axis=0)
    table[:, totals <= 0] = 1.0
    return dict(zip(weights, table / table.sum(axis=0), strict=True))
