"""Theta models (Fiorucci et al. 2016) of many series in one call, compiled.

Standard, optimised and dynamic models by corrected AIC on what an additive daily pattern leaves,
where a test says that there is one. With ω = 1 - 1/θ, i the hours seen and l, a, b the states,

    y = l + ω (a (1-α)^i + b (1 - (1-α)^(i+1)) / α) + e,    l' = α y + (1-α) l,

a and b being those of the straight line through the whole series (standard) or through the hours so
far (dynamic). A missing hour is updated with its own prediction. First level, α and ω are moved
together by damped Gauss–Newton steps, from derivatives that run along with the recursion.

Structures (S, 2): MODELS index, season (0: no pattern). Params (S, 2 + m): α, θ, pattern by hour
from the first observed one on. States (S, 5): level, mean, a, b, hours seen.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.pattern import repeats, seasonal_pattern
from forecasting.kernels.search import (
    CAPPED,
    CRITERION,
    CYCLES,
    EVALUATIONS,
    FIGURES,
    FITTED,
    NO_FIT,
    OBSERVED,
    Fits,
    criterion,
    scaled,
)
from forecasting.types import FloatArray, IntArray

MODELS = ("STM", "OTM", "DSTM", "DOTM")
LEVEL, MEAN, A, B, SEEN = range(5)
STATES = 5
MAX_EVALUATIONS = 30
_BURN_IN = 3
_LOWER = np.array([0.02, -10.0, 0.0])
_UPPER = np.array([0.99, 10.0, 0.95])
_TOLERANCE = 1e-5
_LEVEL_RIDGE = 1e-3


def empty_fits(series: int, m: int) -> Fits:
    """Room for the fits of `series` theta models with patterns of up to `m` hours."""
    return Fits(
        structures=np.zeros((series, 2), dtype=np.int64), params=np.zeros((series, 2 + m)),
        states=np.zeros((series, STATES)), sigma2=np.full(series, np.nan),
        figures=np.zeros((series, FIGURES)), status=np.full(series, NO_FIT, dtype=np.int64),
    )


def fit_batch(y: FloatArray, m: int) -> Fits:
    """Search model and parameters of each row of `y` (S, n), NaN = gap; season m or none."""
    fits = empty_fits(y.shape[0], max(m, 1))
    fit_rows(np.ascontiguousarray(y), m, False, *fits)
    return fits


def refit_batch(y: FloatArray, structures: IntArray, params: FloatArray) -> Fits:
    """Fit each row of `y` (S, n) anew with a known model, from known parameters."""
    fits = empty_fits(y.shape[0], params.shape[1] - 2)
    fits.structures[:], fits.params[:] = structures, params
    fit_rows(np.ascontiguousarray(y), params.shape[1] - 2, True, *fits)
    return fits


@njit(cache=True, nogil=True, error_model="numpy")
def advance(y, dynamic, alpha, omega, state):
    """Move `state` (STATES,) through the adjusted hours `y`."""
    for t in range(y.size):
        i = state[SEEN]
        fade = (1.0 - alpha) ** i      # anew each hour: hour by hour has the bits of all at once
        predicted = state[LEVEL] + omega * (
            state[A] * fade + state[B] * (1.0 - fade * (1.0 - alpha)) / alpha)
        value = predicted if math.isnan(y[t]) else y[t]
        mean = (i * state[MEAN] + value) / (i + 1.0)
        if dynamic:
            state[B] = ((i - 1.0) * state[B] + 6.0 * (value - state[MEAN]) / (i + 1.0)) / (i + 2.0)
            state[A] = mean - state[B] * (i + 2.0) / 2.0
        state[MEAN] = mean
        state[LEVEL] = alpha * value + (1.0 - alpha) * state[LEVEL]
        state[SEEN] = i + 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def path(dynamic, alpha, omega, state, forecasts):
    """Fill `forecasts` (horizon,) with those of the adjusted hours that follow `state`."""
    s = state.copy()
    gap = np.full(1, math.nan)
    for t in range(forecasts.size):
        fade = (1.0 - alpha) ** s[SEEN]
        forecasts[t] = s[LEVEL] + omega * (s[A] * fade
                                           + s[B] * (1.0 - fade * (1.0 - alpha)) / alpha)
        advance(gap, dynamic, alpha, omega, s)


@njit(cache=True, nogil=True, error_model="numpy")
def begin(y, dynamic, alpha, first_level, state):
    """State after the first hour, which must be observed."""
    n, total, moment, weight, square = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(y.size):
        if not math.isnan(y[t]):
            n += 1.0
            total += y[t]
            weight += t + 1.0
    centre = weight / n
    for t in range(y.size):
        if not math.isnan(y[t]):
            moment += (t + 1.0 - centre) * y[t]
            square += (t + 1.0 - centre) ** 2
    state[LEVEL], state[MEAN] = alpha * y[0] + (1.0 - alpha) * first_level, y[0]
    state[B] = moment / square if square > 0.0 and not dynamic else 0.0
    state[A] = y[0] if dynamic else total / n - state[B] * centre
    state[SEEN] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def normal_equations(y, dynamic, x, start, hessian, slope):
    """Sum of squares at x = (α, first level, ω), its half gradient and Gauss–Newton Hessian.

    `start` (STATES,) is the state after the first hour at this x. Errors of the first _BURN_IN
    hours do not count.
    """
    alpha, omega = x[0], x[2]
    hessian[:] = 0.0
    slope[:] = 0.0
    level, mean, a, b = start[LEVEL], start[MEAN], start[A], start[B]
    d_level, d_mean, d_a, d_b = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    d = np.zeros(3)
    d_level[0], d_level[1] = y[0] - x[1], 1.0 - alpha
    keep = 1.0 - alpha
    fade, fade_before, squares = keep, 1.0, 0.0
    for t in range(1, y.size):
        i = float(t)
        grown = (1.0 - fade * keep) / alpha
        line = a * fade + b * grown
        predicted = level + omega * line
        for k in range(3):
            d[k] = d_level[k] + omega * (d_a[k] * fade + d_b[k] * grown)
        d[0] += omega * (-a * i * fade_before + b * ((i + 1.0) * fade - grown) / alpha)
        d[2] += line
        known = not math.isnan(y[t])
        value = y[t] if known else predicted
        if known:
            if t >= _BURN_IN:
                error = value - predicted
                squares += error * error
                for k in range(3):
                    slope[k] -= error * d[k]
                    for c in range(3):
                        hessian[k, c] += d[k] * d[c]
            d[:] = 0.0
        before = mean
        mean = (i * mean + value) / (i + 1.0)
        if dynamic:
            b = ((i - 1.0) * b + 6.0 * (value - before) / (i + 1.0)) / (i + 2.0)
            a = mean - b * (i + 2.0) / 2.0
        for k in range(3):
            d_before = d_mean[k]
            d_mean[k] = (i * d_before + d[k]) / (i + 1.0)
            if dynamic:
                d_b[k] = ((i - 1.0) * d_b[k] + 6.0 * (d[k] - d_before) / (i + 1.0)) / (i + 2.0)
                d_a[k] = d_mean[k] - d_b[k] * (i + 2.0) / 2.0
            d_level[k] = alpha * d[k] + keep * d_level[k]
        d_level[0] += value - level
        level = alpha * value + keep * level
        fade_before = fade
        fade *= keep
    return squares


@njit(cache=True, nogil=True, error_model="numpy")
def _value(y, dynamic, x, state, hessian, slope):
    """Sum of squares at x with a touch of ridge on the first level, and its derivatives."""
    begin(y, dynamic, x[0], x[1], state)
    value = normal_equations(y, dynamic, x, state, hessian, slope)
    slope[1] += _LEVEL_RIDGE * x[1]
    hessian[1, 1] += _LEVEL_RIDGE
    return value + _LEVEL_RIDGE * x[1] * x[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _step(x, hessian, slope, free_theta, damping, trial):
    """Damped step inside the box by Gaussian elimination; what it promises to gain."""
    matrix = np.zeros((3, 4))
    for k in range(3):
        held = (x[k] <= _LOWER[k] and slope[k] > 0) or (x[k] >= _UPPER[k] and slope[k] < 0)
        if held or (k == 2 and not free_theta):
            matrix[k, k] = 1.0
            continue
        for c in range(3):
            matrix[k, c] = hessian[k, c]
        matrix[k, k] += damping * hessian[k, k] + 1e-12
        matrix[k, 3] = -slope[k]
    for k in range(3):
        if matrix[k, 3] == 0.0:
            matrix[:k, k] = 0.0
            matrix[k + 1:, k] = 0.0
    for k in range(3):
        for i in range(k + 1, 3):
            share = matrix[i, k] / matrix[k, k]
            for c in range(k, 4):
                matrix[i, c] -= share * matrix[k, c]
    promised = 0.0
    for k in range(2, -1, -1):
        for c in range(k + 1, 3):
            matrix[k, 3] -= matrix[k, c] * matrix[c, 3]
        matrix[k, 3] /= matrix[k, k]
        promised -= slope[k] * matrix[k, 3]
    for k in range(3):
        trial[k] = min(max(x[k] + matrix[k, 3], _LOWER[k]), _UPPER[k])
    return promised


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_model(y, model, x):
    """Move x = (α, first level, ω) to a local best; sum of squares, evaluations, cap hit."""
    dynamic, free_theta = model >= 2, model % 2 == 1
    state, hessian, slope, trial = np.empty(STATES), np.empty((3, 3)), np.empty(3), np.empty(3)
    new_hessian, new_slope = np.empty((3, 3)), np.empty(3)
    for k in range(3):
        x[k] = min(max(x[k], _LOWER[k]), _UPPER[k])
    value = _value(y, dynamic, x, state, hessian, slope)
    damping, evaluations = 1e-3, 1
    while value > 0.0:
        promised = _step(x, hessian, slope, free_theta, damping, trial)
        if not promised > _TOLERANCE * value or damping > 1e5:
            return value, evaluations, False
        if evaluations >= MAX_EVALUATIONS:
            return value, evaluations, True
        new = _value(y, dynamic, trial, state, new_hessian, new_slope)
        evaluations += 1
        if new < value:
            gained = value - new
            value, damping = new, max(damping * 0.1, 1e-8)
            x[:] = trial
            hessian, new_hessian, slope, new_slope = new_hessian, hessian, new_slope, slope
            if gained <= _TOLERANCE * value:
                return value, evaluations, False
        else:
            damping *= 8.0
    return value, evaluations, False


@njit(cache=True, nogil=True, error_model="numpy")
def _search(y, observed, first_model, last_model, x_start, best_x, figures):
    """Best of the models between the given ones; its number, -1 for none, and sum of squares."""
    x, best, best_value = np.empty(3), -1, 0.0
    for model in range(first_model, last_model + 1):
        x[:] = x_start
        if model % 2 == 0:
            x[2] = 0.5
        value, evaluations, capped = _fit_model(y, model, x)
        own = criterion(value, observed, 3 + model % 2)
        figures[EVALUATIONS] += evaluations
        if own < figures[CRITERION]:
            figures[CRITERION], figures[CAPPED] = own, 1.0 if capped else 0.0
            best, best_value = model, value
            best_x[:] = x
    return best, best_value


@njit(cache=True, nogil=True, error_model="numpy")
def fit_rows(y, m, warm, structures, params, states, sigma2, figures, status):
    """`fit_batch` or, if `warm`, `refit_batch` into rows of the given arrays."""
    hours, x, best_x = np.empty(y.shape[1]), np.empty(3), np.empty(3)
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = math.inf, observed
        if status[s] != FITTED:
            continue
        own, pattern, season = hours[:n], params[s, 2:], m
        x[0], x[1], x[2] = 0.5, 0.0, 0.5
        first, last = 0, 3
        if warm:
            first, last = structures[s, 0], structures[s, 0]
            x[0], x[2] = params[s, 0], 1.0 - 1.0 / params[s, 1]
            season = structures[s, 1]
            seasonal = season > 0
        else:
            seasonal = m >= 4 and n >= CYCLES * m and repeats(own, m)
        if seasonal:
            seasonal_pattern(own, season, pattern)
            for t in range(n):
                own[t] -= pattern[t % season]
        else:
            pattern[:] = 0.0
        model, value = _search(own, observed, first, last, x, best_x, figures[s])
        status[s] = NO_FIT
        if model < 0 or not math.isfinite(value):
            continue
        alpha, omega = best_x[0], best_x[2]
        begin(own, model >= 2, alpha, best_x[1], states[s])
        advance(own[1:], model >= 2, alpha, omega, states[s])
        structures[s, 0], structures[s, 1] = model, season if seasonal else 0
        params[s, 0], params[s, 1] = alpha, 1.0 / (1.0 - omega)
        in_own_units(states[s], alpha, omega, centre, scale)
        for k in range(pattern.size):
            pattern[k] *= scale
        sigma2[s] = value / observed * scale * scale
        if math.isfinite(sigma2[s]) and math.isfinite(states[s, LEVEL]):
            status[s] = FITTED


@njit(cache=True, nogil=True, error_model="numpy")
def in_own_units(state, alpha, omega, centre, scale):
    """The state of a scaled series as that of the series itself, which forecasts the same."""
    fading = (1.0 - alpha) ** state[SEEN]
    state[LEVEL] = state[LEVEL] * scale + centre * (1.0 - omega * fading)
    state[MEAN] = state[MEAN] * scale + centre
    state[A] = state[A] * scale + centre
    state[B] *= scale


@njit(cache=True, nogil=True, error_model="numpy")
def _adjusted(y, spec, params, seen, out):
    """The hours `y` after `seen` others, less their pattern; into the front of `out`."""
    m = spec[1]
    for t in range(y.size):
        out[t] = y[t] - (params[2 + (seen + t) % m] if m > 0 else 0.0)
    return out[:y.size]


@njit(cache=True, nogil=True, error_model="numpy")
def _path_of(spec, params, state, forecasts):
    """Fill `forecasts` (horizon,) with those of the hours that follow `state`, pattern added."""
    m, seen = spec[1], int(state[SEEN])
    path(spec[0] >= 2, params[0], 1.0 - 1.0 / params[1], state, forecasts)
    if m > 0:
        for t in range(forecasts.size):
            forecasts[t] += params[2 + (seen + t) % m]


@njit(cache=True, nogil=True, error_model="numpy")
def run_rows(y, at, structures, params, states):
    """Move every row of `states` (S, ·) through the hours y[s, at[s]:] of its row, in place."""
    room = np.empty(y.shape[1])
    for s in range(y.shape[0]):
        spec, own = structures[s], params[s]
        hours = _adjusted(y[s][at[s]:], spec, own, int(states[s, SEEN]), room)
        advance(hours, spec[0] >= 2, own[0], 1.0 - 1.0 / own[1], states[s])


@njit(cache=True, nogil=True, error_model="numpy")
def path_rows(structures, params, states, paths):
    """Fill `paths` (S, horizon) with forecasts of the hours that follow every row of `states`."""
    for s in range(states.shape[0]):
        _path_of(structures[s], params[s], states[s], paths[s])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_rows(y, at, structures, params, states, origins, paths):
    """Fill `paths` (S, O, horizon) from each of the rising `origins`, run to from hour at[s] on.

    `states` move to the last origin. NaN where an origin lies before at[s].
    """
    room = np.empty(y.shape[1])
    for s in range(y.shape[0]):
        spec, own, hour = structures[s], params[s], at[s]
        for o in range(origins.size):
            if origins[o] < hour:
                paths[s, o] = math.nan
                continue
            hours = _adjusted(y[s][hour:origins[o]], spec, own, int(states[s, SEEN]), room)
            advance(hours, spec[0] >= 2, own[0], 1.0 - 1.0 / own[1], states[s])
            hour = origins[o]
            _path_of(spec, own, states[s], paths[s, o])
