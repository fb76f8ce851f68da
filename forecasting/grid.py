"""Readings onto an hourly UTC grid. Gaps stay gaps: an hour without a reading is NaN."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from forecasting.types import FloatArray, GridError, IntArray

HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Hourly means from `start` on; `values` and `counts` of shape (n,), NaN where counts is 0."""

    start: datetime
    values: FloatArray
    counts: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesStatistics:
    """Description of the readings of one window, in the vital's own unit; None where undefined.

    `std` is the population's; `mean_gap_s` the mean seconds between neighbouring readings.
    """

    entries: int
    hours: int
    missing: int
    first_time: datetime | None
    last_time: datetime | None
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    mean_gap_s: float | None


def require_utc_hour(time: datetime) -> None:
    """Raise GridError unless `time` is a full hour with the zone UTC."""
    if time.utcoffset() is None or time.utcoffset() != UTC.utcoffset(None):
        raise GridError(f"{time.isoformat()} is not UTC: convert it to UTC before asking")
    if time.timestamp() % HOUR_S:
        raise GridError(f"{time.isoformat()} is not a full hour: round it down first")


def hourly_grid(times_s: IntArray, values: FloatArray, start: datetime, hours: int) -> Grid:
    """Mean of the readings of each hour [start + i h, start + (i + 1) h), i < hours.

    `times_s` are UTC seconds since 1970, in any order, shape (k,) as `values`; readings outside the
    window and values that are not finite are left out. Duplicates count as readings.
    """
    require_utc_hour(start)
    if hours < 0:
        raise GridError(f"a window of {hours} hours cannot be: ask for 0 or more")
    times = np.asarray(times_s, dtype=np.int64)
    readings = np.asarray(values, dtype=np.float64)
    if times.shape != readings.shape:
        raise GridError(f"{times.size} times for {readings.size} values: they must be paired")
    index = (times - int(start.timestamp())) // HOUR_S
    inside = (index >= 0) & (index < hours) & np.isfinite(readings)
    counts = np.bincount(index[inside], minlength=hours).astype(np.int64)
    return Grid(start=start, values=_means(index[inside], readings[inside], counts), counts=counts)


def _means(index: IntArray, readings: FloatArray, counts: IntArray) -> FloatArray:
    order = np.lexsort((readings, index))      # the sum must not depend on the order of arrival
    sums = np.bincount(index[order], weights=readings[order], minlength=counts.size)
    means = np.full(counts.size, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def describe(times_s: IntArray, values: FloatArray, grid: Grid) -> SeriesStatistics:
    """Statistics of the finite readings that fall into the grid's window, and of its hours."""
    times = np.asarray(times_s, dtype=np.int64) - int(grid.start.timestamp())
    readings = np.asarray(values, dtype=np.float64)
    inside = (times >= 0) & (times < grid.values.size * HOUR_S) & np.isfinite(readings)
    known = np.sort(readings[inside])
    seconds = np.sort(times[inside]) + int(grid.start.timestamp())
    some = known.size > 0
    return SeriesStatistics(
        entries=int(known.size),
        hours=int(grid.values.size),
        missing=int(np.isnan(grid.values).sum()),
        first_time=datetime.fromtimestamp(int(seconds[0]), UTC) if some else None,
        last_time=datetime.fromtimestamp(int(seconds[-1]), UTC) if some else None,
        minimum=float(known[0]) if some else None,
        maximum=float(known[-1]) if some else None,
        mean=float(known.mean()) if some else None,
        std=float(known.std()) if some else None,
        mean_gap_s=float(np.diff(seconds).mean()) if known.size > 1 else None,
    )


def data_hash(values: FloatArray) -> str:
    """SHA-256 (hex) of the hours as little-endian float64; every NaN counts as the same gap."""
    hours = np.array(values, dtype="<f8")
    hours[np.isnan(hours)] = np.nan
    return hashlib.sha256(hours.tobytes()).hexdigest()
