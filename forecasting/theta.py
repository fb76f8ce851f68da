"""Standard, optimised and dynamic theta models (Fiorucci et al. 2016) as recursions.

The series is first adjusted by a fixed seasonal pattern (added or multiplied, or none). A missing
hour is updated with its own prediction.
"""

import numpy as np

from forecasting.types import FloatArray, Model, Values

DYNAMIC = ("DSTM", "DOTM")


def _step(model: Model, state: Values, value: float) -> tuple[float, Values]:
    """Prediction for the next adjusted hour, and the state after it (NaN: its own prediction)."""
    alpha, theta = model.parameters["alpha"], model.parameters["theta"]
    i, a, b = state["t"], state["a"], state["b"]
    decay = (1 - alpha) ** i
    line = a * decay + b * (1 - decay * (1 - alpha)) / alpha
    predicted = state["level"] + (1 - 1 / theta) * line
    y = predicted if np.isnan(value) else value
    mean = (i * state["mean"] + y) / (i + 1)
    if model.structure["model"] in DYNAMIC:
        b = ((i - 1) * b + 6 * (y - state["mean"]) / (i + 1)) / (i + 2)
        a = mean - b * (i + 2) / 2
    level = alpha * y + (1 - alpha) * state["level"]
    return predicted, {"level": level, "mean": mean, "a": a, "b": b, "t": i + 1}


def _seasonal(model: Model, first: int, hours: int) -> FloatArray:
    pattern = model.parameters["pattern"]
    return np.asarray(pattern[(first + np.arange(hours)) % pattern.size])


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    state = model.state
    forecasts = np.empty(horizon)
    for lead in range(horizon):
        forecasts[lead], state = _step(model, state, float("nan"))
    kind = model.structure["decomposition"]
    if kind == "none":
        return forecasts
    pattern = _seasonal(model, model.state["t"], horizon)
    return forecasts * pattern if kind == "multiplicative" else forecasts + pattern


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    kind, state = model.structure["decomposition"], model.state
    adjusted = y
    if kind != "none":
        pattern = _seasonal(model, state["t"], y.size)
        adjusted = y / pattern if kind == "multiplicative" else y - pattern
    for value in adjusted:
        _, state = _step(model, state, float(value))
    return dict(state)
