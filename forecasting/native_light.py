"""The light members over many series: `profile`, `revert` and the baselines, as rows and models.

A structure is the season alone. Parameters: level rate, φ and pattern of `profile`; the rate of
`revert`; none of the baselines. States: level, residual and phase of `profile`; last value, its age
in hours (`revert` alone) and the ring of the last hours of the others.
"""

from collections.abc import Callable

import numpy as np

from forecasting import baselines, profile
from forecasting.kernels.search import CRITERION, FIGURES, FITTED, OBSERVED, TOO_FEW, Fits
from forecasting.native_rows import Row, Rows, row_of, stack
from forecasting.types import Fitted, FloatArray, IntArray, Model, Values

_FIT: dict[str, Callable[[FloatArray, int], Fitted]] = {
    "profile": profile.fit, "revert": baselines.fit_revert,
    "seasonal_naive": baselines.fit_seasonal_naive, "hour_of_day": baselines.fit_hour_of_day,
    "mean_of_last_day": baselines.fit_mean_of_last_day, "last_value": baselines.fit_last_value,
}
_ADVANCE: dict[str, Callable[[Model, FloatArray], Values]] = {
    "profile": profile.advance, "revert": baselines.advance_revert,
    "seasonal_naive": baselines.advance_seasonal_naive, "hour_of_day": baselines.advance_ring,
    "mean_of_last_day": baselines.advance_ring, "last_value": baselines.advance_ring,
}
_PATH: dict[str, Callable[[Model, int], FloatArray]] = {
    "profile": profile.path, "revert": baselines.path_revert,
    "seasonal_naive": baselines.path_seasonal_naive, "hour_of_day": baselines.path_hour_of_day,
    "mean_of_last_day": baselines.path_mean_of_last_day, "last_value": baselines.path_last_value,
}
MEMBERS = tuple(_FIT)


def search(name: str, y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """The member fitted to each row of `y` (S, n)."""
    rows, kept, sigma2 = [], np.zeros(len(y)), np.zeros(len(y))
    for s, hours in enumerate(y):
        known = np.flatnonzero(~np.isnan(hours))
        own = hours[known[0]:] if known.size else np.zeros(1)
        model = _FIT[name](own, seasons[0])
        rows.append(to_row(name, model))
        kept[s], sigma2[s] = model.figures.get("pattern_kept", 0.0), _variance(name, own, seasons)
    whole, observed = stack(rows), (~np.isnan(y)).sum(axis=1)
    figures = np.zeros((len(y), FIGURES))
    figures[:, CRITERION], figures[:, OBSERVED] = kept, observed
    return Fits(*whole, sigma2=sigma2, figures=figures,
                status=np.where(observed > 0, FITTED, TOO_FEW))


def refit(name: str, y: FloatArray, _: Rows, seasons: tuple[int, ...]) -> Fits:
    """The member fitted anew."""
    return search(name, y, seasons)


def run(name: str, y: FloatArray, at: IntArray, rows: Rows) -> FloatArray:
    """States after the hours y[s, at[s]:]."""
    states = rows.states.copy()
    for s, hours in enumerate(y):
        if at[s] < hours.size:
            model = _model(name, rows, s)
            moved = _ADVANCE[name](model, hours[at[s]:])
            state = to_row(name, Fitted(structure=model.structure, parameters=model.parameters,
                                        state=moved, sigma2=0.0))[2]
            states[s, :state.size] = state
    return states


def paths(name: str, rows: Rows, horizon: int) -> FloatArray:
    """Forecasts (S, horizon) from the states."""
    return np.array([_PATH[name](_model(name, rows, s), horizon)
                     for s in range(len(rows.states))]).reshape(-1, horizon)


def rolling(name: str, y: FloatArray, _: IntArray, rows: Rows, origins: IntArray,
            horizon: int) -> FloatArray:
    """Forecasts (S, O, horizon) of the member refitted at every origin."""
    found = np.full((len(y), len(origins), horizon), np.nan)
    for s, hours in enumerate(y):
        known = np.flatnonzero(~np.isnan(hours))
        for o, origin in enumerate(origins):
            if known.size and known[0] < origin:
                model = _FIT[name](hours[known[0]:origin], int(rows.structures[s, 0]))
                found[s, o] = _PATH[name](model, horizon)
    return found


def to_model(name: str, fits: Fits, s: int) -> Fitted:
    """Row `s` of fits as a model; FitRefused if it is none."""
    structure, params, state = row_of(fits, s)
    model = _model(name, Rows(structure[None], params[None], state[None]), 0)
    figures = {"pattern_kept": float(fits.figures[s, CRITERION])} if name == "profile" else {}
    return Fitted(structure=model.structure, parameters=model.parameters, state=model.state,
                  sigma2=float(fits.sigma2[s]), figures=figures)


def to_row(name: str, model: Model) -> Row:
    """Inverse of `to_model`."""
    parameters, state = model.parameters, model.state
    spec, none = np.array([model.structure["season"]], dtype=np.int64), np.zeros(0)
    if name == "profile":
        moving = [state["level"], state["residual"], state["t"]]
        own = np.array([parameters["level_rate"], parameters["phi"]])
        return spec, np.concatenate((own, parameters["pattern"])), np.array(moving, dtype=float)
    if name == "revert":
        head = np.array([state["last"], state["age"]], dtype=float)
        return spec, np.array([parameters["rate"]]), np.concatenate((head, state["ring"]))
    return spec, none, np.concatenate(([state["last"]], state["ring"]))


def _model(name: str, rows: Rows, s: int) -> Fitted:
    season, params, state = int(rows.structures[s, 0]), rows.params[s], rows.states[s]
    parameters: Values = {}
    if name == "profile":
        parameters = {"level_rate": float(params[0]), "phi": float(params[1]),
                      "pattern": params[2:2 + season].copy()}
        moving: Values = {"level": float(state[0]), "residual": float(state[1]),
                          "t": int(state[2])}
    elif name == "revert":
        parameters = {"rate": float(params[0])}
        moving = {"last": float(state[0]), "age": int(state[1]), "ring": state[2:26].copy()}
    else:
        size = {"seasonal_naive": season, "hour_of_day": 7 * season, "mean_of_last_day": 24}
        moving = {"last": float(state[0]), "ring": state[1:1 + size.get(name, 1)].copy()}
    return Fitted(structure={"season": season}, parameters=parameters, state=moving, sigma2=0.0)


def _variance(name: str, y: FloatArray, seasons: tuple[int, ...]) -> float:
    """Mean squared one-hour error over the last day, fitted before it; 0 if unknown."""
    before, squares = y[:-24], []
    if np.isnan(before).all():
        return 0.0
    model = _FIT[name](before, seasons[0])
    for value in y[before.size:]:
        if not np.isnan(value):
            squares.append(float(value - _PATH[name](model, 1)[0]) ** 2)
        state = _ADVANCE[name](model, np.array([value]))
        model = Fitted(structure=model.structure, parameters=model.parameters, state=state,
                       sigma2=0.0)
    return float(np.mean(squares)) if squares else 0.0
