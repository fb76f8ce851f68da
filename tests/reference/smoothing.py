"""Linear smoothing and theta models written out slowly, as oracles of the kernels. NaN = a gap."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from forecasting.kernels import linear
from forecasting.types import FloatArray, IntArray


class Matrices(NamedTuple):
    """x_t = F x_{t-1} + g e_t, y_t = w'x_{t-1} + e_t; states in the order of a kernel's row."""

    f: FloatArray
    g: FloatArray
    w: FloatArray


def matrices(spec: IntArray, theta: FloatArray, periods: Sequence[float]) -> Matrices:
    """The model of a kernel's structure and parameter rows."""
    m, pairs = int(spec[linear.RING]), int(spec[linear.FIRST] + spec[linear.SECOND])
    size = linear.FIXED + m + 2 * pairs
    alpha, beta, phi, gamma, rho = theta[:5]
    f, g, w = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    f[0, :2], f[1, 1], f[2, 2] = (1, phi), phi, rho
    g[:3], w[:3] = (alpha, beta, 1), (1, phi, rho)
    for i in range(m):
        f[3 + i, 3 + (i - 1) % m] = 1
    if m:
        g[3], w[2 + m] = gamma, 1
    for i in range(pairs):
        second = i >= spec[linear.FIRST]
        order = i - spec[linear.FIRST] + 1 if second else i + 1
        angle = 2 * math.pi * order / periods[int(second)]
        c, s = 3 + m + i, 3 + m + pairs + i
        f[c, [c, s]], f[s, [c, s]] = ((math.cos(angle), math.sin(angle)),
                                      (-math.sin(angle), math.cos(angle)))
        g[c], g[s] = theta[[7, 8]] if second else theta[[5, 6]]
        w[c] = 1
    return Matrices(f, g, w)


def residuals(y: FloatArray, model: Matrices, x: FloatArray) -> FloatArray:
    """One-hour errors from the state x, 0 where nothing was observed."""
    errors = []
    for value in y:
        error = 0.0 if math.isnan(value) else float(value - model.w @ x)
        errors.append(error)
        x = model.f @ x + model.g * error
    return np.array(errors)


def discounts(model: Matrices) -> FloatArray:
    """Sizes of the eigenvalues of the discount matrix."""
    return np.asarray(np.abs(np.linalg.eigvals(model.f - np.outer(model.g, model.w))))


def theta_residuals(y: FloatArray, *, dynamic: bool, alpha: float, theta: float,
                    first_level: float) -> FloatArray:
    """Fiorucci et al. 2016, equations of the state space form; y[0] must be observed."""
    known = ~np.isnan(y)
    slope, intercept = np.polyfit(np.arange(1, y.size + 1)[known], y[known], 1)
    a, b = (y[0], 0.0) if dynamic else (intercept, slope)
    level, mean, errors = alpha * y[0] + (1 - alpha) * first_level, y[0], [0.0]
    for i in range(1, y.size):
        line = a * (1 - alpha) ** i + b * (1 - (1 - alpha) ** (i + 1)) / alpha
        predicted = level + (1 - 1 / theta) * line
        value = predicted if math.isnan(y[i]) else y[i]
        errors.append(value - predicted)
        before, mean = mean, (i * mean + value) / (i + 1)
        if dynamic:
            b = ((i - 1) * b + 6 * (value - before) / (i + 1)) / (i + 2)
            a = mean - b * (i + 2) / 2
        level = alpha * value + (1 - alpha) * level
    return np.array(errors)
