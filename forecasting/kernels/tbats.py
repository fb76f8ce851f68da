"""TBATS (De Livera, Hyndman & Snyder 2011) of many series in one call, compiled.

An autoregressive error, one path of nested harmonic pairs, period by period, then trend and
damping, each kept where the evidence is for it (see `search`). At most four pairs a period, and
none that turns by a right angle an hour or more: a positive gain would not be stable there.
Recursion as in `linear`, initial states by penalised least squares as in `varpro`.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.linear import (
    ALPHA,
    AR,
    BETA,
    FIRST,
    FIXED,
    ONE_A,
    ONE_B,
    PHI,
    RHO,
    SECOND,
    SPEC,
    THETA,
    TREND,
)
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

MAX_PAIRS_A_PERIOD = 4
_WIDTH = FIXED + 4 * MAX_PAIRS_A_PERIOD
_TOLERANCE = 1e-4


def fit_batch(y: FloatArray, periods: FloatArray) -> Fits:
    """Search structure and parameters of each row of `y` (S, n), NaN = gap.

    `periods` (2,) are hours, 0 for none; one that the row does not hold often enough is left out.
    """
    fits = empty_fits(y.shape[0], _WIDTH)
    search_batch(np.ascontiguousarray(y), periods, *fits)
    return fits


def refit_batch(y: FloatArray, structures: IntArray, params: FloatArray) -> Fits:
    """Fit each row of `y` (S, n) anew with a known structure, from known parameters."""
    fits = empty_fits(y.shape[0], _WIDTH)
    fits.structures[:], fits.params[:] = structures, params
    refit_rows(np.ascontiguousarray(y), *fits)
    return fits


@njit(cache=True, nogil=True, error_model="numpy")
def _most_pairs(hours, period, cycles):
    """How many harmonic pairs of this period the search may try."""
    if period < 2.0 or hours < cycles * period:
        return 0
    return int(min(MAX_PAIRS_A_PERIOD, (period - 1.0) // 4.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _search(y, observed, periods, best_spec, best, best_b, figures):
    """Best structure of one scaled series into best_spec, best and best_b."""
    ridge, b = np.empty(_WIDTH), np.empty(_WIDTH)
    spec, theta = np.zeros(SPEC, dtype=np.int64), np.zeros(THETA)
    for correlated, alpha in ((0, 0.1), (0, 0.7), (1, 0.05)):
        theta[:] = 0.0
        spec[AR], theta[ALPHA], theta[RHO] = correlated, alpha, 0.5 * correlated
        consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec, best, best_b,
                 figures)
    for second in range(2):
        count, one = (SECOND, ONE_B) if second else (FIRST, ONE_A)
        most = _most_pairs(y.size, periods[second], 2 if second else CYCLES)
        for order in range(1, most + 1):
            if order > best_spec[count] + 2:
                break
            spec[:], theta[:] = best_spec, best[:THETA]
            spec[count] = order
            if theta[one] <= 0.0:
                theta[one] = 0.01
            consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec, best,
                     best_b, figures)
    spec[:], theta[:] = best_spec, best[:THETA]
    spec[AR] = 1 - spec[AR]
    theta[RHO] = 0.5 * spec[AR]
    consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec, best, best_b,
             figures)
    for trend in range(1, 3):
        spec[:], theta[:] = best_spec, best[:THETA]
        spec[TREND] = trend
        theta[ALPHA] = max(theta[ALPHA], 0.02)
        theta[BETA], theta[PHI] = 0.005, 0.95 if trend == 2 else 1.0
        consider(y, observed, spec, periods, _TOLERANCE, theta, ridge, b, best_spec, best, best_b,
                 figures)


@njit(cache=True, nogil=True, error_model="numpy")
def search_batch(y, periods, structures, params, states, sigma2, figures, status):
    """`fit_batch` into rows of the given arrays."""
    hours, best_b = np.empty(y.shape[1]), np.empty(_WIDTH)
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = math.inf, observed
        if status[s] != FITTED:
            continue
        _search(hours[:n], observed, periods, structures[s], params[s], best_b, figures[s])
        params[s][THETA:] = periods
        settle(hours[:n], observed, best_b, centre, scale, s, structures, params, states, sigma2,
               figures, status)
