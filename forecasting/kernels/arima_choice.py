"""How often to difference: d by test, D by the errors of a day ahead; compiled.

Information criteria do not compare across orders of differencing. d is 1 where the KPSS test
rejects a constant level. A difference over the season is taken where it forecasts better from
rolling origins: parameters have seen the whole series, states only what was before the origin, and
the gain must be worth more than that little advantage. The usual test of the strength of a season
asks another question, and its answer costs accuracy on vitals (figures in docs/engine.md).
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_errors import fill_head, head, prepare
from forecasting.kernels.arima_search import search
from forecasting.kernels.arima_settle import FINAL_TOLERANCE, counted, counted_from, settle
from forecasting.kernels.arima_state import path_of, polynomials, state_of
from forecasting.kernels.arima_terms import LANES, PARAMS, SEASON, SEASONAL_D, D
from forecasting.kernels.search import CAPPED, CYCLES, EVALUATIONS, FIGURES, FITTED, NO_FIT

_KPSS_FIVE_PERCENT = 0.463
_WORTH = 1.06
_LEADS, _STRIDE = 24, 6
_SMALL = 1e-10


@njit(cache=True, nogil=True, error_model="numpy")
def kpss(y, rest):
    """Statistic of the test for a constant level (Kwiatkowski et al. 1992), lag 3√n/13.

    Missing hours count for nothing; 0 where there is nothing to test. `rest` is room like `y`.
    """
    known, total = 0, 0.0
    for t in range(y.size):
        if not math.isnan(y[t]):
            total += y[t]
            known += 1
    mean, walk, walks, long_run = total / max(known, 1), 0.0, 0.0, 0.0
    for t in range(y.size):
        rest[t] = 0.0
        if not math.isnan(y[t]):
            rest[t] = y[t] - mean
            walk += rest[t]
            walks += walk * walk
            long_run += rest[t] * rest[t]
    lags = int(3.0 * math.sqrt(known) / 13.0)
    for lag in range(1, lags + 1):
        covariance = 0.0
        for t in range(lag, y.size):
            covariance += rest[t] * rest[t - lag]
        long_run += 2.0 * (1.0 - lag / (lags + 1.0)) * covariance
    return walks / (known * long_run) if long_run > _SMALL else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def day_ahead_error(y, spec, params, room, state):
    """Mean absolute error of up to a day ahead over origins in the later part of the scaled `y`.

    `room` holds the errors of the settled model; inf where there is nothing to compare.
    """
    n, m = y.size, spec[SEASON]
    width = state.size
    ar, ma, delta = np.empty(width), np.empty(width), np.empty(width)
    path = np.empty(_LEADS)
    polynomials(spec, params, ar, ma, delta)
    total, known = 0.0, 0
    for origin in range(max(n // 3, CYCLES * m), n - _STRIDE + 1, _STRIDE):
        state_of(spec, params, origin, room, 0.0, 1.0, state)
        path_of(spec, params, state, ar, delta, path)
        for lead in range(min(_LEADS, n - origin)):
            error = math.fabs(y[origin + lead] - path[lead])
            if not math.isnan(error):
                total += error
                known += 1
    return total / known if known > 0 else math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def choose(y, own, w, kinds, room, centre, scale, spec, params, state, figures):
    """Best model of the scaled hours `y` into the rows given; returns status and variance.

    `spec` holds the season, 1 for none; `own`, `w`, `kinds` and `room` are room to work in.
    """
    n, season = y.size, spec[SEASON]
    free, best_free = np.zeros(LANES), np.zeros(LANES)
    trial, numbers, figure = spec.copy(), np.zeros(PARAMS), np.zeros(FIGURES)
    best, best_constant, runs, found = math.inf, np.int64(0), 0.0, False
    for seasonal in range(2 if season > 1 else 1):
        trial[:] = 0
        trial[SEASON], trial[SEASONAL_D] = season, seasonal
        if seasonal == 0 and kpss(y, own) > _KPSS_FIVE_PERCENT:
            trial[D] = 1
        own[:] = y
        fill_head(own, head(trial), season)
        prepare(own, trial, w, kinds, room)
        first = counted_from(n, trial)
        free[:] = 0.0
        figure[:] = 0.0
        constant, searched, capped = search(w, kinds, trial, head(trial), first,
                                            counted(kinds, first), room, free)
        status, _ = settle(n, trial, constant, free, FINAL_TOLERANCE, w, kinds, room, first, 0.0,
                           1.0, numbers, state, figure)
        runs += searched + figure[EVALUATIONS]
        if status != FITTED:
            continue
        error = math.inf
        if season > 1:
            error = day_ahead_error(y, trial, numbers, room, state)
        if not found or error * _WORTH < best:
            best, best_constant, found = error, constant, True
            spec[:] = trial
            best_free[:] = free
            figures[CAPPED] = 1.0 if capped else figure[CAPPED]
    figures[EVALUATIONS] = runs
    if not found:
        return NO_FIT, math.nan
    own[:] = y
    fill_head(own, head(spec), spec[SEASON])
    prepare(own, spec, w, kinds, room)
    return settle(n, spec, best_constant, best_free, FINAL_TOLERANCE, w, kinds, room,
                  counted_from(n, spec), centre, scale, params, state, figures)
