"""What the light members share: where a history begins, and a shrunk lag-1 coefficient; compiled.

Light members are fitted anew at every rolling origin; a fit costs microseconds.
"""

import math

from numba import njit

DAY = 24


@njit(cache=True, nogil=True, error_model="numpy")
def first_known(y):
    """Index of the first observed hour of `y` (n,), n if there is none."""
    for t in range(y.size):
        if not math.isnan(y[t]):
            return t
    return y.size


@njit(cache=True, nogil=True, error_model="numpy")
def observed(y):
    """How many hours of `y` (n,) were observed."""
    count = 0
    for t in range(y.size):
        if not math.isnan(y[t]):
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def shrunk_lag_one(cross, power, pairs, prior, prior_hours):
    """Least-squares lag-1 coefficient in [0, 0.99], as if `prior_hours` more pairs had `prior`.

    `cross` is the sum of x_t x_{t-1} over `pairs` neighbouring observed hours, `power` that of
    x_{t-1} squared.
    """
    own = cross / power if power > 0.0 else math.nan
    if not math.isfinite(own):
        return prior
    weight = pairs / (pairs + prior_hours)
    return min(max(weight * own + (1.0 - weight) * prior, 0.0), 0.99)
