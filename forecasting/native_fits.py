"""The engine `native`: our own compiled fitters, imported when the first fit asks for one.

Forecasting from a document needs none of them, nor the compiler that they bring.
"""

from collections.abc import Callable

from forecasting.types import Fitted, FloatArray

Fitter = Callable[[FloatArray, tuple[int, ...]], Fitted]


def fit_arima(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """Seasonal ARIMA, see `native_arima`."""
    from forecasting import native_arima

    return native_arima.fit_arima(y, seasons)


def fit_ets(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """Exponential smoothing, see `native_smoothing`."""
    from forecasting import native_smoothing

    return native_smoothing.fit_ets(y, seasons)


def fit_theta(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """Theta models, see `native_smoothing`."""
    from forecasting import native_smoothing

    return native_smoothing.fit_theta(y, seasons)


def fit_tbats(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """Trigonometric seasons, see `native_smoothing`."""
    from forecasting import native_smoothing

    return native_smoothing.fit_tbats(y, seasons)


FITTERS: dict[str, Fitter] = {
    "arima": fit_arima, "ets": fit_ets, "theta": fit_theta, "tbats": fit_tbats,
}
