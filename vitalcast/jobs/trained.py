"""What a training leaves of each series: documents, names, fits, and its part of the figures."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from forecasting.documents import ENSEMBLE, Document, document_id, dumps
from forecasting.ensemble import champion
from forecasting.policy import REFIT, SEARCH, Plan
from forecasting.training import Outcome, TrainedSeries
from forecasting.workers import FAILED, FITTED, TIMEOUT, TOO_LITTLE_DATA
from registry.models import AliasRow, DocumentRow, FitRow, StoredName
from vitalcast.jobs.statistics import known

_HOST = platform.node()
OUTCOMES = (FITTED, FAILED, TIMEOUT, TOO_LITTLE_DATA)
MADE_BY = {SEARCH: "searched", REFIT: "refitted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One series' training: what was there, what was planned, what came of it."""

    patient_id: str
    vital: str
    cutoff: datetime
    config_hash: str
    switched_off: tuple[str, ...]
    earlier: Mapping[str, StoredName]
    plans: Mapping[str, Plan]
    library: Mapping[str, Outcome]
    made: TrainedSeries

    def outcomes(self) -> dict[str, Outcome]:
        """Every member's outcome, whoever fitted it."""
        return {**self.made.outcomes, **self.library}

    def count(self, figures: dict[str, Any]) -> None:
        """Add this series to the figures of a run."""
        figures["series"] += 1
        figures["ensembles"] += self.made.ensemble is not None
        for member, outcome in self.outcomes().items():
            for name in self._counted(member, outcome):
                figures[name] += 1
                of_member = figures["members"].setdefault(member, {})
                of_member[name] = of_member.get(name, 0) + 1

    def _counted(self, member: str, outcome: Outcome) -> Iterator[str]:
        yield outcome.status
        if outcome.status != FITTED:
            return
        yield MADE_BY[outcome.made_by]
        if outcome.document is not None and outcome.document.figures.get("capped"):
            yield "capped"
        if member in self.plans and self.plans[member].made_by != outcome.made_by == SEARCH:
            yield "fallback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of many trainings."""

    documents: list[DocumentRow] = field(default_factory=list)
    aliases: list[AliasRow] = field(default_factory=list)
    fits: list[FitRow] = field(default_factory=list)


def no_figures() -> dict[str, Any]:
    """The figures of a run that has trained nothing yet."""
    counted = ("series", "ensembles", *OUTCOMES, *MADE_BY.values(), "capped", "fallback")
    return {**dict.fromkeys(counted, 0), "members": {}, "searches": {}}


def rows_of(trainings: Sequence[Training]) -> Rows:
    """The rows that these trainings leave."""
    rows = Rows()
    for training in trainings:
        _add(rows, training)
    return rows


def _add(rows: Rows, one: Training) -> None:
    names: dict[str, str] = {}
    for member, outcome in one.outcomes().items():
        if member in one.made.members:
            names[member] = _stored(rows, one, member, outcome)
        rows.fits.append(_fit(one, member, outcome, names.get(member)))
    rows.fits.extend(_off(one))
    if one.made.ensemble is not None:
        ensemble = _document(one, one.made.ensemble, SEARCH)
        rows.documents.append(ensemble)
        best, why = champion(one.made.ensemble)
        rows.aliases.extend([
            _alias(one, "champion", names[best], why),
            _alias(one, ENSEMBLE, ensemble.document_id, "newest training")])


def _stored(rows: Rows, one: Training, member: str, outcome: Outcome) -> str:
    """The id of the document that a member goes on with; a new one is added to the rows."""
    if outcome.status != FITTED:
        return one.earlier[member].document_id
    row = _document(one, one.made.members[member], outcome.made_by)
    rows.documents.append(row)
    return row.document_id


def _document(one: Training, document: Document, made_by: str) -> DocumentRow:
    text = dumps(document)
    parent = one.earlier.get(document.member)
    return DocumentRow(
        document_id=document_id(text), patient_id=one.patient_id, vital=one.vital,
        member=document.member, engine=document.engine, cutoff=one.cutoff,
        parent_id=parent.document_id if parent else None, made_by=made_by, document=text)


def _alias(one: Training, alias: str, name: str, why: str) -> AliasRow:
    return AliasRow(patient_id=one.patient_id, vital=one.vital, alias=alias, document_id=name,
                    cutoff=one.cutoff, why=why)


def _fit(one: Training, member: str, outcome: Outcome, name: str | None) -> FitRow:
    return FitRow(
        patient_id=one.patient_id, vital=one.vital, member=member, cutoff=one.cutoff,
        outcome=outcome.status, reason=outcome.reason or None, document_id=name,
        made_by=outcome.made_by if outcome.status == FITTED else None,
        config_hash=one.config_hash, cpu_seconds=known(outcome.cpu_seconds),
        host=_HOST)


def _off(one: Training) -> Iterator[FitRow]:
    for member in one.switched_off:
        yield FitRow(patient_id=one.patient_id, vital=one.vital, member=member, cutoff=one.cutoff,
                     outcome="switched_off", reason="by the model configuration",
                     config_hash=one.config_hash)
