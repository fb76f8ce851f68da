"""Models: documents byte for byte, the names they go by, states, fits and series statistics.

A document is named by the hash of its text and never changes; an alias moves to another document
only forwards in time, and so does a state. Writing the same rows again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from registry.database import Connection, execute_rows

_SAVE_DOCUMENTS = """
INSERT INTO model_documents (document_id, patient_id, vital, member, engine, cutoff, made_by,
                             document, parent_id) VALUES %s
ON CONFLICT (document_id, patient_id, vital) DO NOTHING"""

_SAVE_ALIASES = """
INSERT INTO model_aliases (patient_id, vital, alias, document_id, cutoff, why) VALUES %s
ON CONFLICT (patient_id, vital, alias) DO UPDATE SET
    document_id = excluded.document_id, cutoff = excluded.cutoff, why = excluded.why
WHERE excluded.cutoff >= model_aliases.cutoff"""

_SAVE_STATES = """
INSERT INTO model_states (document_id, patient_id, vital, as_of, state, state_hash) VALUES %s
ON CONFLICT (document_id, patient_id, vital) DO UPDATE SET
    as_of = excluded.as_of, state = excluded.state, state_hash = excluded.state_hash
WHERE excluded.as_of >= model_states.as_of"""

_DROP_STATES = """
DELETE FROM model_states WHERE patient_id = ANY(:patients) AND as_of <= :as_of"""

_SAVE_FITS = """
INSERT INTO fits (patient_id, vital, member, cutoff, outcome, config_hash, reason, document_id,
                  seconds, cpu_seconds, host) VALUES %s
ON CONFLICT (patient_id, vital, member, cutoff) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, document_id = excluded.document_id,
    config_hash = excluded.config_hash, seconds = excluded.seconds,
    cpu_seconds = excluded.cpu_seconds, host = excluded.host, finished_at = now()"""

_SAVE_STATISTICS = """
INSERT INTO series_statistics (patient_id, vital, job, cutoff, entries, hours, missing,
    fact_start, fact_end, forecast_start, forecast_end, data_hash, first_time, last_time,
    minimum, maximum, mean, std, mean_gap_s) VALUES %s
ON CONFLICT (patient_id, vital, job, cutoff) DO UPDATE SET
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

# Trained twice at one cutoff, fits of members that are configured no more are left of the first.
_LAST_TRAINED = """
WITH newest AS (
    SELECT patient_id, vital, max(cutoff) AS cutoff FROM fits
    WHERE patient_id = ANY(:patients) GROUP BY patient_id, vital)
SELECT DISTINCT ON (f.patient_id, f.vital)
       f.patient_id, f.vital, f.cutoff, f.config_hash, a.cutoff AS ensemble
FROM newest n JOIN fits f USING (patient_id, vital, cutoff)
LEFT JOIN model_aliases a ON a.patient_id = f.patient_id AND a.vital = f.vital
    AND a.alias = 'ensemble'
ORDER BY f.patient_id, f.vital, f.finished_at DESC"""

# Trained twice at one cutoff, the training that the alias points to counts.
_LATEST = """
SELECT DISTINCT ON (d.patient_id, d.vital, d.member)
       d.document_id, d.patient_id, d.vital, d.member, d.cutoff, d.document
FROM model_documents d
LEFT JOIN model_aliases a ON a.patient_id = d.patient_id AND a.vital = d.vital
    AND a.document_id = d.document_id AND a.alias = 'ensemble'
LEFT JOIN fits f ON f.patient_id = d.patient_id AND f.vital = d.vital
    AND f.member = d.member AND f.cutoff = d.cutoff AND f.document_id = d.document_id
WHERE d.patient_id = ANY(:patients) AND d.cutoff <= :cutoff AND (d.member = 'ensemble') = :ensemble
ORDER BY d.patient_id, d.vital, d.member, d.cutoff DESC, (a.document_id IS NULL),
         (f.document_id IS NULL), d.created_at DESC, d.document_id"""

_LOAD_DOCUMENTS = """
SELECT DISTINCT document_id, document FROM model_documents WHERE document_id = ANY(:ids)"""

_LOAD_STATES = """
SELECT document_id, patient_id, vital, as_of, state, state_hash FROM model_states
WHERE patient_id = ANY(:patients) AND as_of <= :as_of"""


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
class StateRow:
    """Where the recursion of a document stands: at the end of the hours before `as_of`."""

    document_id: str
    patient_id: str
    vital: str
    as_of: datetime
    state: str
    state_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRow:
    """Outcome of one fit: fitted, failed, timeout, too_little_data or switched_off."""

    patient_id: str
    vital: str
    member: str
    cutoff: datetime
    outcome: str
    config_hash: str
    reason: str | None = None
    document_id: str | None = None
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
class StoredDocument:
    """A document as read back, byte for byte."""

    document_id: str
    patient_id: str
    vital: str
    member: str
    cutoff: datetime
    document: str


def save_documents(conn: Connection, rows: Sequence[DocumentRow]) -> int:
    """Store documents; returns how many were new."""
    return execute_rows(conn, _SAVE_DOCUMENTS, _tuples(rows))


def save_aliases(conn: Connection, rows: Sequence[AliasRow]) -> None:
    """Point names at documents, never back to an older cutoff."""
    execute_rows(conn, _SAVE_ALIASES, _tuples(rows))


def save_states(conn: Connection, rows: Sequence[StateRow]) -> None:
    """Overwrite the states of documents, never with an older one."""
    execute_rows(conn, _SAVE_STATES, _tuples(rows))


def replace_states(
    conn: Connection, patients: Sequence[str], as_of: datetime, rows: Sequence[StateRow],
) -> None:
    """The patients' states at `as_of`: those of documents no longer in use go.

    States that are newer than `as_of` stay: an earlier cycle was run again.
    """
    conn.execute(text(_DROP_STATES), {"patients": list(patients), "as_of": as_of})
    save_states(conn, rows)


def save_fits(conn: Connection, rows: Sequence[FitRow]) -> None:
    """Store the outcomes of fits; a repeated training replaces its rows."""
    execute_rows(conn, _SAVE_FITS, _tuples(rows))


def save_statistics(conn: Connection, rows: Sequence[StatisticsRow]) -> None:
    """Store descriptive statistics; a repeated run replaces its rows."""
    execute_rows(conn, _SAVE_STATISTICS, _tuples(rows))


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
    """The last training of each (patient, vital) that was ever trained."""
    found = conn.execute(text(_LAST_TRAINED), {"patients": list(patients)})
    return {(row.patient_id, row.vital): Trained(
        cutoff=row.cutoff, config_hash=row.config_hash, ensemble=row.ensemble) for row in found}


def latest_ensembles(
    conn: Connection, patients: Sequence[str], cutoff: datetime,
) -> list[StoredDocument]:
    """The newest ensemble of each (patient, vital) that was fitted to nothing after `cutoff`."""
    return _latest(conn, patients, cutoff, ensemble=True)


def latest_members(
    conn: Connection, patients: Sequence[str], cutoff: datetime,
) -> list[StoredDocument]:
    """The newest good document of each (patient, vital, member) up to `cutoff`."""
    return _latest(conn, patients, cutoff, ensemble=False)


def load_documents(conn: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The text of documents by id; unknown ids are left out."""
    found = conn.execute(text(_LOAD_DOCUMENTS), {"ids": list(ids)})
    return {row.document_id: row.document for row in found}


def load_states(
    conn: Connection, patients: Sequence[str], as_of: datetime,
) -> dict[tuple[str, str, str], StateRow]:
    """States not later than `as_of`, by (document_id, patient_id, vital)."""
    found = conn.execute(text(_LOAD_STATES), {"patients": list(patients), "as_of": as_of})
    return {(row.document_id, row.patient_id, row.vital): StateRow(**row._mapping)
            for row in found}


def _latest(
    conn: Connection, patients: Sequence[str], cutoff: datetime, *, ensemble: bool,
) -> list[StoredDocument]:
    found = conn.execute(text(_LATEST), {
        "patients": list(patients), "cutoff": cutoff, "ensemble": ensemble})
    return [StoredDocument(**row._mapping) for row in found]


def _tuples(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows as tuples; the statements name the columns in the order of the fields."""
    return [astuple(row) for row in rows]
