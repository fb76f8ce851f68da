"""Seasonal ARIMA for many series in one call, compiled: search, refit, update, forecast.

Rows of structures and parameters are laid out as in `arima_terms`, rows of states as in
`arima_state`. A series is fitted from its first observed hour on, less its mean and over its
standard deviation; what is handed back is in its own units.
"""

import numpy as np
from numba import njit

from forecasting.kernels.arima_choice import choose
from forecasting.kernels.arima_errors import empty_rooms, fill_head, head, prepare
from forecasting.kernels.arima_settle import REFIT_TOLERANCE, counted_from, settle
from forecasting.kernels.arima_state import widest
from forecasting.kernels.arima_terms import (
    DRIFT,
    LANES,
    MAX_SEASON,
    MEAN,
    PARAMS,
    SEASON,
    STRUCTURE,
    gather,
)
from forecasting.kernels.search import (
    CRITERION,
    CYCLES,
    FIGURES,
    FITTED,
    NO_FIT,
    OBSERVED,
    TOO_FEW,
    Fits,
    scaled,
)
from forecasting.types import FloatArray, IntArray


def usable_season(m: int) -> int:
    """The season that a model can carry: `m`, or 1 if it is too long."""
    return m if 1 < m <= MAX_SEASON else 1


def fit_batch(y: FloatArray, m: int) -> Fits:
    """Search structure and parameters of each row of `y` (S, n), NaN = gap; season m or none."""
    season = usable_season(m)
    fits = empty_fits(y.shape[0], int(widest(season)))
    search_rows(np.ascontiguousarray(y), season, *empty_rooms(y.shape[1]), *fits)
    return fits


def refit_batch(y: FloatArray, structures: IntArray, params: FloatArray) -> Fits:
    """Fit each row of `y` (S, n) anew with a known structure, from known parameters."""
    season = int(structures[:, SEASON].max(initial=1))
    fits = empty_fits(y.shape[0], int(widest(season)))
    fits.structures[:], fits.params[:] = structures, params
    refit_rows(np.ascontiguousarray(y), *empty_rooms(y.shape[1]), *fits)
    return fits


def empty_fits(series: int, width: int) -> Fits:
    """Room for the fits of `series` models with rows of states of `width` numbers."""
    return Fits(
        structures=np.zeros((series, STRUCTURE), dtype=np.int64),
        params=np.zeros((series, PARAMS)), states=np.zeros((series, width)),
        sigma2=np.full(series, np.nan), figures=np.zeros((series, FIGURES)),
        status=np.full(series, NO_FIT, dtype=np.int64),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def search_rows(y, season, w, kinds, room, structures, params, states, sigma2, figures, status):
    """`fit_batch` into rows of the given arrays."""
    hours, own = np.empty(y.shape[1]), np.empty(y.shape[1])
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = np.inf, observed
        if status[s] != FITTED:
            continue
        structures[s] = 0
        structures[s, SEASON] = season if n >= CYCLES * season else 1
        status[s], sigma2[s] = choose(hours[:n], own[:n], w[:n], kinds[:n], room, centre, scale,
                                      structures[s], params[s], states[s], figures[s])


@njit(cache=True, nogil=True, error_model="numpy")
def refit_rows(y, w, kinds, room, structures, params, states, sigma2, figures, status):
    """`refit_batch` into rows of the given arrays, which hold structures and parameters."""
    hours, free = np.empty(y.shape[1]), np.zeros(LANES)
    for s in range(y.shape[0]):
        status[s], n, observed, centre, scale = scaled(y[s], hours)
        figures[s] = 0.0
        figures[s, CRITERION], figures[s, OBSERVED] = np.inf, observed
        if status[s] != FITTED:
            continue
        spec, own = structures[s], hours[:n]
        begin = head(spec)
        if n <= begin:
            status[s] = TOO_FEW
            continue
        value, constant = params[s, DRIFT] * begin / scale, np.int64(0)
        if begin == 0:
            value, constant = (params[s, MEAN] - centre) / scale, np.int64(1)
        elif params[s, DRIFT] != 0.0:
            constant = np.int64(1)
        fill_head(own, begin, spec[SEASON])
        prepare(own, spec, w[:n], kinds[:n], room)
        gather(params[s], spec, constant, value, free)
        status[s], sigma2[s] = settle(n, spec, constant, free, REFIT_TOLERANCE, w[:n], kinds[:n],
                                      room, counted_from(n, spec), centre, scale, params[s],
                                      states[s], figures[s])
