"""Forecast: run each series' stored models on to now, combine them, score what they say.

Nothing is fitted. The state is run from where the document ends through the hours since, so that
late readings count and the same cycle run again gives the same rows. One transaction a block of
patients, so that memory does not grow with the shard.
A series that fell silent gets a row too, without a forecast: no old one passes for the latest.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from forecasting.documents import Document, loads
from forecasting.ensemble import Forecast, forecast_ensemble
from forecasting.grid import Grid, hourly_grid
from forecasting.types import FitRefused
from registry.database import Connection, transaction
from registry.forecasts import ForecastRow, save_forecasts, save_severities
from registry.models import (
    StoredDocument,
    latest_ensembles,
    latest_members,
    save_statistics,
)
from registry.observations import Series, read_series
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.jobs.configure import stored_config
from vitalcast.jobs.severity import severity_rows
from vitalcast.jobs.statistics import statistics_row
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]
Key = tuple[str, str]

BLOCK = 500
"""Patients that are forecast at once."""

NO_MODEL = "no model yet: the readings did not suffice for a training, or none has run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What training left of one series: the ensemble and its members' newest documents."""

    ensemble: Document
    ensemble_id: str
    members: Mapping[str, Document]


def forecast(system: System, *, cycle: str | datetime | None, shard: str,
             config_hash: str) -> Figures:
    """Forecast this shard at `cycle`; figures: series, forecasts, patients scored."""
    hour, config = parse_cycle(cycle), stored_config(system, config_hash)
    with run(system.engine, job="forecast", cycle=hour, shard=shard) as figures:
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
        figures.update(series=0, patients=len(patients), forecasts=0)
        for block in blocks(patients, BLOCK):
            with transaction(system.engine) as conn:
                rows = _forecast_block(conn, block, hour, config)
            figures["series"] += len(rows)
            figures["forecasts"] += sum(row.reason is None for row in rows)
    return dict(figures)


def _forecast_block(conn: Connection, patients: Sequence[str], hour: datetime,
                    config: ModelConfig) -> list[ForecastRow]:
    """Forecast and score these patients, and store what comes of it."""
    grids = _grids(conn, patients, hour, config)
    stored = _stored(conn, patients, hour)
    made = [make_forecast(series, grid, stored.get((series.patient_id, series.vital)), hour, config)
            for series, grid in grids]
    read = {(series.patient_id, series.vital) for series, _ in grids}
    made += [_without(key, hour, config, silence(config)) for key in sorted(stored.keys() - read)]
    _save(conn, grids, made, hour, config)
    save_severities(conn, severity_rows(conn, patients, hour, config, made, grids))
    return made


def _grids(conn: Connection, patients: Sequence[str], hour: datetime,
           config: ModelConfig) -> list[tuple[Series, Grid]]:
    start = hour - config.window_hours * HOUR
    vitals = [vital.value for vital in FORECAST_VITALS]
    return [
        (series, hourly_grid(series.times_s, series.values, start, config.window_hours))
        for series in read_series(conn, patients, vitals, start, hour)
    ]


def _stored(conn: Connection, patients: Sequence[str], hour: datetime) -> dict[Key, Stored]:
    members: dict[Key, list[StoredDocument]] = defaultdict(list)
    for one in latest_members(conn, patients, hour):
        members[one.patient_id, one.vital].append(one)
    return {
        (one.patient_id, one.vital): Stored(
            ensemble=loads(one.document), ensemble_id=one.document_id,
            members={each.member: loads(each.document)
                     for each in members[one.patient_id, one.vital]})
        for one in latest_ensembles(conn, patients, hour)
    }


def make_forecast(series: Series, grid: Grid, stored: Stored | None, hour: datetime,
                  config: ModelConfig) -> ForecastRow:
    """The forecast of one series, or the reason why there is none."""
    vital = Vital(series.vital)
    key = series.patient_id, series.vital
    if hour.timestamp() - series.times_s[-1] > config.stale_after_hours * HOUR.total_seconds():
        return _without(key, hour, config, silence(config))
    if stored is None:
        return _without(key, hour, config, NO_MODEL)
    off = dict.fromkeys(config.switched_off(vital), "switched off")
    documents = {name: one for name, one in stored.members.items() if name not in off}
    engine = config.engine_config(vital)
    try:
        made = forecast_ensemble(
            stored.ensemble, documents, y_since=grid.values, since=grid.start, absent=off,
            horizon=engine.horizon, levels=engine.levels, vital=SPECS[vital])
    except FitRefused as refusal:
        return _without(key, hour, config, str(refusal))
    return _row(series, hour, stored, made)


def silence(config: ModelConfig) -> str:
    """Why a series without new readings has no forecast; nothing before the window is read."""
    return f"no reading in the last {min(config.stale_after_hours, config.window_hours)} h"


def _without(key: Key, hour: datetime, config: ModelConfig, reason: str) -> ForecastRow:
    return ForecastRow(
        patient_id=key[0], vital=key[1], cutoff=hour,
        horizon=config.horizon_hours, reason=reason, bounds={}, members={}, absent={})


def _row(series: Series, hour: datetime, stored: Stored, made: Forecast) -> ForecastRow:
    return ForecastRow(
        patient_id=series.patient_id, vital=series.vital, cutoff=hour, horizon=made.point.size,
        document_id=stored.ensemble_id, state_hash=made.state_hash, point=made.point.tolist(),
        bounds={level: (lower.tolist(), upper.tolist())
                for level, (lower, upper) in made.bounds.items()},
        members=made.members, absent=made.absent)


def _save(conn: Connection, grids: Sequence[tuple[Series, Grid]], made: Sequence[ForecastRow],
          hour: datetime, config: ModelConfig) -> None:
    save_forecasts(conn, made)
    save_statistics(conn, [
        statistics_row(series, grid, job="forecast", cutoff=hour, horizon=config.horizon_hours)
        for series, grid in grids
    ])
