"""One side of `engine.py`, in a process of its own with one thread.

    python -m benchmarks.engine_sides statsforecast|native|first_forecast|first_fit FOLDER ROUNDS

FOLDER holds `hours.npy` (S, n + 1), windows of n hours and the hour that follows, and
`reference.npy`, those of them that slow sides fit. Prints one JSON object; costs are seconds of
CPU a series (user and system, `time.process_time`).
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:                     # nothing of the engine is imported before the clock runs
    from forecasting.config import EngineConfig
    from forecasting.documents import Document
    from forecasting.panel import Panel
    from forecasting.policy import Plan
    from forecasting.provenance import Provenance
    from forecasting.training import TrainedSeries
    from forecasting.types import FloatArray

HEAVY = ("arima", "ets", "theta", "tbats")
SEASON = 24
START = datetime(2026, 1, 5, tzinfo=UTC)
JsonObject = dict[str, Any]
Costs = dict[str, float]


def statsforecast(folder: Path, _: int) -> JsonObject:
    """Mean cost of one fit of each automatic model with its whole default search, gaps filled.

    AutoARIMA with `approximation=True`, as this project's own engine of that library asks for it:
    without, it costs some twenty times as much.
    """
    from statsforecast import models

    from forecasting.accuracy import interpolate

    made: dict[str, Callable[[], Any]] = {
        "arima": partial(models.AutoARIMA, season_length=SEASON, approximation=True),
        "ets": partial(models.AutoETS, season_length=SEASON),
        "theta": partial(models.AutoTheta, season_length=SEASON),
        "tbats": partial(models.AutoTBATS, season_length=SEASON),
    }
    windows = [interpolate(y[1:]) for y in np.load(folder / "reference.npy")]
    warnings.simplefilter("ignore")
    costs = {}
    for name, make in made.items():
        make().fit(windows[0][-3 * SEASON:])    # imports and first calls are not counted
        costs[name] = mean(spent(partial(make().fit, y)) for y in windows)
    return {"cold": with_four(costs)}


def native(folder: Path, rounds: int) -> JsonObject:
    """Cost a series of search, refit, and update with forecast: the least of `rounds`.

    All windows go in one call, as a job's block does. The first round, which loads compiled code,
    is not counted.
    """
    hours = np.load(folder / "hours.npy")
    before, now = np.ascontiguousarray(hours[:, :-1]), np.ascontiguousarray(hours[:, 1:])
    return {**kernel_costs(before, now, rounds), **block_costs(before, now, rounds, folder)}


def kernel_costs(before: FloatArray, now: FloatArray, rounds: int) -> JsonObject:
    """The four searched on the hours `now`, and refitted from what fits `before` found."""
    from forecasting.native import NATIVE

    cold, warm = {}, {}
    for name in HEAVY:
        member = NATIVE[name]
        fits = member.search(before, (SEASON,))
        rows = member.stack([member.to_row(member.to_model(fits, s)) for s in range(len(now))])
        cold[name] = least(partial(member.search, now, (SEASON,)), rounds) / len(now)
        warm[name] = least(partial(member.refit, now, rows, (SEASON,)), rounds) / len(now)
    return {"cold": with_four(cold), "warm": with_four(warm)}


def block_costs(before: FloatArray, now: FloatArray, rounds: int, folder: Path) -> JsonObject:
    """What a job does with a block between reading and writing it.

    `update`: states moved by the new hour, forecast with bounds; with the four in the pool, and
    with all members of the default configuration. `training`, of the latter: fits with structures
    searched or kept, documents, weights and intervals.
    """
    from forecasting.config import EngineConfig, config_hash
    from forecasting.policy import Plan

    config, four = EngineConfig(), EngineConfig(members=HEAVY)
    count, later = len(now), panel_of(now, config, age=1)
    searches = [{name: Plan(made_by="search") for name in config.members}] * count
    trained = train(panel_of(before, config), searches)
    refits = [{name: Plan(made_by="refit", document=document)
               for name, document in each.members.items()} for each in trained]
    leave_stored(trained[0], folder)
    of_four = train(panel_of(before, four),
                    [{name: Plan(made_by="search") for name in HEAVY}] * count)
    return {
        "update": {"four": update_cost(panel_of(now, four, age=1), of_four, rounds),
                   "pool": update_cost(later, trained, rounds)},
        "training": {"search": least(partial(train, later, searches), rounds) / count,
                     "refit": least(partial(train, later, refits), rounds) / count},
        "document_bytes": document_bytes([each.members for each in trained]),
        "config_hash": config_hash(config),
    }


def panel_of(y: FloatArray, config: EngineConfig, age: int = 0) -> Panel:
    """The windows as a panel that begins `age` hours after the first."""
    from forecasting.panel import Panel

    return Panel(start=START + timedelta(hours=age), y=y, config=config, vital=None)


def train(panel: Panel, plans: Sequence[Mapping[str, Plan]]) -> list[TrainedSeries]:
    """Train as a job does that has nothing from elsewhere."""
    from forecasting.training import train_panel

    nothing: list[dict[str, Any]] = [{}] * panel.series
    return train_panel(panel, plans, given=nothing, absent=nothing, provenance=made_by())


def update_cost(panel: Panel, trained: Sequence[TrainedSeries], rounds: int) -> float:
    """Cost a series of forecasting a panel from what was trained an hour before."""
    from forecasting.ensemble import Stored, forecast_panel

    stored = [Stored(ensemble=each.ensemble, members=each.members, absent={})
              for each in trained if each.ensemble is not None]
    return least(partial(forecast_panel, panel, stored), rounds) / panel.series


def leave_stored(trained: TrainedSeries, folder: Path) -> None:
    """The documents of one series, for the sides that begin with them."""
    from forecasting.documents import dumps

    assert trained.ensemble is not None, trained.reason
    (folder / "stored.json").write_text(json.dumps({
        "ensemble": dumps(trained.ensemble),
        "members": {name: dumps(document) for name, document in trained.members.items()}}))


def document_bytes(trained: Sequence[Mapping[str, Document]]) -> Costs:
    """Median bytes of the documents of each member, and of the four together."""
    from forecasting.documents import dumps

    sizes = {name: [len(dumps(each[name]).encode()) for each in trained if name in each]
             for name in trained[0]}
    sizes["four"] = [size for name in HEAVY for size in sizes[name]]
    return {name: median(each) for name, each in sizes.items()}


def first_forecast(folder: Path, _: int) -> JsonObject:
    """Seconds from numpy's import to a forecast with bounds from stored documents, and their CPU.

    The documents are an hour older than the hours, so that states are moved first.
    """
    began = time.perf_counter(), time.process_time()
    from forecasting.documents import loads
    from forecasting.ensemble import forecast_ensemble

    stored = json.loads((folder / "stored.json").read_text())
    made = forecast_ensemble(
        loads(stored["ensemble"]), {name: loads(text) for name, text in stored["members"].items()},
        y_since=np.load(folder / "hours.npy")[0, -1:], horizon=24, levels=(50, 80, 95), vital=None)
    assert np.isfinite(made.point).all()
    return elapsed(began)


def first_fit(folder: Path, _: int) -> JsonObject:
    """Seconds from numpy's import to the first fits of the four, structure searched."""
    began = time.perf_counter(), time.process_time()
    from forecasting.config import EngineConfig
    from forecasting.members import fit

    y, config = np.load(folder / "hours.npy")[0, 1:], EngineConfig()
    for name in HEAVY:
        fit(name, y, start=START, config=config, provenance=made_by())
    return elapsed(began)


def made_by() -> Provenance:
    """Provenance of the benchmark's documents."""
    from forecasting.provenance import Provenance

    return Provenance(code_version="benchmark")


def with_four(costs: Costs) -> Costs:
    """The costs with their sum."""
    return {**costs, "four": sum(costs.values())}


def least(work: Callable[[], object], rounds: int) -> float:
    """The least cost of `rounds`, after one that does not count."""
    work()
    return min(spent(work) for _ in range(rounds))


def spent(work: Callable[[], object]) -> float:
    """Seconds of CPU that it takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def elapsed(began: tuple[float, float]) -> JsonObject:
    """Wall and CPU seconds since."""
    return {"seconds": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}


SIDES: dict[str, Callable[[Path, int], JsonObject]] = {
    "statsforecast": statsforecast, "native": native, "first_forecast": first_forecast,
    "first_fit": first_fit,
}

if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
