"""Hold out the end of known series, forecast it from what came before, and measure.

Every window is fitted like a live one: all members over a pool of workers, then weights, intervals
and the forecast from the documents. Nothing of the held-out hours is used before they are scored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import accuracy
from forecasting.config import EngineConfig
from forecasting.documents import Document
from forecasting.ensemble import fit_ensemble, forecast_ensemble
from forecasting.members import Provenance, forecast
from forecasting.types import FitRefused, FloatArray
from forecasting.workers import FITTED, FitOutcome, FitTask, fit_many


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours to fit on, `train`, and the `test` hours that follow; `start` is the first of train."""

    unique_id: str
    index: int
    start: datetime
    train: FloatArray
    test: FloatArray
    vital: VitalSpec | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Errors of one forecast of one window, nan where undefined; `mase` is mae / scale."""

    mae: float
    mase: float
    smape: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """Scores of one window: of every member that was fitted, whether it counted or not.

    `refused` says why there is no ensemble forecast, else it is empty.
    """

    window: Window
    scale: float
    members: dict[str, Scores]
    failures: dict[str, str]
    ensemble: Scores
    coverage: dict[int, float]
    interval_score: dict[int, float]
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
    """Results in the order of `windows`, each as soon as its fits are done."""
    tasks = [
        FitTask(key=number, member=member, y=window.train, start=window.start, config=config,
                provenance=provenance)
        for number, window in enumerate(windows) for member in config.members
    ]
    outcomes = fit_many(tasks, workers=workers, timeout_s=timeout_s)
    for window in windows:
        own = list(islice(outcomes, len(config.members)))
        yield judge(window, own, config, provenance)


def judge(window: Window, outcomes: Sequence[FitOutcome], config: EngineConfig,
          provenance: Provenance) -> WindowResult:
    """Combine what the fits gave, forecast the test hours and score them."""
    scale = accuracy.scale(window.train, config.season,
                           resolution=window.vital.resolution if window.vital else 0.0)
    documents: dict[str, Document] = {each.member: each.document for each in outcomes
                                      if each.document is not None}
    failures = {each.member: f"{each.status}: {each.reason}" for each in outcomes
                if each.status != FITTED}
    try:
        ensemble = fit_ensemble(documents, window.train, start=window.start, config=config,
                                vital=window.vital, absent=failures, provenance=provenance)
        made = forecast_ensemble(ensemble, documents, y_since=np.zeros(0), horizon=config.horizon,
                                 levels=config.levels, vital=window.vital)
    except FitRefused as refusal:
        undefined = dict.fromkeys(config.levels, float("nan"))
        return WindowResult(window=window, scale=scale, failures=failures, members={},
                            ensemble=UNDEFINED, coverage=undefined, interval_score=undefined,
                            refused=str(refusal))
    return WindowResult(
        window=window, scale=scale, failures=failures,
        members={name: _scores(window.test, forecast(document, config.horizon), scale)
                 for name, document in documents.items()},
        ensemble=_scores(window.test, made.point, scale),
        coverage={level: accuracy.coverage(window.test, *bounds)
                  for level, bounds in made.bounds.items()},
        interval_score={level: accuracy.interval_score(window.test, *bounds, level)
                        for level, bounds in made.bounds.items()},
    )


def held_out_from(window: Window) -> datetime:
    """The first held-out hour."""
    return window.start + timedelta(hours=window.train.size)


def _scores(actual: FloatArray, path: FloatArray, scale: float) -> Scores:
    mae = accuracy.mae(actual, path)
    return Scores(mae=mae, mase=mae / scale if scale > 0 else float("nan"),
                  smape=accuracy.smape(actual, path))
