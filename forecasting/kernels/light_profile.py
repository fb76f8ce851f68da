"""A smooth day on a slow level with an autoregressive residual, many series in one call, compiled.

A pattern of hour-of-day medians, smoothed round the clock and shrunk towards flat as far as it is
noise; a level that follows what the pattern leaves, faster where there is no rhythm; a residual
that fades from hour to hour.

Structures (S, 1): the season m. Params (S, 2 + m): level rate per hour, φ, pattern by hour from the
first observed one on. States (S, 3): level, residual, hours seen.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.light import DAY, first_known, observed, shrunk_lag_one
from forecasting.kernels.search import CRITERION, FITTED, OBSERVED, TOO_FEW

RATE, PHI, PATTERN = range(3)
LEVEL, RESIDUAL, SEEN = range(3)
STATES = 3

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark) and on the hours of
# wearable_hr_benchmark before each wearer's first test hour: see docs/engine.md.
BESIDE, ITSELF = 0.25, 0.5             # weights of an hour's neighbours, each, and of its own
PATTERN_SHRINKAGE = 0.75
DAY_PRIOR_HOURS = 24.0
FLAT_RATE, RHYTHMIC_RATE = 0.08, 0.02  # of the level, per hour
PHI_PRIOR, PHI_PRIOR_HOURS = 0.7, 100.0

ROUNDING = 1e-12
"""A pattern smaller than this share of the level is what adding up equal hours leaves."""

_LEAST_SMOOTHED = 6
_SMOOTHING_GAIN = 0.75
"""Variance of a smoothed hour relative to a raw one, twice that of independent hours."""

_TABLE_ROUNDS = 4


@njit(cache=True, nogil=True, error_model="numpy")
def pattern_of(y, pattern):
    """Fill `pattern` (season,), by hour from y[0] on, and return the share that was kept of it.

    Days and hours are fitted in turn (an additive table, hours by median), because the mean of a
    day with gaps depends on which hours it lacks. The share is 1 - noise/signal, at least 0: noise
    is the variance of a smoothed median over the days, signal that of the pattern.
    """
    season = pattern.size
    pattern[:] = 0.0
    days = y.size // season if season > 1 else 0
    offset = y.size - days * season
    values, rows = np.empty((season, days)), np.empty((season, days), dtype=np.int64)
    counts, seen = np.zeros(season, dtype=np.int64), np.zeros(days)
    total = 0.0
    for row in range(days):
        for column in range(season):
            value = y[offset + row * season + column]
            if not math.isnan(value):
                values[column, counts[column]] = value
                rows[column, counts[column]] = row
                counts[column] += 1
                seen[row] += 1.0
                total += value
    known, several = 0.0, 0
    for row in range(days):
        known += seen[row]
        several += 1 if seen[row] > 0.0 else 0
    if several < 2:
        return 0.0
    for column in range(season):
        for i in range(counts[column]):
            values[column, i] -= total / known
    smooth, effects = np.zeros(season), np.empty(days)
    _fit_table(values, rows, counts, seen, smooth, effects)
    squares, signal = 0.0, 0.0
    for column in range(season):
        signal += smooth[column] * smooth[column]
        for i in range(counts[column]):
            left = values[column, i] - effects[rows[column, i]] - smooth[column]
            squares += left * left
    if not signal / season > (ROUNDING * total / known) ** 2:
        return 0.0
    gain = _SMOOTHING_GAIN if season >= _LEAST_SMOOTHED else 1.0
    noise = squares / known / (known / season) * gain
    kept = 1.0 - PATTERN_SHRINKAGE * noise / (signal / season)
    if not kept > 0.0:
        return 0.0
    for column in range(season):
        pattern[(offset + column) % season] = smooth[column] * kept
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_table(values, rows, counts, seen, smooth, effects):
    """Fit day effects (days,) and a centred smooth pattern (season,) to a table, in turn.

    values[c, :counts[c]] are what was observed at hour c, on the days rows[c, :]; both come out
    in order of what the days leave. `seen` are the observed hours of each day.
    """
    season = smooth.size
    keys, medians = np.empty(seen.size), np.empty(season)
    for _ in range(_TABLE_ROUNDS):
        effects[:] = 0.0
        for column in range(season):
            for i in range(counts[column]):
                effects[rows[column, i]] += values[column, i] - smooth[column]
        for row in range(seen.size):
            effects[row] /= seen[row] + DAY_PRIOR_HOURS
        for column in range(season):
            medians[column] = _median(values[column], rows[column], counts[column], effects, keys)
        _smoothed(medians, smooth)


@njit(cache=True, nogil=True, error_model="numpy")
def _median(values, rows, count, effects, keys):
    """Median of the first `count` values less their days' effects, 0 of none.

    Sorts by insertion: from the second round on the values are nearly in order.
    """
    for i in range(count):
        value, row = values[i], rows[i]
        key, at = value - effects[row], i
        while at > 0 and keys[at - 1] > key:
            keys[at], values[at], rows[at] = keys[at - 1], values[at - 1], rows[at - 1]
            at -= 1
        keys[at], values[at], rows[at] = key, value, row
    if count == 0:
        return 0.0
    return 0.5 * (keys[(count - 1) // 2] + keys[count // 2])


@njit(cache=True, nogil=True, error_model="numpy")
def _smoothed(raw, smooth):
    """Circular weighted mean over neighbouring hours, where the day is long enough; centred."""
    season, total = raw.size, 0.0
    for hour in range(season):
        after = raw[hour + 1] if hour + 1 < season else raw[0]
        smooth[hour] = raw[hour]
        if season >= _LEAST_SMOOTHED:
            smooth[hour] = BESIDE * (raw[hour - 1] + after) + ITSELF * raw[hour]
        total += smooth[hour]
    for hour in range(season):
        smooth[hour] -= total / season


@njit(cache=True, nogil=True, error_model="numpy")
def fit(y, params, state):
    """Fill params (2 + season,) and state (STATES,) from the hours `y`, the first one observed.

    Returns the share kept of the pattern.
    """
    pattern = params[PATTERN:]
    kept = pattern_of(y, pattern)
    rate = FLAT_RATE + kept * (RHYTHMIC_RATE - FLAT_RATE)
    level, known, phase = 0.0, 0.0, 0
    for t in range(min(DAY, y.size)):
        if not math.isnan(y[t]):
            level += y[t] - y[0] - pattern[t % pattern.size]
            known += 1.0
    level = y[0] + level / known       # of a constant series, exactly the constant
    before, cross, power, pairs = math.nan, 0.0, 0.0, 0.0
    last, age = 0.0, 0
    for t in range(y.size):
        left = y[t] - pattern[phase] - level
        age += 1
        if not math.isnan(left):
            level += rate * left
            left *= 1.0 - rate
            last, age = left, 0
            if not math.isnan(before):
                cross += before * left
                power += before * before
                pairs += 1.0
        before = left
        phase = phase + 1 if phase + 1 < pattern.size else 0
    phi = shrunk_lag_one(cross, power, pairs, PHI_PRIOR, PHI_PRIOR_HOURS)
    for _ in range(age):
        last *= phi
    params[RATE], params[PHI] = rate, phi
    state[LEVEL], state[RESIDUAL], state[SEEN] = level, last, y.size
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def advance(y, season, params, state):
    """Move `state` (STATES,) through the hours `y`; mean squared error of the observed, or 0."""
    rate, phi = params[RATE], params[PHI]
    level, residual, phase = state[LEVEL], state[RESIDUAL], int(state[SEEN]) % season
    squares, known = 0.0, 0
    for t in range(y.size):
        residual *= phi
        left = y[t] - params[PATTERN + phase] - level
        if not math.isnan(left):
            squares += (left - residual) ** 2
            known += 1
            level += rate * left
            residual = left * (1.0 - rate)
        phase = phase + 1 if phase + 1 < season else 0
    state[LEVEL], state[RESIDUAL] = level, residual
    state[SEEN] += y.size
    return squares / known if known > 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def path(season, params, state, forecasts):
    """Fill `forecasts` (horizon,) with those of the hours that follow `state`."""
    residual, phase = state[RESIDUAL], int(state[SEEN]) % season
    for t in range(forecasts.size):
        residual *= params[PHI]
        forecasts[t] = state[LEVEL] + params[PATTERN + phase] + residual
        phase = phase + 1 if phase + 1 < season else 0


@njit(cache=True, nogil=True, error_model="numpy")
def fit_rows(y, season, structures, params, states, sigma2, figures, status):
    """Fit every row of `y` (S, n) into rows of the arrays of a `Fits`.

    The variance is that of one-hour errors over the last day, fitted before it; 0 if unknown. The
    share kept of the pattern stands for the criterion.
    """
    n, draft, moving = y.shape[1], np.empty(PATTERN + season), np.empty(STATES)
    for s in range(y.shape[0]):
        first = first_known(y[s])
        structures[s, 0] = season
        if first == n:
            status[s] = TOO_FEW
            continue
        status[s] = FITTED
        figures[s, OBSERVED] = observed(y[s])
        figures[s, CRITERION] = fit(y[s][first:], params[s], states[s])
        sigma2[s] = 0.0
        if first < n - DAY:
            fit(y[s][first:n - DAY], draft, moving)
            sigma2[s] = advance(y[s][n - DAY:], season, draft, moving)


@njit(cache=True, nogil=True, error_model="numpy")
def run_rows(y, at, structures, params, states):
    """Move every row of `states` (S, STATES) through the hours y[s, at[s]:] of its row."""
    for s in range(y.shape[0]):
        advance(y[s][at[s]:], structures[s, 0], params[s], states[s])


@njit(cache=True, nogil=True, error_model="numpy")
def path_rows(structures, params, states, paths):
    """Fill `paths` (S, horizon) with forecasts of the hours that follow every row of `states`."""
    for s in range(states.shape[0]):
        path(structures[s, 0], params[s], states[s], paths[s])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_rows(y, structures, origins, paths):
    """Fill `paths` (S, O, horizon) from each of the `origins`, fitted on what lies before it.

    NaN where nothing was observed before the origin.
    """
    state = np.empty(STATES)
    for s in range(y.shape[0]):
        first, season = first_known(y[s]), structures[s, 0]
        params = np.empty(PATTERN + season)
        for o in range(origins.size):
            if first >= origins[o]:
                paths[s, o] = math.nan
                continue
            fit(y[s][first:origins[o]], params, state)
            path(season, params, state, paths[s, o])


@njit(cache=True, nogil=True, error_model="numpy")
def pattern_rows(y, patterns, kept):
    """Pattern of each row of `y` (S, n) into (S, season), by hour from y[s, 0] on, and its share.

    0 where nothing was observed.
    """
    season = patterns.shape[1]
    own = np.empty(season)
    for s in range(y.shape[0]):
        first = first_known(y[s])
        kept[s] = pattern_of(y[s][first:], own)
        for hour in range(season):
            patterns[s, (first + hour) % season] = own[hour]
