"""A fitted model taken apart: level, trend, daily pattern, and what the latest readings add.

    forecast of lead h = level + trend[h - 1] + seasonal[h - 1] + what the latest readings add

Members that keep a level and a pattern in their document are read; those that do not (seasonal
ARIMA, complex smoothing) are taken from their own path. Arrays begin with the hour that follows
the document's window.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from forecasting import members
from forecasting.documents import Document
from forecasting.types import FloatArray, Values

DAY = 24
WEEK = 7 * DAY

Found = Literal["parameters", "state", "path", "none"]

_FAR_WEEKS = 3      # what the latest readings add to an ARIMA has faded by then
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """In the vital's unit. `level` is that of the last hour seen, over the hours of a day.

    `trend` (24,) is the change of the level after 1 … 24 hours, None where the model has no trend;
    `seasonal` (168,) the deviation of each hour of the next week from the level, its mean 0;
    `added` (24,) what the latest readings add for the moment; `found` where the daily pattern comes
    from.
    """

    level: float
    trend: FloatArray | None
    seasonal: FloatArray
    added: FloatArray
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    """Parts before the mean of the pattern is moved into the level."""

    level: float
    trend: FloatArray | None
    seasonal: FloatArray | None = None
    found: Found = "none"


def parts(document: Document) -> Parts:
    """Take a member's document apart. KeyError for a member that is none (the ensemble)."""
    plain, week = _without_week(document)
    with np.errstate(all="ignore"):
        raw = _READERS[document.member](plain)
        path = members.forecast(document, DAY)
    seasonal = np.zeros(WEEK) if raw.seasonal is None else raw.seasonal
    mean = float(seasonal.mean())
    level, seasonal = raw.level + mean, seasonal - mean
    if np.ptp(seasonal) <= _NOTHING * max(1.0, abs(level)):
        raw, seasonal = replace(raw, found="none"), np.zeros(WEEK)
    seasonal = seasonal + week
    line = level + (0.0 if raw.trend is None else raw.trend)
    return Parts(level=level, trend=raw.trend, seasonal=seasonal,
                 added=path - line - seasonal[:DAY], found=raw.found)


def _without_week(document: Document) -> tuple[Document, FloatArray]:
    """The model without what it puts back of a week, and that, shape (168,); see `weekly`."""
    pattern = document.parameters.get("week", np.zeros(0))
    if not pattern.size:
        return document, np.zeros(WEEK)
    plain = replace(document, parameters={**document.parameters, "week": np.zeros(0)})
    return plain, _repeated(pattern, document.state["week_t"])


def by_hour_of_day(seasonal: FloatArray, first_hour: int) -> FloatArray:
    """Mean of each UTC hour of day, shape (24,); `first_hour` is that of the first element."""
    return np.asarray(np.roll(seasonal.reshape(-1, DAY).mean(axis=0), first_hour))


# --- one reader a kind of member ------------------------------------------------------------


def _ets(document: Document) -> _Raw:
    return _ets_parts(document.structure, document.parameters, document.state)


def _ets_parts(structure: Values, parameters: Values, state: Values) -> _Raw:
    trend = None
    if structure["trend"] == "A":
        trend = state["trend"] * np.cumsum(parameters["phi"] ** np.arange(1.0, DAY + 1))
    if structure["season"] == "N":
        return _Raw(level=state["level"], trend=trend)
    ring = _repeated(state["season"][::-1], 0)
    seasonal = ring if structure["season"] == "A" else state["level"] * (ring - 1)
    return _Raw(level=state["level"], trend=trend, seasonal=seasonal, found="state")


def _theta(document: Document) -> _Raw:
    """The line of the adjusted series, and the pattern that was taken out before."""
    plain = replace(document, structure={**document.structure, "decomposition": "none"},
                    parameters={**document.parameters, "pattern": np.zeros(0)})
    line, kind = _line(plain), document.structure["decomposition"]
    if kind == "none":
        return line
    pattern = _repeated(document.parameters["pattern"], document.state["t"])
    return replace(line, found="parameters",
                   seasonal=pattern if kind == "additive" else line.level * (pattern - 1))


def _tbats(document: Document) -> _Raw:
    """Harmonic pairs rotate; only their cosine part is seen."""
    parameters, state = document.parameters, document.state
    trend = None
    if document.structure["trend"]:
        trend = state["trend"] * np.cumsum(parameters["phi"] ** np.arange(1.0, DAY + 1))
    seasonal, at = np.zeros(WEEK), 0
    for period, count in zip(parameters["periods"], parameters["harmonics"], strict=True):
        for order in range(1, int(count) + 1):
            turned = 2 * np.pi * order / period * np.arange(WEEK)
            seasonal += state["cos"][at] * np.cos(turned) + state["sin"][at] * np.sin(turned)
            at += 1
    return _Raw(level=state["level"], trend=trend, seasonal=seasonal, found="state")


def _mstl(document: Document) -> _Raw:
    rest = _ets_parts(document.structure["remainder"], document.parameters["remainder"],
                      document.state["remainder"])
    patterns = [_repeated(pattern, document.state["t"])
                for pattern in document.parameters["patterns"].values()]
    return replace(rest, seasonal=np.sum(patterns, axis=0), found="parameters")


def _profile(document: Document) -> _Raw:
    return _Raw(level=document.state["level"], trend=None, found="parameters",
                seasonal=_repeated(document.parameters["pattern"], document.state["t"]))


def _revert(document: Document) -> _Raw:
    """The level is what the path returns to: far ahead nothing else is left."""
    ring = document.state["ring"]
    known = ring[~np.isnan(ring)]
    return _Raw(level=float(known.mean()) if known.size else document.state["last"], trend=None)


def _repeating(document: Document) -> _Raw:
    """Members whose path is their pattern."""
    return _Raw(level=0.0, trend=None, seasonal=members.forecast(document, WEEK), found="state")


def _constant(document: Document) -> _Raw:
    return _Raw(level=float(members.forecast(document, 1)[0]), trend=None)


def _line(document: Document) -> _Raw:
    """A path without a season: its first point, and how it goes on."""
    path = members.forecast(document, DAY + 1)
    level = float(2 * path[0] - path[1])
    return _Raw(level=level, trend=path[:DAY] - level)


def _arima(document: Document) -> _Raw:
    """Level and trend from the far end of the path, where only the eventual forecast is left.

    The pattern of a seasonal difference lasts and is taken from there too; one of seasonal terms
    alone fades from day to day and is taken from the next day, which is where it counts.
    """
    structure = document.structure
    lasting, seasonal = structure["D"] > 0, structure["m"] > 1
    far = _far(document, WEEK, _FAR_WEEKS)
    if structure["d"] + structure["D"] < 2 and not document.parameters["drift"]:
        far = replace(far, level=far.level + _mean_of(far.trend), trend=None)
    if not (seasonal and structure["D"] + structure["P"] + structure["Q"]):
        return replace(far, seasonal=None, found="none")
    if lasting:
        return far
    day = members.forecast(document, DAY)
    slope = 0.0 if far.trend is None else far.trend[0]
    pattern = day - day.mean() - slope * (np.arange(DAY) - (DAY - 1) / 2)
    return replace(far, seasonal=np.tile(pattern, WEEK // DAY))


def _mean_of(trend: FloatArray | None) -> float:
    """What a trend that is no term of the model would have brought by the far end of the path."""
    return 0.0 if trend is None else float(trend[0]) * (WEEK * (_FAR_WEEKS - 1) + (WEEK + 1) / 2)


def _ces(document: Document) -> _Raw:
    """From the next two seasons; complex smoothing has no trend of its own, its path may."""
    m = document.structure["m"]
    near = _far(document, DAY if DAY % m == 0 else WEEK, 2)
    return near if document.structure["season"] != "N" else replace(
        near, seasonal=None, found="none")


def _far(document: Document, block: int, blocks: int) -> _Raw:
    """Level, trend and pattern of the last of `blocks` blocks of the path, `block` hours each.

    The trend is the difference of the last two blocks' means; what it leaves is the pattern.
    """
    path = members.forecast(document, block * blocks).reshape(blocks, block)
    last = path[-1]
    slope = float(last.mean() - path[-2].mean()) / block
    centre = block * (blocks - 1) + (block + 1) / 2
    pattern = last - last.mean() - slope * (np.arange(block) - (block - 1) / 2)
    return _Raw(level=float(last.mean()) - slope * centre, found="path",
                trend=slope * np.arange(1.0, DAY + 1), seasonal=np.tile(pattern, WEEK // block))


def _repeated(pattern: FloatArray, t: int) -> FloatArray:
    """A week of a pattern whose element for the next hour is number `t`, counted round it."""
    return np.asarray(pattern[(t + np.arange(WEEK)) % pattern.size])


_READERS: dict[str, Callable[[Document], _Raw]] = {
    "arima": _arima, "ets": _ets, "theta": _theta, "tbats": _tbats, "mstl": _mstl,
    "profile": _profile, "revert": _revert, "seasonal_naive": _repeating,
    "hour_of_day": _repeating, "mean_of_last_day": _constant, "last_value": _constant,
    "AutoCES": _ces, "Holt": _ets, "HoltWinters": _ets,
    "SimpleExponentialSmoothingOptimized": _ets,
    "SeasonalExponentialSmoothingOptimized": _repeating,
    **dict.fromkeys(("Theta", "OptimizedTheta", "DynamicTheta", "DynamicOptimizedTheta"), _theta),
    "RandomWalkWithDrift": _line, "HistoricAverage": _constant,
}
