"""Other models of statsforecast, as members named by their class, with its defaults.

A class is here if what it fits are numbers that a document can hold and a recursion of ours can
forecast from and move: the library itself is needed for the fit alone, as in `statsforecast_fits`.
`config.REFUSED` says why the others are not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from forecasting import ces, ets, theta
from forecasting.config import LIBRARY
from forecasting.statsforecast_fits import (
    CYCLES,
    figures_of,
    from_ets,
    from_theta,
    run,
    usable_seasons,
)
from forecasting.types import FitRefused, Fitted, FloatArray, Model, Values

MAX_ETS_SEASON = 24
"""The library takes no longer season in ETS models."""


def fit_ces(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """AutoCES: the form of the season by corrected AIC."""
    usable = usable_seasons(y, seasons)
    return from_ces(run(_made("AutoCES", season_length=usable[0] if usable else 1), y), y)


def from_ces(found: Values, y: FloatArray) -> Fitted:
    """What the library found for complex exponential smoothing, fitted to `y`."""
    weights, gains = found["par"], {"P": ("beta_0",), "F": ("beta_0", "beta_1")}
    return Fitted(
        structure={"season": found["seasontype"], "m": int(found["m"])},
        parameters={
            "alpha": np.array([weights["alpha_0"], weights["alpha_1"]], dtype=np.float64),
            "beta": np.array([weights[gain] for gain in gains.get(found["seasontype"], ())],
                             dtype=np.float64),
        },
        state=ces_state(found, y.size), sigma2=_variance(found["residuals"]),
        figures=figures_of(y, "aicc", found["aicc"]),
    )


def ces_state(found: Values, t: int) -> Values:
    """The state after `t` hours: the library keeps a row an hour, the first season before it."""
    last = found["states"][t:t + found["m"]]
    smooth = last if found["seasontype"] == "S" else last[-1:]
    columns = [smooth[:, 0], smooth[:, 1], *last[:, 2:].T, np.zeros(0), np.zeros(0)]
    return {name: column.copy() for name, column in zip(ces.RINGS, columns, strict=False)}


def fit_holt(y: FloatArray, _: tuple[int, ...]) -> Fitted:
    """Holt: additive trend, no season."""
    return from_ets(run(_made("Holt"), y), y)


def fit_holt_winters(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """HoltWinters: additive trend and season."""
    m = _needed_season("HoltWinters", y, seasons)
    if m > MAX_ETS_SEASON:
        raise FitRefused(f"HoltWinters takes seasons up to {MAX_ETS_SEASON} h, not {m} h")
    return from_ets(run(_made("HoltWinters", season_length=m), y), y)


def fit_ses(y: FloatArray, _: tuple[int, ...]) -> Fitted:
    """SimpleExponentialSmoothingOptimized: a level, its rate by squared error."""
    found = run(_made("SimpleExponentialSmoothingOptimized"), y)
    mse = _variance(found["residuals"])
    return Fitted(
        structure={"error": "A", "trend": "N", "season": "N", "damped": False, "m": 1},
        parameters={"alpha": float(found["alpha"]), "beta": 0.0, "gamma": 0.0, "phi": 1.0},
        state={"level": float(found["mean"][0]), "trend": 0.0, "season": np.zeros(0)},
        sigma2=mse, figures=figures_of(y, "mse", mse),
    )


def fit_seasonal_ses(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """SeasonalExponentialSmoothingOptimized: a level and a rate for each hour of the season."""
    name = "SeasonalExponentialSmoothingOptimized"
    m = _needed_season(name, y, seasons)
    found = run(_made(name, season_length=m), y)
    mse = _variance(found["residuals"])
    return Fitted(
        structure={"m": m},
        parameters={"alpha": np.roll(np.array(found["alpha"], dtype=np.float64), y.size)},
        state={"ring": np.roll(np.array(found["mean"], dtype=np.float64), y.size),
               "t": int(y.size)},
        sigma2=mse, figures=figures_of(y, "mse", mse),
    )


def path_seasonal_ses(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    ring = model.state["ring"]
    return np.asarray(ring[(model.state["t"] + np.arange(horizon)) % ring.size])


def advance_seasonal_ses(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed: the hour's level stays)."""
    ring, t, alpha = model.state["ring"].copy(), model.state["t"], model.parameters["alpha"]
    for value in y:
        phase = t % ring.size
        if not np.isnan(value):
            ring[phase] = alpha[phase] * value + (1 - alpha[phase]) * ring[phase]
        t += 1
    return {"ring": ring, "t": t}


def fit_drift(y: FloatArray, _: tuple[int, ...]) -> Fitted:
    """RandomWalkWithDrift: from the last hour along the line from the first one to it."""
    found = run(_made("RandomWalkWithDrift"), y)
    mse = _variance(found["residuals"][1:])
    return Fitted(
        structure={}, parameters={"first": float(y[0])},
        state={"last": float(found["last_y"][0]), "hours": int(y.size) - 1, "since": 0},
        sigma2=mse, figures=figures_of(y, "mse", mse),
    )


def path_drift(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    state = model.state
    slope = (state["last"] - model.parameters["first"]) / state["hours"]
    return np.asarray(slope * (np.arange(horizon) + state["since"] + 1) + state["last"])


def advance_drift(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed: the last hour stays the last)."""
    last, hours, since = (model.state[name] for name in ("last", "hours", "since"))
    for value in y:
        since += 1
        if not np.isnan(value):
            last, hours, since = float(value), hours + since, 0
    return {"last": last, "hours": hours, "since": since}


def fit_mean(y: FloatArray, _: tuple[int, ...]) -> Fitted:
    """HistoricAverage: the mean of all hours."""
    found = run(_made("HistoricAverage"), y)
    mse = _variance(found["residuals"])
    return Fitted(
        structure={}, parameters={},
        state={"mean": float(found["mean"][0]), "hours": int(y.size)},
        sigma2=mse, figures=figures_of(y, "mse", mse),
    )


def path_mean(model: Model, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (horizon,)."""
    return np.full(horizon, model.state["mean"])


def advance_mean(model: Model, y: FloatArray) -> Values:
    """State after the further hours `y` (NaN = not observed)."""
    mean, hours = model.state["mean"], model.state["hours"]
    for value in y[~np.isnan(y)].tolist():
        hours += 1
        mean += (value - mean) / hours
    return {"mean": mean, "hours": hours}


def _theta_fitter(name: str) -> "Fitter":
    def fit(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
        usable = usable_seasons(y, seasons)
        return from_theta(run(_made(name, season_length=usable[0] if usable else 1), y), y)
    return fit


Fitter = Callable[[FloatArray, tuple[int, ...]], Fitted]
Recursion = tuple[Callable[[Model, FloatArray], Values], Callable[[Model, int], FloatArray]]
_ETS, _THETA = (ets.advance, ets.path), (theta.advance, theta.path)

_MODELS: dict[str, tuple[Fitter, Recursion]] = {
    "AutoCES": (fit_ces, (ces.advance, ces.path)),
    "Holt": (fit_holt, _ETS),
    "HoltWinters": (fit_holt_winters, _ETS),
    "SimpleExponentialSmoothingOptimized": (fit_ses, _ETS),
    "SeasonalExponentialSmoothingOptimized": (
        fit_seasonal_ses, (advance_seasonal_ses, path_seasonal_ses)),
    **{name: (_theta_fitter(name), _THETA)
       for name in ("Theta", "OptimizedTheta", "DynamicTheta", "DynamicOptimizedTheta")},
    "RandomWalkWithDrift": (fit_drift, (advance_drift, path_drift)),
    "HistoricAverage": (fit_mean, (advance_mean, path_mean)),
}

FITTERS: dict[str, Fitter] = {name: _MODELS[name][0] for name in LIBRARY}
RECURSIONS: dict[str, Recursion] = {name: _MODELS[name][1] for name in LIBRARY}
"""How each moves and forecasts: (advance, path)."""


def _made(name: str, **arguments: Any) -> Any:
    """The library's model of this class; imported when the first fit asks for it."""
    from statsforecast import models

    return getattr(models, name)(**arguments)


def _needed_season(name: str, y: FloatArray, seasons: tuple[int, ...]) -> int:
    usable = usable_seasons(y, seasons)
    if not usable:
        raise FitRefused(f"{name} needs {CYCLES} full seasons of {seasons[0]} h, got {y.size} h")
    return usable[0]


def _variance(residuals: FloatArray) -> float:
    return float(np.nanmean(residuals ** 2))
