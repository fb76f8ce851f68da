"""Nothing of the held-out hours reaches a forecast."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from forecasting.backtest import Window, cut, run
from forecasting.config import EngineConfig
from forecasting.provenance import Provenance
from tests.reference import series
from vitalcast.frames import read_windows

START = datetime(2026, 1, 1, tzinfo=UTC)


def forecasts(windows: list[Window], config: EngineConfig) -> list[bytes]:
    """Point, bounds and members' paths of every window, as bytes."""
    found = []
    for each in run(windows, config, provenance=Provenance(code_version="1"), workers=1,
                    timeout_s=60.0):
        assert each.forecast is not None
        parts = [each.forecast.point, *each.paths.values()]
        parts += [end for pair in each.forecast.bounds.values() for end in pair]
        found.append(b"".join(part.tobytes() for part in parts))
    return found


def same_without_test_hours(windows: list[Window], config: EngineConfig) -> None:
    blank = [replace(each, test=np.full(each.test.size, np.nan)) for each in windows]
    wild = [replace(each, test=1e3 + each.test) for each in windows]
    assert forecasts(blank, config) == forecasts(windows, config) == forecasts(wild, config)


def test_made_up_windows() -> None:
    windows = [window for seed in range(3) for window in cut(
        str(seed), START, series.rhythm(n=240, seed=seed, gaps=0.1), horizon=24, windows=2,
        vital=None)]
    same_without_test_hours(windows, EngineConfig())


@pytest.mark.parametrize("name", ["wearable_hr_benchmark", "icu_benchmark"])
def test_every_window_of_the_public_sets(name: str, shared: Path) -> None:
    file = shared / "data" / "benchmark" / f"{name}.parquet"
    same_without_test_hours(read_windows(file, horizon=24, windows=1), EngineConfig())


def test_two_seasons(shared: Path) -> None:
    file = shared / "data" / "benchmark" / "m4_hourly.parquet"
    windows = read_windows(file, horizon=48, windows=1)[::40]
    same_without_test_hours(windows, EngineConfig(seasons=(24, 168), horizon=48))
