"""Explanations in plain English: numbers to what the vital resolves, hours of day in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from clinical.vitals import VitalSpec
from forecasting.config import BASELINES, LIBRARY, LIGHT
from forecasting.documents import Document
from forecasting.types import FloatArray

CRITERIA = {
    "aic": "the information criterion AIC", "aicc": "corrected AIC",
    "evidence": "evidence (marginal likelihood)", "mse": "squared error",
}
_ONE_STRUCTURE = {*LIGHT, *LIBRARY} - {"AutoCES"}
_ID_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the sentences tell, as in `explain.Explanation`; None: the model has no such part.

    `pattern` (24,) by UTC hour of day.
    """

    vital: VitalSpec
    utc_offset: timedelta | None
    level: float
    trend_per_day: float | None
    pattern: FloatArray | None
    share: float
    added: float
    half_life_hours: int | None
    error: float | None


def sentences(told: Told) -> tuple[str, ...]:
    """Level and trend, daily pattern, what the latest readings add, and the error, in that order.

    What the vital does not resolve is left out or said to be small.
    """
    found = (_level(told), _pattern(told), _added(told), _error(told))
    return tuple(sentence for sentence in found if sentence)


def _level(told: Told) -> str:
    level, trend = _amount(told, told.level), told.trend_per_day
    if trend is None and told.pattern is None:
        return f"The level is {level}; the model has neither trend nor daily pattern."
    if trend is None:
        return f"The level is {level}; the model has no trend."
    if _is_nothing(told, trend):
        return f"The level is {level} and steady."
    turn = "rises" if trend > 0 else "falls"
    return f"The level is {level} and {turn} by {_amount(told, abs(trend))} over the next day."


def _pattern(told: Told) -> str:
    if told.pattern is None:
        return "The model has no daily pattern." if told.trend_per_day is not None else ""
    swing = float(np.ptp(told.pattern))
    if _is_nothing(told, swing):
        return "The hours of the day hardly differ."
    high, low = (_hour(int(at), told.utc_offset)
                 for at in (told.pattern.argmax(), told.pattern.argmin()))
    counts = "" if told.error is None else (
        f" That is {told.share:.0%} of the variance of an hour; the rest is the one-hour error."
    ).replace("%", " %")
    return (f"The day swings by {_amount(told, swing)}, highest about {high}, lowest about "
            f"{low}.{counts}")


def _added(told: Told) -> str:
    if _is_nothing(told, told.added):
        return ""
    side = "above" if told.added > 0 else "below"
    lasts = ("a day later most of this still holds" if told.half_life_hours is None
             else f"half of this is gone after {told.half_life_hours} h")
    return (f"The latest readings put the next hour {_amount(told, abs(told.added))} {side} that; "
            f"{lasts}.")


def _error(told: Told) -> str:
    """A mean of many errors has a digit more than a reading."""
    if told.error is None:
        return ""
    return ("One hour ahead it has been off by "
            f"{told.error:.{_digits(told.vital) + 1}f} {told.vital.display_unit} "
            "(root of the mean square).")


def making_sentences(document: Document, *, made_by: str,
                     searched_at: datetime) -> tuple[str, ...]:
    """How the document was made, what it has seen, and whether a limit was hit."""
    figures = document.figures
    found = [_made(document, made_by, searched_at), _seen(document)]
    if "pattern_kept" in figures and 0 < figures["pattern_kept"] < 1:
        kept = f"{figures['pattern_kept']:.0%}".replace("%", " %")
        found.append(f"Of the daily pattern in these hours {kept} is kept, the rest is taken as "
                     "chance.")
    if figures.get("capped"):
        found.append(f"The fit ended at its limit of {figures.get('iterations')} evaluations.")
    return tuple(found)


def _made(document: Document, made_by: str, searched_at: datetime) -> str:
    grid = document.grid
    hours = f"the hours from {_moment(grid.first)} to {_moment(grid.fitted_until)} UTC"
    if document.member in BASELINES:
        return f"Nothing is fitted: it repeats what was read in {hours}."
    if document.member in _ONE_STRUCTURE:
        return f"Its parameters were fitted to {hours}."
    if made_by == "search":
        known = CRITERIA.get(document.figures.get("criterion") or "")
        by = f", the candidates compared by {known}" if known else ""
        return f"Its structure was searched and its parameters fitted on {hours}{by}."
    start = document.figures.get("warm_start_from")
    again = f", beginning at those of document {start[:_ID_SHOWN]}" if start else ""
    searched = f"its structure was searched on {_moment(searched_at)} UTC"
    if made_by == "refit":
        return f"Its parameters were fitted again to {hours}{again}; {searched}."
    return f"Its parameters are those fitted to {hours}; {searched}."


def _seen(document: Document) -> str:
    grid = document.grid
    gaps = (f"{grid.missing} of all {grid.n} hours had no reading" if grid.missing
            else f"each of the {grid.n} hours had a reading")
    if not grid.holdback:
        return f"{gaps[0].upper()}{gaps[1:]}."
    return f"The {grid.holdback} hours since then have moved its state alone; {gaps}."


def _amount(told: Told, value: float) -> str:
    return f"{_rounded(told, value):.{_digits(told.vital)}f} {told.vital.display_unit}"


def _rounded(told: Told, value: float) -> float:
    return round(value, _digits(told.vital)) + 0.0     # + 0.0: no minus before a zero


def _is_nothing(told: Told, value: float) -> bool:
    return _rounded(told, value) == 0


def _digits(vital: VitalSpec) -> int:
    return 1 if vital.resolution < 1 else 0


def _hour(hour: int, utc_offset: timedelta | None) -> str:
    text = f"{hour:02d}:00 UTC"
    if utc_offset is None:
        return text
    minutes = (60 * hour + round(utc_offset / timedelta(minutes=1))) % (24 * 60)
    return f"{text} ({minutes // 60:02d}:{minutes % 60:02d} patient's time)"


def _moment(time: datetime) -> str:
    moment = time.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M}"
