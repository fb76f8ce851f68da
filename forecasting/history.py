"""What a history holds: where it begins and ends, what is held back, whether it is enough.

Everything is for S series at once, a row of hours each, NaN = gap.
"""

import numpy as np

from forecasting.config import EngineConfig
from forecasting.types import FloatArray, IntArray

MIN_WINDOW = 44
"""Shorter windows hold nothing back: less a third, heavy members could not be fitted to them."""

MIN_OBSERVED_SHARE = 0.2
"""Below this share of observed hours, straight lines over gaps would be what a fit learns."""

NO_HOUR = "no observed hour in the window"

_NEVER = 1e-9


def first_observed(y: FloatArray) -> IntArray:
    """Index of each row's first observed hour, (S,); n where there is none."""
    known = ~np.isnan(y)
    first = known.argmax(axis=1) if y.shape[1] else np.zeros(y.shape[0], dtype=np.int64)
    return np.where(known.any(axis=1), first, y.shape[1]).astype(np.int64)


def unread(y: FloatArray) -> IntArray:
    """Hours after each row's last observed one, (S,); n where there is none."""
    known = ~np.isnan(y[:, ::-1])
    ages = known.argmax(axis=1) if y.shape[1] else np.zeros(y.shape[0], dtype=np.int64)
    return np.where(known.any(axis=1), ages, y.shape[1]).astype(np.int64)


def span(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest observed hour of each row, (S,); ∞ and -∞ where there is none."""
    known = ~np.isnan(y)
    return (np.where(known, y, np.inf).min(axis=1, initial=np.inf),
            np.where(known, y, -np.inf).max(axis=1, initial=-np.inf))


def holdbacks(y: FloatArray, config: EngineConfig) -> IntArray:
    """Hours at the end of each row of `y` (S, n) that parameters of heavy members do not see.

    `calibration_hours`, a third of a history shorter than three times that, nothing of one below
    MIN_WINDOW. A history begins at its first observed hour.
    """
    lengths = y.shape[1] - first_observed(y)
    held = np.minimum(config.calibration_hours, lengths // 3)
    return np.where(lengths < MIN_WINDOW, 0, held).astype(np.int64)


def too_little(train: FloatArray, config: EngineConfig) -> dict[int, str]:
    """Why heavy members cannot be fitted to a row of `train` (S, n), by row."""
    known = ~np.isnan(train)
    observed = known.sum(axis=1)
    last = train.shape[1] - known[:, ::-1].argmax(axis=1) if train.shape[1] else observed
    inner = last - first_observed(train)
    low, high = span(train)
    largest = np.where(known, np.abs(train), 0.0).max(axis=1, initial=0.0)
    reasons: dict[int, str] = {}
    for s in np.flatnonzero(high - low <= _NEVER * largest).tolist():
        reasons[s] = "the series is constant"
    for s in np.flatnonzero(observed < MIN_OBSERVED_SHARE * inner).tolist():
        reasons[s] = f"{observed[s]} of {inner[s]} hours observed, needs a fifth"
    for s in np.flatnonzero(observed < config.min_observed).tolist():
        reasons[s] = f"{observed[s]} observed hours to fit on, needs {config.min_observed}"
    return reasons
