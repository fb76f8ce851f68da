"""When a score becomes an event, and when the event ends."""

import numpy as np

from forecasting.types import BoolArray, FloatArray

RELEASE = 0.6
"""An event ends when its score has fallen below this share of the threshold."""

HOLD_HOURS = 72
"""For so long after its end the same kind opens none again: one change is one event."""


def opening(score: FloatArray, threshold: float, is_open: BoolArray,
            ended_hours: FloatArray) -> BoolArray:
    """Where an event begins: (S,); `ended_hours` since the last one ended, inf = never one."""
    return np.asarray((score >= threshold) & ~is_open & (ended_hours >= HOLD_HOURS))


def closing(score: FloatArray, threshold: float, is_open: BoolArray) -> BoolArray:
    """Where an open event ends: (S,)."""
    return np.asarray(is_open & (score < RELEASE * threshold))
