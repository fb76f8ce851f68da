"""`revert` and the baselines, members whose state is the last hours, compiled.

last value: held. mean of last day: of the last 24 hours; the last value where none was observed.
hour of day: mean of the same hour on the last seven days; their common mean where it was never
seen. seasonal naive: the last observed value of the same hour; the last value where there is none.
revert: the gap between last value and mean of the last day closes by a constant rate an hour, the
least-squares lag-1 coefficient of the gap, shrunk towards a common one.

Structures (S, 1): the season. Params (S, 1) of `revert`: the rate; of the others (S, 0). States
(S, 2 + ring): last value, its age in hours, and the last hours, the newest last, NaN where one was
not observed (`seasonal naive`: where its hour never was). A fit is a run from an empty state.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.light import DAY, first_known, observed, shrunk_lag_one
from forecasting.kernels.search import FITTED, OBSERVED, TOO_FEW

REVERT, SEASONAL_NAIVE, HOUR_OF_DAY, MEAN_OF_LAST_DAY, LAST_VALUE = range(5)
LAST, AGE, RING = range(3)
WEEK_DAYS = 7

# Chosen on `replay` (wearers, and stays that are not in icu_benchmark): see docs/engine.md.
REVERT_RATE, REVERT_PRIOR_HOURS = 0.75, 72.0


@njit(cache=True, nogil=True, error_model="numpy")
def ring_size(kind, season):
    """Hours that the state of a member keeps."""
    if kind == LAST_VALUE:
        return 1
    if kind == SEASONAL_NAIVE:
        return season
    return WEEK_DAYS * season if kind == HOUR_OF_DAY else DAY


@njit(cache=True, nogil=True, error_model="numpy")
def empty(state):
    """Make `state` that of no hours at all."""
    state[:] = math.nan
    state[AGE] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(y, kind, size, state):
    """Move `state` (2 + size,) through the hours `y`."""
    ring, at = state[RING:RING + size], 0
    for t in range(y.size):
        state[AGE] += 1.0
        if not math.isnan(y[t]):
            ring[at] = state[LAST] = y[t]
            state[AGE] = 0.0
        elif kind != SEASONAL_NAIVE:
            ring[at] = math.nan
        at = at + 1 if at + 1 < size else 0
    if at > 0:
        turned = ring.copy()
        ring[:size - at] = turned[at:]
        ring[size - at:] = turned[:at]


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_known(ring, first, step, fallback):
    """Mean of the observed of ring[first::step], or the fallback."""
    total, known = 0.0, 0
    for i in range(first, ring.size, step):
        if not math.isnan(ring[i]):
            total += ring[i]
            known += 1
    return total / known if known > 0 else fallback


@njit(cache=True, nogil=True, error_model="numpy")
def path(kind, season, rate, state, forecasts):
    """Fill `forecasts` (horizon,) with those of the hours that follow `state`."""
    last, ring = state[LAST], state[RING:RING + ring_size(kind, season)]
    if kind == LAST_VALUE:
        forecasts[:] = last
        return
    if kind == SEASONAL_NAIVE:
        for t in range(forecasts.size):
            value = ring[t % season]
            forecasts[t] = last if math.isnan(value) else value
        return
    mean = _mean_known(ring, 0, 1, last)
    if kind == MEAN_OF_LAST_DAY:
        forecasts[:] = mean
    elif kind == REVERT:
        gap = (last - mean) * rate ** state[AGE]
        for t in range(forecasts.size):
            gap *= rate
            forecasts[t] = mean + gap
    else:
        for t in range(forecasts.size):
            again = t >= season
            forecasts[t] = forecasts[t - season] if again else _mean_known(ring, t, season, mean)


@njit(cache=True, nogil=True, error_model="numpy")
def lag_sums(y, begin, end, sums):
    """Add to `sums` (3,), cross products, power and pairs, the gaps of the hours begin to end.

    A gap is an hour less the mean of the observed of the 24 hours up to it.
    """
    before = _gap(y, begin - 1)
    for t in range(begin, end):
        gap = _gap(y, t)
        if not math.isnan(gap) and not math.isnan(before):
            sums[0] += gap * before
            sums[1] += before * before
            sums[2] += 1.0
        before = gap


@njit(cache=True, nogil=True, error_model="numpy")
def _gap(y, t):
    if t < 0 or math.isnan(y[t]):
        return math.nan
    total, known = 0.0, 0
    for before in range(max(t + 1 - DAY, 0), t + 1):
        if not math.isnan(y[before]):
            total += y[t] - y[before]
            known += 1
    return total / known


@njit(cache=True, nogil=True, error_model="numpy")
def _rate(sums):
    return shrunk_lag_one(sums[0], sums[1], sums[2], REVERT_RATE, REVERT_PRIOR_HOURS)


@njit(cache=True, nogil=True, error_model="numpy")
def fit_rows(y, kind, season, structures, params, states, sigma2, figures, status):
    """Fit every row of `y` (S, n) into rows of the arrays of a `Fits`.

    The variance is that of one-hour errors over the last day, fitted before it; 0 if unknown.
    """
    n, size, sums = y.shape[1], ring_size(kind, season), np.empty(3)
    begin = max(n - DAY, 0)
    for s in range(y.shape[0]):
        first, state, rate = first_known(y[s]), states[s], 0.0
        structures[s, 0] = season
        if first == n:
            status[s] = TOO_FEW
            continue
        status[s] = FITTED
        figures[s, OBSERVED] = observed(y[s])
        sums[:] = 0.0
        if kind == REVERT:
            lag_sums(y[s], first, begin, sums)
            rate = _rate(sums)
        empty(state)
        advance(y[s][:begin], kind, size, state)
        sigma2[s] = _last_day(y[s][begin:], kind, season, rate, state)
        if kind == REVERT:
            lag_sums(y[s], begin, n, sums)
            params[s, 0] = _rate(sums)


@njit(cache=True, nogil=True, error_model="numpy")
def _last_day(y, kind, season, rate, state):
    """Move `state` through the hours `y`; mean squared one-hour error.

    0 if there was nothing to forecast from, or nothing to compare with.
    """
    ahead, squares, known = np.empty(1), 0.0, 0
    size, blind = ring_size(kind, season), math.isnan(state[LAST])
    for t in range(y.size):
        if not blind and not math.isnan(y[t]):
            path(kind, season, rate, state, ahead)
            squares += (y[t] - ahead[0]) ** 2
            known += 1
        advance(y[t:t + 1], kind, size, state)
    return squares / known if known > 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def run_rows(y, at, kind, structures, states):
    """Move every row of `states` (S, ·) through the hours y[s, at[s]:] of its row, in place."""
    for s in range(y.shape[0]):
        advance(y[s][at[s]:], kind, ring_size(kind, structures[s, 0]), states[s])


@njit(cache=True, nogil=True, error_model="numpy")
def path_rows(kind, structures, params, states, paths):
    """Fill `paths` (S, horizon) with forecasts of the hours that follow every row of `states`."""
    for s in range(states.shape[0]):
        rate = params[s, 0] if kind == REVERT else 0.0
        path(kind, structures[s, 0], rate, states[s], paths[s])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_rows(y, kind, structures, origins, paths):
    """Fill `paths` (S, O, horizon) from each of the rising `origins`, fitted on what lies before.

    NaN where nothing was observed before the origin.
    """
    sums = np.empty(3)
    for s in range(y.shape[0]):
        season, hour, rate = structures[s, 0], np.int64(0), 0.0
        size = ring_size(kind, season)
        state = np.empty(RING + size)
        empty(state)
        sums[:] = 0.0
        for o in range(origins.size):
            advance(y[s][hour:origins[o]], kind, size, state)
            if kind == REVERT:
                lag_sums(y[s], hour, origins[o], sums)
                rate = _rate(sums)
            hour = origins[o]
            path(kind, season, rate, state, paths[s, o])
