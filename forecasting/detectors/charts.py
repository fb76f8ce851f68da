"""The charts: each kind of drift as a score of every series, beside the threshold it has to reach.

Every chart compares the hours since a change may have begun with the training window before them.
Thresholds were found on generated series (docs/drift.md tells how): the charts together raise
less than one false alarm in 1,000 days of a series.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from forecasting.detectors.distance import wasserstein
from forecasting.detectors.scan import DAY, long_run_variance, mean, scan
from forecasting.detectors.usual import Usual, clip, learn, median
from forecasting.types import BoolArray, FloatArray, IntArray

WEEK = 7 * DAY
LEAST_USUAL = 120
"""Hours that a training window must have observed before anything is compared with it."""

NORMAL_80 = 1.2816
"""Half the width of a central 80 % interval, in deviations of a normal."""


class Kind(StrEnum):
    """What can change. The first line of docs/drift.md's table tells each in words."""

    LEVEL = "level"
    SPREAD = "spread"
    DISTRIBUTION = "distribution"
    MISSING = "missing"
    GAPS = "gaps"
    ERROR = "error"
    ERROR_SIZE = "error_size"
    COVERAGE = "coverage"
    UNIT = "unit"
    SKEW = "skew"


THRESHOLDS: Mapping[Kind, float] = {
    Kind.LEVEL: 5.1, Kind.SPREAD: 5.5, Kind.DISTRIBUTION: 4.8, Kind.MISSING: 7.0, Kind.GAPS: 5.5,
    Kind.ERROR: 5.2, Kind.ERROR_SIZE: 5.5, Kind.COVERAGE: 5.0, Kind.UNIT: 6.0, Kind.SKEW: 1.0,
}
"""Standard errors; deviations of the training window for `unit` and `skew`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Hours of S series of one vital: a training window, and what came after it.

    y           (S, n) hourly means, NaN = none
    errors      (S, n) observed less forecast an hour ahead, in the deviations that the forecast
                promised; NaN where there is no forecast or no reading
    first       hour of the day (UTC) of the first column
    usual       how long the training window is where the history is long enough
    resolution  of the vital
    """

    y: FloatArray
    errors: FloatArray
    first: int
    usual: int
    resolution: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """One kind of drift in S series.

    score  (S,) 0 or more; at the threshold it is an alarm
    since  (S,) column of the hour that the change seems to start at
    size   (S,) of the change since then, in the kind's own measure (see `words`)
    """

    kind: Kind
    score: FloatArray
    since: IntArray
    size: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Hours split into what was usual and what is new, NaN where the other has it.

    known   (S,) observed hours of the training window, 0 where they are too few to compare with
    split   (S,) the column that the new hours begin with
    before  (S, n) deviations, errors and gaps of the training window
    after   (S, n - begin) the same of the new hours, from column `begin` on: none are earlier
    """

    usual: Usual
    known: IntArray
    split: IntArray
    begin: int
    before: FloatArray
    after: FloatArray
    error_before: FloatArray
    error_after: FloatArray
    gap_before: FloatArray
    gap_after: FloatArray


def compare(hours: Hours) -> Compared:
    """Split each history, learn its training window, and put all in deviations from it.

    A history begins at its first observed hour. It is split `usual` hours before where n - usual
    begin; the usual part of a shorter one is its first half.
    """
    n = hours.y.shape[1]
    seen = ~np.isnan(hours.y)
    begin = np.where(seen.any(axis=1), seen.argmax(axis=1), n)
    length = n - begin
    split = begin + np.minimum(np.maximum(length - (n - hours.usual), length // 2), hours.usual)
    column = np.arange(n)
    early: BoolArray = column < split[:, None]
    within: BoolArray = early & (column >= begin[:, None])
    usual = learn(hours.y, within, hours.first, hours.resolution)
    deviations = usual.deviations(hours.y, hours.first)
    more_gaps = np.where(column >= begin[:, None], usual.more_missing(hours.y, hours.first), np.nan)

    def old(x: FloatArray) -> FloatArray:
        return np.where(early, x, np.nan)

    def new(x: FloatArray) -> FloatArray:
        return np.where(early, np.nan, x)[:, hours.usual:]

    return Compared(
        usual=usual, known=np.where(usual.hours >= LEAST_USUAL, usual.hours, 0), split=split,
        begin=hours.usual, before=old(deviations), after=new(deviations),
        error_before=old(hours.errors), error_after=new(hours.errors),
        gap_before=old(more_gaps), gap_after=new(more_gaps))


def charts(one: Compared) -> list[Chart]:
    """All charts that need a history; `units.unit_chart` and `skew` stand beside them."""
    return [_level(one), _spread(one), _distribution(one), _missing(one), _gaps(one), _error(one),
            _error_size(one), _coverage(one)]


def _level(one: Compared) -> Chart:
    """Mean deviation from the pattern; its size is the median one since then, in deviations.

    The size is told to doctors: it counts what the score clips.
    """
    before, after = clip(one.before), clip(one.after)
    usual = mean(before)[:, None]
    chart = _chart(Kind.LEVEL, one, one.known, before - usual, after - usual, floor=0.3)
    since = one.begin + np.arange(one.after.shape[1]) >= chart.since[:, None]
    size = median(np.where(since, one.after - usual, np.nan))
    return replace(chart, size=np.where(size * chart.size > 0, size, chart.size))


def _spread(one: Compared) -> Chart:
    """Mean size of what an hour says beyond the hour before it; its size is a ratio less 1.

    A change of level hardly moves these innovations, and they are nearly independent.
    """
    before, after = (_innovations(x, one.usual.phi) for x in (one.before, one.after))
    usual = mean(before)[:, None]
    unit = np.maximum(usual, 0.1)
    return _chart(Kind.SPREAD, one, one.known, (before - usual) / unit, (after - usual) / unit,
                  floor=0.15)


def _distribution(one: Compared) -> Chart:
    """Wasserstein distance of the last week, in standard errors of a mean of so many hours."""
    before, after = clip(one.before), clip(one.after[:, -WEEK:])
    count = np.sum(~np.isnan(after), axis=1)
    error = np.sqrt(np.maximum(long_run_variance(before), 0.3)
                    * (1 / np.maximum(count, 1) + 1 / np.maximum(one.known, 1)))
    apart = wasserstein(after, before)
    told = (count >= 2 * DAY) & (one.known > 0)
    since = np.maximum(one.split, one.begin + one.after.shape[1] - WEEK)
    return Chart(kind=Kind.DISTRIBUTION, score=np.where(told, apart / error, 0), since=since,
                 size=np.where(told, apart, 0))


def _missing(one: Compared) -> Chart:
    """Share of missing hours beyond the usual share of that hour of the day."""
    share = np.clip(one.usual.missing.mean(axis=1), 0.04, 0.96)
    return _chart(Kind.MISSING, one, one.known, one.gap_before, one.gap_after, least=2 * DAY,
                  sides=1, floor=share * (1 - share) * 12)


def _gaps(one: Compared) -> Chart:
    """How often an hour is missing after an observed one, beyond how often it was.

    Sees single lost hours long before the share of missing hours tells.
    """
    before, after = _onsets(one.gap_before), _onsets(one.gap_after)
    known = np.sum(~np.isnan(before), axis=1)
    rate = (np.nansum(before, axis=1) + 0.5) / (known + 20)
    floor = np.maximum(rate, 0.05) * (1 - np.minimum(rate, 0.95))
    return _chart(Kind.GAPS, one, np.where(one.known > 0, known, 0), before - rate[:, None],
                  after - rate[:, None], least=DAY, sides=1, floor=floor)


def _error(one: Compared) -> Chart:
    """Mean error an hour ahead, in promised deviations."""
    return _of_errors(Kind.ERROR, one, clip(one.error_before), clip(one.error_after), floor=0.3)


def _error_size(one: Compared) -> Chart:
    """Mean absolute error an hour ahead, in promised deviations; a growth alone."""
    before, after = (np.abs(clip(z)) for z in (one.error_before, one.error_after))
    return _of_errors(Kind.ERROR_SIZE, one, before, after, floor=0.1, sides=1)


def _coverage(one: Compared) -> Chart:
    """Share of hours outside the 80 % interval an hour ahead, beyond 20 % and the usual share."""
    before, after = (np.where(np.isnan(z), np.nan, np.abs(z) > NORMAL_80)
                     for z in (one.error_before, one.error_after))
    return _of_errors(Kind.COVERAGE, one, before, after, floor=0.16, least=DAY, sides=1,
                      usual=0.2)


def _of_errors(kind: Kind, one: Compared, before: FloatArray, after: FloatArray, *, floor: float,
               least: int = DAY // 2, sides: int = 2, usual: float = -np.inf) -> Chart:
    """A chart of errors: the mean before, at least `usual`, is what the mean after should be."""
    known = np.sum(~np.isnan(before), axis=1)
    level = np.maximum(mean(before), usual)[:, None]
    return _chart(kind, one, np.where(known >= LEAST_USUAL, known, 0), before - level,
                  after - level, floor=floor, least=least, sides=sides)


def _chart(kind: Kind, one: Compared, known: IntArray, before: FloatArray, after: FloatArray, *,
           floor: float | FloatArray, least: int = DAY // 2, sides: int = 2) -> Chart:
    """A scan of `after` with the long-run variance of `before`, at least `floor`."""
    found = scan(after, np.maximum(long_run_variance(before), floor), known, least=least,
                 sides=sides)
    told = known > 0
    return Chart(kind=kind, score=np.where(told, np.abs(found.score), 0),
                 since=one.begin + found.since, size=np.where(told, found.mean, 0))


def _innovations(deviations: FloatArray, phi: FloatArray) -> FloatArray:
    """|x_t - φ x_{t-1}| (S, n), bounded as deviations are; NaN where either hour is missing.

    x are deviations less their mean over the day before, or over as much of it as there is.
    """
    near = deviations[:, 1:] - _day_before(deviations)[:, 1:]
    far = deviations[:, :-1] - _day_before(deviations)[:, 1:]
    found = np.full_like(deviations, np.nan)
    found[:, 1:] = np.abs(clip(near - phi[:, None] * far))
    return found


def _day_before(x: FloatArray) -> FloatArray:
    """Mean (S, n) of the known ones of the 24 hours before each; NaN where none is known."""
    known = ~np.isnan(x)
    sums, counts = (np.concatenate([np.zeros((len(x), 1)), one.cumsum(axis=1)], axis=1)[:, :-1]
                    for one in (np.where(known, x, 0), known.astype(np.float64)))
    sums[:, DAY:] -= sums[:, :-DAY].copy()
    counts[:, DAY:] -= counts[:, :-DAY].copy()
    found: FloatArray = np.divide(sums, counts, out=np.full_like(x, np.nan), where=counts > 0.5)
    return found


def _onsets(more_gaps: FloatArray) -> FloatArray:
    """1 where an hour is missing, 0 where it is observed, NaN where the hour before is missing.

    Of hours less their usual share of missing ones, which is never 1: the missing are positive.
    """
    found = np.full_like(more_gaps, np.nan)
    told = ~np.isnan(more_gaps[:, 1:]) & (more_gaps[:, :-1] <= 0)
    found[:, 1:] = np.where(told, more_gaps[:, 1:] > 0, np.nan)
    return found


def scaled_errors(y: FloatArray, point: FloatArray, lower: FloatArray, upper: FloatArray,
                  resolution: float) -> FloatArray:
    """Observed less forecast in the deviations that an 80 % interval promises: all (S, n).

    Beyond the interval is beyond 1.28 deviations, to either side by its own width, which is at
    least half the resolution: at a bound of what is possible an interval has no width.
    """
    error = y - point
    width = np.where(error > 0, upper - point, point - lower)
    return NORMAL_80 * error / np.maximum(width, resolution / 2)


def skew_chart(served: FloatArray, trained: FloatArray, deviation: FloatArray) -> Chart:
    """Mean of what is forecast from beside that of what was trained on, in deviations: (S,) each.

    Score 0 where a side is not known (NaN).
    """
    size = (served - trained) / deviation
    told = ~np.isnan(size)
    return Chart(kind=Kind.SKEW, score=np.where(told, np.abs(size), 0.0),
                 since=np.zeros(size.size, dtype=np.int64), size=np.where(told, size, 0.0))
