"""Exponential smoothing with additive errors, many series in one call, compiled.

Trend N, A or Ad and season N or A, chosen by evidence (see `search`) on the same observed hours;
recursion, states and parameters as in `linear`, initial states by penalised least squares as in
`varpro`.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.linear import ALPHA, BETA, FIXED, GAMMA, PHI, RING, SPEC, THETA, TREND
from forecasting.kernels.search import (
    CRITERION,
    CYCLES,
    FITTED,
    OBSERVED,
    Fits,
    consider,
    empty_fits,
    refit_rows,
    scaled,
    settle,
)
from forecasting.types import FloatArray, IntArray

MAX_RING = 48
_TOLERANCE = 1e-4


def fit_batch(y: FloatArray, m: int) -> Fits:
    """Search structure and parameters of each row of `y` (S, n), NaN = gap; season m or none."""
    fits = empty_fits(y.shape[0], FIXED + max(m, 1))
    search_batch(np.ascontiguousarray(y), m, *fits)
    return fits


def refit_batch(y: FloatArray, structures: IntArray, params: FloatArray) -> Fits:
    """Fit each row of `y` (S, n) anew with a known structure, from known parameters."""
    width = FIXED + max(1, int(structures[:, RING].max(initial=0)))
    fits = empty_fits(y.shape[0], width)
    fits.structures[:], fits.params[:] = structures, params
    refit_rows(np.ascontiguousarray(y), *fits)
    return fits


@njit(cache=True, nogil=True, error_model="numpy")
def _search(y, observed, m, best_spec, best, best_b, figures):
    """Best structure of one scaled series into best_spec, best and best_b."""
    p = 3 + m
    ridge, b, spec = np.empty(p), np.empty(p), np.zeros(SPEC, dtype=np.int64)
    start, theta, periods = np.zeros(THETA), np.zeros(THETA), np.zeros(2)
    for season in range(2):
        spec[RING] = m if season == 1 else 0
        if season == 1 and (m < 2 or m > MAX_RING or y.size < CYCLES * m):
            break
        start[:] = 0.0
        lowest = math.inf
        for alpha, gamma in ((0.1, 0.15), (0.7, 0.03)):
            spec[TREND] = 0
            theta[:] = 0.0
            theta[ALPHA], theta[GAMMA] = alpha, gamma
            own = consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec,
                           best, best_b, figures)
            if own < lowest:
                lowest = own
                start[:] = theta
        for trend in range(1, 3):
            spec[TREND] = trend
            theta[:] = start
            theta[ALPHA] = max(start[ALPHA], 0.02)
            theta[BETA], theta[PHI] = 0.005, 0.95 if trend == 2 else 1.0
            consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec, best,
                     best_b, figures)


@njit(cache=True, nogil=True, error_model="numpy")
def search_batch(y, m, structures, params, states, sigma2, figures, status):
    """`fit_batch` into rows of the given arrays."""
    hours, best_b = np.empty(y.shape[1]), np.empty(3 + max(m, 1))
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = math.inf, observed
        if status[s] != FITTED:
            continue
        _search(hours[:n], observed, m, structures[s], params[s], best_b, figures[s])
        settle(hours[:n], observed, best_b, centre, scale, s, structures, params, states, sigma2,
               figures, status)
