"""Textbook recursions, one line an equation and no arrays of state, as oracles. None = a gap."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Hours = Sequence[float | None]


def times(left: Sequence[float], right: Sequence[float]) -> list[float]:
    """Product of two polynomials in the backshift operator, lowest power first."""
    product = [0.0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return product


def spread(coefficients: Sequence[float], m: int, sign: float) -> list[float]:
    """1 + sign (c1 B^m + c2 B^2m + …)."""
    polynomial = [1.0] + [0.0] * (len(coefficients) * m)
    for i, value in enumerate(coefficients):
        polynomial[(i + 1) * m] = sign * value
    return polynomial


def arima(hours: Hours, horizon: int, *, ar: Sequence[float], ma: Sequence[float],
          seasonal_ar: Sequence[float], seasonal_ma: Sequence[float], d: int, seasonal_d: int,
          m: int, mean: float, drift: float) -> list[float]:
    """φ(B) Φ(B^m) (1-B)^d (1-B^m)^D (y_t - mean - drift t) = θ(B) Θ(B^m) e_t, zero before t = 1."""
    left = times(spread(ar, 1, -1), spread(seasonal_ar, m, -1))
    for lag in [1] * d + [m] * seasonal_d:
        left = times(left, [1.0] + [0.0] * (lag - 1) + [-1.0])
    right = times(spread(ma, 1, 1), spread(seasonal_ma, m, 1))
    x: list[float] = []
    e: list[float] = []
    forecasts = []
    for t, value in enumerate([*hours, *[None] * horizon], start=1):
        past = sum(-left[i] * x[-i] for i in range(1, len(left)) if i <= len(x))
        past += sum(right[i] * e[-i] for i in range(1, len(right)) if i <= len(e))
        centre = mean + drift * t
        error = 0.0 if value is None else value - centre - past
        x.append(past + error)
        e.append(error)
        forecasts.append(past + centre)
    return forecasts[len(hours):]


def ets(hours: Hours, horizon: int, *, season: str, m: int, alpha: float, beta: float,
        gamma: float, phi: float, level: float, trend: float,
        seasonal: Sequence[float]) -> list[float]:
    """Component form of exponential smoothing; `seasonal` holds the coming cycle in order."""
    cycle = list(seasonal)
    forecasts = []
    for t, value in enumerate([*hours, *[None] * horizon]):
        s = cycle[t % m] if season != "N" else 0.0
        base = level + phi * trend
        forecasts.append(base + s if season != "M" else base * s)
        trend = phi * trend
        if value is not None:
            slack = value - s if season != "M" else value / s
            cycle_value = value - base if season != "M" else value / base
            new_level = alpha * slack + (1 - alpha) * base
            trend += beta / alpha * (new_level - base)
            base = new_level
            if season != "N":
                cycle[t % m] = gamma * cycle_value + (1 - gamma) * s
        level = base
    return forecasts[len(hours):]


def tbats(hours: Hours, horizon: int, *, periods: Sequence[float], harmonics: Sequence[int],
          alpha: float, beta: float, phi: float, gamma_one: Sequence[float],
          gamma_two: Sequence[float], level: float, trend: float, cos: Sequence[float],
          sin: Sequence[float]) -> list[float]:
    """x_t = F x_{t-1} + g e_t, y_t = w' x_{t-1} + e_t with the matrices written out."""
    rows: list[tuple[float, float, float]] = [
        (2 * math.pi * j / period, one, two)
        for period, k, one, two in zip(periods, harmonics, gamma_one, gamma_two, strict=True)
        for j in range(1, k + 1)
    ]
    size = 2 + 2 * len(rows)
    f, g, w = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    f[0, :2], f[1, 1] = (1, phi), phi
    g[:2], w[:2] = (alpha, beta), (1, phi)
    for i, (angle, one, two) in enumerate(rows):
        a = 2 + 2 * i
        f[a:a + 2, a:a + 2] = [[math.cos(angle), math.sin(angle)],
                               [-math.sin(angle), math.cos(angle)]]
        g[a:a + 2], w[a] = (one, two), 1
    x = np.array([level, trend] + [v for pair in zip(cos, sin, strict=True) for v in pair])
    forecasts = []
    for value in [*hours, *[None] * horizon]:
        predicted = float(w @ x)
        forecasts.append(predicted)
        x = f @ x + g * (0.0 if value is None else value - predicted)
    return forecasts[len(hours):]


def gaps_as_none(values: Any) -> list[float | None]:
    """A float array with NaN as a list with None."""
    return [None if math.isnan(value) else float(value) for value in values]
