"""Is a linear smoothing model invertible: are all eigenvalues of its discount matrix below 1?

The usual bounds of the parameters neither imply it nor follow from it. The eigenvalues are the
reciprocal roots of the reduced moving average Θ(B), which is multiplied out component by component;
the Schur–Cohn recursion then decides in a few hundred multiplications.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.linear import (
    ALPHA,
    AR,
    BETA,
    FIRST,
    GAMMA,
    PHI,
    RHO,
    RING,
    SECOND,
    TREND,
)

LIMIT = 1.0 - 1e-9


@njit(cache=True, nogil=True, error_model="numpy")
def _times(a, size, b0, b1, b2):
    """Multiply the polynomial a (size coefficients) by b0 + b1 B + b2 B², in place."""
    for i in range(size + 1, -1, -1):
        value = 0.0
        if i < size:
            value += b0 * a[i]
        if 1 <= i <= size:
            value += b1 * a[i - 1]
        if i >= 2:
            value += b2 * a[i - 2]
        a[i] = value


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_components(whole, part, size, n0, n1, n2, d1, d2):
    """whole/part := whole/part + n/d for n = n0 + n1 B + n2 B², d = 1 + d1 B + d2 B².

    `part` is the common denominator, `size` its number of coefficients.
    """
    extra = part.copy()
    _times(extra, size, n0, n1, n2)
    _times(whole, size, 1.0, d1, d2)
    _times(part, size, 1.0, d1, d2)
    for i in range(whole.size):
        whole[i] += extra[i]


@njit(cache=True, nogil=True, error_model="numpy")
def moving_average(spec, theta, turn, whole):
    """Fill `whole` with the coefficients of Θ(B), lowest power first; how many there are."""
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    alpha, beta = theta[ALPHA], theta[BETA]
    phi = theta[PHI] if spec[TREND] > 0 else 0.0
    part = np.zeros(whole.size)
    whole[:] = 0.0
    whole[0], part[0] = 1.0, 1.0
    size = np.int64(1)
    if spec[TREND] > 0:
        _sum_components(whole, part, size, 0.0, alpha + phi * beta, -alpha * phi, -1.0 - phi, phi)
        size += 2
    else:
        _sum_components(whole, part, size, 0.0, alpha, 0.0, -1.0, 0.0)
        size += 1
    if m > 0:
        size = _add_ring(whole, part, size, m, theta[GAMMA])
    if spec[AR] > 0:
        _sum_components(whole, part, size, 0.0, theta[RHO], 0.0, -theta[RHO], 0.0)
        size += 1
    for i in range(pairs):
        one, two = theta[int(turn[2, i])], theta[int(turn[3, i])]
        _sum_components(whole, part, size, 0.0, one, two * turn[1, i] - one * turn[0, i],
                        -2.0 * turn[0, i], 1.0)
        size += 2
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def _add_ring(whole, part, size, m, gamma):
    """Add γB^m / (1 - B^m), whose denominator shares the factor 1 - B with the level's."""
    apart = _divided(part, size)
    grown = np.zeros(whole.size)
    for i in range(size):
        for k in range(m):
            grown[i + k] += whole[i]
    whole[:] = grown
    part[:] = 0.0
    for i in range(size - 1):
        part[i] += apart[i]
        part[i + m] -= apart[i]
        whole[i + m] += gamma * apart[i]
    return size + m - 1


@njit(cache=True, nogil=True, error_model="numpy")
def _divided(part, size):
    """Quotient of `part` by 1 - B."""
    quotient = np.zeros(part.size)
    total = 0.0
    for i in range(size - 1):
        total += part[i]
        quotient[i] = total
    return quotient


@njit(cache=True, nogil=True, error_model="numpy")
def stable(spec, theta, turn):
    """Whether every eigenvalue of the discount matrix lies inside the unit circle."""
    whole = np.empty(spec[RING] + 2 * (spec[FIRST] + spec[SECOND]) + 8)
    size = moving_average(spec, theta, turn, whole)
    while size > 1:
        last = whole[size - 1] / whole[0]
        if not math.fabs(last) < LIMIT:
            return False
        for i in range(size // 2):
            low, high = whole[i], whole[size - 1 - i]
            whole[i], whole[size - 1 - i] = low - last * high, high - last * low
        if size % 2 == 1:
            whole[size // 2] *= 1.0 - last
        size -= 1
    return True
