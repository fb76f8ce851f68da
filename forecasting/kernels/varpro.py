"""Least squares for linear smoothing models: initial states profiled out, parameters in a box.

With fixed smoothing parameters the residuals are X b + c, linear in the initial states b. Their
penalised sum of squares, minimised over b, is the last pivot of the Cholesky factor of (X c)'(X c).
The smoothing parameters move by Gauss–Newton steps on the part of the Jacobian that b cannot
explain (Kaufman 1975), damped (Levenberg–Marquardt), held in a box, and refused where the discount
matrix would not be stable. The number of evaluations is capped; whoever hits the cap is told so.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.linear import (
    MAX_PAIRS,
    ONE_A,
    THETA,
    TREND,
    design,
    free_parameters,
    initial_count,
    rotations,
    sensitivities,
    state_size,
)
from forecasting.kernels.stability import stable

LOWER = np.array([1e-4, 1e-4, 0.8, 1e-4, 0.0, 1e-5, -0.1, 1e-5, -0.1])
UPPER = np.array([0.9999, 0.5, 0.98, 0.9, 0.95, 0.3, 0.1, 0.3, 0.1])
"""Box of the smoothing parameters, in the order of THETA."""

MAX_EVALUATIONS = 30
_DAMPING, _DAMPING_LIMIT = 1e-3, 1e5
_LOOSENINGS, _LOOSEST = 4, 1e-5


@njit(cache=True, nogil=True, error_model="numpy")
def gram(e, n, q, g):
    """Upper triangle of e'e into g (q, q), four rows at a time."""
    for i in range(q):
        for c in range(i, q):
            g[i, c] = 0.0
    t = 0
    while t + 4 <= n:
        r0, r1, r2, r3 = e[t], e[t + 1], e[t + 2], e[t + 3]
        for i in range(q):
            a0, a1, a2, a3 = r0[i], r1[i], r2[i], r3[i]
            row, b0, b1, b2, b3 = g[i, i:], r0[i:], r1[i:], r2[i:], r3[i:]
            for c in range(q - i):
                row[c] += (a0 * b0[c] + a1 * b1[c]) + (a2 * b2[c] + a3 * b3[c])
        t += 4
    while t < n:
        r0 = e[t]
        for i in range(q):
            a0, row, b0 = r0[i], g[i, i:], r0[i:]
            for c in range(q - i):
                row[c] += a0 * b0[c]
        t += 1


@njit(cache=True, nogil=True, error_model="numpy")
def factor(g, q):
    """Cholesky factor U'U = g in place for all but the last pivot; that pivot, nan if it fails."""
    for k in range(q - 1):
        if not g[k, k] > 0.0:
            return math.nan
        root = math.sqrt(g[k, k])
        row = g[k]
        for c in range(k, q):
            row[c] /= root
        for i in range(k + 1, q):
            share, other = row[i], g[i]
            for c in range(i, q):
                other[c] -= share * row[c]
    return g[q - 1, q - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _profile(y, spec, theta, turn, ridge, z, e, g, q):
    """Design and factor at `theta`; the penalised sum of squares, nan where there is none."""
    design(y, spec, theta, turn, z, e)
    gram(e, y.size, q, g)
    for i in range(q - 1):
        g[i, i] += ridge[i]
    return factor(g, q)


@njit(cache=True, nogil=True, error_model="numpy")
def _initial_states(g, p, b):
    """Solve U b = -(last column of the factor)."""
    for i in range(p - 1, -1, -1):
        value = -g[i, p]
        for c in range(i + 1, p):
            value -= g[i, c] * b[c]
        b[i] = value / g[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _loosened(y, spec, theta, turn, ridge, z, e, g, q, b):
    """`_profile` after loosening priors that the states found even under them contradict.

    The trend has its own prior, ring or pairs share one: error variance over mean square.
    """
    value, observed = _profile(y, spec, theta, turn, ridge, z, e, g, q), 0
    for t in range(y.size):
        observed += 0 if math.isnan(y[t]) else 1
    first = 2 if spec[TREND] > 0 else 1
    for _ in range(_LOOSENINGS):
        if not value > 0.0:
            break
        _initial_states(g, q - 1, b)
        tight = False
        for low, high in ((1, first), (first, q - 1)):
            strength = 0.0
            for i in range(low, high):
                strength += b[i] * b[i] / (high - low)
            if high > low and value / observed < 0.5 * ridge[low] * strength:
                ridge[low:high] = max(value / observed / strength, _LOOSEST)
                tight = True
        if not tight:
            break
        value = _profile(y, spec, theta, turn, ridge, z, e, g, q)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _normal_equations(e, g, j, r, count, p, cross, hessian, slope):
    """Gauss–Newton Hessian and half gradient of the profiled sum of squares."""
    cross[:count, :p] = 0.0
    hessian[:count, :count] = 0.0
    slope[:count] = 0.0
    for t in range(r.size):
        row, own = e[t], j[t]
        for k in range(count):
            share, mine, other = own[k], cross[k], hessian[k]
            slope[k] += share * r[t]
            for i in range(p):
                mine[i] += share * row[i]
            for c in range(count):
                other[c] += share * own[c]
    for k in range(count):
        mine = cross[k]
        for i in range(p):
            mine[i] /= g[i, i]
            for c in range(i + 1, p):
                mine[c] -= g[i, c] * mine[i]
    for k in range(count):
        for c in range(count):
            dot = 0.0
            for i in range(p):
                dot += cross[k, i] * cross[c, i]
            hessian[k, c] -= dot


@njit(cache=True, nogil=True, error_model="numpy")
def _step(hessian, slope, free, count, theta, damping, calm, trial, small, index):
    """Damped step from `theta` into `trial`, held in the box; what it promises to gain.

    A `calm` step leaves the gains of the harmonic pairs alone: their stable region is a narrow cone
    that turns with the other parameters, and would hold those back.
    """
    moving = 0
    for k in range(count):
        at = free[k]
        held = calm and at >= ONE_A
        held = held or (theta[at] <= LOWER[at] and slope[k] > 0) or (theta[at] >= UPPER[at]
                                                                 and slope[k] < 0)
        if not held:
            index[moving] = k
            moving += 1
    for i in range(moving):
        for c in range(i, moving):
            small[i, c] = hessian[index[i], index[c]]
        small[i, i] += damping * hessian[index[i], index[i]] + 1e-12
        small[i, moving] = slope[index[i]]
    small[moving, moving] = 0.0
    trial[:] = theta
    promised = -factor(small, moving + 1)
    if not promised > 0.0:
        return 0.0
    for i in range(moving - 1, -1, -1):
        value = -small[i, moving]
        for c in range(i + 1, moving):
            value -= small[i, c] * small[c, c + THETA + 1]
        small[i, i + THETA + 1] = value / small[i, i]
        at = free[index[i]]
        trial[at] = min(max(theta[at] + small[i, i + THETA + 1], LOWER[at]), UPPER[at])
    return promised


@njit(cache=True, nogil=True, error_model="numpy")
def fit_structure(y, spec, periods, ridge, tolerance, theta, b):
    """Move `theta` (THETA,) to the best parameters near it and fill the initial states `b` (p,).

    `ridge` (p,) is added to the diagonal of the normal equations, loosened where it is too tight
    for the states found. Returns the penalised sum of squares (nan: no fit), the number of
    evaluations, whether their cap was hit, and what the initial states weigh in -2 log of the
    marginal likelihood.
    """
    n, p = y.size, initial_count(spec)
    q, rows = p + 1, state_size(spec)
    turn = np.empty((4, MAX_PAIRS))
    rotations(spec, periods, turn)
    free = np.empty(THETA, dtype=np.int64)
    count = free_parameters(spec, free)
    for k in range(count):
        theta[free[k]] = min(max(theta[free[k]], LOWER[free[k]]), UPPER[free[k]])
    z, zj = np.empty((rows + 1, q)), np.empty((rows + 1, count + 1))
    e, e_new, g, g_new = np.empty((n, q)), np.empty((n, q)), np.empty((q, q)), np.empty((q, q))
    j, r = np.empty((n, count)), np.empty(n)
    cross, hessian, slope = np.empty((count, p)), np.empty((count, count)), np.empty(count)
    small, index = np.empty((THETA + 1, 2 * THETA + 2)), np.empty(THETA, dtype=np.int64)
    trial = np.empty(THETA)
    if not stable(spec, theta, turn):
        return math.nan, 0, False, 0.0
    value = _loosened(y, spec, theta, turn, ridge, z, e, g, q, b)
    evaluations, damping, capped, paired = 1, _DAMPING, False, free[count - 1] >= ONE_A
    searching = value > 0.0
    while searching:
        _initial_states(g, p, b)
        sensitivities(y, spec, theta, turn, free, count, b, zj, j, r)
        _normal_equations(e, g, j, r, count, p, cross, hessian, slope)
        moved = False
        calm: np.bool_ = np.bool_(False)
        while not moved:
            promised = _step(hessian, slope, free, count, theta, damping, calm, trial, small, index)
            if (promised <= tolerance * value and not calm) or damping > _DAMPING_LIMIT:
                searching = False
                break
            if evaluations >= MAX_EVALUATIONS:
                searching, capped = False, True
                break
            new = math.nan
            if promised > tolerance * value and stable(spec, trial, turn):
                new = _profile(y, spec, trial, turn, ridge, z, e_new, g_new, q)
                evaluations += 1
            if new < value:
                searching = value - new > tolerance * value and new > 0.0
                e, e_new, g, g_new, value, moved = e_new, e, g_new, g, new, True
                theta[:] = trial
                damping = max(damping * 0.1, 1e-8)
            elif paired and not calm:
                calm = np.bool_(True)
            else:
                damping *= 8.0
                calm = np.bool_(False)
    _initial_states(g, p, b)
    return value, evaluations, capped, _weight(g, ridge, p)


@njit(cache=True, nogil=True, error_model="numpy")
def _weight(g, ridge, p):
    """log det (X'X + ridge) - log det ridge, the level's own prior left out."""
    weight = 0.0
    for i in range(p):
        weight += 2.0 * math.log(g[i, i])
        if i > 0:
            weight -= math.log(ridge[i])
    return weight
