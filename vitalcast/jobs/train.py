"""Train: fit the members of every series that is due, weigh them, keep the documents.

Patients are taken block by block, so that memory does not grow with the shard: read what is due,
fit it in panels of one vital, write it in one transaction. A series is due after so many hours, at
the next cycle when what its training depends on has changed, and at every cycle while it has no
ensemble. One trained at this cycle as configured is not due again: a run that was killed goes on
where it stopped and ends with the rows of an undisturbed one. Every fit has an outcome on record;
none is an exception.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, cast

from clinical.vitals import FORECAST_VITALS, SPECS
from forecasting.config import HEAVY, LIGHT, EngineConfig
from forecasting.documents import ENSEMBLE, Document, readable
from forecasting.drift import drifted
from forecasting.panel import Panel
from forecasting.policy import REFIT, SEARCH, Plan, plan
from forecasting.provenance import Provenance
from forecasting.training import Outcome, train_panel
from forecasting.workers import FAILED, TIMEOUT, FitOutcome, FitTask, fit_many
from registry.database import Connection, transaction
from registry.drift import found_before
from registry.events import record
from registry.models import (
    StoredDocument,
    StoredName,
    Trained,
    last_failed,
    last_trained,
    latest_members,
    latest_names,
    save_training,
)
from registry.panels import HourlyPanel, read_panels
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.jobs.configure import stored_config
from vitalcast.jobs.happened import count_searches, fit_events, search_events
from vitalcast.jobs.statistics import statistics_rows
from vitalcast.jobs.trained import Training, no_figures, rows_of
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]
Key = tuple[str, str]

BLOCK = 200
"""Patients that are trained at once."""

LIBRARY_BLOCK = 4
"""The same where fits take seconds each: what a killed run has to do again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a block of patients has to train.

    earlier  of each series its last documents by member, of those that a fit may go on from
    named    the others, light members and "ensemble", without their texts: those are fitted and
             weighed anew whatever was before
    failed   the members (patient, vital, member) whose last fit failed or ran out of time
    drifts   kinds of drift that the watch found of a series, and when
    done     trainings that this cycle has had already
    """

    panels: Sequence[HourlyPanel] = ()
    earlier: Mapping[Key, Mapping[str, StoredDocument]] = field(default_factory=dict)
    named: Mapping[Key, Mapping[str, StoredName]] = field(default_factory=dict)
    failed: frozenset[tuple[str, str, str]] = frozenset()
    drifts: Mapping[Key, Mapping[str, datetime]] = field(default_factory=dict)
    done: Sequence[Trained] = ()


def train(system: System, *, cycle: str | datetime, shard: str,
          config_hash: str) -> Figures:
    """Train what is due in this shard; figures: series trained at this cycle, fits by outcome.

    `ensembles` are the series with a new model. A run that goes on after a killed one counts the
    series of both: whoever waits for new models has to be told of all of them. The rest counts
    fits, in all and by member: `searched` or `refitted`; `capped`, which hit a limit of
    steps; `fallback`, which were to be refitted and had to be searched. `searches` tells why.
    """
    hour, config = parse_cycle(cycle), stored_config(system, config_hash)
    with run(system.engine, job="train", cycle=hour, shard=shard) as figures:
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
        figures.update(no_figures())
        for block in blocks(patients, BLOCK if _all_native(config) else LIBRARY_BLOCK):
            _train_block(system, block, hour, config, figures)
        with transaction(system.engine) as conn:
            record(conn, search_events(figures["searches"]))
    return dict(figures)


def _all_native(config: ModelConfig) -> bool:
    return all(engine.engine(member) == "native"
               for engine in map(config.engine_config, FORECAST_VITALS)
               for member in engine.members)


def _train_block(system: System, patients: Sequence[str], hour: datetime, config: ModelConfig,
                 figures: Figures) -> None:
    """Train what is due of these patients, store it and add it to the figures."""
    with transaction(system.engine) as conn:
        due = read_due(conn, patients, hour, config)
    figures["series"] += len(due.done)
    figures["ensembles"] += sum(one.ensemble == hour for one in due.done)
    trainings = [training for panel in due.panels for training in _train_vital(
        panel, due, hour, config, system.settings.fit_workers)]
    rows = rows_of(trainings)
    with transaction(system.engine) as conn:
        save_training(
            conn, documents=rows.documents, aliases=rows.aliases, fits=rows.fits,
            statistics=[row for panel in due.panels for row in statistics_rows(
                panel, job="train", cutoff=hour, horizon=config.horizon_hours)])
        record(conn, fit_events(trainings))
    count_searches(trainings, figures["searches"])
    for training in trainings:
        training.count(figures)


def read_due(conn: Connection, patients: Sequence[str], hour: datetime,
             config: ModelConfig) -> Due:
    """Hours and earlier documents of the series of these patients that are due at `hour`.

    What an earlier cycle left counts, not what this one did: the same when it is run again.
    """
    trained = last_trained(conn, patients)
    panels: list[HourlyPanel] = []
    for vital in FORECAST_VITALS:
        training = config.training_hash(vital)
        names = [name for name in patients if is_due(
            trained.get((name, vital.value)), hour, training, config.train_every_hours)]
        panels += read_panels(conn, names, [vital.value], hour - config.window_hours * HOUR,
                              hour).values()
    due = {(name, panel.vital.value) for panel in panels for name in panel.patients}
    done = [last for key, last in trained.items() if last.cutoff == hour and key not in due]
    if not due:
        return Due(done=done)
    before, known = hour - HOUR, sorted({name for name, _ in due & trained.keys()})
    earlier: dict[Key, dict[str, StoredDocument]] = defaultdict(dict)
    named: dict[Key, dict[str, StoredName]] = defaultdict(dict)
    heavy = [member for member in config.members_on() if member not in LIGHT]
    for one in latest_members(conn, known, before, heavy):
        earlier[one.patient_id, one.vital][one.member] = one
    for name in latest_names(conn, known, before, [*LIGHT, ENSEMBLE]):
        named[name.patient_id, name.vital][name.member] = name
    return Due(panels=panels, earlier=earlier, named=named, done=done,
               drifts=found_before(conn, known, hour, hour - config.search_every_hours * HOUR),
               failed=frozenset(last_failed(conn, known, HEAVY, before)))


def is_due(last: Trained | None, hour: datetime, config_hash: str, every_hours: int) -> bool:
    """Whether a series is to be trained at `hour`; never behind a later training."""
    if last is None:
        return True
    if last.config_hash != config_hash:
        return last.cutoff <= hour
    return hour - last.cutoff >= timedelta(hours=every_hours if last.ensemble else 1)


def _train_vital(panel: HourlyPanel, due: Due, hour: datetime, config: ModelConfig,
                 workers: int) -> list[Training]:
    """Train the series of one vital."""
    engine = config.engine_config(panel.vital)
    keys = [(name, panel.vital.value) for name in panel.patients]
    earlier = [due.earlier.get(key, {}) for key in keys]
    hours = Panel(start=panel.start, y=panel.y, config=engine, vital=SPECS[panel.vital])
    plans = _plans(hours, keys, due, config)
    library = _library_fits(panel, earlier, engine, config.fit_timeout_s, workers)
    given = [{name: one.document for name, one in outcomes.items() if one.document is not None}
             for outcomes in library]
    off = dict.fromkeys(config.switched_off(panel.vital), "switched off")
    absent = [off | {name: f"{one.status}: {one.reason}" for name, one in outcomes.items()
                     if one.document is None} for outcomes in library]
    made = train_panel(hours, plans, given=given, absent=absent, provenance=_provenance(),
                       threads=workers)
    training = config.training_hash(panel.vital)
    return [
        Training(patient_id=key[0], vital=key[1], cutoff=hour, config_hash=training,
                 switched_off=tuple(off), plans=planned, library=outcomes, made=one,
                 earlier={**due.named.get(key, {}), **due.earlier.get(key, {})})
        for key, planned, outcomes, one in zip(keys, plans, library, made, strict=True)
    ]


def _plans(panel: Panel, keys: Sequence[Key], due: Due,
           config: ModelConfig) -> list[dict[str, Plan]]:
    """What to do for each native member of each series."""
    plans: list[dict[str, Plan]] = [{} for _ in keys]
    policy = config.policy()
    for member in panel.config.members:
        if panel.config.engine(member) != "native":
            continue
        if member in LIGHT:
            for planned, key in zip(plans, keys, strict=True):
                planned[member] = Plan(
                    made_by=REFIT if member in due.named.get(key, {}) else SEARCH)
            continue
        stored = [due.earlier.get(key, {}).get(member) for key in keys]
        documents, faults = zip(*map(_read, stored), strict=True)
        usual = {row: one for row, one in enumerate(documents) if one and one.engine == "native"}
        gone = drifted(panel, member, usual, policy)
        for row, (key, one) in enumerate(zip(keys, stored, strict=True)):
            plans[row][member] = Plan(made_by=SEARCH, why=faults[row]) if faults[row] else plan(
                member, documents[row], end=panel.end, hours=panel.hours, config=panel.config,
                policy=policy, document_id=one.document_id if one else None,
                failed=(*key, member) in due.failed, drifted=row in gone,
                events=due.drifts.get(key, {}))
    return plans


def _read(stored: StoredDocument | None) -> tuple[Document | None, str]:
    """The document, None where there is none or for the reason given."""
    return readable(stored.document) if stored else (None, "")


def _library_fits(panel: HourlyPanel, earlier: Sequence[Mapping[str, StoredDocument]],
                  engine: EngineConfig, timeout_s: float, workers: int,
                  ) -> list[dict[str, Outcome]]:
    """Outcomes of the members that a library fits, by series; seconds each, over processes.

    A member whose fit failed goes on with its last good document.
    """
    members = [member for member in engine.members if engine.engine(member) != "native"]
    found: list[dict[str, Outcome]] = [{} for _ in panel.patients]
    tasks = [FitTask(key=row, member=member, y=y, start=panel.start, config=engine,
                     provenance=_provenance())
             for row, y in enumerate(panel.y) for member in members]
    for one in fit_many(tasks, workers=workers, timeout_s=timeout_s):
        row = cast(int, one.key)
        found[row][one.member] = _library_outcome(one, earlier[row].get(one.member))
    return found


def _library_outcome(one: FitOutcome, before: StoredDocument | None) -> Outcome:
    reason, document = one.reason, one.document
    if one.status in (FAILED, TIMEOUT) and before is not None:
        document, fault = readable(before.document)
        reason += f"; {fault}" if fault else (
            f"; its document of {before.cutoff:%Y-%m-%d %H:%M} UTC stands in")
    return Outcome(status=one.status, reason=reason, made_by=SEARCH, document=document,
                   cpu_seconds=one.cpu_seconds)


def _provenance() -> Provenance:
    return Provenance(code_version=version("vitalcast"))
