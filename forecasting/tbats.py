"""TBATS (De Livera, Hyndman & Snyder 2011) without Box-Cox.

State: level, trend (damped by φ), an autoregressive error (by ρ; documents without one have none)
and, per period, k harmonic pairs that rotate by 2πj/m an hour.
A missing hour is a rotation without a correction.
"""

import numpy as np

from forecasting.types import FloatArray, Model, Values


class _System:
    """Angles and gains of every harmonic, periods one after the other."""

    def __init__(self, model: Model) -> None:
        periods, harmonics = model.parameters["periods"], model.parameters["harmonics"]
        orders = [np.arange(1, int(k) + 1) for k in harmonics]
        angles = np.concatenate([
            2 * np.pi * order / period for order, period in zip(orders, periods, strict=True)
        ])
        repeat = harmonics.astype(int)
        self.cos, self.sin = np.cos(angles), np.sin(angles)
        self.gain_cos = np.repeat(model.parameters["gamma_one"], repeat)
        self.gain_sin = np.repeat(model.parameters["gamma_two"], repeat)
        self.alpha, self.beta = model.parameters["alpha"], model.parameters["beta"]
        self.phi, self.rho = model.parameters["phi"], model.parameters.get("rho", 0.0)

    def predict(self, state: Values) -> float:
        slow = state["level"] + self.phi * state["trend"] + state["cos"].sum()
        return float(slow + self.rho * state.get("error", 0.0))

    def step(self, state: Values, error: float) -> Values:
        """State one hour later, corrected by the hour's `error`."""
        damped = self.phi * state["trend"]
        cos = self.cos * state["cos"] + self.sin * state["sin"]
        sin = self.cos * state["sin"] - self.sin * state["cos"]
        moved = {
            "level": state["level"] + damped + self.alpha * error,
            "trend": damped + self.beta * error,
            "cos": cos + self.gain_cos * error,
            "sin": sin + self.gain_sin * error,
        }
        if "error" in state:
            moved["error"] = self.rho * state["error"] + error
        return moved


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    system, state = _System(model), model.state
    forecasts = np.empty(horizon)
    for lead in range(horizon):
        forecasts[lead] = system.predict(state)
        state = system.step(state, 0.0)
    return forecasts


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    system, state = _System(model), model.state
    for value in y:
        error = 0.0 if np.isnan(value) else float(value) - system.predict(state)
        state = system.step(state, error)
    return dict(state)
