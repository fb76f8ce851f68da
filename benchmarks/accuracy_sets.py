"""The three public sets as windows: hours to fit on, hours to score, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.accuracy import interpolate
from forecasting.backtest import Window
from forecasting.types import FloatArray
from vitalcast.frames import read_windows

DAY = 24
FILES = {"wearable": "wearable_hr_benchmark", "icu": "icu_benchmark", "m4": "m4_hourly"}
M4_HORIZON = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One window; those of one `subject` overlap or belong together. `scale` divides its errors."""

    window: Window
    subject: str
    vital: str
    scale: float

    @property
    def name(self) -> str:
        return self.window.unique_id


def read(shared: Path, name: str) -> list[Case]:
    """All windows of the set `name` as `vitalcast backtest` cuts them, in the order of the file."""
    horizon = M4_HORIZON if name == "m4" else DAY
    file = shared / "data" / "benchmark" / f"{FILES[name]}.parquet"
    return [_case(window) for window in read_windows(file, horizon=horizon, windows=1)]


def _case(window: Window) -> Case:
    vital = window.vital
    filled = interpolate(window.train)
    scale = float(np.abs(filled[DAY:] - filled[:-DAY]).mean())
    return Case(window=window, subject=window.unique_id.partition(":")[0],
                vital=vital.vital.value if vital else "",
                scale=max(scale, vital.resolution) if vital else scale)


def shortened(cases: Sequence[Case], hours: int) -> list[Case]:
    """The same windows with only the last `hours` of their history; scales stay."""
    return [replace(case, window=replace(case.window, train=case.window.train[-hours:]))
            for case in cases]


def published(shared: Path, name: str) -> pd.DataFrame:
    """The reference figures of the set `name`, by unique_id."""
    return pd.read_csv(shared / "data" / "benchmark" / f"reference_{FILES[name]}.csv",
                       index_col="unique_id")


def simple_paths(train: FloatArray, horizon: int) -> dict[str, FloatArray]:
    """Four methods of one line on gaps filled by straight lines, (horizon,) each."""
    filled, leads = interpolate(train), np.arange(horizon)
    week = filled[-7 * DAY:]
    week = week[week.size % DAY:] if week.size >= DAY else week[-1:]
    last = filled[-DAY:]
    return {
        "last_value": np.full(horizon, filled[-1]),
        "hour_of_day": week.reshape(-1, min(DAY, week.size)).mean(axis=0)[leads % min(
            DAY, week.size)],
        "seasonal_naive": last[leads % last.size],
        "mean_of_last_day": np.full(horizon, last.mean()),
    }
