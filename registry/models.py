"""Models: documents byte for byte, the names they go by, fits and series statistics.

A document is named by the hash of its text and never changes; an alias moves to another document
only forwards in time. Writing the same rows again changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import text

from clinical.vitals import FORECAST_VITALS
from forecasting.config import DEFAULT_MEMBERS, KNOWN_MEMBERS
from forecasting.documents import ENSEMBLE
from registry.copytext import copy_line
from registry.database import Connection, raw_cursor, upsert

_DOCUMENT = """document_id, patient_id, vital, member, engine, cutoff, made_by, document,
    parent_id"""

_ALIAS = "patient_id, vital, alias, document_id, cutoff, why"
_ALIAS_AGAIN = """(patient_id, vital, alias) DO UPDATE SET
    document_id = excluded.document_id, cutoff = excluded.cutoff, why = excluded.why
WHERE excluded.cutoff >= model_aliases.cutoff"""

_FIT = """patient_id, vital, member, cutoff, outcome, config_hash, reason, document_id, made_by,
    seconds, cpu_seconds, host"""
_FIT_AGAIN = """(patient_id, vital, member, cutoff) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, document_id = excluded.document_id,
    made_by = excluded.made_by, config_hash = excluded.config_hash, seconds = excluded.seconds,
    cpu_seconds = excluded.cpu_seconds, host = excluded.host, finished_at = now()"""

_STATISTICS = """patient_id, vital, job, cutoff, entries, hours, missing, fact_start, fact_end,
    forecast_start, forecast_end, data_hash, first_time, last_time, minimum, maximum, mean, std,
    mean_gap_s"""
_STATISTICS_AGAIN = """(patient_id, vital, job, cutoff) DO UPDATE SET
    entries = excluded.entries, hours = excluded.hours, missing = excluded.missing,
    fact_start = excluded.fact_start, fact_end = excluded.fact_end,
    forecast_start = excluded.forecast_start, forecast_end = excluded.forecast_end,
    data_hash = excluded.data_hash, first_time = excluded.first_time,
    last_time = excluded.last_time, minimum = excluded.minimum, maximum = excluded.maximum,
    mean = excluded.mean, std = excluded.std, mean_gap_s = excluded.mean_gap_s"""

_SAVE_CONFIG = """
INSERT INTO model_configs (config_hash, config) VALUES (:hash, CAST(:config AS json))
ON CONFLICT (config_hash) DO NOTHING"""

_LOAD_CONFIG = "SELECT CAST(config AS text) FROM model_configs WHERE config_hash = :hash"

# One look into an index a series and member, however long the history.
_EACH = """
FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) AS v (vital)
CROSS JOIN unnest(CAST(%(members)s AS text[])) AS m (member)"""

# Trained twice at one cutoff, fits of members that are configured no more are left of the first.
_LAST_TRAINED = f"""
SELECT DISTINCT ON (p.patient_id, v.vital)
       p.patient_id, v.vital, f.cutoff, f.config_hash, a.cutoff AS ensemble
{_EACH}
CROSS JOIN LATERAL (
    SELECT * FROM fits x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.member = m.member
    ORDER BY x.cutoff DESC LIMIT 1) AS f
LEFT JOIN model_aliases a ON a.patient_id = p.patient_id AND a.vital = v.vital
    AND a.alias = 'ensemble'
ORDER BY p.patient_id, v.vital, f.cutoff DESC, f.finished_at DESC"""  # noqa: S608

# Trained twice at one cutoff, the training that the alias points to counts.
_NEWEST = f"""
{_EACH}
CROSS JOIN LATERAL (
    SELECT d.document_id, d.cutoff, d.document FROM model_documents d
    LEFT JOIN model_aliases a ON a.patient_id = d.patient_id AND a.vital = d.vital
        AND a.document_id = d.document_id AND a.alias = 'ensemble'
    LEFT JOIN fits f ON f.patient_id = d.patient_id AND f.vital = d.vital
        AND f.member = d.member AND f.cutoff = d.cutoff AND f.document_id = d.document_id
    WHERE d.patient_id = p.patient_id AND d.vital = v.vital AND d.member = m.member
      AND d.cutoff = (
          SELECT max(x.cutoff) FROM model_documents x
          WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.member = m.member
            AND x.cutoff <= %(cutoff)s)
    ORDER BY (a.document_id IS NULL), (f.document_id IS NULL), d.created_at DESC, d.document_id
    LIMIT 1) AS n"""  # noqa: S608

_NAMES = "SELECT n.document_id, p.patient_id, v.vital, m.member, n.cutoff"
_LATEST_NAMES = _NAMES + _NEWEST
_LATEST = f"{_NAMES}, n.document {_NEWEST}"

_LAST_FAILED = f"""
SELECT p.patient_id, v.vital, m.member
{_EACH}
CROSS JOIN LATERAL (
    SELECT x.outcome FROM fits x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.member = m.member
      AND x.cutoff <= %(cutoff)s
    ORDER BY x.cutoff DESC LIMIT 1) AS f
WHERE f.outcome IN ('failed', 'timeout')"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A model document. `document` is the JSON text whose SHA-256 is `document_id`."""

    document_id: str
    patient_id: str
    vital: str
    member: str
    engine: str
    cutoff: datetime
    made_by: str
    document: str
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRow:
    """A name (`champion`, `ensemble`) for one of a series' documents, and why it has it."""

    patient_id: str
    vital: str
    alias: str
    document_id: str
    cutoff: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRow:
    """Outcome of one fit: fitted, failed, timeout, too_little_data or switched_off.

    config_hash  of what the training depends on
    made_by      search or refit; None: no fit
    """

    patient_id: str
    vital: str
    member: str
    cutoff: datetime
    outcome: str
    config_hash: str
    reason: str | None = None
    document_id: str | None = None
    made_by: str | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The last training of a series, whatever its outcomes.

    ensemble  cutoff of the training that left the newest ensemble; None when none ever did
    """

    cutoff: datetime
    config_hash: str
    ensemble: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """What the window of a series held at one run of `job` (train or forecast)."""

    patient_id: str
    vital: str
    job: str
    cutoff: datetime
    entries: int
    hours: int
    missing: int
    fact_start: datetime
    fact_end: datetime
    forecast_start: datetime
    forecast_end: datetime
    data_hash: str
    first_time: datetime | None = None
    last_time: datetime | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    mean_gap_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """Which document is stored, without its text."""

    document_id: str
    patient_id: str
    vital: str
    member: str
    cutoff: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument(StoredName):
    """A document as read back, byte for byte."""

    document: str


def save_documents(conn: Connection, rows: Sequence[DocumentRow]) -> int:
    """Store documents; returns how many were new."""
    return upsert(conn, "model_documents", _DOCUMENT, _lines(_DOCUMENT, rows), "DO NOTHING")


def save_aliases(conn: Connection, rows: Sequence[AliasRow]) -> None:
    """Point names at documents, never back to an older cutoff."""
    upsert(conn, "model_aliases", _ALIAS, _lines(_ALIAS, rows), _ALIAS_AGAIN)


def save_fits(conn: Connection, rows: Sequence[FitRow]) -> None:
    """Store the outcomes of fits; a repeated training replaces its rows."""
    upsert(conn, "fits", _FIT, _lines(_FIT, rows), _FIT_AGAIN)


def save_statistics(conn: Connection, rows: Sequence[StatisticsRow]) -> None:
    """Store descriptive statistics; a repeated run replaces its rows."""
    upsert(conn, "series_statistics", _STATISTICS, _lines(_STATISTICS, rows), _STATISTICS_AGAIN)


def save_training(
    conn: Connection, *, documents: Sequence[DocumentRow], aliases: Sequence[AliasRow],
    fits: Sequence[FitRow], statistics: Sequence[StatisticsRow],
) -> None:
    """Everything that one or more trainings leave, in the order that the keys need."""
    save_documents(conn, documents)
    save_aliases(conn, aliases)
    save_fits(conn, fits)
    save_statistics(conn, statistics)


def save_config(conn: Connection, config_hash: str, config: str) -> None:
    """Keep one version of the model configuration, named by its hash."""
    conn.execute(text(_SAVE_CONFIG), {"hash": config_hash, "config": config})


def load_config(conn: Connection, config_hash: str) -> str | None:
    """The configuration's JSON text as it was stored; None when it never was."""
    found: str | None = conn.execute(text(_LOAD_CONFIG), {"hash": config_hash}).scalar()
    return found


def last_trained(
    conn: Connection, patients: Sequence[str],
) -> dict[tuple[str, str], Trained]:
    """The last training of each (patient, vital) that was ever trained.

    Every training leaves a fit of each default member, if only to say that it is switched off.
    """
    return {(patient, vital): Trained(cutoff=cutoff, config_hash=config_hash, ensemble=ensemble)
            for patient, vital, cutoff, config_hash, ensemble in _each(
                conn, _LAST_TRAINED, patients, DEFAULT_MEMBERS)}


def last_failed(
    conn: Connection, patients: Sequence[str], members: Sequence[str], cutoff: datetime,
) -> list[tuple[str, str, str]]:
    """Every (patient, vital, member) whose last fit up to `cutoff` failed or ran out of time."""
    return [(patient, vital, member) for patient, vital, member in _each(
        conn, _LAST_FAILED, patients, members, cutoff=cutoff)]


def latest_ensembles(
    conn: Connection, patients: Sequence[str], cutoff: datetime,
) -> list[StoredDocument]:
    """The newest ensemble of each (patient, vital) that was fitted to nothing after `cutoff`."""
    return _latest(conn, patients, [ENSEMBLE], cutoff)


def latest_members(
    conn: Connection, patients: Sequence[str], cutoff: datetime,
    members: Sequence[str] = KNOWN_MEMBERS,
) -> list[StoredDocument]:
    """The newest good document of each (patient, vital, member) up to `cutoff`."""
    return _latest(conn, patients, members, cutoff)


def latest_names(
    conn: Connection, patients: Sequence[str], cutoff: datetime, members: Sequence[str],
) -> list[StoredName]:
    """Which documents `latest_members` or `latest_ensembles` would give; their texts stay there."""
    return [
        StoredName(document_id=name, patient_id=patient, vital=vital, member=member,
                   cutoff=fitted_to)
        for name, patient, vital, member, fitted_to in _each(
            conn, _LATEST_NAMES, patients, members, cutoff=cutoff)
    ]


def _latest(
    conn: Connection, patients: Sequence[str], members: Sequence[str], cutoff: datetime,
) -> list[StoredDocument]:
    return [
        StoredDocument(document_id=name, patient_id=patient, vital=vital, member=member,
                       cutoff=fitted_to, document=document)
        for name, patient, vital, member, fitted_to, document in _each(
            conn, _LATEST, patients, members, cutoff=cutoff)
    ]


def _each(conn: Connection, query: str, patients: Sequence[str], members: Sequence[str],
          **more: Any) -> list[tuple[Any, ...]]:
    """Rows as plain tuples: a block has ten thousands."""
    with raw_cursor(conn) as cursor:
        cursor.execute(query, {
            "patients": list(patients), "vitals": [vital.value for vital in FORECAST_VITALS],
            "members": list(members), **more})
        return list(cursor)


def _lines(columns: str, rows: Sequence[Any]) -> Iterator[str]:
    """Rows as lines for COPY; columns are named as the fields."""
    fields = attrgetter(*columns.replace(",", " ").split())
    return (copy_line(fields(row)) for row in rows)
