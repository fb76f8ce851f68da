"""The light members over many series: `profile`, `revert` and the baselines, as rows and models.

Rows are laid out as in `kernels.light_profile` and `kernels.light_ring`.
"""

import numpy as np

from forecasting.kernels import light_profile as profile
from forecasting.kernels import light_ring as ring
from forecasting.kernels.search import CRITERION, FIGURES, NO_FIT, Fits
from forecasting.native_rows import Row, Rows, hours_of, row_of, whole
from forecasting.types import Fitted, FloatArray, IntArray, Model, Values

_PROFILE = -1
_KINDS = {
    "profile": _PROFILE, "revert": ring.REVERT, "seasonal_naive": ring.SEASONAL_NAIVE,
    "hour_of_day": ring.HOUR_OF_DAY, "mean_of_last_day": ring.MEAN_OF_LAST_DAY,
    "last_value": ring.LAST_VALUE,
}
MEMBERS = tuple(_KINDS)


def search(name: str, y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """The member fitted to each row of `y` (S, n)."""
    kind, season = _KINDS[name], seasons[0]
    fits = _empty_fits(kind, len(y), season)
    if kind == _PROFILE:
        profile.fit_rows(hours_of(y), season, *fits)
    else:
        ring.fit_rows(hours_of(y), kind, season, *fits)
    return fits


def refit(name: str, y: FloatArray, _: Rows, seasons: tuple[int, ...]) -> Fits:
    """The member fitted anew: there is nothing to start from."""
    return search(name, y, seasons)


def run(name: str, y: FloatArray, at: IntArray, rows: Rows) -> FloatArray:
    """States (S, c) after the hours y[s, at[s]:] of each row of `y` (S, n), NaN = not observed."""
    kind, states = _KINDS[name], np.array(rows.states, order="C")
    if kind == _PROFILE:
        profile.run_rows(hours_of(y), whole(at), whole(rows.structures), hours_of(rows.params),
                         states)
    else:
        ring.run_rows(hours_of(y), whole(at), kind, whole(rows.structures), states)
    return states


def paths(name: str, rows: Rows, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (S, horizon)."""
    kind, found = _KINDS[name], np.empty((rows.states.shape[0], horizon))
    arrays = whole(rows.structures), hours_of(rows.params), hours_of(rows.states)
    if kind == _PROFILE:
        profile.path_rows(*arrays, found)
    else:
        ring.path_rows(kind, *arrays, found)
    return found


def rolling(name: str, y: FloatArray, _: IntArray, rows: Rows, origins: IntArray,
            horizon: int) -> FloatArray:
    """Forecasts (S, O, horizon) of the member fitted anew before each of the rising `origins`."""
    kind, found = _KINDS[name], np.empty((y.shape[0], len(origins), horizon))
    if kind == _PROFILE:
        profile.rolling_rows(hours_of(y), whole(rows.structures), whole(origins), found)
    else:
        ring.rolling_rows(hours_of(y), kind, whole(rows.structures), whole(origins), found)
    return found


def daily_pattern(y: FloatArray, season: int) -> tuple[FloatArray, FloatArray]:
    """How the days of each row of `y` (S, n) repeat, and how surely.

    A smooth, centred pattern (S, season), by hour from y[s, 0] on, shrunk to the share of it that
    is more than noise; and that share (S,), 0 to 1. Hours before the first observed one count as
    not there.
    """
    patterns, kept = np.empty((y.shape[0], season)), np.empty(y.shape[0])
    profile.pattern_rows(hours_of(y), patterns, kept)
    return patterns, kept


def to_model(name: str, fits: Fits, s: int) -> Fitted:
    """Row `s` of fits as a model; FitRefused if it is none."""
    row = row_of(fits, s)
    season, params, kind = int(row[0][0]), row[1], _KINDS[name]
    parameters: Values = {}
    figures: Values = {}
    if kind == _PROFILE:
        parameters = {"level_rate": float(params[profile.RATE]), "phi": float(params[profile.PHI]),
                      "pattern": params[profile.PATTERN:profile.PATTERN + season].copy()}
        figures = {"pattern_kept": float(fits.figures[s, CRITERION])}
    elif kind == ring.REVERT:
        parameters = {"rate": float(params[0])}
    return Fitted(structure={"season": season}, parameters=parameters, state=to_state(name, row),
                  sigma2=float(fits.sigma2[s]), figures=figures)


def to_state(name: str, row: Row) -> Values:
    """The state of a row as a model holds it."""
    kind, state = _KINDS[name], row[2]
    if kind == _PROFILE:
        level, residual, seen = state[:profile.STATES].tolist()
        return {"level": level, "residual": residual, "t": int(seen)}
    size = int(ring.ring_size(kind, int(row[0][0])))
    last, age, hours = float(state[ring.LAST]), int(state[ring.AGE]), state[ring.RING:]
    found: Values = {"last": last, "ring": hours[:size].copy()}
    return {**found, "age": age} if kind == ring.REVERT else found


def to_row(name: str, model: Model) -> Row:
    """Inverse of `to_model`."""
    parameters, state = model.parameters, model.state
    spec, params = np.array([model.structure["season"]], dtype=np.int64), np.zeros(0)
    if _KINDS[name] == _PROFILE:
        fixed = np.array([parameters["level_rate"], parameters["phi"]])
        moving = np.array([state["level"], state["residual"], state["t"]], dtype=np.float64)
        return spec, np.concatenate((fixed, parameters["pattern"])), moving
    if _KINDS[name] == ring.REVERT:
        params = np.array([parameters["rate"]])
    head = np.array([state["last"], state.get("age", 0)], dtype=np.float64)
    return spec, params, np.concatenate((head, state["ring"]))


def _empty_fits(kind: int, series: int, season: int) -> Fits:
    params, states = int(kind == ring.REVERT), ring.RING + int(ring.ring_size(kind, season))
    if kind == _PROFILE:
        params, states = profile.PATTERN + season, profile.STATES
    return Fits(
        structures=np.zeros((series, 1), dtype=np.int64), params=np.zeros((series, params)),
        states=np.zeros((series, states)), sigma2=np.full(series, np.nan),
        figures=np.zeros((series, FIGURES)), status=np.full(series, NO_FIT, dtype=np.int64),
    )
