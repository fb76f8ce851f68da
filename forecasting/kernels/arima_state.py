"""The innovations state of seasonal ARIMA: out of a fit, moved by hours, run ahead; compiled.

A row of states holds the number of hours seen, then the state of `forecasting.arima`: r = max(p',
q' + 1) components of the differenced process, p' and q' the orders of the multiplied-out
polynomials, and the d + mD values before the last. What is left of a row is 0.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_errors import LEVELS, PAD, E, W, head
from forecasting.kernels.arima_terms import (
    AR,
    DRIFT,
    MA,
    MAX_ORDER,
    MAX_SEASONAL,
    MEAN,
    SEASON,
    SEASONAL_AR,
    SEASONAL_MA,
    SEASONAL_P,
    SEASONAL_Q,
    P,
    Q,
    differences,
    product,
)

_MOST_DIFFERENCES = 2


@njit(cache=True, nogil=True)
def components(spec):
    """r, the size of the state without the values that differencing needs."""
    m = spec[SEASON]
    return max(spec[P] + m * spec[SEASONAL_P], spec[Q] + m * spec[SEASONAL_Q] + 1)


@njit(cache=True, nogil=True)
def widest(m):
    """Numbers that a row of states needs for any structure with this season."""
    return 1 + MAX_ORDER + m * MAX_SEASONAL + 1 + _MOST_DIFFERENCES + m


@njit(cache=True, nogil=True, error_model="numpy")
def polynomials(spec, params, ar, ma, delta):
    """Fill the multiplied-out coefficients, lag 1 first, and zeros after them."""
    m = spec[SEASON]
    product(params, AR, spec[P], SEASONAL_AR, spec[SEASONAL_P], m, -1.0, ar)
    product(params, MA, spec[Q], SEASONAL_MA, spec[SEASONAL_Q], m, 1.0, ma)
    differences(spec, delta)


@njit(cache=True, nogil=True, error_model="numpy")
def state_of(spec, params, n, room, centre, scale, state):
    """State after `n` hours from the errors, differences and levels of the first lane."""
    ar, ma, delta = np.empty(state.size), np.empty(state.size), np.empty(state.size)
    polynomials(spec, params, ar, ma, delta)
    r, last = components(spec), PAD + n - 1
    state[:] = 0.0
    state[0] = n
    state[1] = scale * room[W, last, 0]
    for i in range(1, r):
        value = 0.0
        for j in range(i, r):
            at = last - (j - i)
            value += ar[j] * room[W, at - 1, 0] + ma[j - 1] * room[E, at, 0]
        state[1 + i] = scale * value
    for i in range(head(spec)):
        level = centre + scale * room[LEVELS, last - 1 - i, 0]
        state[1 + r + i] = level - params[DRIFT] * (n - 1 - i)


@njit(cache=True, nogil=True, error_model="numpy")
def _step(a, r, size, ar, delta):
    """One hour on, without correction; returns the level without mean and drift."""
    first, latest = a[1], a[1]
    for i in range(size):
        latest += delta[i] * a[1 + r + i]
    for i in range(r - 1):
        a[1 + i] = ar[i] * first + a[2 + i]
    a[r] = ar[r - 1] * first
    if size > 0:
        for i in range(size - 1, 0, -1):
            a[1 + r + i] = a[r + i]
        a[1 + r] = latest
    a[0] += 1.0
    level = a[1]
    for i in range(size):
        level += delta[i] * a[1 + r + i]
    return level


@njit(cache=True, nogil=True, error_model="numpy")
def advance(y, spec, params, ar, ma, delta, a):
    """Move the state row `a` through the hours `y`, NaN = not observed."""
    r, size = components(spec), head(spec)
    mean, drift = params[MEAN], params[DRIFT]
    for t in range(y.size):
        level = _step(a, r, size, ar, delta)
        error = y[t] - (level + mean + drift * a[0])
        if not math.isnan(error):
            a[1] += error
            for i in range(1, r):
                a[1 + i] += ma[i - 1] * error


@njit(cache=True, nogil=True, error_model="numpy")
def path_of(spec, params, a, ar, delta, path):
    """Fill `path` with the forecasts from the state row `a`, which moves."""
    r, size = components(spec), head(spec)
    for lead in range(path.size):
        level = _step(a, r, size, ar, delta)
        path[lead] = level + params[MEAN] + params[DRIFT] * a[0]


@njit(cache=True, nogil=True, error_model="numpy")
def run_rows(y, at, structures, params, states):
    """Move every row of `states` (S, width) through the hours y[s, at[s]:] of its row, in place."""
    width = states.shape[1]
    ar, ma, delta = np.empty(width), np.empty(width), np.empty(width)
    for s in range(y.shape[0]):
        polynomials(structures[s], params[s], ar, ma, delta)
        advance(y[s][at[s]:], structures[s], params[s], ar, ma, delta, states[s])


@njit(cache=True, nogil=True, error_model="numpy")
def path_rows(structures, params, states, paths):
    """Fill each row of `paths` (S, horizon) with the forecasts from its row of `states`."""
    width = states.shape[1]
    ar, ma, delta, a = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for s in range(paths.shape[0]):
        polynomials(structures[s], params[s], ar, ma, delta)
        a[:] = states[s]
        path_of(structures[s], params[s], a, ar, delta, paths[s])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_rows(y, at, structures, params, states, origins, paths):
    """Fill `paths` (S, O, horizon) from each of the rising `origins`, run to from hour at[s] on.

    `states` move to the last origin. NaN where an origin lies before at[s].
    """
    width = states.shape[1]
    ar, ma, delta, a = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for s in range(y.shape[0]):
        polynomials(structures[s], params[s], ar, ma, delta)
        hour = at[s]
        for o in range(origins.size):
            if origins[o] < hour:
                paths[s, o] = math.nan
                continue
            advance(y[s][hour:origins[o]], structures[s], params[s], ar, ma, delta, states[s])
            hour = origins[o]
            a[:] = states[s]
            path_of(structures[s], params[s], a, ar, delta, paths[s, o])
