"""Evaluate: put every stored forecast beside the hours that have been observed since.

A forecast is scored again when its hours have other readings than its score says: one more of them
has passed, or readings came late. The same cycle run again gives the same rows. One transaction a
block of patients, so that memory does not grow with the shard.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from forecasting.types import BoolArray, FloatArray
from registry.database import Connection, transaction
from registry.forecasts import (
    EvaluationRow,
    ForecastRow,
    changed_forecasts,
    open_forecasts,
    save_evaluations,
)
from registry.panels import read_panels
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.wiring import System

Figures = dict[str, Any]
Key = tuple[str, str]

REACH = timedelta(hours=72)
"""How far back final forecasts are scored again: the time that providers are read again."""


BLOCK = 50
"""Patients whose forecasts are scored at once: each has some hundreds of them, by every member."""


def evaluate(system: System, *, cycle: str | datetime, shard: str) -> Figures:
    """Score this shard's forecasts at `cycle`; figures: scores that changed, those now final."""
    hour = parse_cycle(cycle)
    with run(system.engine, job="evaluate", cycle=hour, shard=shard) as figures:
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
        figures.update(forecasts=0, final=0)
        for block in blocks(patients, BLOCK):
            with transaction(system.engine) as conn:
                rows = _evaluate_block(conn, block, hour)
            figures["forecasts"] += len(rows)
            figures["final"] += sum(row.final for row in rows)
    return dict(figures)


def _evaluate_block(
    conn: Connection, patients: Sequence[str], hour: datetime,
) -> list[EvaluationRow]:
    """Score those forecasts of these patients that have to be, and store the scores."""
    since = open_forecasts(conn, patients, hour, hour - REACH)
    if not since:
        return []
    start = min(since.values())
    observed = _observed(conn, since, start, hour)
    rows = [score_forecast(one, observed[one.patient_id, one.vital], hour)
            for one in changed_forecasts(conn, since, observed, start, hour)]
    save_evaluations(conn, rows)
    return rows


def _observed(
    conn: Connection, keys: Collection[Key], start: datetime, hour: datetime,
) -> Mapping[Key, FloatArray]:
    """Hourly means from `start` up to `hour`, by patient and vital."""
    nothing = np.full((hour - start) // HOUR, np.nan)
    patients = sorted({patient for patient, _ in keys})
    panels = read_panels(conn, patients, sorted({vital for _, vital in keys}), start, hour)
    found = {(patient, vital.value): y for vital, panel in panels.items()
             for patient, y in zip(panel.patients, panel.y, strict=True)}
    return {key: found.get(key, nothing) for key in keys}


def score_forecast(forecast: ForecastRow, observed: FloatArray, hour: datetime) -> EvaluationRow:
    """One forecast beside what was observed up to `hour`.

    `observed` are the hourly means of the hours that end at `hour`, NaN = not observed.
    """
    past = (hour - forecast.cutoff) // HOUR
    passed, begin = min(past, forecast.horizon), observed.size - past
    actual = np.full(forecast.horizon, np.nan)
    actual[:passed] = observed[begin:begin + passed]
    known = ~np.isnan(actual)
    names = ["ensemble", *forecast.members]
    paths = np.array([forecast.point, *(one["path"] for one in forecast.members.values())])
    errors = actual - paths
    return EvaluationRow(
        patient_id=forecast.patient_id, vital=forecast.vital, cutoff=forecast.cutoff,
        observed=int(known.sum()), final=passed == forecast.horizon,
        actual=_nullable(actual, known),
        errors=dict(zip(names, _nullable(errors, known), strict=True)),
        mae=dict(zip(names, _mean_sizes(errors, known), strict=True)),
        covered={str(level): _nullable((lower <= actual) & (actual <= upper), known)
                 for level, (lower, upper) in forecast.bounds.items()})


def _nullable(values: Any, known: BoolArray) -> list[Any]:
    """As lists, None where nothing was observed."""
    found = np.array(values, dtype=object)
    found[..., ~known] = None
    listed: list[Any] = found.tolist()
    return listed


def _mean_sizes(errors: FloatArray, known: BoolArray) -> list[float | None]:
    """Mean absolute value of each row of errors over the known hours."""
    if not known.any():
        return [None] * len(errors)
    means: list[float | None] = np.abs(np.ascontiguousarray(errors[:, known])).mean(axis=1).tolist()
    return means
