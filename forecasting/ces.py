"""Complex exponential smoothing (Svetunkov, Kourentzes & Ord 2022) as a recursion.

Level and information potential move together by the complex weight α0 + iα1. Season N: none; S:
both once an hour of the season; P: an added pattern by the real gain β0; F: one by β0 + iβ1. Rings
hold one number an hour of the season, the next hour's first. A missing hour is a prediction step
without a correction.
"""

import numpy as np

from forecasting.types import FloatArray, Model, Values

RINGS = ("level", "potential", "season", "season_potential")


def _step(model: Model, rings: dict[str, list[float]], value: float) -> float:
    """Prediction for the next hour; moves the rings by `value` (NaN: by no correction)."""
    kind, parameters = model.structure["season"], model.parameters
    level, potential = rings["level"].pop(0), rings["potential"].pop(0)
    patterned = kind in ("P", "F")
    season = rings["season"].pop(0) if patterned else 0.0
    predicted = level + season
    error = 0.0 if np.isnan(value) else value - predicted
    real, imaginary = parameters["alpha"]
    rings["level"].append(level - (1 - imaginary) * potential + (real - imaginary) * error)
    rings["potential"].append(level + (1 - real) * potential + (real + imaginary) * error)
    if kind == "P":
        rings["season"].append(season + parameters["beta"][0] * error)
    if kind == "F":
        hidden = rings["season_potential"].pop(0)
        real, imaginary = parameters["beta"]
        rings["season"].append(season - (1 - imaginary) * hidden + (real - imaginary) * error)
        rings["season_potential"].append(season + (1 - real) * hidden + (real + imaginary) * error)
    return predicted


def _rings(model: Model) -> dict[str, list[float]]:
    return {name: model.state[name].tolist() for name in RINGS}


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    rings = _rings(model)
    return np.array([_step(model, rings, float("nan")) for _ in range(horizon)])


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    rings = _rings(model)
    for value in y.tolist():
        _step(model, rings, value)
    return {name: np.array(ring, dtype=np.float64) for name, ring in rings.items()}
