"""Evaluate: put every stored forecast beside the hours that have been observed since.

A forecast is scored again at every cycle until its horizon has passed, and for a while after,
since readings come late; the same cycle run again gives the same rows. One transaction a block of
patients, so that memory does not grow with the shard.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from clinical.vitals import FORECAST_VITALS
from forecasting.grid import hourly_grid
from forecasting.types import FloatArray
from registry.database import Connection, transaction
from registry.forecasts import (
    EvaluationRow,
    ForecastRow,
    forecasts_to_evaluate,
    save_evaluations,
)
from registry.observations import read_series
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.wiring import System

Figures = dict[str, Any]

REACH = timedelta(hours=72)
"""How far back final forecasts are scored again: the time that providers are read again."""


BLOCK = 50
"""Patients whose forecasts are scored at once: each has some hundreds of them, by every member."""


def evaluate(system: System, *, cycle: str | datetime | None, shard: str) -> Figures:
    """Score this shard's forecasts at `cycle`; figures: forecasts scored, those now final."""
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
    """Score the forecasts of these patients, and store the scores."""
    forecasts = forecasts_to_evaluate(conn, patients, hour, hour - REACH)
    start = min((one.cutoff for one in forecasts), default=hour)
    observed = _observed(conn, patients, start, hour)
    rows = [score_forecast(one, observed[one.patient_id, one.vital], hour) for one in forecasts]
    save_evaluations(conn, rows)
    return rows


def _observed(
    conn: Connection, patients: Sequence[str], start: datetime, hour: datetime,
) -> Mapping[tuple[str, str], FloatArray]:
    """Hourly means from `start` up to `hour`, by patient and vital."""
    hours = int((hour - start) / HOUR)
    nothing = np.full(hours, np.nan)
    found: dict[tuple[str, str], FloatArray] = defaultdict(lambda: nothing)
    vitals = [vital.value for vital in FORECAST_VITALS]
    for series in read_series(conn, patients, vitals, start, hour):
        grid = hourly_grid(series.times_s, series.values, start, hours)
        found[series.patient_id, series.vital] = grid.values
    return found


def score_forecast(forecast: ForecastRow, observed: FloatArray, hour: datetime) -> EvaluationRow:
    """One forecast beside what was observed up to `hour`.

    `observed` are the hourly means of the hours that end at `hour`, NaN = not observed.
    """
    passed = min(int((hour - forecast.cutoff) / HOUR), forecast.horizon)
    begin = observed.size - int((hour - forecast.cutoff) / HOUR)
    actual = np.full(forecast.horizon, np.nan)
    actual[:passed] = observed[begin:begin + passed]
    paths = {"ensemble": np.asarray(forecast.point),
             **{name: np.asarray(one["path"]) for name, one in forecast.members.items()}}
    errors = {name: actual - path for name, path in paths.items()}
    return EvaluationRow(
        patient_id=forecast.patient_id, vital=forecast.vital, cutoff=forecast.cutoff,
        observed=int((~np.isnan(actual)).sum()), final=passed == forecast.horizon,
        actual=_nullable(actual),
        errors={name: _nullable(error) for name, error in errors.items()},
        mae={name: _mean_size(error) for name, error in errors.items()},
        covered={str(level): _covered(actual, lower, upper)
                 for level, (lower, upper) in forecast.bounds.items()})


def _nullable(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _mean_size(errors: FloatArray) -> float | None:
    known = errors[~np.isnan(errors)]
    return float(np.abs(known).mean()) if known.size else None


def _covered(actual: FloatArray, lower: Sequence[float], upper: Sequence[float],
             ) -> list[bool | None]:
    return [None if np.isnan(one) else bool(low <= one <= high)
            for one, low, high in zip(actual, lower, upper, strict=True)]
