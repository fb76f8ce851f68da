"""Textbook detectors beside ours: Page-Hinkley, and a two-sample Kolmogorov-Smirnov test a day."""

import numpy as np
from scipy.stats import ks_2samp

from forecasting.detectors.usual import learn
from forecasting.types import FloatArray

DAY = 24
DELTA = 0.005
"""The tolerance of Page-Hinkley, as river's `PageHinkley` has it by default."""

LEAST = 30
"""Readings before Page-Hinkley tells anything, as there."""


def deviations(y: FloatArray, usual: int) -> FloatArray:
    """Hours `y` (S, n) in deviations from the hours of the day of the first `usual` ones."""
    within = np.broadcast_to(np.arange(y.shape[1]) < usual, y.shape)
    return learn(y, within, 0, 1e-6).deviations(y, 0)


def page_hinkley(x: FloatArray, usual: int, threshold: float) -> FloatArray:
    """Hours after `usual` with an alarm, (S, n - usual): Page (1954), Hinkley (1970), two-sided.

    The sum of the deviations from the running mean less DELTA, beyond its minimum by `threshold`;
    the mirror image for a fall. An alarm starts both anew. Hours that are missing are passed.
    """
    x = x[:, usual:]
    count, mean, up, down = (np.zeros(len(x)) for _ in range(4))
    alarms = np.zeros(x.shape)
    for t in range(x.shape[1]):
        known = ~np.isnan(x[:, t])
        now = np.where(known, x[:, t], mean)
        count += known
        mean = mean + np.where(known, (now - mean) / np.maximum(count, 1), 0)
        up = np.where(known, np.maximum(up + now - mean - DELTA, 0), up)
        down = np.where(known, np.maximum(down - now + mean - DELTA, 0), down)
        alarm = (np.maximum(up, down) > threshold) & (count >= LEAST)
        alarms[:, t] = alarm
        for state in (count, mean, up, down):
            state[alarm] = 0
    return alarms


def ks_daily(y: FloatArray, usual: int) -> FloatArray:
    """-log10 p of each whole day after `usual` beside the hours before it, (S, days)."""
    days = (y.shape[1] - usual) // DAY
    found = np.zeros((len(y), days))
    for row, one in enumerate(y):
        before = one[:usual][~np.isnan(one[:usual])]
        for day in range(days):
            now = one[usual + day * DAY:usual + (day + 1) * DAY]
            now = now[~np.isnan(now)]
            if now.size > 1 and before.size > 1:
                p = ks_2samp(before, now, method="asymp").pvalue
                found[row, day] = -np.log10(max(p, 1e-300))
    return found


def rises(alarms: FloatArray) -> int:
    """How many times an alarm begins, over all rows."""
    before = np.concatenate([np.zeros((len(alarms), 1)), alarms[:, :-1]], axis=1)
    return int(((alarms > 0) & (before == 0)).sum())


def first(alarms: FloatArray, step: int) -> FloatArray:
    """Hours to the end of the first step with an alarm, (S,); inf where there is none."""
    return np.where((alarms > 0).any(axis=1), (alarms.argmax(axis=1) + 1.0) * step, np.inf)
