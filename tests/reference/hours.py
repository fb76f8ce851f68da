"""Readings to hourly means and figures of a series, one reading at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import pstdev

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hourly means, nan without readings, and figures of the readings of the whole window."""

    means: list[float]
    entries: int
    first: datetime
    last: datetime
    minimum: float
    maximum: float
    mean: float
    std: float
    mean_gap_s: float | None


def hours_of(readings: Sequence[tuple[datetime, float]], start: datetime, hours: int) -> Hours:
    """Of (time, value), at least one and all of them inside the window."""
    by_hour: list[list[float]] = [[] for _ in range(hours)]
    for time, value in readings:
        by_hour[(time - start) // HOUR].append(value)
    values, times = [value for _, value in readings], sorted(time for time, _ in readings)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]  # noqa: B905, RUF007 -- plain
    return Hours(
        means=[_mean(one) for one in by_hour], entries=len(values), first=times[0], last=times[-1],
        minimum=min(values), maximum=max(values), mean=_mean(values), std=pstdev(values),
        mean_gap_s=sum(gaps) / len(gaps) if gaps else None)


def _mean(values: list[float]) -> float:
    """From the smallest up, so that the order of arrival changes no bit."""
    total = 0.0
    for value in sorted(values):
        total += value
    return total / len(values) if values else math.nan
