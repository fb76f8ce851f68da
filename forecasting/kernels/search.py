"""What the searches for `ets` and `tbats` share: scale, criterion, the best so far, the result.

A series is fitted from its first observed hour on, less its mean and divided by its standard
deviation; states are handed back in its own units. Results of a batch are a `Fits`.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.kernels.linear import (
    FIRST,
    FIXED,
    MAX_PAIRS,
    PARAMS,
    RING,
    SECOND,
    SPEC,
    THETA,
    TREND,
    advance,
    free_parameters,
    initial_count,
    rotations,
    state_size,
)
from forecasting.kernels.varpro import fit_structure
from forecasting.types import FloatArray, IntArray

FITTED, TOO_FEW, CONSTANT, NO_FIT = range(4)
"""Status of one series' fit."""

REASONS = {
    TOO_FEW: "too few observed hours",
    CONSTANT: "the series is constant",
    NO_FIT: "no structure gives a stable and finite model",
}
CRITERION, EVALUATIONS, CAPPED, OBSERVED = range(4)
FIGURES = 4

MIN_OBSERVED = 8
CYCLES = 3
_CONSTANT = 1e-9

# Variance of a one-hour error over the prior variance of an initial state. Chosen with the evidence
# criterion on `replay` and on hours before each wearer's first test hour: see docs/engine.md.
TREND_PRIOR, RING_PRIOR, PAIR_PRIOR = 0.1, 2.0, 4.0

_TINY = 1e-20
_REFIT_TOLERANCE = 1e-5


class Fits(NamedTuple):
    """Fits of S series, a row each; rows whose status is not FITTED hold nothing of use.

    `structures` (S, ·) whole numbers and `params` (S, ·) are the member's own; `states` (S, width)
    stand at the end of the hours given; `figures` (S, FIGURES) hold criterion, evaluations of the
    sum of squares, whether their cap was hit, and observed hours.
    """

    structures: IntArray
    params: FloatArray
    states: FloatArray
    sigma2: FloatArray
    figures: FloatArray
    status: IntArray


def empty_fits(series: int, width: int) -> Fits:
    """Room for the fits of `series` linear models with states of up to `width` numbers."""
    return Fits(
        structures=np.zeros((series, SPEC), dtype=np.int64), params=np.zeros((series, PARAMS)),
        states=np.zeros((series, width)), sigma2=np.full(series, np.nan),
        figures=np.zeros((series, FIGURES)), status=np.full(series, NO_FIT, dtype=np.int64),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def scaled(y, out):
    """Copy `y` from its first observed hour on into `out`, centred and scaled.

    Returns status, hours copied, observed hours, centre and scale.
    """
    first, observed, total, low, high = y.size, 0, 0.0, math.inf, -math.inf
    for t in range(y.size):
        if not math.isnan(y[t]):
            first = min(first, t)
            observed += 1
            low, high = min(low, y[t]), max(high, y[t])
    if observed < MIN_OBSERVED:
        return TOO_FEW, 0, observed, 0.0, 1.0
    reach = high - low
    if not reach > _CONSTANT * max(math.fabs(low), math.fabs(high)) or math.isinf(reach):
        return CONSTANT, 0, observed, 0.0, 1.0
    for t in range(first, y.size):
        out[t - first] = (y[t] - low) / reach
        if not math.isnan(y[t]):
            total += out[t - first]
    mean, squares = total / observed, 0.0
    for t in range(y.size - first):
        out[t] -= mean
        if not math.isnan(out[t]):
            squares += out[t] * out[t]
    spread = math.sqrt(squares / observed)
    for t in range(y.size - first):
        out[t] /= spread
    return FITTED, y.size - first, observed, low + mean * reach, spread * reach


@njit(cache=True, nogil=True, error_model="numpy")
def criterion(value, observed, parameters):
    """Corrected AIC of a Gaussian fit; inf where the hours do not suffice for it.

    Linear models add what their initial states weigh: they are integrated out, not counted.
    """
    room = observed - parameters - 1
    if room <= 0 or not value >= 0.0:
        return math.inf
    fit = observed * math.log(max(value, _TINY) / observed)
    return fit + 2.0 * parameters + 2.0 * parameters * (parameters + 1.0) / room


@njit(cache=True, nogil=True, error_model="numpy")
def ridge_of(spec, ridge):
    """Fill the penalty of each initial state; the level's is there for rounding alone."""
    first = 2 if spec[TREND] > 0 else 1
    ridge[0] = 1e-8
    ridge[1:first] = TREND_PRIOR
    ridge[first:first + spec[RING]] = RING_PRIOR
    ridge[first + spec[RING]:initial_count(spec)] = PAIR_PRIOR


@njit(cache=True, nogil=True, error_model="numpy")
def consider(y, observed, spec, periods, tolerance, theta, ridge, b, best_spec, best, best_b,
             figures):
    """Fit one structure from `theta`, which moves; keep it if it is the best so far.

    `figures` are those of the search: the best criterion, all evaluations, any cap hit. Returns the
    structure's own criterion, inf where it has no fit.
    """
    ridge_of(spec, ridge)
    value, evaluations, capped, weight = fit_structure(y, spec, periods, ridge, tolerance, theta, b)
    free = np.empty(THETA, dtype=np.int64)
    own = criterion(value, observed, free_parameters(spec, free) + 1) + weight
    if math.isnan(own):
        own = math.inf
    figures[EVALUATIONS] += evaluations
    if own < figures[CRITERION]:
        figures[CRITERION] = own
        figures[CAPPED] = 1.0 if capped else 0.0
        best_spec[:] = spec
        best[:THETA] = theta
        best_b[:initial_count(spec)] = b[:initial_count(spec)]
    return own


@njit(cache=True, nogil=True, error_model="numpy")
def finish(y, observed, spec, params, b, centre, scale, state):
    """Run the filter from the initial states `b` to the end; state and variance in own units."""
    m, pairs = spec[RING], spec[FIRST] + spec[SECOND]
    turn = np.empty((4, MAX_PAIRS))
    rotations(spec, params[THETA:], turn)
    state[:] = 0.0
    state[0] = b[0]
    first = 1
    if spec[TREND] > 0:
        state[1] = b[1]
        first = 2
    for i in range(m):
        state[FIXED + m - 1 - i] = b[first + i]
    for i in range(pairs):
        state[FIXED + m + i] = b[first + m + 2 * i]
        state[FIXED + m + pairs + i] = b[first + m + 2 * i + 1]
    squares = advance(y, spec, params, turn, state)
    if m > 0:
        mean = state[FIXED:FIXED + m].mean()
        state[0] += mean
        state[FIXED:FIXED + m] -= mean
    for i in range(state_size(spec)):
        state[i] *= scale
    state[0] += centre
    return squares / observed * scale * scale


@njit(cache=True, nogil=True, error_model="numpy")
def refit_rows(y, structures, params, states, sigma2, figures, status):
    """Fit each row of `y` (S, n) with the structure and from the parameters that its row holds.

    Parameters, states and figures are written into the rows; parameters of a row without a fit
    stay as they were.
    """
    hours, width = np.empty(y.shape[1]), states.shape[1] + 2
    b, best_b, ridge = np.empty(width), np.empty(width), np.empty(width)
    spec, theta = np.zeros(SPEC, dtype=np.int64), np.zeros(THETA)
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = math.inf, observed
        if status[s] != FITTED:
            continue
        spec[:], theta[:] = structures[s], params[s][:THETA]
        consider(hours[:n], observed, spec, params[s][THETA:], _REFIT_TOLERANCE, theta, ridge, b,
                 structures[s], params[s], best_b, figures[s])
        settle(hours[:n], observed, best_b, centre, scale, s, structures, params, states, sigma2,
               figures, status)


@njit(cache=True, nogil=True, error_model="numpy")
def settle(y, observed, b, centre, scale, s, structures, params, states, sigma2, figures, status):
    """State, variance and status of row `s` after a search that filled the rest of it."""
    status[s] = NO_FIT
    if figures[s, CRITERION] < math.inf:
        sigma2[s] = finish(y, observed, structures[s], params[s], b, centre, scale, states[s])
        if math.isfinite(sigma2[s]):
            status[s] = FITTED
