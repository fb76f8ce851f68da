"""Forecast: run each series' stored models on to now, combine them, score what they say.

Nothing is fitted. The state is run from where the document ends through the hours since, so that
late readings count and the same cycle run again gives the same rows. One transaction a block of
patients, so that memory does not grow with the shard.
A series that fell silent gets a row too, without a forecast: no old one passes for the latest.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from clinical.vitals import FORECAST_VITALS, SPECS
from forecasting.config import BUCKETS
from forecasting.documents import Document, readable
from forecasting.ensemble import PanelForecast, Stored, forecast_panel
from forecasting.panel import Panel
from registry.database import Connection, transaction
from registry.events import record
from registry.forecasts import ForecastRow, save_forecasts, save_severities
from registry.models import latest_ensembles, latest_members, save_statistics
from registry.panels import HourlyPanel, read_panels
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.jobs.configure import stored_config
from vitalcast.jobs.coverage import Covered, cover, reopen
from vitalcast.jobs.happened import Lacks, count_lacks, lack_events, missing_counts
from vitalcast.jobs.severity import severity_rows
from vitalcast.jobs.statistics import statistics_rows
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]
Key = tuple[str, str]

BLOCK = 200
"""Patients that are forecast at once."""

NO_MODEL = ("no model yet: the readings did not suffice for a training, or none has run that this "
            "release can read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What training left of one series, and the id that its ensemble is stored under."""

    stored: Stored
    ensemble_id: str


def forecast(system: System, *, cycle: str | datetime, shard: str,
             config_hash: str) -> Figures:
    """Forecast this shard at `cycle`; figures: series, forecasts, patients scored.

    `updated` counts the models whose state was moved through the hours since it was stored,
    `covered` the days of coverage that were written, `reopened` those that late readings changed;
    `missing` the series without a forecast, by reason.
    """
    hour, config = parse_cycle(cycle), stored_config(system, config_hash)
    with run(system.engine, job="forecast", cycle=hour, shard=shard) as figures:
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
        figures.update(series=0, patients=len(patients), forecasts=0, updated=0, covered=0)
        figures["reopened"] = reopen(system, shard, hour)
        lacks: Lacks = Counter()
        for block in blocks(patients, BLOCK):
            with transaction(system.engine) as conn:
                rows, updated, covered = _forecast_block(conn, block, hour, config,
                                                         system.settings.fit_workers)
            figures["series"] += len(rows)
            figures["forecasts"] += sum(row.reason is None for row in rows)
            figures["updated"] += updated
            figures["covered"] += covered
            count_lacks(rows, lacks)
        with transaction(system.engine) as conn:
            record(conn, lack_events(lacks))
        figures["missing"] = missing_counts(lacks)
    return dict(figures)


def _forecast_block(conn: Connection, patients: Sequence[str], hour: datetime,
                    config: ModelConfig, threads: int) -> tuple[list[ForecastRow], int, int]:
    """Forecast and score these patients, store what comes of it.

    Returns the rows, how many states were moved, and how many days of coverage were written.
    """
    panels = read_panels(conn, patients, [vital.value for vital in FORECAST_VITALS],
                         hour - config.window_hours * HOUR, hour)
    covered = cover(conn, patients, hour, config.window_hours * HOUR, panels)
    models = stored_models(conn, patients, hour, config)
    rows = [row for panel in panels.values()
            for row in panel_rows(panel, models, hour, config, threads)]
    silent = models.keys() - {(row.patient_id, row.vital) for row in rows}
    rows += [_without(key, hour, config, silence(config)) for key in sorted(silent)]
    rows = [told(row, covered) for row in rows]
    save_forecasts(conn, rows)
    save_statistics(conn, [row for panel in panels.values() for row in statistics_rows(
        panel, job="forecast", cutoff=hour, horizon=config.horizon_hours)])
    save_severities(conn, severity_rows(conn, patients, hour, config, rows, panels))
    return rows, updates(rows, models), covered.written


def told(row: ForecastRow, covered: Covered) -> ForecastRow:
    """The row with what is known of its hours; that there is no forecast is told with the cause."""
    reason, why = row.reason, covered.why(row.patient_id, row.vital)
    if reason is not None and why is not None:
        reason = f"{reason}: {why}"
    return replace(row, reason=reason, coverage=covered.summary(row.patient_id, row.vital))


def updates(rows: Sequence[ForecastRow], models: Mapping[Key, Model]) -> int:
    """How many models had their state moved on for these forecasts: those older than the cycle."""
    return sum(
        models[row.patient_id, row.vital].stored.members[name].grid.cutoff < row.cutoff
        for row in rows if row.reason is None for name in row.members)


def stored_models(conn: Connection, patients: Sequence[str], hour: datetime,
                  config: ModelConfig) -> dict[Key, Model]:
    """The newest ensemble of each series up to `hour`, with its members that are switched on.

    What this release cannot read is as if it were not there, a member with the reason.
    """
    off = {vital.value: dict.fromkeys(config.switched_off(vital), "switched off")
           for vital in FORECAST_VITALS}
    members: dict[Key, dict[str, Document]] = defaultdict(dict)
    faults: dict[Key, dict[str, str]] = defaultdict(dict)
    for one in latest_members(conn, patients, hour, config.members_on()):
        if one.member in off[one.vital]:
            continue
        document, fault = readable(one.document)
        if document is None:
            faults[one.patient_id, one.vital][one.member] = fault
        else:
            members[one.patient_id, one.vital][one.member] = document
    models: dict[Key, Model] = {}
    for one in latest_ensembles(conn, patients, hour):
        key, (ensemble, _) = (one.patient_id, one.vital), readable(one.document)
        if ensemble is not None:
            models[key] = Model(ensemble_id=one.document_id, stored=Stored(
                ensemble=ensemble, members=members[key], absent=off[one.vital] | faults[key]))
    return models


def panel_rows(panel: HourlyPanel, models: Mapping[Key, Model], hour: datetime,
               config: ModelConfig, threads: int = 1) -> list[ForecastRow]:
    """The forecast of each series of a panel, or the reason why there is none."""
    keys = [(patient, panel.vital.value) for patient in panel.patients]
    stale = hour.timestamp() - panel.last_s > config.stale_after_hours * HOUR.total_seconds()
    at = [row for row, key in enumerate(keys) if key in models and not stale[row]]
    found = [models[keys[row]] for row in at]
    reasons = np.where(stale, silence(config), NO_MODEL)
    rows = {row: _without(key, hour, config, str(reasons[row])) for row, key in enumerate(keys)}
    if at:
        made = forecast_panel(
            Panel(start=panel.start, y=panel.y[at], config=config.engine_config(panel.vital),
                  vital=SPECS[panel.vital]),
            [one.stored for one in found], threads=threads)
        rows |= {row: _row(keys[row], hour, config, found[index].ensemble_id, made, index)
                 for index, row in enumerate(at)}
    return [rows[row] for row in range(len(keys))]


def silence(config: ModelConfig) -> str:
    """Why a series without new readings has no forecast; nothing before the window is read."""
    return f"no reading in the last {min(config.stale_after_hours, config.window_hours)} h"


def _without(key: Key, hour: datetime, config: ModelConfig, reason: str) -> ForecastRow:
    return ForecastRow(
        patient_id=key[0], vital=key[1], cutoff=hour,
        horizon=config.horizon_hours, reason=reason, bounds={}, members={}, absent={})


def _row(key: Key, hour: datetime, config: ModelConfig, ensemble_id: str, made: PanelForecast,
         index: int) -> ForecastRow:
    """Series `index` of a panel's forecast as it is stored."""
    if made.refused[index]:
        return _without(key, hour, config, made.refused[index])
    paths, weights = made.paths[index], made.weights[index].tolist()
    present = (~np.isnan(paths[:, 0])).tolist()
    return ForecastRow(
        patient_id=key[0], vital=key[1], cutoff=hour, horizon=config.horizon_hours,
        document_id=ensemble_id, state_hash=made.state_hashes[index], point=made.point[index],
        bounds={level: (lower[index], upper[index])
                for level, (lower, upper) in made.bounds.items()},
        members={
            name: {"weights": dict(zip(BUCKETS, weights[at], strict=True)), "path": paths[at]}
            for at, name in enumerate(made.names) if present[at]},
        absent=made.absent[index])
