"""One-hour errors of LANES seasonal ARIMA models side by side, the sum of squares' inner loop.

With y the series, w = (1-B)^d (1-B^m)^D y - c and u = Φ(B^m) w,

    e_t = w_t - Σ Φ_k w_{t-km} - Σ φ_i u_{t-i} - Σ θ_j g_{t-j} - Σ Θ_k e_{t-km},   g = Θ(B^m) e,

all 0 before the first differenced hour. In a missing hour e_t = 0 and the prediction stands in for
the observation, in each lane its own: later differences see it.
"""

import math

import numpy as np
from numba import njit

from forecasting.kernels.arima_terms import (
    AR,
    CONSTANT,
    LANES,
    MA,
    MAX_SEASON,
    MAX_SEASONAL,
    MAX_TAPS,
    SEASON,
    SEASONAL_AR,
    SEASONAL_D,
    SEASONAL_MA,
    SEASONAL_P,
    SEASONAL_Q,
    D,
    P,
    Q,
    taps,
)
from forecasting.types import FloatArray, IntArray

PAD = MAX_SEASON * MAX_SEASONAL
W, U, G, E, LEVELS = range(5)
ROOMS = 5
MISSING, CLEAN, TOUCHED = range(3)
"""What an hour's difference is: of a missing hour, of observed hours, of some that are not."""


@njit(cache=True, nogil=True, error_model="numpy")
def head(spec):
    """Hours that differencing takes from the beginning."""
    return spec[D] + spec[SEASON] * spec[SEASONAL_D]


@njit(cache=True, nogil=True, error_model="numpy")
def fill_head(y, count, season):
    """Give the missing of the first `count` hours a value: the same hour of a later day, if any.

    Where there is none, the next observed hour's, or the last one's before. Differences begin from
    these hours; the first one of `y` is observed.
    """
    n = y.size
    for t in range(min(count, n)):
        if not math.isnan(y[t]):
            continue
        later = t + season
        while later < n and math.isnan(y[later]):
            later += season
        if season > 1 and later < n:
            y[t] = y[later]
            continue
        later = t
        while later < n and math.isnan(y[later]):
            later += 1
        y[t] = y[later] if later < n else y[t - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def prepare(y, spec, w, kinds, room):
    """Differences of `y` that need no prediction into `w`, kinds of hours, and empty rooms.

    `room` (ROOMS, PAD + n, LANES) is what `errors` works in.
    """
    n, begin = y.size, head(spec)
    lags, signs = np.empty(MAX_TAPS, dtype=np.int64), np.empty(MAX_TAPS)
    count = taps(spec, lags, signs)
    room[:, :PAD + begin] = 0.0
    for t in range(n):
        for lane in range(LANES):
            room[LEVELS, PAD + t, lane] = y[t]
    for t in range(begin, n):
        value = y[t]
        for k in range(count):
            value -= signs[k] * y[t - lags[k]]
        w[t] = value
        kinds[t] = CLEAN
        if math.isnan(value):
            kinds[t] = MISSING if math.isnan(y[t]) else TOUCHED


@njit(cache=True, nogil=True, error_model="numpy")
def errors(w, kinds, spec, coefficients, begin, room):
    """Run the recursion from hour `begin` on, in all lanes; errors stand in room[E, PAD:].

    `begin` is at least the hours that differencing takes; before it errors are 0.
    """
    p, q, sp, sq = spec[P], spec[Q], spec[SEASONAL_P], spec[SEASONAL_Q]
    n, m = w.size, spec[SEASON]
    lags, signs = np.empty(MAX_TAPS, dtype=np.int64), np.empty(MAX_TAPS)
    count = taps(spec, lags, signs)
    room_w, room_u, room_g, room_e, levels = room[W], room[U], room[G], room[E], room[LEVELS]
    mean = coefficients[CONSTANT]
    for t in range(head(spec), n):
        i = t + PAD
        for lane in range(LANES):
            room_u[i, lane] = 0.0
            room_g[i, lane] = 0.0
        for k in range(sp):
            at, row = i - (k + 1) * m, SEASONAL_AR + k
            for lane in range(LANES):
                room_u[i, lane] += coefficients[row, lane] * room_w[at, lane]
        for k in range(sq):
            at, row = i - (k + 1) * m, SEASONAL_MA + k
            for lane in range(LANES):
                room_g[i, lane] += coefficients[row, lane] * room_e[at, lane]
        for lane in range(LANES):
            room_e[i, lane] = room_u[i, lane] + room_g[i, lane]
        for k in range(p):
            at, row = i - k - 1, AR + k
            for lane in range(LANES):
                room_e[i, lane] += coefficients[row, lane] * room_u[at, lane]
        for k in range(q):
            at, row = i - k - 1, MA + k
            for lane in range(LANES):
                room_e[i, lane] += coefficients[row, lane] * room_g[at, lane]
        kind = kinds[t]
        if kind == MISSING:
            for lane in range(LANES):
                room_w[i, lane] = room_e[i, lane]
                room_u[i, lane] = room_w[i, lane] - room_u[i, lane]
                room_e[i, lane] = 0.0
                levels[i, lane] = room_w[i, lane] + mean[lane]
            for k in range(count):
                at, sign = i - lags[k], signs[k]
                for lane in range(LANES):
                    levels[i, lane] += sign * levels[at, lane]
            continue
        if kind == CLEAN:
            for lane in range(LANES):
                room_w[i, lane] = w[t] - mean[lane]
        else:
            for lane in range(LANES):
                room_w[i, lane] = levels[i, lane] - mean[lane]
            for k in range(count):
                at, sign = i - lags[k], signs[k]
                for lane in range(LANES):
                    room_w[i, lane] -= sign * levels[at, lane]
        if t < begin:
            for lane in range(LANES):
                room_u[i, lane] = room_w[i, lane] - room_u[i, lane]
                room_g[i, lane] = 0.0
                room_e[i, lane] = 0.0
            continue
        for lane in range(LANES):
            room_u[i, lane] = room_w[i, lane] - room_u[i, lane]
            room_e[i, lane] = room_w[i, lane] - room_e[i, lane]
            room_g[i, lane] += room_e[i, lane]


def empty_rooms(n: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Room for series of `n` hours: differences, kinds of hours, and the lanes' own."""
    return np.empty(n), np.empty(n, dtype=np.int64), np.empty((ROOMS, PAD + n, LANES))
