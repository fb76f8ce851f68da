"""The `native` engine of `arima`: rows of the compiled kernels become models, and back."""

import numpy as np

from forecasting.kernels import arima, arima_state
from forecasting.kernels.arima_errors import head
from forecasting.kernels.arima_state import components, widest
from forecasting.kernels.arima_terms import (
    AR,
    DRIFT,
    MA,
    MAX_FREE,
    MAX_ORDER,
    MAX_SEASON,
    MAX_SEASONAL,
    MEAN,
    PARAMS,
    SEASON,
    SEASONAL_AR,
    SEASONAL_MA,
    free_count,
)
from forecasting.kernels.search import Fits
from forecasting.native_rows import Kernels, Row, Rows, row_of
from forecasting.types import FitRefused, Fitted, FloatArray, Model, Values

KERNELS = Kernels(run=arima_state.run_rows, paths=arima_state.path_rows,
                  rolling=arima_state.rolling_rows)

_ORDERS = ("p", "d", "q", "P", "D", "Q", "m")
_POLYNOMIALS = (("ar", "p", AR), ("ma", "q", MA), ("seasonal_ar", "P", SEASONAL_AR),
                ("seasonal_ma", "Q", SEASONAL_MA))


def search(y: FloatArray, seasons: tuple[int, ...]) -> Fits:
    """Differences by test, orders by corrected AIC, conditional least squares; `y` is (S, n)."""
    return arima.fit_batch(y, seasons[0])


def refit(y: FloatArray, rows: Rows, _: tuple[int, ...]) -> Fits:
    """Each row fitted anew from its own parameters, structure kept."""
    return arima.refit_batch(y, rows.structures, rows.params)


def to_model(fits: Fits, s: int) -> Fitted:
    """Row `s` of fits as a model; FitRefused if it is none."""
    spec, params, state = row_of(fits, s)
    structure = dict(zip(_ORDERS, spec.tolist(), strict=True))
    return Fitted(
        structure=structure,
        parameters={
            **{name: params[at:at + structure[order]].copy() for name, order, at in _POLYNOMIALS},
            "mean": float(params[MEAN]), "drift": float(params[DRIFT]),
        },
        state=to_state((spec, params, state)),
        sigma2=float(fits.sigma2[s]), figures=_figures(fits, s),
    )


def to_state(row: Row) -> Values:
    """The state of a row as a model holds it."""
    spec, _, state = row
    size = int(components(spec)) + int(head(spec))
    return {"a": state[1:1 + size].copy(), "t": int(state[0])}


def to_row(model: Model) -> Row:
    """Inverse of `to_model`; FitRefused for orders that the kernel cannot hold."""
    structure, parameters, state = model.structure, model.parameters, model.state
    spec = np.array([structure[order] for order in _ORDERS], dtype=np.int64)
    _require_held(structure, int(free_count(spec, 1)))
    params = np.zeros(PARAMS)
    for name, order, at in _POLYNOMIALS:
        params[at:at + structure[order]] = parameters[name]
    params[MEAN], params[DRIFT] = parameters["mean"], parameters["drift"]
    row = np.zeros(int(widest(spec[SEASON])))
    row[0] = state["t"]
    row[1:1 + state["a"].size] = state["a"]
    return spec, params, row


def _require_held(structure: Values, free: int) -> None:
    held = (structure["p"] <= MAX_ORDER and structure["q"] <= MAX_ORDER
            and structure["P"] <= MAX_SEASONAL and structure["Q"] <= MAX_SEASONAL
            and structure["d"] <= 2 and structure["D"] <= 1
            and structure["m"] <= MAX_SEASON and free <= MAX_FREE)
    if not held:
        orders = ", ".join(f"{name}={structure[name]}" for name in _ORDERS)
        raise FitRefused(f"native arima does not hold {orders}: search the structure again")


def _figures(fits: Fits, s: int) -> Values:
    criterion, runs, capped, _ = fits.figures[s]
    return {"criterion": "aicc", "criterion_value": float(criterion), "iterations": int(runs),
            "capped": bool(capped)}
