"""The `native` engine of `ets`, `theta` and `tbats`: compiled fits become models, and back.

Kernels work on rows of arrays, one series a row (`kernels.search.Fits`); documents hold named
values. `from_*` turns a row of fits into a model; `*_row` turns a model into the row of structure,
parameters and state that kernels take. Where a series allows no fit, FitRefused says why.
"""

import numpy as np

from forecasting.kernels import ets, linear, search, tbats, theta
from forecasting.kernels.search import Fits
from forecasting.native_rows import Kernels, Row, Rows, row_of
from forecasting.types import FitRefused, Fitted, FloatArray, Model, Values

LINEAR = Kernels(run=linear.run_rows, paths=linear.path_rows, rolling=linear.rolling_rows)
THETA = Kernels(run=theta.run_rows, paths=theta.path_rows, rolling=theta.rolling_rows)

_TRENDS = ("N", "A", "A")


def search_ets(y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """Additive exponential smoothing, trend and season by evidence; `y` is (S, n)."""
    return ets.fit_batch(y, ets_ring(seasons))


def search_theta(y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """The best of four theta models by corrected AIC on adjusted data; `y` is (S, n)."""
    return theta.fit_batch(y, seasons[0])


def search_tbats(y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """Harmonics, AR(1) error, trend and damping by evidence; `y` is (S, n)."""
    return tbats.fit_batch(y, tbats_periods(seasons))


def refit_ets(y: FloatArray, rows: Rows, _: tuple[int, ...]) -> Fits:
    """Each row fitted anew from its own parameters, structure kept."""
    return ets.refit_batch(y, rows.structures, rows.params)


def refit_theta(y: FloatArray, rows: Rows, _: tuple[int, ...]) -> Fits:
    """Each row fitted anew from its own parameters, structure kept."""
    return theta.refit_batch(y, rows.structures, rows.params)


def refit_tbats(y: FloatArray, rows: Rows, _: tuple[int, ...]) -> Fits:
    """Each row fitted anew from its own parameters, structure and periods kept."""
    return tbats.refit_batch(y, rows.structures, rows.params)


def ets_ring(seasons: tuple[int, ...]) -> int:
    """The season that exponential smoothing can carry: the first one, if it is not too long."""
    return seasons[0] if 1 < seasons[0] <= ets.MAX_RING else 0


def tbats_periods(seasons: tuple[int, ...]) -> FloatArray:
    """The first two seasons as periods, 0 for none."""
    return _two(np.array([float(m) for m in seasons[:2] if m > 1]))


def _two(periods: FloatArray) -> FloatArray:
    return np.concatenate((periods, np.zeros(2)))[:2]


def from_ets(fits: Fits, s: int) -> Fitted:
    """Row `s` of fits of `kernels.ets` as a model; FitRefused if it is none."""
    spec, params, state = row_of(fits, s)
    trend, m = int(spec[linear.TREND]), int(spec[linear.RING])
    return Fitted(
        structure={"error": "A", "trend": _TRENDS[trend], "season": "A" if m else "N",
                   "damped": trend == 2, "m": max(m, 1)},
        parameters={"alpha": float(params[linear.ALPHA]),
                    "beta": float(params[linear.BETA]) if trend else 0.0,
                    "gamma": float(params[linear.GAMMA]) if m else 0.0,
                    "phi": float(params[linear.PHI]) if trend == 2 else 1.0},
        state=ets_state((spec, params, state)),
        sigma2=float(fits.sigma2[s]), figures=_figures(fits, s, "evidence"),
    )


def ets_state(row: Row) -> Values:
    """The state of a row of `ets` as a model holds it."""
    spec, _, state = row
    m = int(spec[linear.RING])
    return {"level": float(state[0]), "trend": float(state[1]),
            "season": state[linear.FIXED:linear.FIXED + m].copy()}


def ets_row(model: Model) -> Row:
    """Inverse of `from_ets`; FitRefused for what the native kernel cannot hold."""
    structure, parameters, state = model.structure, model.parameters, model.state
    if structure["season"] == "M" or structure.get("error", "A") != "A":
        raise FitRefused("native ets has additive errors and seasons only")
    spec, params = np.zeros(linear.SPEC, dtype=np.int64), np.zeros(linear.PARAMS)
    if structure["trend"] == "A":
        spec[linear.TREND] = 2 if structure["damped"] else 1
        params[linear.BETA], params[linear.PHI] = parameters["beta"], parameters["phi"]
    spec[linear.RING] = structure["m"] if structure["season"] == "A" else 0
    params[linear.ALPHA], params[linear.GAMMA] = parameters["alpha"], parameters["gamma"]
    fixed = [state["level"], state["trend"], 0.0]
    return spec, params, np.concatenate((fixed, state["season"]))


def from_theta(fits: Fits, s: int) -> Fitted:
    """Row `s` of fits of `kernels.theta` as a model; FitRefused if it is none."""
    spec, params, state = row_of(fits, s)
    m = int(spec[1])
    return Fitted(
        structure={"model": theta.MODELS[int(spec[0])],
                   "decomposition": "additive" if m else "none"},
        parameters={"alpha": float(params[0]), "theta": float(params[1]),
                    "pattern": params[2:2 + m].copy()},
        state=theta_state((spec, params, state)),
        sigma2=float(fits.sigma2[s]), figures=_figures(fits, s, "aicc"),
    )


def theta_state(row: Row) -> Values:
    """The state of a row of `theta` as a model holds it."""
    level, mean, a, b, seen = row[2][:theta.STATES].tolist()
    return {"level": level, "mean": mean, "a": a, "b": b, "t": int(seen)}


def theta_row(model: Model) -> Row:
    """Inverse of `from_theta`; FitRefused for what the native kernel cannot hold."""
    if model.structure["decomposition"] == "multiplicative":
        raise FitRefused("native theta has additive patterns only")
    pattern, state = model.parameters["pattern"], model.state
    kind = theta.MODELS.index(model.structure["model"])
    spec = np.array([kind, pattern.size], dtype=np.int64)
    params = np.concatenate(([model.parameters["alpha"], model.parameters["theta"]], pattern))
    return spec, params, np.array([state[name] for name in ("level", "mean", "a", "b", "t")],
                                  dtype=np.float64)


def from_tbats(fits: Fits, s: int) -> Fitted:
    """Row `s` of fits of `kernels.tbats` as a model; FitRefused if it is none."""
    spec, params, state = row_of(fits, s)
    trend, first, second = (int(spec[i]) for i in (linear.TREND, linear.FIRST, linear.SECOND))
    periods = params[linear.THETA:]
    used = 2 if periods[1] > 0 and second else 1
    parameters: Values = {
        "alpha": float(params[linear.ALPHA]),
        "beta": float(params[linear.BETA]) if trend else 0.0,
        "phi": float(params[linear.PHI]) if trend == 2 else 1.0,
        "harmonics": np.array([first, second], dtype=np.float64)[:used],
        "periods": np.maximum(periods, 1.0)[:used],
        "gamma_one": params[[linear.ONE_A, linear.ONE_B]][:used],
        "gamma_two": params[[linear.TWO_A, linear.TWO_B]][:used],
    }
    if spec[linear.AR]:
        parameters["rho"] = float(params[linear.RHO])
    return Fitted(
        structure={"trend": trend > 0, "damped": trend == 2, "ar": bool(spec[linear.AR])},
        parameters=parameters, state=tbats_state((spec, params, state)),
        sigma2=float(fits.sigma2[s]), figures=_figures(fits, s, "evidence"),
    )


def tbats_state(row: Row) -> Values:
    """The state of a row of `tbats` as a model holds it."""
    spec, _, state = row
    pairs = int(spec[linear.FIRST] + spec[linear.SECOND])
    cos, sin = state[linear.FIXED:linear.FIXED + 2 * pairs].reshape(2, pairs)
    found: Values = {"level": float(state[0]), "trend": float(state[1]), "cos": cos.copy(),
                     "sin": sin.copy()}
    if spec[linear.AR]:
        found["error"] = float(state[2])
    return found


def tbats_row(model: Model) -> Row:
    """Inverse of `from_tbats`, also for documents of the `statsforecast` engine.

    FitRefused for what the native kernel cannot hold.
    """
    structure, parameters, state = model.structure, model.parameters, model.state
    if parameters["periods"].size > 2 or parameters["harmonics"].sum() > linear.MAX_PAIRS:
        raise FitRefused(f"native tbats has at most two seasons and {linear.MAX_PAIRS} harmonics")
    spec, params = np.zeros(linear.SPEC, dtype=np.int64), np.zeros(linear.PARAMS)
    if structure["trend"]:
        spec[linear.TREND] = 2 if structure["damped"] else 1
        params[linear.BETA], params[linear.PHI] = parameters["beta"], parameters["phi"]
    spec[linear.AR] = 1 if structure.get("ar") else 0
    params[linear.ALPHA], params[linear.RHO] = parameters["alpha"], parameters.get("rho", 0.0)
    params[linear.THETA:linear.THETA + parameters["periods"].size] = parameters["periods"]
    for i, count in enumerate(parameters["harmonics"]):
        spec[linear.FIRST + i] = int(count)
        params[linear.ONE_A + 2 * i] = parameters["gamma_one"][i]
        params[linear.TWO_A + 2 * i] = parameters["gamma_two"][i]
    fixed = [state["level"], state["trend"], state.get("error", 0.0)]
    return spec, params, np.concatenate((fixed, state["cos"], state["sin"]))


def _figures(fits: Fits, s: int, criterion: str) -> Values:
    figures = fits.figures[s]
    return {"criterion": criterion, "criterion_value": float(figures[search.CRITERION]),
            "iterations": int(figures[search.EVALUATIONS]),
            "capped": bool(figures[search.CAPPED]), "filled": 0}
