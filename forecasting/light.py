"""Members that need no library: profile, revert and the baselines. A fit costs microseconds.

Their parameters see the whole window; errors come from refitting at every origin. A state holds
running numbers or the last hours, the newest last. An hour without a reading moves them on.
"""

import numpy as np

from forecasting.types import Fitted, FloatArray, Model, Values

DAY = 24
WEEK_DAYS = 7

# Chosen on `replay` (wearers and those stays that are not in icu_benchmark): see docs/engine.md.
SMOOTHING = np.array([1.0, 2.0, 1.0])
PATTERN_SHRINKAGE = 0.75
DAY_PRIOR_HOURS = 24.0
LEVEL_RATES = (0.08, 0.02)        # per hour, of a series without a rhythm and of one with
RESIDUAL_PRIOR = (0.7, 100.0)     # lag-1 correlation, and the hours of evidence it counts for
_TABLE_ROUNDS = 4
REVERT_DECAY = 0.75
REVERT_PRIOR_HOURS = 72.0


def _last(values: FloatArray, count: int) -> FloatArray:
    """The last `count` entries, NaN before the first one."""
    ring = np.full(count, np.nan)
    kept = values[-count:]
    ring[count - kept.size:] = kept
    return ring


def _mean(values: FloatArray, fallback: float) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else fallback


def _shift(ring: FloatArray, value: float) -> FloatArray:
    return np.append(ring[1:], value)


# --- baselines: the state is a ring of hours and the last observed value ----------------------


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
    return _with_state(start, advance_seasonal_naive(start, y))


def _ring_model(y: FloatArray, count: int, season: int) -> Fitted:
    known = y[~np.isnan(y)]
    state = {"ring": _last(y, count), "last": float(known[-1])}
    return Fitted(structure={"season": season}, parameters={}, state=state, sigma2=0.0)


def _with_state(model: Fitted, state: Values) -> Fitted:
    return Fitted(structure=model.structure, parameters=model.parameters, state=state,
                  sigma2=model.sigma2, figures=model.figures)


def advance_ring(model: Model, y: FloatArray) -> Values:
    """Ring and last value after the hours `y`."""
    ring, last = model.state["ring"], model.state["last"]
    known = y[~np.isnan(y)]
    return {"ring": _last(np.concatenate((ring, y)), ring.size),
            "last": float(known[-1]) if known.size else last}


def advance_seasonal_naive(model: Model, y: FloatArray) -> Values:
    """As `advance_ring`, but an hour without a reading keeps the value of the day before."""
    ring, last = model.state["ring"], model.state["last"]
    for value in y:
        seen = not np.isnan(value)
        ring = _shift(ring, value if seen else ring[0])
        last = float(value) if seen else last
    return {"ring": ring, "last": last}


def path_last_value(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    return np.full(horizon, model.state["last"])


def path_mean_of_last_day(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    return np.full(horizon, _mean(model.state["ring"], model.state["last"]))


def path_hour_of_day(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    ring, season = model.state["ring"], model.structure["season"]
    overall = _mean(ring, model.state["last"])
    pattern = np.array([_mean(hours, overall) for hours in ring.reshape(-1, season).T])
    return np.asarray(pattern[np.arange(horizon) % season], dtype=np.float64)


def path_seasonal_naive(model: Model, horizon: int) -> FloatArray:
    """Shape (horizon,)."""
    ring = model.state["ring"]
    pattern = np.where(np.isnan(ring), model.state["last"], ring)
    return np.asarray(pattern[np.arange(horizon) % ring.size])


# --- revert: from the last value to the mean of the last day ---------------------------------


def fit_revert(y: FloatArray, season: int) -> Fitted:
    """The gap between last value and mean of the last day closes by a constant rate an hour.

    The rate is the least-squares lag-1 coefficient of the gap, shrunk towards a common one.
    """
    gaps = y - trailing_means(y, DAY)
    rate = _shrunk_lag_one(gaps, REVERT_DECAY, REVERT_PRIOR_HOURS)
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
    mean = _mean(state["ring"], state["last"])
    leads = np.arange(1, horizon + 1) + state["age"]
    return np.asarray(mean + (state["last"] - mean) * model.parameters["rate"] ** leads)


def trailing_means(y: FloatArray, hours: int) -> FloatArray:
    """Mean of the observed among the `hours` hours up to and including each one; NaN if none."""
    known = ~np.isnan(y)
    sums = np.cumsum(np.concatenate((np.zeros(hours), np.where(known, y - np.nanmean(y), 0.0))))
    counts = np.cumsum(np.concatenate((np.zeros(hours), known)))
    total, count = sums[hours:] - sums[:-hours], counts[hours:] - counts[:-hours]
    means = np.full(y.size, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return np.asarray(means + np.nanmean(y), dtype=np.float64)


def _shrunk_lag_one(values: FloatArray, prior: float, prior_hours: float) -> float:
    """Least-squares lag-1 coefficient in [0, 0.99], as if `prior_hours` more pairs had `prior`."""
    before, after = values[:-1], values[1:]
    pairs = ~np.isnan(before) & ~np.isnan(after)
    power = float(np.sum(before[pairs] ** 2))
    if power <= 0:
        return prior
    weight = int(pairs.sum()) / (int(pairs.sum()) + prior_hours)
    own = float(np.sum(before[pairs] * after[pairs])) / power
    return float(np.clip(weight * own + (1 - weight) * prior, 0.0, 0.99))


# --- profile: a smooth day on a slow level with an autoregressive residual --------------------


def fit_profile(y: FloatArray, season: int) -> Fitted:
    """Hour-of-day medians, smoothed round the clock and shrunk towards flat, on a level."""
    pattern, kept = _daily_pattern(y, season)
    flat, rhythmic = LEVEL_RATES
    parameters = {"pattern": pattern, "level_rate": flat + kept * (rhythmic - flat), "phi": 0.0}
    first = y[:DAY] - pattern[np.arange(y[:DAY].size) % season]
    start = {"level": _mean(first, float(np.nanmean(y))), "residual": 0.0, "t": 0}
    model = Fitted(structure={"season": season}, parameters=parameters, state=start, sigma2=0.0)
    residuals = _residuals(model, y)
    prior, hours = RESIDUAL_PRIOR
    parameters = {**parameters, "phi": _shrunk_lag_one(residuals, prior, hours)}
    model = Fitted(structure=model.structure, parameters=parameters, state=start, sigma2=0.0,
                   figures={"pattern_kept": kept})
    return _with_state(model, advance_profile(model, y))


def advance_profile(model: Model, y: FloatArray) -> Values:
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


def path_profile(model: Model, horizon: int) -> FloatArray:
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


def _daily_pattern(y: FloatArray, season: int) -> tuple[FloatArray, float]:
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
    kept = _kept_share(left, pattern)
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
