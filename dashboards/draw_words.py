"""Numbers, times and colours as a person reads them, for the pictures of boards."""

from datetime import UTC, date, datetime
from math import floor, isnan, log10
from typing import Any

_COLOURS = {
    "green": "#56a64b", "yellow": "#f2cc0c", "light-yellow": "#ffee52", "orange": "#ff780a",
    "light-orange": "#ffb357", "dark-orange": "#fa6400", "red": "#e02f44", "dark-red": "#ad0317",
    "blue": "#3274d9", "light-blue": "#8ab8ff", "dark-blue": "#1f60c4",
    "semi-dark-blue": "#5794f2", "purple": "#a352cc", "light-purple": "#ca95e5",
    "dark-purple": "#7c2ea3"}
_PALETTE = ("#56a64b", "#f2cc0c", "#5794f2", "#ff780a", "#e02f44", "#b877d9", "#37872d",
            "#1f60c4", "#fade2a", "#8f3bb8", "#806eb7", "#806030")
_LARGE = ((1e9, "G"), (1e6, "M"), (1e4, "k"))


def colour(name: str) -> str:
    """The colour of one of Grafana's names, or of a number such as #808080."""
    return _COLOURS.get(name, name)


def palette(index: int) -> str:
    """The colour of the metric with this number."""
    return _PALETTE[index % len(_PALETTE)]


def number(value: float | None, unit: str, decimals: int | None = None) -> str:
    """A number with its unit, e.g. 81.2 %, 2.5 min, 12.3 k."""
    if value is None or isnan(value):
        return "–"
    match unit:
        case "percentunit":
            return f"{value * 100:.{1 if decimals is None else decimals}f} %"
        case "s":
            return _duration(value)
        case "h":
            return f"{_plain(value, decimals)} h"
    return _plain(value, decimals)


def cell(value: Any, unit: str, decimals: int | None) -> str:
    """A value of a table."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%d %b %H:%M")
    if isinstance(value, date):
        return value.strftime("%d %b")
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "short" and float(value).is_integer():
        return _plain(float(value), 0)
    return number(float(value), unit, decimals)


def ticks(low: float, high: float, unit: str = "", most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most so many; seconds as round minutes or hours."""
    size = next((one for one in (86400, 3600, 60) if unit == "s" and high >= one), 1)
    return [size * one for one in _round_ticks(low / size, high / size, most)]


def _round_ticks(low: float, high: float, most: int) -> list[float]:
    span = max(high - low, 1e-9)
    step = 10 ** floor(log10(span / most))
    for factor in (1, 2, 2.5, 5, 10):
        if span / (step * factor) <= most:
            step *= factor
            break
    first = -(-low // step)
    return [(first + i) * step for i in range(most + 2) if (first + i) * step <= high + 1e-9 * span]


def _plain(value: float, decimals: int | None) -> str:
    for size, letter in _LARGE:
        if abs(value) >= size:
            divisor = 1e3 if letter == "k" else size
            return f"{value / divisor:.1f} {letter}"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _duration(value: float) -> str:
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(value) >= size:
            return f"{value / size:.1f} {word}"
    if value and abs(value) < 0.1:
        return f"{value * 1000:.1f} ms"
    return f"{_plain(value, None)} s"
