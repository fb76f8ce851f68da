"""The engine `native` for one series at a time."""

from collections.abc import Callable

from forecasting.native import NATIVE
from forecasting.types import Fitted, FloatArray

Fitter = Callable[[FloatArray, tuple[int, ...]], Fitted]


def _one(name: str) -> Fitter:
    member = NATIVE[name]
    return lambda y, seasons: member.to_model(member.search(y[None], seasons), 0)


FITTERS: dict[str, Fitter] = {name: _one(name) for name in ("arima", "ets", "theta", "tbats")}
