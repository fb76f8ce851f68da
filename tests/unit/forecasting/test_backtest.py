"""Windows held out: forecast from what came before, and from nothing else."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from clinical.vitals import SPECS, Vital
from forecasting import backtest
from forecasting.backtest import Window, WindowResult
from forecasting.config import EngineConfig
from forecasting.ensemble import forecast_panel
from forecasting.members import Provenance
from tests.reference import series

CONFIG = EngineConfig()


def a_window(name: str, hours: int, vital: Vital | None = Vital.HEART_RATE,
             seed: int = 1) -> Window:
    y = series.rhythm(hours, seed=seed, gaps=0.1)
    return backtest.cut(name, datetime(2026, 1, 1, tzinfo=UTC), y, horizon=24, windows=1,
                        vital=SPECS[vital] if vital else None)[0]


WINDOWS = [a_window("a", 360), a_window("b", 200, Vital.RESPIRATORY_RATE, 2),
           a_window("c", 150, seed=3), a_window("d", 360, None, 4)]


def run(windows: list[Window], config: EngineConfig = CONFIG,
        workers: int = 1) -> list[WindowResult]:
    return list(backtest.run(windows, config, provenance=Provenance(code_version="test"),
                             workers=workers, timeout_s=60))


def test_windows_are_scored_in_order_as_they_are_alone() -> None:
    together = run(WINDOWS, workers=2)
    assert [result.window.unique_id for result in together] == ["a", "b", "c", "d"]
    for window, result in zip(WINDOWS, together, strict=True):
        alone = run([window])[0]
        assert alone.ensemble.mae == pytest.approx(result.ensemble.mae, rel=1e-12)
        assert alone.interval_score == pytest.approx(result.interval_score, rel=1e-12)
        assert alone.members.keys() == result.members.keys()


def test_blank_test_hours_give_the_same_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def spied(panel: object, stored: object, **more: object) -> object:
        found = forecast_panel(panel, stored, **more)  # type: ignore[arg-type]
        made.append(found.point.tobytes() + b"".join(
            lower.tobytes() + upper.tobytes() for lower, upper in found.bounds.values()))
        return found

    monkeypatch.setattr(backtest, "forecast_panel", spied)
    run(WINDOWS)
    seen = made.copy()
    made.clear()
    blank = run([replace(window, test=np.full(24, np.nan)) for window in WINDOWS])
    assert made == seen
    assert all(np.isnan(result.ensemble.mae) for result in blank)


def test_a_window_without_readings_is_refused_not_fatal() -> None:
    silent = replace(WINDOWS[0], train=np.full(336, np.nan))
    refused, good = run([silent, WINDOWS[0]])
    assert refused.refused == "no observed hour in the window" and not refused.members
    assert "too_little_data" in refused.failures["ets"]
    assert good.ensemble == run([WINDOWS[0]])[0].ensemble


def test_members_of_the_library_join_in() -> None:
    config = EngineConfig(members=("theta", "last_value"), engines={"theta": "statsforecast"})
    result = run([WINDOWS[0]], config)[0]
    assert set(result.members) == {"theta", "last_value"} and not result.failures


def test_the_wearable_benchmark_is_forecast_as_well_as_it_was(shared: Path) -> None:
    from vitalcast.frames import read_windows

    windows = read_windows(shared / "data/benchmark/wearable_hr_benchmark.parquet", horizon=24,
                           windows=1)
    results = run(windows, workers=2)
    scores = [result.ensemble.mase for result in results]
    assert np.mean(scores) <= 0.83
    for name in CONFIG.members:
        assert np.mean(scores) < np.mean([result.members[name].mase for result in results])
