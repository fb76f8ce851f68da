"""Which orders: a walk over neighbouring structures by corrected AIC (Hyndman & Khandakar 2008).

All candidates of a series share d, D, the hours counted and the rooms; each starts from the best
so far, of which it is a neighbour, so that a fit takes few steps.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_fit import fit_structure
from forecasting.kernels.arima_terms import (
    LANES,
    MAX_ORDER,
    SEASON,
    SEASONAL_D,
    SEASONAL_P,
    SEASONAL_Q,
    D,
    P,
    Q,
    free_count,
)
from forecasting.kernels.search import criterion

_MOST_PARAMETERS = 5
_MOST_MODELS = 40
_TOLERANCE, _RUNS = 1e-3, np.int64(8)
_SEASONAL_MOST = 1
_DRIFT_CYCLES = 10

_NEIGHBOURS = np.array([
    [0, 0, -1, 0], [0, 0, 0, -1], [0, 0, 1, 0], [0, 0, 0, 1],
    [0, 0, -1, -1], [0, 0, -1, 1], [0, 0, 1, -1], [0, 0, 1, 1],
    [-1, 0, 0, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0],
    [-1, -1, 0, 0], [-1, 1, 0, 0], [1, -1, 0, 0], [1, 1, 0, 0],
])
_STARTS = np.array([[2, 2, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
_WHERE = np.array([P, Q, SEASONAL_P, SEASONAL_Q])


@njit(cache=True, nogil=True, error_model="numpy")
def reordered(free, spec, constant, new, new_constant, out):
    """Free numbers of a neighbour: those that both have, 0 for what it has more."""
    old_at, new_at = 0, 0
    for i in range(4):
        have, want = spec[_WHERE[i]], new[_WHERE[i]]
        for k in range(want):
            out[new_at + k] = free[old_at + k] if k < have else 0.0
        old_at += have
        new_at += want
    if new_constant == 1:
        out[new_at] = free[old_at] if constant == 1 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _allowed(spec, constant, seasonal_most):
    for i in range(4):
        most = MAX_ORDER if i < 2 else seasonal_most
        if spec[_WHERE[i]] < 0 or spec[_WHERE[i]] > most:
            return False
    return free_count(spec, constant) - constant <= _MOST_PARAMETERS and 0 <= constant <= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _slot(spec, constant):
    at = constant
    for i in range(4):
        at = at * (MAX_ORDER + 1) + spec[_WHERE[i]]
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def search(w, kinds, spec, begin, first, observed, room, free):
    """Best orders into `spec`, whose d, D and m are given, and their free numbers into `free`.

    Returns constant (0 or 1), runs of the sum of squares, and whether a cap was hit.
    """
    seasonal_most = _SEASONAL_MOST if spec[SEASON] > 1 else 0
    always = np.int64(spec[D] + spec[SEASONAL_D] == 0)
    # a drift needs cycles to be known from; carried on for a day, a wrong one costs most
    optional = 1 if spec[SEASONAL_D] == 1 and w.size >= _DRIFT_CYCLES * spec[SEASON] else 0
    tried = np.zeros(2 * (MAX_ORDER + 1) ** 4, dtype=np.bool_)
    new, trial = spec.copy(), np.zeros(LANES)
    best, constant, runs, models = math.inf, always, 0, 0
    for i in range(4):
        spec[_WHERE[i]] = 0
    stage, moved = 0, True
    while moved:
        moved = False
        rounds = _STARTS.shape[0] if stage == 0 else _NEIGHBOURS.shape[0] + 1
        for i in range(rounds):
            new[:] = spec
            new_constant = constant
            if stage == 0:
                for j in range(4):
                    new[_WHERE[j]] = min(_STARTS[i, j], seasonal_most) if j > 1 else _STARTS[i, j]
            elif i < _NEIGHBOURS.shape[0]:
                for j in range(4):
                    new[_WHERE[j]] += _NEIGHBOURS[i, j]
            else:
                new_constant = 1 - constant if optional == 1 else constant
            if not _allowed(new, new_constant, seasonal_most) or tried[_slot(new, new_constant)]:
                continue
            if models == _MOST_MODELS:
                return constant, runs, True
            tried[_slot(new, new_constant)] = True
            reordered(free, spec, constant, new, new_constant, trial)
            squares, own_runs, _, _ = fit_structure(w, kinds, new, new_constant, trial, begin,
                                                    first, _TOLERANCE, _RUNS, room)
            runs += own_runs
            models += 1
            own = criterion(squares, observed, free_count(new, new_constant) + 1)
            if own < best:
                best, constant, moved = own, new_constant, True
                spec[:] = new
                free[:] = trial
                if stage > 0:
                    break
        stage = 1
    return constant, runs, False
