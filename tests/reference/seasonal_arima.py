"""Seasonal ARIMA in plain loops over multiplied-out polynomials, as an oracle. None = a gap."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from forecasting.types import FloatArray
from tests.reference.recursions import Hours, spread, times


@dataclass(frozen=True, kw_only=True)
class Process:
    """φ(B) Φ(B^m) ((1-B)^d (1-B^m)^D y_t - c) = θ(B) Θ(B^m) e_t."""

    ar: Sequence[float] = ()
    ma: Sequence[float] = ()
    seasonal_ar: Sequence[float] = ()
    seasonal_ma: Sequence[float] = ()
    d: int = 0
    seasonal_d: int = 0
    m: int = 1
    constant: float = 0.0
    left: list[float] = field(init=False)
    right: list[float] = field(init=False)
    delta: list[float] = field(init=False)

    def __post_init__(self) -> None:
        delta = [1.0]
        for lag in [1] * self.d + [self.m] * self.seasonal_d:
            delta = times(delta, [1.0] + [0.0] * (lag - 1) + [-1.0])
        left = times(spread(self.ar, 1, -1), spread(self.seasonal_ar, self.m, -1))
        right = times(spread(self.ma, 1, 1), spread(self.seasonal_ma, self.m, 1))
        for name, value in (("left", left), ("right", right), ("delta", delta)):
            object.__setattr__(self, name, value)


def errors(hours: Hours, process: Process, begin: int) -> list[float]:
    """One-hour errors, 0 before hour `begin`; the hours that differencing takes must be observed.

    In a missing hour the error is 0 and the prediction stands in.
    """
    head = len(process.delta) - 1
    y, w, e = [value or 0.0 for value in hours[:head]], [0.0] * head, [0.0] * head
    for t in range(head, len(hours)):
        past = sum(-process.left[i] * w[t - i] for i in range(1, min(t + 1, len(process.left))))
        past += sum(process.right[i] * e[t - i] for i in range(1, min(t + 1, len(process.right))))
        before = sum(-process.delta[i] * y[t - i] for i in range(1, head + 1))
        value = hours[t]
        y.append(past + process.constant + before if value is None else value)
        w.append(past if value is None else value - before - process.constant)
        e.append(0.0 if value is None or t < begin else w[t] - past)
    return e


def simulate(n: int, process: Process, seed: int) -> FloatArray:
    """`n` hours of the process with standard normal errors, after a run-in."""
    rng = np.random.default_rng(seed)
    run_in = 300
    y: list[float] = []
    w: list[float] = []
    e = [float(value) for value in rng.normal(0, 1, n + run_in)]
    for t in range(n + run_in):
        value = e[t]
        value += sum(-process.left[i] * w[t - i] for i in range(1, min(t + 1, len(process.left))))
        value += sum(process.right[i] * e[t - i] for i in range(1, min(t + 1, len(process.right))))
        w.append(value)
        y.append(value + process.constant + sum(
            -process.delta[i] * y[t - i] for i in range(1, min(t + 1, len(process.delta)))))
    return np.array(y[run_in:])
