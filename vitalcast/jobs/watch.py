"""Watch: look whether series have departed from what their models were trained on.

Every hour a share of the patients is due, so that each is looked at every `watch_every_hours`, one
that was never looked at or missed its turn at once. A look reads the training window that ended two
weeks ago and what came since, with the forecasts of each hour, and is stateless: the same hour
again, also after late readings or a kill, leaves the rows that its readings ask for. Of all other
patients only flagged readings are read: those of a changed unit are far out of range. From patients
who ended every link nothing is awaited: they are not looked at, and what stood of theirs ends. Nor
is anything missing between two files of those whose readings come of files alone.

An event is a reason to search the structure at the series' next training (`forecasting.policy`).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from clinical.vitals import FORECAST_VITALS, Vital
from forecasting.detectors.charts import Kind
from registry.database import Connection, transaction
from registry.drift import (
    DriftEvent,
    Key,
    kept_out,
    last_looks,
    left_patients,
    of_files,
    providers_of,
    read_an_hour_ahead,
    read_arrived,
    read_statistics,
    replace_found,
    roll_up_cohorts,
    save_figures,
    standing_events,
)
from registry.panels import read_panels
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.jobs.configure import stored_config
from vitalcast.jobs.watched import (
    DAY,
    HOLD,
    Facts,
    Seen,
    glance,
    look,
    not_awaited,
    standing,
    transitions,
)
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]

RECENT_HOURS = 336
"""How far back a change is looked for; before it lies the training window it is compared with."""

USUAL_HOURS = (168, 672)
"""Bounds of that window, which is else as long as `window_hours`."""

BLOCK = 100
"""Patients looked at at once."""

GLANCED = 2000
"""Patients whose flagged readings are read at once."""


def watch(system: System, *, cycle: str | datetime, shard: str, config_hash: str,
          everyone: bool = False) -> Figures:
    """Look at the patients of this shard that are due, with `everyone` at all.

    Figures: `patients` and `series` looked at, events `begun` and `ended`, and `kinds` of those
    that began.
    """
    hour, config = parse_cycle(cycle), stored_config(system, config_hash)
    with run(system.engine, job="watch", cycle=hour, shard=shard) as figures:
        figures.update(patients=0, series=0, begun=0, ended=0, kinds={})
        with transaction(system.engine) as conn:
            everybody = Shard.parse(shard).pick(patient_ids(conn))
            left = left_patients(conn).intersection(everybody)
            patients = [name for name in everybody if name not in left]
            looks = last_looks(conn, patients, hour)
        due = [name for name in patients if everyone or is_due(
            name, looks.get(name), hour, config.watch_every_hours)]
        for block in blocks(due, BLOCK):
            with transaction(system.engine) as conn:
                _look(conn, block, hour, config, figures)
        for block in blocks(sorted(set(patients) - set(due)), GLANCED):
            with transaction(system.engine) as conn:
                _glance(conn, block, hour, config, figures)
        for block in blocks(sorted(left), GLANCED):
            with transaction(system.engine) as conn:
                _let_go(conn, block, hour, figures)
        with transaction(system.engine) as conn:
            roll_up_cohorts(conn, (hour - HOUR).date())
    return dict(figures)


def is_due(patient: str, last: datetime | None, hour: datetime, every: int) -> bool:
    """Whether a patient's series are looked at in this hour: its turn, never yet, or one missed."""
    if last is None or hour - last > timedelta(hours=every):
        return True
    turn = int.from_bytes(hashlib.sha256(f"watch {patient}".encode()).digest()[:8])
    return (turn - int(hour.timestamp()) // 3600) % every == 0


def _look(conn: Connection, patients: Sequence[str], hour: datetime, config: ModelConfig,
          figures: Figures) -> None:
    """All charts of these patients' series, their events and figures."""
    usual = min(max(config.window_hours, USUAL_HOURS[0]), USUAL_HOURS[1])
    start = hour - (usual + RECENT_HOURS) * HOUR
    panels = read_panels(conn, patients, list(FORECAST_VITALS), start, hour)
    keys = [(name, vital.value) for vital, panel in panels.items() for name in panel.patients]
    facts = _facts(conn, patients, keys, hour)
    by_file = of_files(conn, patients)
    seen: list[Seen] = []
    for vital, panel in panels.items():
        ahead = read_an_hour_ahead(conn, panel.patients, vital, start, hour)
        charts, rows = look(panel, ahead, facts, usual=usual, cycle=hour)
        seen.append(not_awaited(charts, by_file))
        save_figures(conn, rows)
    figures["patients"] += len(patients)
    figures["series"] += len(keys)
    _settle(conn, seen, hour, config.thresholds(), figures,
            standing_events(conn, patients, hour, hour - HOLD))


def _glance(conn: Connection, patients: Sequence[str], hour: datetime, config: ModelConfig,
            figures: Figures) -> None:
    """A changed unit, in series with flagged readings."""
    keys = list(kept_out(conn, patients, hour - DAY, hour))
    if not keys:
        return
    names = sorted({patient for patient, _ in keys})
    facts = _facts(conn, names, keys, hour)
    seen = [glance(Vital(vital), [name for name, of in keys if of == vital], facts, hour)
            for vital in sorted({vital for _, vital in keys})]
    _settle(conn, seen, hour, config.thresholds(), figures,
            standing_events(conn, names, hour, hour - HOLD))


def _let_go(conn: Connection, patients: Sequence[str], hour: datetime, figures: Figures) -> None:
    """End what stands of patients who left."""
    ended = [replace(one, closed_at=hour) for one in standing_events(conn, patients, hour, hour)]
    replace_found(conn, [], hour, [], ended)
    figures["ended"] += len(ended)


def _facts(conn: Connection, patients: Sequence[str], keys: Sequence[Key],
           hour: datetime) -> Facts:
    return Facts(
        statistics=read_statistics(conn, patients, hour),
        arrived=read_arrived(conn, keys, hour - DAY, hour),
        flagged=kept_out(conn, patients, hour - DAY, hour),
        providers=providers_of(conn, patients, hour))


def _settle(conn: Connection, seen: Sequence[Seen], hour: datetime,
            thresholds: Mapping[Kind, float], figures: Figures,
            found: Sequence[DriftEvent]) -> None:
    """Store the events that begin and end; `found` are those that stood before."""
    begun: list[DriftEvent] = []
    last, before = standing(found)
    for one in seen:
        new, old = transitions(one, last, thresholds, hour)
        begun += new
        before += old
    replace_found(conn, _looked(seen), hour, begun, before)
    figures["begun"] += len(begun)
    figures["ended"] += sum(one.closed_at == hour for one in before)
    for event in begun:
        figures["kinds"][event.kind] = figures["kinds"].get(event.kind, 0) + 1


def _looked(seen: Iterable[Seen]) -> list[tuple[str, str, str]]:
    return [(patient, one.vital.value, chart.kind.value) for one in seen
            for patient in one.patients for chart, _ in one.charts]
