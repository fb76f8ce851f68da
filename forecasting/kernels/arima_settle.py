"""The last fit of a structure and what is kept of it: parameters, state, figures; compiled."""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_errors import MISSING, errors, head
from forecasting.kernels.arima_fit import fit_structure, lanes
from forecasting.kernels.arima_state import state_of
from forecasting.kernels.arima_terms import (
    COEFFICIENTS,
    CONSTANT,
    DRIFT,
    LANES,
    MAX_ORDER,
    MEAN,
    SEASON,
    free_count,
)
from forecasting.kernels.search import (
    CAPPED,
    CRITERION,
    EVALUATIONS,
    FITTED,
    MIN_OBSERVED,
    NO_FIT,
    criterion,
)

FINAL_TOLERANCE, REFIT_TOLERANCE = 1e-6, 1e-5
_RUNS = np.int64(30)


@njit(cache=True, nogil=True, error_model="numpy")
def counted_from(n, spec):
    """First hour whose error counts: after a cycle and the longest order, where there is room."""
    begin, m = head(spec), spec[SEASON]
    warm = MAX_ORDER + (m if m > 1 else 0)
    while warm > 0 and n - begin - warm < 2 * m + MIN_OBSERVED:
        warm //= 2
    return begin + warm


@njit(cache=True, nogil=True, error_model="numpy")
def counted(kinds, first):
    """Observed hours from `first` on."""
    known = 0
    for t in range(first, kinds.size):
        if kinds[t] != MISSING:
            known += 1
    return known


@njit(cache=True, nogil=True, error_model="numpy")
def settle(n, spec, constant, free, tolerance, w, kinds, room, first, centre, scale, params, state,
           figures):
    """Fit to the end from `free`; parameters, state and figures; returns status and variance."""
    begin = head(spec)
    squares, runs, capped, current = fit_structure(w, kinds, spec, constant, free, begin, first,
                                                   tolerance, _RUNS, room)
    known = counted(kinds, first)
    figures[EVALUATIONS] += runs
    figures[CRITERION] = criterion(squares, known, free_count(spec, constant) + 1)
    if capped:
        figures[CAPPED] = 1.0
    coefficients = np.zeros((COEFFICIENTS, LANES))
    lanes(free, np.int64(0), spec, constant, free.copy(), coefficients)
    if not current:
        errors(w, kinds, spec, coefficients, begin, room)
    params[:] = 0.0
    params[:CONSTANT] = coefficients[:CONSTANT, 0]
    if begin == 0:
        params[MEAN] = centre + scale * coefficients[CONSTANT, 0]
    elif constant == 1:
        params[DRIFT] = scale * coefficients[CONSTANT, 0] / begin
    state_of(spec, params, n, room, centre, scale, state)
    sigma2 = squares / max(known, 1) * scale * scale
    finite = math.isfinite(sigma2) and math.isfinite(figures[CRITERION])
    for i in range(state.size):
        finite = finite and math.isfinite(state[i])
    return (FITTED if finite else NO_FIT), sigma2
