"""Does a series repeat with its season, and how: an additive pattern, gaps allowed, compiled."""

import math

import numpy as np
from numba import njit

_NINETY_PERCENT = 1.6448536269514722


@njit(cache=True, nogil=True, error_model="numpy")
def repeats(y, m):
    """Whether the autocorrelation at lag m stands out at 90 %, over pairs of observed hours."""
    own, observed, stretch, last = 0.0, 0.0, 1.0, 0.0
    for t in range(y.size):
        if not math.isnan(y[t]):
            own += y[t] * y[t]
            observed += 1.0
    for lag in range(1, m + 1):
        total, pairs = 0.0, 0.0
        for t in range(lag, y.size):
            product = y[t] * y[t - lag]
            if not math.isnan(product):
                total += product
                pairs += 1.0
        share = pairs / (observed * (1.0 - lag / y.size))      # of the pairs that gaps have left
        last = total / own / share if pairs > 0.0 else 0.0
        if lag < m:
            stretch += 2.0 * last * last
    return last > _NINETY_PERCENT * math.sqrt(stretch / observed)


@njit(cache=True, nogil=True, error_model="numpy")
def seasonal_pattern(y, m, pattern):
    """Mean of each hour of the season after its centred moving mean, shrunk by its noise."""
    n, half = y.size, m // 2
    sums, counts = np.zeros(n + 1), np.zeros(n + 1)
    totals, squares, seen = np.empty(m), np.empty(m), np.empty(m)
    pattern[:m] = 0.0
    for _ in range(2):
        for t in range(n):
            known = not math.isnan(y[t])
            sums[t + 1] = sums[t] + (y[t] - pattern[t % m] if known else 0.0)
            counts[t + 1] = counts[t] + (1.0 if known else 0.0)
        totals[:] = 0.0
        squares[:] = 0.0
        seen[:] = 0.0
        for t in range(half, n - half):
            last = t + half + m % 2
            count = counts[last] - counts[t - half]
            if not math.isnan(y[t]) and count > 0.0:
                left = y[t] - (sums[last] - sums[t - half]) / count
                totals[t % m] += left
                squares[t % m] += left * left
                seen[t % m] += 1.0
        signal, noise = 0.0, 0.0
        centre = 0.0
        for k in range(m):
            pattern[k] = totals[k] / seen[k] if seen[k] > 0.0 else 0.0
            centre += pattern[k] / m
        for k in range(m):
            if seen[k] > 1.0:
                left = squares[k] / seen[k] - (totals[k] / seen[k]) ** 2
                noise += left / (seen[k] - 1.0) / m
            pattern[k] -= centre
            signal += pattern[k] ** 2 / m
    kept = max(0.0, 1.0 - noise / signal) if signal > 0.0 else 0.0
    for k in range(m):
        pattern[k] *= kept
