"""Least squares for one structure: Levenberg and Marquardt with a Jacobian by differences.

One run of `errors` gives the errors of the model and of the models with one free number moved, so
that a step costs one run; the step's own sum of squares comes out of the next one.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_errors import MISSING, PAD, E, errors
from forecasting.kernels.arima_terms import (
    COEFFICIENTS,
    FREE_LIMIT,
    LANES,
    MAX_FREE,
    free_count,
    spread,
)

_MOVE = 1e-6
_LONGEST = 1.5
_DAMPING_START, _DAMPING_LEAST, _DAMPING_MOST = 1e-2, 1e-5, 1e6
_EASE, _STIFFEN = 0.1, 10.0
_FLOOR = 1e-14


@njit(cache=True, nogil=True, error_model="numpy")
def lanes(free, count, spec, constant, moved, coefficients):
    """Coefficients of the model in the first lane, with free number i moved in lane i + 1."""
    moved[:count] = free[:count]
    for lane in range(LANES):
        if 0 < lane <= count:
            moved[lane - 1] = free[lane - 1] + _MOVE
            spread(moved, spec, constant, lane, coefficients)
            moved[lane - 1] = free[lane - 1]
        elif lane == 0:
            spread(moved, spec, constant, lane, coefficients)
        else:
            coefficients[:, lane] = coefficients[:, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def normal_equations(kinds, first, count, room, a, b):
    """Sum of squares of the observed hours from `first` on; J'J into `a`, J'e into `b`."""
    total = 0.0
    row, per_move = np.empty(LANES), 1.0 / _MOVE
    for i in range(count):
        b[i] = 0.0
        for j in range(LANES):
            a[i, j] = 0.0
    for t in range(first, kinds.size):
        if kinds[t] == MISSING:
            continue
        e = room[E, PAD + t, 0]
        total += e * e
        for lane in range(1, LANES):
            row[lane - 1] = (room[E, PAD + t, lane] - e) * per_move
        row[LANES - 1] = e
        for i in range(count):
            slope = row[i]
            for j in range(LANES):
                a[i, j] += slope * row[j]
    for i in range(count):
        b[i] = a[i, LANES - 1]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def solve_damped(a, b, count, held, damping, factor, step):
    """Step of (A + damping · diag A) step = -b by Cholesky, 0 where `held`.

    False if A is not positive enough.
    """
    for i in range(count):
        for j in range(i + 1):
            value = a[i, j]
            if held[i] or held[j]:
                value = 1.0 if i == j else 0.0
            if i == j:
                value += damping * a[i, i] + _FLOOR
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i == j:
                if not value > 0.0:
                    return False
                factor[i, i] = math.sqrt(value)
            else:
                factor[i, j] = value / factor[j, j]
    for i in range(count):
        value = 0.0 if held[i] else -b[i]
        for k in range(i):
            value -= factor[i, k] * step[k]
        step[i] = value / factor[i, i]
    for i in range(count - 1, -1, -1):
        value = step[i]
        for k in range(i + 1, count):
            value -= factor[k, i] * step[k]
        step[i] = value / factor[i, i]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def free_step(free, a, b, count, damping, factor, step):
    """`solve_damped`, but a free number that stands at its limit and would pass it is held."""
    held = np.zeros(count, dtype=np.bool_)
    while True:
        if not solve_damped(a, b, count, held, damping, factor, step):
            return False
        more = False
        for i in range(count):
            if not held[i] and math.fabs(free[i]) >= FREE_LIMIT and free[i] * step[i] > 0.0:
                held[i] = True
                more = True
        if not more:
            return True


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(w, kinds, spec, constant, free, begin, first, room, coefficients, moved, a, b):
    """Sum of squares at `free`, with J'J and J'e."""
    count = free_count(spec, constant)
    lanes(free, count, spec, constant, moved, coefficients)
    errors(w, kinds, spec, coefficients, begin, room)
    return normal_equations(kinds, first, count, room, a, b)


@njit(cache=True, nogil=True, error_model="numpy")
def fit_structure(w, kinds, spec, constant, free, begin, first, tolerance, most, room):
    """Move `free` to the least sum of squares of the observed hours from `first` on.

    Stops where a step promises or gives less than `tolerance` of the sum, or after `most` runs.
    Returns the sum of squares, runs, whether the cap was hit, and whether the rooms hold the errors
    of the model found (or of a step that was not taken).
    """
    count = free_count(spec, constant)
    coefficients = np.zeros((COEFFICIENTS, LANES))
    moved, trial, step = np.empty(LANES), np.empty(LANES), np.zeros(LANES)
    a, b = np.empty((2, MAX_FREE, LANES)), np.empty((2, LANES))
    factor = np.zeros((MAX_FREE, MAX_FREE))
    best = evaluate(w, kinds, spec, constant, free, begin, first, room, coefficients, moved, a[0],
                    b[0])
    runs, at, damping, taken = 1, 0, _DAMPING_START, True
    if count == 0 or not best > 0.0 or not math.isfinite(best):
        return best, runs, False, True
    while runs < most:
        if damping > _DAMPING_MOST:
            return best, runs, False, taken
        if not free_step(free, a[at], b[at], count, damping, factor, step):
            damping = max(damping * _STIFFEN, _DAMPING_START)
            continue
        promised, shortened = 0.0, 0.0
        for i in range(count):
            promised -= step[i] * b[at, i]
            long = min(max(step[i], -_LONGEST), _LONGEST)
            trial[i] = min(max(free[i] + long, -FREE_LIMIT), FREE_LIMIT)
            shortened -= (trial[i] - free[i]) * b[at, i]
        if not promised > tolerance * best:
            return best, runs, False, taken
        if not shortened > 0.0:                     # cut to length, it does not lead down
            damping = max(damping * _STIFFEN, _DAMPING_START)
            continue
        own = evaluate(w, kinds, spec, constant, trial, begin, first, room, coefficients, moved,
                       a[1 - at], b[1 - at])
        runs += 1
        taken = own < best
        if taken:
            gain = (best - own) / best
            best, at = own, 1 - at
            free[:count] = trial[:count]
            damping = max(damping * _EASE, _DAMPING_LEAST)
            if gain < tolerance:
                return best, runs, False, True
        else:
            damping *= _STIFFEN
    return best, runs, True, taken
