"""Layout and coefficients of seasonal ARIMA models in the compiled kernels.

A structure is a row of whole numbers (p, d, q, P, D, Q, m); parameters are a row of PARAMS numbers:
three autoregressive, three moving-average, two seasonal of each kind, mean, drift. A fit moves free
numbers instead: the inverse hyperbolic tangents of the partial autocorrelations of each polynomial,
in the order p, q, P, Q, then the constant if there is one. So each polynomial, seasonal ones in
B^m, has its roots outside |z| = 1.01 whatever the free numbers are.

Coefficients of LANES models that differ a little are held side by side, (COEFFICIENTS, LANES): the
first lane is the model, the others have one free number moved each.
"""

import math

import numpy as np
from numba import njit

P, D, Q, SEASONAL_P, SEASONAL_D, SEASONAL_Q, SEASON = range(7)
STRUCTURE = 7
AR, MA, SEASONAL_AR, SEASONAL_MA, MEAN, DRIFT = np.array([0, 3, 6, 8, 10, 11])
PARAMS = 12
CONSTANT = 10
COEFFICIENTS = 11
"""Coefficients are laid out as parameters are, with one constant of the differenced process."""

MAX_ORDER, MAX_SEASONAL, MAX_SEASON = 3, 2, 48
MAX_TAPS = 8
LANES = 8
MAX_FREE = LANES - 1
FREE_LIMIT = 4.0
SHRINK = 1.0 / 1.01


@njit(cache=True, nogil=True, error_model="numpy")
def free_count(spec, constant):
    """Free numbers of a structure."""
    return spec[P] + spec[Q] + spec[SEASONAL_P] + spec[SEASONAL_Q] + constant


@njit(cache=True, nogil=True, error_model="numpy")
def from_partials(free, at, count, sign, row, lane, out):
    """Coefficients of one polynomial, Durbin and Levinson, into out[row:row + count, lane]."""
    for k in range(count):
        partial = math.tanh(free[at + k])
        for j in range((k + 1) // 2):
            low, high = out[row + j, lane], out[row + k - 1 - j, lane]
            out[row + j, lane] = low - partial * high
            if k - 1 - j != j:
                out[row + k - 1 - j, lane] = high - partial * low
        out[row + k, lane] = partial
    power = sign
    for k in range(count):
        power *= SHRINK
        out[row + k, lane] *= power


@njit(cache=True, nogil=True, error_model="numpy")
def to_partials(params, row, count, sign, free, at):
    """Inverse of `from_partials`; what lies outside the region is moved to its border."""
    work, previous = np.empty(MAX_ORDER), np.empty(MAX_ORDER)
    power = sign
    for k in range(count):
        power *= SHRINK
        work[k] = params[row + k] / power
    for k in range(count - 1, -1, -1):
        partial = min(max(work[k], -0.9993), 0.9993)
        free[at + k] = math.atanh(partial)
        previous[:k] = work[:k]
        for j in range(k):
            work[j] = (previous[j] + partial * previous[k - 1 - j]) / (1.0 - partial * partial)


@njit(cache=True, nogil=True, error_model="numpy")
def spread(free, spec, constant, lane, out):
    """Coefficients of the free numbers into lane `lane` of `out`; unused entries are not set."""
    p, q, sp, sq = spec[P], spec[Q], spec[SEASONAL_P], spec[SEASONAL_Q]
    at = np.int64(0)
    from_partials(free, at, p, 1.0, AR, lane, out)
    from_partials(free, at + p, q, -1.0, MA, lane, out)
    from_partials(free, at + p + q, sp, 1.0, SEASONAL_AR, lane, out)
    from_partials(free, at + p + q + sp, sq, -1.0, SEASONAL_MA, lane, out)
    out[CONSTANT, lane] = free[p + q + sp + sq] if constant == 1 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def gather(params, spec, constant, value, free):
    """Free numbers of the parameters; the constant is `value`."""
    p, q, sp, sq = spec[P], spec[Q], spec[SEASONAL_P], spec[SEASONAL_Q]
    at = np.int64(0)
    to_partials(params, AR, p, 1.0, free, at)
    to_partials(params, MA, q, -1.0, free, at + p)
    to_partials(params, SEASONAL_AR, sp, 1.0, free, at + p + q)
    to_partials(params, SEASONAL_MA, sq, -1.0, free, at + p + q + sp)
    if constant == 1:
        free[p + q + sp + sq] = value


@njit(cache=True, nogil=True, error_model="numpy")
def product(params, own, count, seasonal, seasonal_count, m, sign, out):
    """Multiply out 1 + sign·own(B) and 1 + sign·seasonal(B^m) without the 1, into `out`.

    Returns the order of the product; out[i] belongs to lag i + 1 and is filled up with zeros.
    """
    out[:] = 0.0
    for i in range(count):
        out[i] = params[own + i]
    for k in range(seasonal_count):
        lag = (k + 1) * m
        out[lag - 1] += params[seasonal + k]
        for i in range(count):
            out[lag + i] += sign * params[seasonal + k] * params[own + i]
    return count + m * seasonal_count


@njit(cache=True, nogil=True, error_model="numpy")
def differences(spec, out):
    """δ of y_t = w_t + Σ δ_i y_{t-i}, out[i] for lag i + 1; returns their number d + mD."""
    out[:] = 0.0
    size = spec[D] + spec[SEASON] * spec[SEASONAL_D]
    work = np.zeros(size + 1)
    work[0] = 1.0
    at = 0
    for _ in range(spec[D]):
        at += 1
        for i in range(at, 0, -1):
            work[i] -= work[i - 1]
    for _ in range(spec[SEASONAL_D]):
        at += spec[SEASON]
        for i in range(at, spec[SEASON] - 1, -1):
            work[i] -= work[i - spec[SEASON]]
    for i in range(size):
        out[i] = -work[i + 1]
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def taps(spec, lags, signs):
    """The terms of `differences` that are not 0: lags and coefficients; returns their number."""
    dense = np.empty(spec[D] + spec[SEASON] * spec[SEASONAL_D])
    count = 0
    for i in range(differences(spec, dense)):
        if dense[i] != 0.0:
            lags[count], signs[count] = i + 1, dense[i]
            count += 1
    return count
