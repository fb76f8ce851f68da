"""Multiple seasonal-trend decomposition (Bandara, Hyndman & Bergmeir 2021) with smoothed remainder.

The last pattern of each season repeats; trend and remainder follow a non-seasonal ETS model.
"""

import numpy as np

from forecasting import ets
from forecasting.types import Fitted, FloatArray, Model, Values


def _remainder(model: Model) -> Fitted:
    return Fitted(structure=model.structure["remainder"], parameters=model.parameters["remainder"],
                  state=model.state["remainder"], sigma2=0.0)


def _seasonal(model: Model, hours: int) -> FloatArray:
    total = np.zeros(hours)
    for pattern in model.parameters["patterns"].values():
        total += pattern[(model.state["t"] + np.arange(hours)) % pattern.size]
    return total


def path(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    return ets.path(_remainder(model), horizon) + _seasonal(model, horizon)


def advance(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    moved = ets.advance(_remainder(model), y - _seasonal(model, y.size))
    return {"t": model.state["t"] + y.size, "remainder": moved}
