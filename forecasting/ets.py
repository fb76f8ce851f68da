"""Exponential smoothing in state space form (Hyndman, Koehler, Ord & Snyder 2008, chapter 3).

Trend N or A, damped by φ; season N, A or M. The season's states are ordered by age, the newest
first. A missing hour is a prediction step without a correction.
"""

import numpy as np

from forecasting.types import FloatArray, Model, Values


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    state = model.state
    leads = np.arange(1, horizon + 1)
    forecasts = np.full(horizon, state["level"])
    if model.structure["trend"] == "A":
        forecasts += state["trend"] * np.cumsum(model.parameters["phi"] ** leads)
    season = model.structure["season"]
    if season == "N":
        return forecasts
    pattern = state["season"][::-1][(leads - 1) % model.structure["m"]]
    return np.asarray(forecasts + pattern if season == "A" else forecasts * pattern)


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    kind, parameters = model.structure["season"], model.parameters
    level, trend = model.state["level"], model.state["trend"]
    season = list(model.state["season"])
    for value in y:
        damped = parameters["phi"] * trend
        base = level + damped
        oldest = season.pop() if season else 0.0
        level, trend, newest = base, damped, oldest
        if not np.isnan(value):
            adjusted = value - oldest if kind != "M" else value / oldest
            detrended = value - base if kind != "M" else value / base
            level = base + parameters["alpha"] * (adjusted - base)
            growth = level - (base - damped) - damped
            trend = damped + parameters["beta"] / parameters["alpha"] * growth
            newest = oldest + parameters["gamma"] * (detrended - oldest)
        if kind != "N":
            season.insert(0, newest)
    return {"level": float(level), "trend": float(trend), "season": np.array(season, dtype=float)}
