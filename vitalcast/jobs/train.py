"""Train: fit the members of every series that is due, weigh them, keep the documents.

Read the shard in one query, fit over a process pool, write one transaction a series. A series
is due after so many hours, at the next cycle when the configuration has changed, and at every
cycle while it has no ensemble. One trained at this cycle as configured is not due again: a run
that was killed goes on where it stopped and ends with the rows of an undisturbed one. Every fit
has an outcome on record; none is an exception.
"""

import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from math import isnan
from typing import Any, cast

from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from forecasting.config import EngineConfig
from forecasting.documents import Document, document_id, dumps, loads
from forecasting.ensemble import champion, fit_ensemble
from forecasting.grid import Grid, hourly_grid
from forecasting.members import Provenance
from forecasting.types import FitRefused
from forecasting.workers import FAILED, TIMEOUT, FitOutcome, FitTask, fit_many
from registry.database import Connection, transaction
from registry.models import (
    AliasRow,
    DocumentRow,
    FitRow,
    StoredDocument,
    Trained,
    last_trained,
    latest_ensembles,
    latest_members,
    save_training,
)
from registry.observations import Series, read_series
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, parse_cycle
from vitalcast.jobs.configure import stored_config
from vitalcast.jobs.statistics import statistics_row
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One series that is due: its hours, what to fit, and what the fits came to."""

    series: Series
    grid: Grid
    cutoff: datetime
    config: EngineConfig
    switched_off: tuple[str, ...]
    earlier: Mapping[str, StoredDocument] = field(default_factory=dict)
    outcomes: dict[str, FitOutcome] = field(default_factory=dict)

    @property
    def vital(self) -> Vital:
        """The vital of the series."""
        return Vital(self.series.vital)

    @property
    def complete(self) -> bool:
        """Whether every member has its outcome."""
        return len(self.outcomes) == len(self.config.members)

    def documents(self) -> dict[str, Document]:
        """What each member goes on with: its new document, or its last good one where it failed."""
        found: dict[str, Document] = {}
        for name, outcome in self.outcomes.items():
            if outcome.document is not None:
                found[name] = outcome.document
            elif stand_in := self.stand_in(name):
                found[name] = loads(stand_in.document)
        return found

    def stand_in(self, name: str) -> StoredDocument | None:
        """The earlier document of a member whose fit failed or ran out of time."""
        failed = self.outcomes[name].status in (FAILED, TIMEOUT)
        return self.earlier.get(name) if failed else None


def train(system: System, *, cycle: str | datetime | None, shard: str,
          config_hash: str) -> Figures:
    """Train what is due in this shard; figures: series trained at this cycle, fits by outcome.

    `ensembles` are the series with a new model. A run that goes on after a killed one counts the
    series of both: whoever waits for new models has to be told of all of them.
    """
    hour, config = parse_cycle(cycle), stored_config(system, config_hash)
    with run(system.engine, job="train", cycle=hour, shard=shard) as figures:
        due, done = _due(system, hour, Shard.parse(shard), config, config_hash)
        figures.update(series=len(due) + len(done), fitted=0, failed=0, timeout=0,
                       too_little_data=0, ensembles=sum(one.ensemble == hour for one in done))
        for training in _fitted(due, config, system.settings.fit_workers):
            figures["ensembles"] += _save(system, training, config_hash)
            for outcome in training.outcomes.values():
                figures[outcome.status] += 1
    return dict(figures)


def _due(
    system: System, hour: datetime, shard: Shard, config: ModelConfig, config_hash: str,
) -> tuple[list[Training], list[Trained]]:
    """The series to train, and the trainings that this cycle has had already."""
    start = hour - config.window_hours * HOUR
    vitals = [vital.value for vital in FORECAST_VITALS]
    with transaction(system.engine) as conn:
        patients = shard.pick(patient_ids(conn))
        trained = last_trained(conn, patients)
        found = list(read_series(conn, patients, vitals, start, hour))
        earlier = _earlier(conn, patients, hour)
    due = [
        Training(
            series=series, cutoff=hour, config=config.engine_config(Vital(series.vital)),
            grid=hourly_grid(series.times_s, series.values, start, config.window_hours),
            switched_off=config.switched_off(Vital(series.vital)),
            earlier=earlier[series.patient_id, series.vital])
        for series in found
        if is_due(trained.get((series.patient_id, series.vital)), hour, config_hash,
                  config.train_every_hours)
    ]
    begun = {(one.series.patient_id, one.series.vital) for one in due}
    return due, [last for key, last in trained.items() if last.cutoff == hour and key not in begun]


def _earlier(
    conn: Connection, patients: Sequence[str], hour: datetime,
) -> Mapping[tuple[str, str], dict[str, StoredDocument]]:
    """Last documents by member, "ensemble" too, from before this cycle: the same when run again."""
    found: dict[tuple[str, str], dict[str, StoredDocument]] = defaultdict(dict)
    before = hour - HOUR
    for one in (*latest_members(conn, patients, before), *latest_ensembles(conn, patients, before)):
        found[one.patient_id, one.vital][one.member] = one
    return found


def is_due(last: Trained | None, hour: datetime, config_hash: str, every_hours: int) -> bool:
    """Whether a series is to be trained at `hour`; never behind a later training."""
    if last is None:
        return True
    if last.config_hash != config_hash:
        return last.cutoff <= hour
    return hour - last.cutoff >= timedelta(hours=every_hours if last.ensemble else 1)


def _fitted(due: Sequence[Training], config: ModelConfig, workers: int) -> Iterator[Training]:
    """Each training as soon as all its members have their outcome."""
    provenance = _provenance()
    tasks = [
        FitTask(key=index, member=member, y=training.grid.values, start=training.grid.start,
                config=training.config, provenance=provenance)
        for index, training in enumerate(due) for member in training.config.members
    ]
    for outcome in fit_many(tasks, workers=workers, timeout_s=config.fit_timeout_s):
        training = due[cast(int, outcome.key)]
        training.outcomes[outcome.member] = outcome
        if training.complete:
            yield training


def _provenance() -> Provenance:
    return Provenance(code_version=version("vitalcast"))


def _save(system: System, training: Training, config_hash: str) -> bool:
    """Store what a training left; whether it left an ensemble."""
    documents = training.documents()
    rows, aliases = _documents(training, documents)
    with transaction(system.engine) as conn:
        save_training(
            conn, documents=rows, aliases=aliases,
            fits=[*_fit_rows(training, documents, config_hash), *_off_rows(training, config_hash)],
            statistics=[statistics_row(training.series, training.grid, job="train",
                                       cutoff=training.cutoff, horizon=training.config.horizon)])
    return bool(aliases)


def _documents(
    training: Training, documents: dict[str, Document],
) -> tuple[list[DocumentRow], list[AliasRow]]:
    """Documents of the members and of their ensemble, and the two names they go by."""
    if not documents:
        return [], []
    absent = {name: f"{outcome.status}: {outcome.reason}"
              for name, outcome in training.outcomes.items() if name not in documents}
    absent.update(dict.fromkeys(training.switched_off, "switched off"))
    try:
        ensemble = fit_ensemble(
            documents, training.grid.values, start=training.grid.start, config=training.config,
            vital=SPECS[training.vital], absent=absent, provenance=_provenance())
    except FitRefused:
        return [_document_row(training, document) for document in documents.values()], []
    best, why = champion(ensemble)
    rows = {name: _document_row(training, document)
            for name, document in {**documents, "ensemble": ensemble}.items()}
    return list(rows.values()), [
        _alias(training, "champion", rows[best], why),
        _alias(training, "ensemble", rows["ensemble"], "newest training"),
    ]


def _document_row(training: Training, document: Document) -> DocumentRow:
    text = dumps(document)
    parent = training.earlier.get(document.member)
    return DocumentRow(
        document_id=document_id(text), patient_id=training.series.patient_id,
        vital=training.series.vital, member=document.member, engine=document.engine,
        cutoff=training.cutoff, parent_id=parent.document_id if parent else None,
        made_by="search", document=text)


def _alias(training: Training, alias: str, row: DocumentRow, why: str) -> AliasRow:
    return AliasRow(patient_id=row.patient_id, vital=row.vital, alias=alias,
                    document_id=row.document_id, cutoff=training.cutoff, why=why)


def _fit_rows(
    training: Training, documents: dict[str, Document], config_hash: str,
) -> Iterator[FitRow]:
    for name, outcome in training.outcomes.items():
        document = documents.get(name)
        yield FitRow(
            patient_id=training.series.patient_id, vital=training.series.vital, member=name,
            cutoff=training.cutoff, outcome=outcome.status, reason=_reason(training, name),
            document_id=document_id(dumps(document)) if document else None,
            config_hash=config_hash, seconds=_known(outcome.seconds),
            cpu_seconds=_known(outcome.cpu_seconds), host=platform.node())


def _reason(training: Training, name: str) -> str | None:
    reason, stand_in = training.outcomes[name].reason, training.stand_in(name)
    if stand_in is not None:
        return f"{reason}; its document of {stand_in.cutoff:%Y-%m-%d %H:%M} UTC stands in"
    return reason or None


def _off_rows(training: Training, config_hash: str) -> Iterator[FitRow]:
    for name in training.switched_off:
        yield FitRow(
            patient_id=training.series.patient_id, vital=training.series.vital, member=name,
            cutoff=training.cutoff, outcome="switched_off", reason="by the model configuration",
            document_id=None, config_hash=config_hash, seconds=None, cpu_seconds=None, host=None)


def _known(seconds: float) -> float | None:
    """None where the worker could not tell any more."""
    return None if isnan(seconds) else seconds
