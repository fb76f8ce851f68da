"""Hold out the end of known series, forecast it from what came before, and measure.

Every window is fitted like a live one: all members in panels (other engines over a pool of
workers), then weights, intervals and the forecast from the documents. Nothing of the held-out hours
is used before they are scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import accuracy, stacks
from forecasting.config import EngineConfig
from forecasting.ensemble import Forecast, Stored, forecast_panel, row_of
from forecasting.panel import Panel
from forecasting.policy import SEARCH, Plan
from forecasting.provenance import Provenance
from forecasting.training import Outcome, TrainedSeries, train_panel
from forecasting.types import FloatArray
from forecasting.workers import FitOutcome, FitTask, fit_many

BLOCK = 128
"""Windows that are fitted and scored at once."""

A_THREAD = 64
"""Windows that a thread is worth: fewer wait longer for each other than they are fitted in."""

_END = datetime(2001, 1, 1, tzinfo=UTC)
"""Where every window ends in its panel: forecasts do not depend on the date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours to fit on, `train`, and the `test` hours that follow; `start` is the first of train."""

    unique_id: str
    index: int
    start: datetime
    train: FloatArray
    test: FloatArray
    vital: VitalSpec | None

    @property
    def held_out_from(self) -> datetime:
        """The first held-out hour."""
        return self.start + timedelta(hours=self.train.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Errors of one forecast of one window, nan where undefined; `mase` is mae / scale."""

    mae: float
    mase: float
    smape: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """Scores of one window: of every member that was fitted, whether it counted or not.

    `forecast` is what the ensemble said and `paths` what every member did; `refused` says why there
    is no ensemble forecast, else it is empty.
    """

    window: Window
    scale: float
    members: dict[str, Scores]
    failures: dict[str, str]
    ensemble: Scores
    coverage: dict[int, float]
    interval_score: dict[int, float]
    forecast: Forecast | None
    paths: dict[str, FloatArray]
    refused: str = ""


UNDEFINED = Scores(mae=float("nan"), mase=float("nan"), smape=float("nan"))


def cut(unique_id: str, start: datetime, y: FloatArray, *, horizon: int, windows: int,
        vital: VitalSpec | None) -> list[Window]:
    """The last `horizon` hours as test part, then as many windows stepping back by `horizon`."""
    ends = [y.size - index * horizon for index in range(windows)]
    return [Window(unique_id=unique_id, index=index, start=start, train=y[:end - horizon],
                   test=y[end - horizon:end], vital=vital) for index, end in enumerate(ends)]


def run(windows: Sequence[Window], config: EngineConfig, *, provenance: Provenance, workers: int,
        timeout_s: float) -> Iterator[WindowResult]:
    """Results in the order of `windows`, a block at a time.

    Native members are fitted here in up to `workers` threads, those of other engines in as many
    processes, each fit within `timeout_s`.
    """
    others = [member for member in config.members if config.engine(member) != "native"]
    outcomes = fit_many([
        FitTask(key=number, member=member, y=window.train, start=_start(window.train.size),
                config=config, provenance=provenance)
        for number, window in enumerate(windows) for member in others
    ], workers=workers, timeout_s=timeout_s)
    for at in range(0, len(windows), BLOCK):
        block = windows[at:at + BLOCK]
        fitted = [list(islice(outcomes, len(others))) for _ in block]
        yield from _judged(block, fitted, config, provenance, workers)


def _judged(windows: Sequence[Window], fitted: Sequence[Sequence[FitOutcome]],
            config: EngineConfig, provenance: Provenance, threads: int) -> Iterator[WindowResult]:
    """Windows of one vital as a panel each; results in the order of `windows`."""
    vitals = {window.vital for window in windows}
    results: dict[int, WindowResult] = {}
    for vital in vitals:
        rows = [number for number, window in enumerate(windows) if window.vital == vital]
        some = [windows[number] for number in rows]
        panel = _panel([window.train for window in some], config, vital)
        used = max(1, min(threads, panel.series // A_THREAD))
        own = [fitted[number] for number in rows]
        trained = _train(panel, own, provenance, used)
        results.update(zip(rows, _results(some, own, trained, panel, used), strict=True))
    return (results[number] for number in range(len(windows)))


def _panel(trains: Sequence[FloatArray], config: EngineConfig, vital: VitalSpec | None) -> Panel:
    """Windows of any length with their ends aligned; what a shorter one lacks is not there."""
    longest = max(train.size for train in trains)
    y = np.full((len(trains), longest), np.nan)
    for row, train in zip(y, trains, strict=True):
        row[longest - train.size:] = train
    return Panel(start=_start(longest), y=y, config=config, vital=vital)


def _train(panel: Panel, fitted: Sequence[Sequence[FitOutcome]], provenance: Provenance,
           threads: int) -> list[TrainedSeries]:
    native = [name for name in panel.config.members if panel.config.engine(name) == "native"]
    return train_panel(
        panel, [{name: Plan(made_by=SEARCH) for name in native}] * panel.series,
        given=[{each.member: each.document for each in own if each.document is not None}
               for own in fitted],
        absent=[_failures(_by_member(own)) for own in fitted],
        provenance=provenance, threads=threads)


def _results(windows: Sequence[Window], fitted: Sequence[Sequence[FitOutcome]],
             trained: Sequence[TrainedSeries], panel: Panel,
             threads: int) -> Iterator[WindowResult]:
    """Forecasts of the ensembles and of every member, scored."""
    config = panel.config
    after = Panel(start=panel.end, y=np.zeros((panel.series, 0)), config=config, vital=panel.vital)
    paths = {name: _member_paths(name, trained, after) for name in config.members}
    able = [s for s, each in enumerate(trained) if each.ensemble is not None]
    some = Panel(start=panel.end, y=after.y[able], config=config, vital=panel.vital)
    made = forecast_panel(some, [
        Stored(ensemble=each.ensemble, members=each.members, absent={})
        for each in trained if each.ensemble is not None], threads=threads)
    forecasts = {s: row_of(made, row) for row, s in enumerate(able) if not made.refused[row]}
    refused = {s: made.refused[row] for row, s in enumerate(able)}
    for s, (window, each) in enumerate(zip(windows, trained, strict=True)):
        own = {name: path[s] for name, path in paths.items() if name in each.members}
        failures = _failures({**_by_member(fitted[s]), **each.outcomes})
        yield _judge(window, failures, own, forecasts.get(s), refused.get(s, each.reason), config)


def _member_paths(name: str, trained: Sequence[TrainedSeries], after: Panel) -> FloatArray:
    documents = {s: each.members[name] for s, each in enumerate(trained) if name in each.members}
    paths = np.full((after.series, after.config.horizon), np.nan)
    stacks.moved(stacks.of_states(name, documents, after.start), after, paths)
    return paths


def _judge(window: Window, failures: dict[str, str], paths: Mapping[str, FloatArray],
           made: Forecast | None, refused: str, config: EngineConfig) -> WindowResult:
    """The scores of one window."""
    scale = accuracy.scale(window.train, config.season,
                           resolution=window.vital.resolution if window.vital else 0.0)
    undefined = dict.fromkeys(config.levels, float("nan"))
    return WindowResult(
        window=window, scale=scale, failures=failures, refused=refused, forecast=made,
        paths=dict(paths),
        members={name: _scores(window.test, path, scale) for name, path in paths.items()},
        ensemble=UNDEFINED if made is None else _scores(window.test, made.point, scale),
        coverage=undefined if made is None else {
            level: accuracy.coverage(window.test, *bounds)
            for level, bounds in made.bounds.items()},
        interval_score=undefined if made is None else {
            level: accuracy.interval_score(window.test, *bounds, level)
            for level, bounds in made.bounds.items()},
    )


def _start(hours: int) -> datetime:
    return _END - timedelta(hours=hours)


def _by_member(outcomes: Sequence[FitOutcome]) -> dict[str, FitOutcome]:
    return {outcome.member: outcome for outcome in outcomes}


def _failures(outcomes: Mapping[str, FitOutcome | Outcome]) -> dict[str, str]:
    """Why members were not fitted."""
    return {name: f"{outcome.status}: {outcome.reason}" for name, outcome in outcomes.items()
            if outcome.document is None}


def _scores(actual: FloatArray, path: FloatArray, scale: float) -> Scores:
    mae = accuracy.mae(actual, path)
    return Scores(mae=mae, mase=mae / scale if scale > 0 else float("nan"),
                  smape=accuracy.smape(actual, path))
