"""Seasonal ARIMA as a recursion on its innovations state (Gardner, Harvey & Phillips 1980).

The state holds r = max(p', q' + 1) components of the differenced process, p' and q' the orders of
the multiplied-out polynomials, and the last d + m D observations. A new hour moves it with the
steady-state gain (1, θ'), which is the difference equation with innovations; a missing hour moves
it with innovation 0, so that the prediction stands in for the observation.
"""

import numpy as np

from forecasting.types import FloatArray, Model, Values

MIN_ROOT = 1.01


def _expand(own: FloatArray, seasonal: FloatArray, m: int, sign: float) -> FloatArray:
    """Coefficients of the product of 1 + sign·own(B) and 1 + sign·seasonal(B^m), without the 1."""
    short = np.concatenate(([1.0], sign * own))
    long = np.zeros(seasonal.size * m + 1)
    long[0] = 1.0
    long[m::m] = sign * seasonal
    return sign * np.convolve(short, long)[1:]


def invertible(ma: FloatArray) -> tuple[FloatArray, float]:
    """The moving average of the same process with all roots outside |z| = 1.01, and its variance.

    A likelihood does not tell a root from its mirror image, but a filter with the inner one
    diverges. The variance is that of the new innovations relative to the old.
    """
    trimmed = np.trim_zeros(ma, "b")
    roots = np.roots(np.concatenate((trimmed[::-1], [1.0])))
    sizes = np.abs(roots)
    if not roots.size or sizes.min() >= MIN_ROOT:
        return ma, 1.0
    outer = np.where(sizes < 1, 1 / np.conj(roots), roots)
    outer *= np.maximum(1.0, MIN_ROOT / np.abs(outer))
    mirrored = np.real(np.poly(1 / outer))[1:]
    kept = np.concatenate((mirrored, np.zeros(ma.size - mirrored.size)))
    return kept, float(np.prod(1 / sizes[sizes < 1] ** 2))


def differences(d: int, seasonal_d: int, m: int) -> FloatArray:
    """δ of y_t = w_t + Σ δ_i y_{t-i}, for w = (1 - B)^d (1 - B^m)^D y."""
    polynomial = np.ones(1)
    for _ in range(d):
        polynomial = np.convolve(polynomial, [1.0, -1.0])
    for _ in range(seasonal_d):
        polynomial = np.convolve(polynomial, np.concatenate(([1.0], np.zeros(m - 1), [-1.0])))
    return -polynomial[1:]


class _System:
    """Matrices of one model, in the form that the recursion uses."""

    def __init__(self, model: Model) -> None:
        structure, parameters = model.structure, model.parameters
        m = structure["m"]
        ar = _expand(parameters["ar"], parameters["seasonal_ar"], m, -1.0)
        ma = _expand(parameters["ma"], parameters["seasonal_ma"], m, 1.0)
        self.size = max(ar.size, ma.size + 1)
        self.ar = np.zeros(self.size)
        self.ar[:ar.size] = ar
        self.gain = np.zeros(self.size)
        self.gain[0] = 1.0
        self.gain[1:1 + ma.size] = ma
        self.delta = differences(structure["d"], structure["D"], m)
        self.mean, self.drift = parameters["mean"], parameters["drift"]

    def step(self, a: FloatArray) -> FloatArray:
        """The state one hour later, before any correction."""
        moved = np.empty_like(a)
        moved[:self.size] = self.ar * a[0]
        moved[:self.size - 1] += a[1:self.size]
        if self.delta.size:
            moved[self.size] = a[0] + self.delta @ a[self.size:]
            moved[self.size + 1:] = a[self.size:-1]
        return moved

    def level(self, a: FloatArray, t: int) -> float:
        """Expected observation of hour `t`, counted from 1 at the first fitted hour."""
        return float(a[0] + self.delta @ a[self.size:] + self.mean + self.drift * t)


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    system = _System(model)
    a, t = model.state["a"], model.state["t"]
    forecasts = np.empty(horizon)
    for lead in range(horizon):
        a = system.step(a)
        forecasts[lead] = system.level(a, t + lead + 1)
    return forecasts


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    system = _System(model)
    a, t = model.state["a"], model.state["t"]
    for value in y:
        a = system.step(a)
        t += 1
        if not np.isnan(value):
            a[:system.size] += (value - system.level(a, t)) * system.gain
    return {"a": a, "t": t}
