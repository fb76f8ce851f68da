"""A smooth day on a slow level with an autoregressive residual, slow and obvious.

The oracle of `kernels.light_profile`, which tells what it is.
"""

from dataclasses import replace

import numpy as np

from forecasting.types import Fitted, FloatArray, Model, Values
from tests.reference.baselines import DAY, Light, mean_known, shrunk_lag_one

SMOOTHING = np.array([1.0, 2.0, 1.0])
PATTERN_SHRINKAGE = 0.75
ROUNDING = 1e-12
DAY_PRIOR_HOURS = 24.0
LEVEL_RATES = (0.08, 0.02)        # per hour, of a series without a rhythm and of one with
RESIDUAL_PRIOR = (0.7, 100.0)     # lag-1 correlation, and the hours of evidence it counts for
_TABLE_ROUNDS = 4


def fit(y: FloatArray, season: int) -> Fitted:
    """Hour-of-day medians, smoothed round the clock and shrunk towards flat, on a level."""
    pattern, kept = daily_pattern(y, season)
    flat, rhythmic = LEVEL_RATES
    parameters = {"pattern": pattern, "level_rate": flat + kept * (rhythmic - flat), "phi": 0.0}
    first = y[:DAY] - pattern[np.arange(y[:DAY].size) % season]
    start = {"level": mean_known(first, float(np.nanmean(y))), "residual": 0.0, "t": 0}
    model = Fitted(structure={"season": season}, parameters=parameters, state=start, sigma2=0.0)
    residuals = _residuals(model, y)
    prior, hours = RESIDUAL_PRIOR
    parameters = {**parameters, "phi": shrunk_lag_one(residuals, prior, hours)}
    model = Fitted(structure=model.structure, parameters=parameters, state=start, sigma2=0.0,
                   figures={"pattern_kept": kept})
    return replace(model, state=advance(model, y))


def advance(model: Model, y: FloatArray) -> Values:
    """Level, residual and phase after the hours `y`."""
    pattern, state = model.parameters["pattern"], model.state
    rate, phi = model.parameters["level_rate"], model.parameters["phi"]
    level, residual, t = state["level"], state["residual"], state["t"]
    for value in y:
        residual *= phi
        if not np.isnan(value):
            residual = float(value) - pattern[t % pattern.size] - level
            level += rate * residual
            residual *= 1 - rate
        t += 1
    return {"level": float(level), "residual": float(residual), "t": t}


def path(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    pattern, state = model.parameters["pattern"], model.state
    hours = pattern[(state["t"] + np.arange(horizon)) % pattern.size]
    fading = model.parameters["phi"] ** np.arange(1, horizon + 1)
    return np.asarray(state["level"] + hours + state["residual"] * fading)


def _residuals(model: Fitted, y: FloatArray) -> FloatArray:
    """What level and pattern leave at each observed hour."""
    pattern, rate = model.parameters["pattern"], model.parameters["level_rate"]
    level, left = model.state["level"], np.full(y.size, np.nan)
    for t, value in enumerate(y):
        if not np.isnan(value):
            left[t] = (value - pattern[t % pattern.size] - level) * (1 - rate)
            level += rate * left[t] / (1 - rate)
    return left


def daily_pattern(y: FloatArray, season: int) -> tuple[FloatArray, float]:
    """Smoothed, centred and shrunk pattern of shape (season,), and the share that was kept.

    Days and hours are fitted in turn (an additive table, hours by median), because the mean of a
    day with gaps depends on which hours it lacks. The share is 1 - noise/signal, at least 0: noise
    is the variance of a smoothed median over the days, signal that of the pattern.
    """
    days = y.size // season if season > 1 else 0
    offset = y.size - days * season
    table = y[offset:].reshape(days, max(season, 1)) if days else np.zeros((0, season))
    table = table[~np.isnan(table).all(axis=1)]
    if table.shape[0] < 2:
        return np.zeros(season), 0.0
    pattern, left = _additive_fit(table)
    level = float(np.nanmean(table))
    kept = _kept_share(left, pattern) if np.std(pattern) > ROUNDING * abs(level) else 0.0
    return np.roll(pattern * kept, offset % season), kept


def _additive_fit(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smooth pattern (season,) of a table (days, season) with gaps, and what days and it leave."""
    table = table - np.nanmean(table)
    counts, pattern = (~np.isnan(table)).sum(axis=1), np.zeros(table.shape[1])
    day = np.zeros(table.shape[0])
    for _ in range(_TABLE_ROUNDS):
        day = np.nansum(table - pattern, axis=1) / (counts + DAY_PRIOR_HOURS)
        pattern = _smooth(_column_medians(table - day[:, None]))
        pattern -= pattern.mean()
    return pattern, table - day[:, None] - pattern


def _column_medians(table: FloatArray) -> FloatArray:
    """Median of the observed entries of each column, 0 where there is none."""
    return np.array([
        float(np.median(known)) if (known := column[~np.isnan(column)]).size else 0.0
        for column in table.T
    ])


def _smooth(pattern: FloatArray) -> FloatArray:
    """Circular weighted mean over neighbouring hours, where the day is long enough for it."""
    if pattern.size < 2 * SMOOTHING.size:
        return pattern
    half = SMOOTHING.size // 2
    around = np.concatenate((pattern[-half:], pattern, pattern[:half]))
    return np.convolve(around, SMOOTHING / SMOOTHING.sum(), mode="valid")


def _kept_share(left: FloatArray, pattern: FloatArray) -> float:
    signal = float(np.mean(pattern ** 2))
    if signal <= 0:
        return 0.0
    per_hour = float((~np.isnan(left)).sum(axis=0).mean())
    noise = float(np.nanmean(left ** 2)) / per_hour * _smoothing_gain(pattern.size)
    return float(max(0.0, 1.0 - PATTERN_SHRINKAGE * noise / signal))


def _smoothing_gain(size: int) -> float:
    """Variance of a smoothed hour relative to a raw one, with some room for autocorrelation."""
    if size < 2 * SMOOTHING.size:
        return 1.0
    weights = SMOOTHING / SMOOTHING.sum()
    return float(min(1.0, 2.0 * np.sum(weights ** 2)))


LIGHT: dict[str, Light] = {"profile": (fit, advance, path)}
