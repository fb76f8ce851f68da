"""Single-source-of-error models whose residuals are linear in the initial states, compiled.

One recursion covers exponential smoothing and TBATS: a level, a trend damped by φ, an
autoregressive error d, a ring of m seasonal states (the oldest is used next) and harmonic pairs
that rotate by 2πj/period an hour. With state x and one-hour error e

    y_t = l + φ b + ρ d + s_oldest + Σ cos + e,    l' = l + φ b + α e,   b' = φ b + β e,
    d' = ρ d + e,   s' = s + γ e,   (cos, sin)' = R (cos, sin) + (γ₁, γ₂) e,

and a missing hour is the same step with e = 0.

A model is a row of whole numbers `spec` (SPEC entries: trend 0 none, 1 additive, 2 damped; ring m,
0 for none; harmonic pairs of the first and second period; 1 for an autoregressive error) and a row
of numbers `theta` (THETA entries, in the order of the indices below); a row of parameters holds the
two periods behind them. A state row holds level,
trend, d, the ring newest first, then cos and sin of all pairs: `state_size(spec)` numbers.

Batch functions take C-contiguous arrays with one series a row, write rows of their outputs only
and release the GIL, so that threads may share a batch by slices.
"""

import math

import numpy as np
from numba import njit

TREND, RING, FIRST, SECOND, AR = range(5)
SPEC = 5
ALPHA, BETA, PHI, GAMMA, RHO, ONE_A, TWO_A, ONE_B, TWO_B = range(9)
THETA = 9
PARAMS = THETA + 2
"""Numbers in a row of parameters: a theta, and the two periods in hours, 0 for none."""

MAX_PAIRS = 32
FIXED = 3
"""State entries before the ring: level, trend, autoregressive error."""


@njit(cache=True, nogil=True)
def state_size(spec):
    """Numbers in a state row of this structure."""
    return FIXED + spec[RING] + 2 * (spec[FIRST] + spec[SECOND])


@njit(cache=True, nogil=True)
def initial_count(spec):
    """Initial states to be found: level, trend if there is one, ring, pairs; d begins at 0."""
    trended = 1 if spec[TREND] > 0 else 0
    return 1 + trended + spec[RING] + 2 * (spec[FIRST] + spec[SECOND])


@njit(cache=True, nogil=True)
def free_parameters(spec, free):
    """Fill `free` with the THETA entries that the structure estimates; their number."""
    count = 0
    for index, used in ((ALPHA, True), (BETA, spec[TREND] > 0), (PHI, spec[TREND] == 2),
                        (GAMMA, spec[RING] > 0), (RHO, spec[AR] > 0),
                        (ONE_A, spec[FIRST] > 0), (TWO_A, spec[FIRST] > 0),
                        (ONE_B, spec[SECOND] > 0), (TWO_B, spec[SECOND] > 0)):
        if used:
            free[count] = index
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def rotations(spec, periods, turn):
    """Fill `turn` (4, pairs) with cos and sin of each pair's angle and the indices of its gains."""
    for i in range(spec[FIRST] + spec[SECOND]):
        second = i >= spec[FIRST]
        order = i - spec[FIRST] + 1 if second else i + 1
        angle = 2.0 * math.pi * order / (periods[1] if second else periods[0])
        turn[0, i], turn[1, i] = math.cos(angle), math.sin(angle)
        turn[2, i], turn[3, i] = (ONE_B, TWO_B) if second else (ONE_A, TWO_A)


@njit(cache=True, nogil=True, error_model="numpy")
def design(y, spec, theta, turn, z, e):
    """Residuals as a linear function of the initial states: e[t, :p] @ b + e[t, p], p states.

    `z` (FIXED + m + 2 pairs, p + 1) is room for the states' own derivatives. Rows of missing hours
    are zero.
    """
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    p = initial_count(spec)
    q, n = p + 1, y.size
    alpha, beta, phi, gamma, rho = theta[0], theta[1], theta[2], theta[3], theta[4]
    z[:FIXED + m + 2 * pairs, :q] = 0.0
    level, trend, ar = z[0], z[1], z[2]
    level[0] = 1.0
    first = 1
    if spec[TREND] > 0:
        trend[1] = 1.0
        first = 2
    for i in range(m + 2 * pairs):
        z[FIXED + i, first + i] = 1.0
    at = 0
    for t in range(n):
        row = e[t]
        ring = z[FIXED + at]
        value = y[t]
        known = not math.isnan(value)
        if m > 0:
            for c in range(q):
                row[c] = -(level[c] + phi * trend[c] + rho * ar[c] + ring[c])
        else:
            for c in range(q):
                row[c] = -(level[c] + phi * trend[c] + rho * ar[c])
        for i in range(pairs):
            cos = z[FIXED + m + 2 * i]
            for c in range(q):
                row[c] -= cos[c]
        if known:
            row[p] += value
        else:
            row[:q] = 0.0
        for c in range(q):
            damped = phi * trend[c]
            level[c] += damped + alpha * row[c]
            trend[c] = damped + beta * row[c]
            ar[c] = rho * ar[c] + row[c]
        if m > 0:
            if known:
                for c in range(q):
                    ring[c] += gamma * row[c]
            at += 1
            if at == m:
                at = 0
        for i in range(pairs):
            cos, sin = z[FIXED + m + 2 * i], z[FIXED + m + 2 * i + 1]
            cosine, sine = turn[0, i], turn[1, i]
            one, two = theta[int(turn[2, i])], theta[int(turn[3, i])]
            for c in range(q):
                turned = cosine * cos[c] + sine * sin[c] + one * row[c]
                sin[c] = cosine * sin[c] - sine * cos[c] + two * row[c]
                cos[c] = turned


@njit(cache=True, nogil=True, error_model="numpy")
def sensitivities(y, spec, theta, turn, free, count, b, z, j, r):
    """Residuals r (n,) from the initial states b (p,), and their derivatives j (n, count).

    The derivatives are by the `count` THETA entries in `free`, at fixed b. `z` (FIXED + m +
    2 pairs, count + 1) is room: the last column is the state itself.
    """
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    n, k = y.size, count
    alpha, beta, phi, gamma, rho = theta[0], theta[1], theta[2], theta[3], theta[4]
    size = FIXED + m + 2 * pairs
    z[:size, :k + 1] = 0.0
    level, trend, ar = z[0], z[1], z[2]
    level[k] = b[0]
    first = 1
    if spec[TREND] > 0:
        trend[k] = b[1]
        first = 2
    for i in range(m + 2 * pairs):
        z[FIXED + i, k] = b[first + i]
    by = np.full(THETA, -1, dtype=np.int64)
    for c in range(k):
        by[free[c]] = c
    row = np.empty(k + 1)
    at = 0
    for t in range(n):
        ring = z[FIXED + at]
        value = y[t]
        known = not math.isnan(value)
        before, error_before = trend[k], ar[k]
        for c in range(k + 1):
            row[c] = -(level[c] + phi * trend[c] + rho * ar[c])
        if m > 0:
            for c in range(k + 1):
                row[c] -= ring[c]
        for i in range(pairs):
            cos = z[FIXED + m + 2 * i]
            for c in range(k + 1):
                row[c] -= cos[c]
        if by[PHI] >= 0:
            row[by[PHI]] -= before
        if by[RHO] >= 0:
            row[by[RHO]] -= error_before
        if known:
            row[k] += value
        else:
            row[:] = 0.0
        e = row[k]
        r[t] = e
        for c in range(k):
            j[t, c] = row[c]
        for c in range(k + 1):
            damped = phi * trend[c]
            level[c] += damped + alpha * row[c]
            trend[c] = damped + beta * row[c]
            ar[c] = rho * ar[c] + row[c]
        level[by[ALPHA]] += e
        if by[BETA] >= 0:
            trend[by[BETA]] += e
        if by[PHI] >= 0:
            level[by[PHI]] += before
            trend[by[PHI]] += before
        if by[RHO] >= 0:
            ar[by[RHO]] += error_before
        if m > 0:
            if known:
                for c in range(k + 1):
                    ring[c] += gamma * row[c]
                ring[by[GAMMA]] += e
            at += 1
            if at == m:
                at = 0
        for i in range(pairs):
            cos, sin = z[FIXED + m + 2 * i], z[FIXED + m + 2 * i + 1]
            cosine, sine = turn[0, i], turn[1, i]
            one, two = int(turn[2, i]), int(turn[3, i])
            for c in range(k + 1):
                turned = cosine * cos[c] + sine * sin[c] + theta[one] * row[c]
                sin[c] = cosine * sin[c] - sine * cos[c] + theta[two] * row[c]
                cos[c] = turned
            cos[by[one]] += e
            sin[by[two]] += e


@njit(cache=True, nogil=True, error_model="numpy")
def advance(y, spec, theta, turn, x):
    """Move the state row `x` through the hours `y`; the sum of squared errors of the known ones."""
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    alpha, beta, phi, gamma, rho = theta[0], theta[1], theta[2], theta[3], theta[4]
    squares, at, pair = 0.0, 0, FIXED + m
    for t in range(y.size):
        damped = phi * x[1]
        oldest = FIXED + m - 1 - at
        predicted = x[0] + damped + rho * x[2]
        if m > 0:
            predicted += x[oldest]
        for i in range(pairs):
            predicted += x[pair + i]
        e = 0.0 if math.isnan(y[t]) else y[t] - predicted
        squares += e * e
        x[0] += damped + alpha * e
        x[1] = damped + beta * e
        if spec[AR] > 0:
            x[2] = rho * x[2] + e
        if m > 0:
            x[oldest] += gamma * e
            at = at + 1 if at + 1 < m else 0
        for i in range(pairs):
            cos, sin = x[pair + i], x[pair + pairs + i]
            cosine, sine = turn[0, i], turn[1, i]
            x[pair + i] = cosine * cos + sine * sin + theta[int(turn[2, i])] * e
            x[pair + pairs + i] = cosine * sin - sine * cos + theta[int(turn[3, i])] * e
    if at > 0:
        _turn_ring(x[FIXED:FIXED + m], at)
    return squares


@njit(cache=True, nogil=True)
def _turn_ring(ring, used):
    """The last `used` entries, from the oldest on, become the newest."""
    turned = ring.copy()
    m = ring.size
    for i in range(m):
        ring[(i + used) % m] = turned[i]


@njit(cache=True, nogil=True, error_model="numpy")
def path(spec, theta, turn, x, forecasts):
    """Fill `forecasts` (horizon,) with those of the hours that follow the state row `x`."""
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    phi, rho, pair = theta[PHI], theta[RHO], FIXED + m
    level, trend, error, at = x[0], x[1], x[2], 0
    for t in range(forecasts.size):
        trend *= phi
        error *= rho
        level += trend
        forecasts[t] = level + error
        if m > 0:
            forecasts[t] += x[FIXED + m - 1 - at]
            at = at + 1 if at + 1 < m else 0
    for i in range(pairs):
        cos, sin = x[pair + i], x[pair + pairs + i]
        cosine, sine = turn[0, i], turn[1, i]
        for t in range(forecasts.size):
            forecasts[t] += cos
            cos, sin = cosine * cos + sine * sin, cosine * sin - sine * cos


@njit(cache=True, nogil=True, error_model="numpy")
def run_rows(y, at, structures, params, states):
    """Move every row of `states` (S, ·) through the hours y[s, at[s]:] of its row, in place."""
    turn = np.empty((4, MAX_PAIRS))
    for s in range(y.shape[0]):
        rotations(structures[s], params[s][THETA:], turn)
        advance(y[s][at[s]:], structures[s], params[s], turn, states[s])


@njit(cache=True, nogil=True, error_model="numpy")
def path_rows(structures, params, states, paths):
    """Fill `paths` (S, horizon) with forecasts of the hours that follow every row of `states`."""
    turn = np.empty((4, MAX_PAIRS))
    for s in range(states.shape[0]):
        rotations(structures[s], params[s][THETA:], turn)
        path(structures[s], params[s], turn, states[s], paths[s])


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_rows(y, at, structures, params, states, origins, paths):
    """Fill `paths` (S, O, horizon) from each of the rising `origins`, run to from hour at[s] on.

    `states` move to the last origin. NaN where an origin lies before at[s].
    """
    turn = np.empty((4, MAX_PAIRS))
    for s in range(y.shape[0]):
        rotations(structures[s], params[s][THETA:], turn)
        hour = at[s]
        for o in range(origins.size):
            if origins[o] < hour:
                paths[s, o] = math.nan
                continue
            advance(y[s][hour:origins[o]], structures[s], params[s], turn, states[s])
            hour = origins[o]
            path(structures[s], params[s], turn, states[s], paths[s, o])
