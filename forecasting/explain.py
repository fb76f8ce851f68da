"""A model explained: its structure, level, trend and daily pattern, how it was made, in words.

Pure functions of documents. What the numbers mean is told in `decompose`; `leading` tells which
member of a forecast counts most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import phrases, wording
from forecasting.config import BUCKETS
from forecasting.decompose import DAY, Found, Parts, by_hour_of_day, parts
from forecasting.documents import Document, read_hour
from forecasting.types import FloatArray

OLD_NAMES = {"structure_search": "search"}
"""What documents of earlier releases call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a document was made.

    made_by             search (of the structure), refit (of parameters) or update (of the state)
    searched_at         end of the window on which the structure was searched
    fitted_from, _until the hours that the parameters have seen, the second not included
    state_hours         hours after those that only moved the state
    missing             hours without a reading among all of these
    criterion           what structures were compared by; None where there was nothing to choose
    evaluations         passes over the data that the fit took; None where it takes none
    capped              whether the fit ended at its limit of evaluations
    warm_start_from     the document whose parameters it started from
    """

    made_by: str
    engine: str
    searched_at: datetime
    fitted_from: datetime
    fitted_until: datetime
    state_hours: int
    missing: int
    criterion: str | None
    criterion_value: float | None
    evaluations: int | None
    capped: bool
    warm_start_from: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One member's model at `as_of`, the first hour it has not seen; values in the vital's `unit`.

    level           of the last hour seen, as a mean over the hours of a day
    has_trend       whether the model has a trend at all; the trends are 0 where it has none
    trend_per_hour  change of the level in the next hour; `trend_per_day` in the next 24 hours
    daily_pattern   deviation of each UTC hour of day, 0 to 23, from the day's mean; the mean of a
                    week where the model has a weekly pattern
    pattern_from    whether it stands in the model's parameters or moves with its state, was taken
                    from its path over the next days, or is none
    highest_hour    UTC hour of day, None without a pattern; so is `lowest_hour`
    amplitude       highest minus lowest hour
    pattern_share   how strongly the pattern counts: its share of the variance of an hour, beside
                    that of the one-hour error (strength of seasonality, Wang, Smith & Hyndman 2006)
    added_next_hour what the latest readings add to level, trend and pattern in the next hour
    added_half_life_hours  after which half of that is gone; None where it lasts a day or longer
    one_hour_error  root of the mean squared error one hour ahead, None where it is not known
    sentences       level, pattern, what was added and the error, rounded to what the vital resolves
    making_sentences  how the document was made
    """

    member: str
    structure: str
    unit: str
    as_of: datetime
    level: float
    has_trend: bool
    trend_per_hour: float
    trend_per_day: float
    daily_pattern: tuple[float, ...]
    pattern_from: Found
    highest_hour: int | None
    lowest_hour: int | None
    amplitude: float
    pattern_share: float
    added_next_hour: float
    added_half_life_hours: int | None
    one_hour_error: float | None
    making: Making
    sentences: tuple[str, ...]
    making_sentences: tuple[str, ...]


def explain(document: Document, vital: VitalSpec, *,
            utc_offset: timedelta | None = None) -> Explanation:
    """Explain a member's document, in the state that it has.

    With `utc_offset`, the patient's own, the sentences give times of day in that too. KeyError for
    a document that is not a member's (the ensemble's).
    """
    found, making = parts(document), _making(document)
    as_of = document.grid.cutoff
    pattern = by_hour_of_day(found.seasonal, as_of.hour)
    none = found.found == "none"
    error = float(np.sqrt(document.sigma2)) if document.sigma2 > 0 else None
    told = wording.Told(
        vital=vital, utc_offset=utc_offset, level=found.level,
        trend_per_day=None if found.trend is None else float(found.trend[-1]),
        pattern=None if none else pattern, share=_share(pattern, document.sigma2),
        added=float(found.added[0]), half_life_hours=_half_life(found), error=error)
    return Explanation(
        member=document.member, structure=phrases.structure(document), unit=vital.unit,
        as_of=as_of, level=found.level, has_trend=found.trend is not None,
        trend_per_hour=0.0 if found.trend is None else float(found.trend[0]),
        trend_per_day=told.trend_per_day or 0.0, daily_pattern=tuple(pattern.tolist()),
        pattern_from=found.found, highest_hour=None if none else int(pattern.argmax()),
        lowest_hour=None if none else int(pattern.argmin()), amplitude=float(np.ptp(pattern)),
        pattern_share=told.share, added_next_hour=told.added,
        added_half_life_hours=told.half_life_hours, one_hour_error=error, making=making,
        sentences=wording.sentences(told),
        making_sentences=wording.making_sentences(
            document, made_by=making.made_by, searched_at=making.searched_at),
    )


def shares(weights: Mapping[str, Mapping[str, float]], horizon: int) -> dict[str, float]:
    """How much each member counts over `horizon` hours, 0 to 1, the one that counts most first.

    `weights` are a forecast's, by member and horizon bucket; a bucket left out counts 0, the last
    one goes on to the horizon. Ties go by name.
    """
    hours = _bucket_hours(horizon)
    sums = {name: sum(float(one.get(bucket) or 0.0) * count for bucket, count in hours.items())
            for name, one in weights.items()}
    total = sum(sums.values()) or 1.0
    return {name: sums[name] / total for name in sorted(sums, key=lambda name: (-sums[name], name))}


def leading(weights: Mapping[str, Mapping[str, float]], horizon: int) -> str | None:
    """The member with the largest share over `horizon` hours; None without members."""
    return next(iter(shares(weights, horizon)), None)


def _bucket_hours(horizon: int) -> dict[str, int]:
    last = list(BUCKETS)[-1]
    return {name: max(0, (horizon if name == last else min(end, horizon)) - first + 1)
            for name, (first, end) in BUCKETS.items()}


def _making(document: Document) -> Making:
    figures, grid = document.figures, document.grid
    made_by, at = str(figures.get("made_by", "search")), figures.get("searched_at")
    return Making(
        made_by=OLD_NAMES.get(made_by, made_by), engine=document.engine,
        searched_at=grid.cutoff if at is None else read_hour(at), fitted_from=grid.first,
        fitted_until=grid.fitted_until, state_hours=grid.holdback, missing=grid.missing,
        criterion=figures.get("criterion"), criterion_value=figures.get("criterion_value"),
        evaluations=figures.get("iterations"), capped=bool(figures.get("capped")),
        warm_start_from=figures.get("warm_start_from"))


def _share(pattern: FloatArray, sigma2: float) -> float:
    """0 without a pattern."""
    signal = float(np.mean(pattern ** 2))
    return signal / (signal + sigma2) if signal > 0 else 0.0


def _half_life(found: Parts) -> int | None:
    """Hours from the first lead to the one where half of what was added is gone for good."""
    sizes = np.abs(found.added)
    above = np.flatnonzero(sizes > sizes[0] / 2)
    after = int(above[-1]) + 1 if above.size else 0
    return after if 0 < after < DAY else None
