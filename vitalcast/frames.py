"""Tidy tables (`unique_id, ds, y`, optionally `vital`) to hourly series, checked at the door.

Without a column `vital`, a series whose unique_id is `subject:vital` or `subject:vital:…` is of
that vital.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clinical.vitals import SPECS, Vital, VitalSpec
from forecasting.backtest import Window, cut
from forecasting.types import FloatArray, IntArray
from vitalcast.errors import UserError

COLUMNS = ("unique_id", "ds", "y")
VITAL = "vital"
HOUR_S = 3600
MOST_HOURS = 24 * 366 * 200   # whole numbers count from 1970


def read_windows(file: Path, *, horizon: int, windows: int) -> list[Window]:
    """Windows of every series of `file`, in the order of their first rows; UserError if odd."""
    frame = _read(file)
    _require_columns(frame, file)
    values, seconds = _numbers(frame), _seconds(frame)
    found: list[Window] = []
    for key, rows in frame.groupby("unique_id", sort=False, observed=True).indices.items():
        name = str(key)
        _require_rising(name, seconds[rows])
        start, y = _hours(name, seconds[rows], values[rows])
        if y.size <= horizon * windows:
            raise UserError(
                f"series {name!r} has {y.size} hours; {windows} windows of {horizon} leave nothing"
                " to fit on: give a longer series or a smaller --horizon or --windows")
        found += cut(name, start, y, horizon=horizon, windows=windows,
                     vital=_vital(name, frame, rows))
    return found


def _read(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise UserError(f"there is no file {file}: give the path of a parquet or csv file")
    if file.stat().st_size == 0:
        raise UserError(f"{file} is empty: it needs the columns {', '.join(COLUMNS)}")
    try:
        if file.suffix == ".csv":
            return pd.read_csv(file, dtype={"unique_id": str})
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
    except (ValueError, OSError) as error:
        raise UserError(f"{file} cannot be read as {file.suffix[1:]}: {error}") from error
    raise UserError(f"{file} is neither .parquet nor .csv")


def _require_columns(frame: pd.DataFrame, file: Path) -> None:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(f"{file} lacks the column {', '.join(missing)}: needed are"
                        f" {', '.join(COLUMNS)}, found {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise UserError(f"{file} has no rows: give at least one series")
    if frame["unique_id"].isna().any():
        raise UserError(f"row {_first(frame['unique_id'].isna())} has no unique_id")


def _numbers(frame: pd.DataFrame) -> FloatArray:
    numbers = pd.to_numeric(frame["y"], errors="coerce")
    text = numbers.isna() & frame["y"].notna()
    if text.any():
        row = _first(text)
        raise UserError(f"row {row}: y is {str(frame['y'].iloc[row - 1])[:40]!r}, not a number;"
                        " leave it empty where nothing was measured")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise UserError(f"row {_first(np.isinf(values))}: y is infinite; leave it empty")
    return values


def _seconds(frame: pd.DataFrame) -> IntArray:
    """Seconds since 1970 of every row; whole numbers in ds count hours."""
    ds = frame["ds"]
    if pd.api.types.is_integer_dtype(ds):
        hours = ds.to_numpy(dtype=np.int64)
        far = (hours > MOST_HOURS) | (hours < -MOST_HOURS)
        if far.any():
            row = _first(far)
            raise UserError(f"row {row}: ds is {hours[row - 1]}, too large for a count of hours:"
                            " give times such as 2026-01-31T13:00:00Z")
        return hours * HOUR_S
    if pd.api.types.is_numeric_dtype(ds):
        raise UserError("ds holds fractions: give times, or whole numbers that count hours")
    times = pd.to_datetime(ds, utc=True, errors="coerce", format="ISO8601")
    if times.isna().any():
        row = _first(times.isna())
        raise UserError(f"row {row}: ds is {str(ds.iloc[row - 1])[:40]!r}, not a time"
                        " such as 2026-01-31T13:00:00Z")
    return times.to_numpy(dtype="datetime64[ns]").astype(np.int64) // 10**9


def _require_rising(name: str, seconds: IntArray) -> None:
    steps = np.diff(seconds)
    if (steps > 0).all():
        return
    at = int(np.flatnonzero(steps <= 0)[0]) + 1
    what = "twice the same time" if steps[at - 1] == 0 else "a time before the one above it"
    raise UserError(f"series {name!r}, row {at + 1} of it: {what} ({_time(int(seconds[at]))});"
                    " sort each series by ds and keep one row per hour")


def _hours(name: str, seconds: IntArray, values: FloatArray) -> tuple[datetime, FloatArray]:
    off = seconds % HOUR_S != 0
    if off.any():
        at = int(np.flatnonzero(off)[0])
        raise UserError(f"series {name!r}, row {at + 1} of it: {_time(int(seconds[at]))} is not a"
                        " full hour; average the readings of each hour first")
    hours = (seconds - seconds[0]) // HOUR_S
    y = np.full(int(hours[-1]) + 1, np.nan)
    y[hours] = values
    return datetime.fromtimestamp(int(seconds[0]), UTC), y


def _vital(name: str, frame: pd.DataFrame, rows: Any) -> VitalSpec | None:
    if VITAL not in frame.columns:
        named_in_id = f"{name}:".split(":")[1]
        return SPECS[Vital(named_in_id)] if named_in_id in set(Vital) else None
    named = set(frame[VITAL].iloc[rows])
    if len(named) != 1:
        raise UserError(f"series {name!r} has {len(named)} vitals; give each its own unique_id")
    vital = named.pop()
    if vital not in set(Vital):
        raise UserError(f"series {name!r}: vital {str(vital)!r} is unknown; known are"
                        f" {', '.join(Vital)}")
    return SPECS[Vital(vital)]


def _first(flags: Any) -> int:
    return int(np.flatnonzero(np.asarray(flags))[0]) + 1


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
