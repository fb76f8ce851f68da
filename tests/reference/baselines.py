"""Baselines and `revert`, slow and obvious: oracles of `kernels.light_ring`.

The newest hour stands last; an hour without a reading moves the others on. Every fit needs one
observed hour.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from forecasting.types import Fitted, FloatArray, Model, Values

Light = tuple[Callable[[FloatArray, int], Fitted], Callable[[Model, FloatArray], Values],
              Callable[[Model, int], FloatArray]]
"""fit(y, season), advance(model, y) and path(model, horizon)."""

DAY = 24
WEEK_DAYS = 7

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark): see docs/engine.md.
REVERT_RATE = 0.75
REVERT_PRIOR_HOURS = 72.0


def _last(values: FloatArray, count: int) -> FloatArray:
    """The last `count` entries, NaN before the first one."""
    ring = np.full(count, np.nan)
    kept = values[-count:]
    ring[count - kept.size:] = kept
    return ring


def mean_known(values: FloatArray, fallback: float) -> float:
    """Mean of the observed values, or `fallback` where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else fallback


def fit_last_value(y: FloatArray, season: int) -> Fitted:
    """The last observed value, held."""
    return _ring_model(y, 1, season)


def fit_mean_of_last_day(y: FloatArray, season: int) -> Fitted:
    """Mean of the last 24 hours; the last value where none of them was observed."""
    return _ring_model(y, DAY, season)


def fit_hour_of_day(y: FloatArray, season: int) -> Fitted:
    """Mean of the same hour on the last seven days; their common mean where it was never seen."""
    return _ring_model(y, WEEK_DAYS * season, season)


def fit_seasonal_naive(y: FloatArray, season: int) -> Fitted:
    """The last observed value of the same hour of day; the last value where there is none."""
    start = Fitted(structure={"season": season}, parameters={}, sigma2=0.0,
                   state={"ring": np.full(season, np.nan), "last": float("nan")})
    return replace(start, state=advance_seasonal_naive(start, y))


def _ring_model(y: FloatArray, count: int, season: int) -> Fitted:
    known = y[~np.isnan(y)]
    state = {"ring": _last(y, count), "last": float(known[-1])}
    return Fitted(structure={"season": season}, parameters={}, state=state, sigma2=0.0)


def advance_ring(model: Model, y: FloatArray) -> Values:
    """Ring and last value after the hours `y`."""
    ring, last = model.state["ring"], model.state["last"]
    known = y[~np.isnan(y)]
    return {"ring": _last(np.concatenate((ring, y)), ring.size),
            "last": float(known[-1]) if known.size else last}


def advance_seasonal_naive(model: Model, y: FloatArray) -> Values:
    """As `advance_ring`, but an hour without a reading keeps the value of the day before."""
    ring, last = model.state["ring"].tolist(), model.state["last"]
    for value in y.tolist():
        day_before = ring.pop(0)
        if math.isnan(value):
            ring.append(day_before)
        else:
            ring.append(value)
            last = value
    return {"ring": np.array(ring), "last": last}


def path_last_value(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    return np.full(horizon, model.state["last"])


def path_mean_of_last_day(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    return np.full(horizon, mean_known(model.state["ring"], model.state["last"]))


def path_hour_of_day(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    ring, season = model.state["ring"], model.structure["season"]
    overall = mean_known(ring, model.state["last"])
    pattern = np.array([mean_known(hours, overall) for hours in ring.reshape(-1, season).T])
    return np.asarray(pattern[np.arange(horizon) % season], dtype=np.float64)


def path_seasonal_naive(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    ring = model.state["ring"]
    pattern = np.where(np.isnan(ring), model.state["last"], ring)
    return np.asarray(pattern[np.arange(horizon) % ring.size])


def fit_revert(y: FloatArray, season: int) -> Fitted:
    """The gap between last value and mean of the last day closes by a constant rate an hour.

    The rate is the least-squares lag-1 coefficient of the gap, shrunk towards a common one.
    """
    gaps = _gaps(y)
    rate = shrunk_lag_one(gaps, REVERT_RATE, REVERT_PRIOR_HOURS)
    model = _ring_model(y, DAY, season)
    state = {**model.state, "age": int(np.argmax(~np.isnan(y[::-1])))}
    return Fitted(structure=model.structure, parameters={"rate": rate}, state=state, sigma2=0.0)


def advance_revert(model: Model, y: FloatArray) -> Values:
    """Ring, last value and its age in hours after the hours `y`."""
    known = ~np.isnan(y)
    age = int(np.argmax(known[::-1])) if known.any() else model.state["age"] + y.size
    return {**advance_ring(model, y), "age": age}


def path_revert(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    state = model.state
    mean = mean_known(state["ring"], state["last"])
    leads = np.arange(1, horizon + 1) + state["age"]
    return np.asarray(mean + (state["last"] - mean) * model.parameters["rate"] ** leads)


def _gaps(y: FloatArray) -> FloatArray:
    """Each hour less the mean of the observed of the 24 up to it; 0 to the bit if all are equal."""
    return np.array([
        float("nan") if np.isnan(value) else float(np.nanmean(value - y[max(t + 1 - DAY, 0):t + 1]))
        for t, value in enumerate(y)
    ])


def shrunk_lag_one(values: FloatArray, prior: float, prior_hours: float) -> float:
    """Least-squares lag-1 coefficient in [0, 0.99], as if `prior_hours` more pairs had `prior`."""
    before, after = values[:-1], values[1:]
    pairs = ~np.isnan(before) & ~np.isnan(after)
    power = float(np.sum(before[pairs] ** 2))
    if power <= 0:
        return prior
    weight = int(pairs.sum()) / (int(pairs.sum()) + prior_hours)
    own = float(np.sum(before[pairs] * after[pairs])) / power
    return float(np.clip(weight * own + (1 - weight) * prior, 0.0, 0.99))


LIGHT: dict[str, Light] = {
    "revert": (fit_revert, advance_revert, path_revert),
    "seasonal_naive": (fit_seasonal_naive, advance_seasonal_naive, path_seasonal_naive),
    "hour_of_day": (fit_hour_of_day, advance_ring, path_hour_of_day),
    "mean_of_last_day": (fit_mean_of_last_day, advance_ring, path_mean_of_last_day),
    "last_value": (fit_last_value, advance_ring, path_last_value),
}


def one_hour_variance(light: Light, y: FloatArray, season: int) -> float:
    """Mean squared one-hour error over the last day, fitted before it; 0 if unknown."""
    fit, advance, path = light
    before = y[:-DAY]
    if np.isnan(before).all():
        return 0.0
    model, squares = fit(before, season), []
    for value in y[before.size:]:
        if not np.isnan(value):
            squares.append(float(value - path(model, 1)[0]) ** 2)
        model = replace(model, state=advance(model, np.array([value])))
    return float(np.mean(squares)) if squares else 0.0
