"""Every member's recursion for one model at a time: forecast from its state, move it by hours.

Members that kernels hold are batches of one over `NATIVE`, whichever engine fitted them. What no
kernel holds (multiplicative smoothing of the library, its other models) goes hour by hour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from forecasting import arima, ets, library, mstl, tbats, theta
from forecasting.native import NATIVE, Rows
from forecasting.types import FitRefused, Fitted, FloatArray, Model, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A recursion. `heavy`: fitted once per window on all but the held-back hours.

    advance(model, y): the state after the hours `y` (n,), NaN = not observed.
    path(model, horizon): forecasts of the next `horizon` hours, shape (horizon,).
    rolling(model, y, at, origins, horizon): forecasts from each of the rising `origins`, hours of
        `y`, made without what follows: (origins, horizon). Heavy members run to them from the
        model's state, which stands at hour `at`; light ones are fitted anew. NaN where a member
        cannot say anything.
    """

    heavy: bool
    advance: Callable[[Model, FloatArray], Values]
    path: Callable[[Model, int], FloatArray]
    rolling: Callable[[Model, FloatArray, int, Sequence[int], int], FloatArray]


def at_state(model: Model, state: Values) -> Fitted:
    """The model in another state."""
    return Fitted(structure=model.structure, parameters=model.parameters, state=state, sigma2=0.0)


def _hourly(advance: Callable[[Model, FloatArray], Values],
            path: Callable[[Model, int], FloatArray]) -> Member:
    def rolling(model: Model, y: FloatArray, at: int, origins: Sequence[int],
                horizon: int) -> FloatArray:
        paths = np.full((len(origins), horizon), np.nan)
        for row, origin in enumerate(origins):
            if origin >= at:
                model = at_state(model, advance(model, y[at:origin]))
                at, paths[row] = origin, path(model, horizon)
        return paths
    return Member(heavy=True, advance=advance, path=path, rolling=rolling)


_HOURLY: dict[str, Member] = {
    "arima": _hourly(arima.advance, arima.path), "ets": _hourly(ets.advance, ets.path),
    "theta": _hourly(theta.advance, theta.path), "tbats": _hourly(tbats.advance, tbats.path),
    "mstl": _hourly(mstl.advance, mstl.path),
    **{name: _hourly(*functions) for name, functions in library.RECURSIONS.items()},
}


def _held(name: str, model: Model) -> Rows | None:
    """The model as a batch of one, None if no kernel holds it."""
    native = NATIVE[name]
    try:
        return native.stack([native.to_row(model)])
    except FitRefused:
        return None


def _advance(name: str, model: Model, y: FloatArray) -> Values:
    rows = _held(name, model)
    if rows is None:
        return _HOURLY[name].advance(model, y)
    native = NATIVE[name]
    states = native.run(y[None], np.zeros(1, dtype=np.int64), rows)
    return native.to_state((rows.structures[0], rows.params[0], states[0]))


def _path(name: str, model: Model, horizon: int) -> FloatArray:
    rows = _held(name, model)
    if rows is None:
        return _HOURLY[name].path(model, horizon)
    return np.asarray(NATIVE[name].paths(rows, horizon)[0])


def _rolling(name: str, model: Model, y: FloatArray, at: int, origins: Sequence[int],
             horizon: int) -> FloatArray:
    rows = _held(name, model)
    if rows is None:
        return _HOURLY[name].rolling(model, y, at, origins, horizon)
    hours = np.array(origins, dtype=np.int64)
    return np.asarray(NATIVE[name].rolling(y[None], np.array([at]), rows, hours, horizon)[0])


MEMBERS: dict[str, Member] = {
    **_HOURLY,
    **{name: Member(heavy=native.heavy, advance=partial(_advance, name), path=partial(_path, name),
                    rolling=partial(_rolling, name)) for name, native in NATIVE.items()},
}
