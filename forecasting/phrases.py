"""What a model is called: its structure in one phrase of the field."""

from collections.abc import Callable

from forecasting.documents import Document
from forecasting.types import FloatArray, Values

THETA_NAMES = {
    "STM": "standard Theta", "OTM": "optimised Theta", "DSTM": "dynamic standard Theta",
    "DOTM": "dynamic optimised Theta",
}
_CES_SEASONS = {"N": "no season", "S": "simple season", "P": "partial season", "F": "full season"}


def structure(document: Document) -> str:
    """The structure of a member's model, such as `ARIMA(2,0,1)(0,1,1)[24]`.

    KeyError for a member that is none (the ensemble).
    """
    phrase = _PHRASES[document.member](document.structure, document.parameters)
    week: FloatArray | None = document.parameters.get("week")
    return phrase if week is None or not week.size else (
        f"{phrase}, with a weekly contrast of {week.size} h")


def _arima(orders: Values, parameters: Values) -> str:
    text = "ARIMA({p},{d},{q})".format_map(orders)
    if orders["m"] > 1 and orders["P"] + orders["D"] + orders["Q"]:
        text += "({P},{D},{Q})[{m}]".format_map(orders)
    if parameters["drift"]:
        return f"{text} with drift"
    return f"{text} with a mean" if parameters["mean"] else text


def _ets(parts: Values, _: Values) -> str:
    trend = parts["trend"] + ("d" if parts["trend"] != "N" and parts["damped"] else "")
    return f"ETS({parts.get('error', 'A')},{trend},{parts['season']})"


def _theta(parts: Values, parameters: Values) -> str:
    name, pattern = THETA_NAMES[parts["model"]], parameters["pattern"]
    if parts["decomposition"] == "none":
        return name
    return f"{name}, after an {parts['decomposition']} pattern of {pattern.size} h".replace(
        "an mult", "a mult")


def _tbats(parts: Values, parameters: Values) -> str:
    terms = [_pairs(int(count), period) for count, period in zip(
        parameters["harmonics"], parameters["periods"], strict=True) if count]
    terms = terms or ["no harmonic pair"]
    if parts["trend"]:
        terms.append("damped trend" if parts["damped"] else "trend")
    if parts.get("ar"):
        terms.append("AR(1) error")
    return ", ".join(["TBATS", *terms])


def _pairs(count: int, period: float) -> str:
    return f"{count} harmonic pair{'s' if count > 1 else ''} of {period:g} h"


def _mstl(parts: Values, parameters: Values) -> str:
    periods = " and ".join(f"{period} h" for period in parameters["patterns"])
    return f"MSTL, patterns of {periods}, rest {_ets(parts['remainder'], {})}"


def _profile(_: Values, parameters: Values) -> str:
    pattern: FloatArray = parameters["pattern"]
    shape = "hour-of-day profile" if pattern.any() else "flat profile"
    return f"{shape} on a slow level, AR(1) residual"


def _ces(parts: Values, _: Values) -> str:
    return f"complex exponential smoothing, {_CES_SEASONS[parts['season']]}"


def _seasonal_ses(parts: Values, _: Values) -> str:
    return f"simple exponential smoothing of each of {parts['m']} hours"


def _named(phrase: str) -> Callable[[Values, Values], str]:
    return lambda _parts, _parameters: phrase


_PHRASES: dict[str, Callable[[Values, Values], str]] = {
    "arima": _arima, "ets": _ets, "theta": _theta, "tbats": _tbats, "mstl": _mstl,
    "profile": _profile,
    "revert": _named("return from the last value to the mean of the last 24 h"),
    "seasonal_naive": _named("seasonal naive: each hour as a day before"),
    "hour_of_day": _named("mean of the same hour on the last seven days"),
    "mean_of_last_day": _named("mean of the last 24 h"),
    "last_value": _named("last value, held"),
    "AutoCES": _ces, "Holt": _ets, "HoltWinters": _ets,
    "SimpleExponentialSmoothingOptimized": _ets,
    "SeasonalExponentialSmoothingOptimized": _seasonal_ses,
    **dict.fromkeys(("Theta", "OptimizedTheta", "DynamicTheta", "DynamicOptimizedTheta"), _theta),
    "RandomWalkWithDrift": _named("random walk with drift"),
    "HistoricAverage": _named("mean of all hours"),
}
