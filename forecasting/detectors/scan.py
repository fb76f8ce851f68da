"""The chart that all detectors of change share: a scan over when the change may have begun.

The scan is Page's CUSUM for a change of unknown size (a generalised likelihood ratio, Siegmund &
Venkatraman 1995, https://doi.org/10.1214/aos/1176324466): for every hour that a change may have
begun with, the mean since then beside the mean of the training window, in standard errors; the
largest of them is the score. Hours are not independent: a day spent high is followed by a high
evening. The standard error therefore uses the long-run variance of the training window.
"""

from dataclasses import dataclass

import numpy as np

from forecasting.types import BoolArray, FloatArray, IntArray

DAY = 24
MAX_PHI = 0.95


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """What a scan found of S series.

    score  (S,) standard errors, with the sign of the change; 0 where nothing can be told
    since  (S,) the hour from which on the mean differs most
    mean   (S,) of the hours since then
    """

    score: FloatArray
    since: IntArray
    mean: FloatArray


def scan(x: FloatArray, variance: FloatArray, usual_hours: IntArray, *,
         least: int, sides: int = 2) -> Scan:
    """Scan hours `x` (S, n) that have the mean 0 unless something changed; NaN = no hour.

    variance     (S,) long-run variance of an hour
    usual_hours  (S,) how many hours the mean of 0 was learned from: it is uncertain too
    least        a change is told after so many hours, and from as many observed
    sides        2 for a change either way, 1 for a rise alone
    """
    known = ~np.isnan(x[:, ::-1])
    sums = np.where(known, x[:, ::-1], 0).cumsum(axis=1)            # of the last 1, 2, ... hours
    counts = known.cumsum(axis=1, dtype=np.float64)
    error = np.sqrt(variance[:, None] * counts * (1 + counts / np.maximum(usual_hours, 1)[:, None]))
    enough = (counts >= least) & (error > 0)
    z = np.divide(sums, error, out=np.zeros_like(sums), where=enough)
    rows, last = np.arange(z.shape[0]), (np.abs(z) if sides == 2 else z).argmax(axis=1)
    score = z[rows, last] if sides == 2 else np.maximum(z[rows, last], 0)
    return Scan(score=score, since=x.shape[1] - 1 - last,
                mean=sums[rows, last] / np.maximum(counts[rows, last], 1))


def long_run_variance(x: FloatArray) -> FloatArray:
    """Variance of a mean of many hours of `x` (S, n), times their number: (S,).

    The larger of two estimates: that of an AR(1) with the correlation of neighbouring hours, and
    that of the means of whole days, which see what outlasts an hour. Hours that are NaN are left
    out; 0 for a series without variation.
    """
    centred = x - mean(x)[:, None]
    variance = mean(centred ** 2)
    phi = np.clip(correlation(centred), 0, MAX_PHI)
    return np.maximum(variance * (1 + phi) / (1 - phi), _of_days(centred))


def correlation(centred: FloatArray) -> FloatArray:
    """Correlation of neighbouring hours of centred rows (S, n): (S,); 0 where none are known."""
    variance = mean(centred ** 2)
    together = mean(centred[:, 1:] * centred[:, :-1])
    return np.divide(together, variance, out=np.zeros_like(variance), where=variance > 0)


def _of_days(centred: FloatArray) -> FloatArray:
    """Long-run variance (S,) by the means of days with at least six hours; 0 with two or fewer."""
    cut = centred.shape[1] - centred.shape[1] % DAY
    days = centred[:, :cut].reshape(centred.shape[0], -1, DAY)
    counts = np.sum(~np.isnan(days), axis=2)
    whole: BoolArray = counts >= 6
    means = np.nansum(days, axis=2) / np.maximum(counts, 1)
    squares = np.where(whole, counts * means ** 2, 0).sum(axis=1)
    number = whole.sum(axis=1)
    return np.where(number > 2, squares / np.maximum(number - 1, 1), 0)


def mean(x: FloatArray) -> FloatArray:
    """Mean of the known hours of each row, 0 where there are none."""
    known = ~np.isnan(x)
    found: FloatArray = np.where(known, x, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return found
