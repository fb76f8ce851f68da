"""The figures of a series' last day and week, as boards show them; NaN where none can be told."""

from dataclasses import dataclass

import numpy as np

from forecasting.detectors.charts import NORMAL_80, WEEK, Compared
from forecasting.detectors.distance import psi, wasserstein
from forecasting.detectors.scan import DAY
from forecasting.types import BoolArray, FloatArray, IntArray

MEAN_SIZE = np.sqrt(2 / np.pi)
"""Mean size of a standard normal: errors as large as promised have it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """Of S series each (S,).

    psi, wasserstein  the last week beside the training window, distance in its deviations
    level, spread     of the last day: mean in deviations, variance over the usual one
    error_ratio       mean size of the errors an hour ahead over what was promised, last day
    coverage          share of the last day's hours inside the 80 % interval an hour ahead
    observed          hours with a reading, of the last 24
    missing_usual     share of missing hours in the training window
    """

    psi: FloatArray
    wasserstein: FloatArray
    level: FloatArray
    spread: FloatArray
    error_ratio: FloatArray
    coverage: FloatArray
    observed: IntArray
    missing_usual: FloatArray


def figures_of(one: Compared) -> Figures:
    """Figures of compared hours."""
    told: BoolArray = one.known > 0
    week, day = one.after[:, -WEEK:], one.after[:, -DAY:]
    errors = np.abs(one.error_after[:, -DAY:])
    inside = np.where(np.isnan(errors), np.nan, errors <= NORMAL_80)
    level = _mean(day)
    around = _mean((day - level[:, None]) ** 2)
    usual = _mean((one.before - _mean(one.before)[:, None]) ** 2)
    return Figures(
        psi=_where(told, psi(week, one.before)), wasserstein=_where(told, wasserstein(
            week, one.before)),
        level=_where(told, level), spread=_where(told & (usual > 0), around / np.where(
            usual > 0, usual, 1)),
        error_ratio=_mean(errors) / MEAN_SIZE, coverage=_mean(inside),
        observed=np.sum(~np.isnan(day), axis=1),
        missing_usual=_where(told, one.usual.missing.mean(axis=1)))


def _mean(x: FloatArray) -> FloatArray:
    """Mean of the known hours of each row, NaN where there are none."""
    count = np.sum(~np.isnan(x), axis=1)
    found: FloatArray = np.nansum(x, axis=1) / np.where(count > 0, count, np.nan)
    return found


def _where(told: BoolArray, values: FloatArray) -> FloatArray:
    return np.where(told, values, np.nan)
