"""Deleting what nothing needs any more."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from registry.database import Connection

# An ensemble in use needs the members of its own training; a member that has failed since stands
# in with its last document.
_DOCUMENTS = """
DELETE FROM model_documents d
WHERE d.cutoff < :before
  AND NOT EXISTS (
      SELECT 1 FROM model_aliases a
      JOIN model_documents named USING (document_id, patient_id, vital)
      WHERE a.patient_id = d.patient_id AND a.vital = d.vital AND named.cutoff = d.cutoff)
  AND NOT EXISTS (
      SELECT 1 FROM forecasts f
      WHERE f.document_id = d.document_id AND f.patient_id = d.patient_id AND f.vital = d.vital)
  AND EXISTS (
      SELECT 1 FROM model_documents newer
      WHERE newer.patient_id = d.patient_id AND newer.vital = d.vital
        AND newer.member = d.member AND newer.cutoff > d.cutoff)"""

_PAYLOADS = """
DELETE FROM raw_payloads p WHERE stored_at < :before AND NOT EXISTS (
    SELECT 1 FROM quarantine q WHERE q.raw_sha256 = p.sha256 AND q.status = 'held')"""

_HISTORY = {
    "coverage_revisions": "replaced_at < :before",
    "quality_flags": "cleared_at < :before",
    "drift_figures": "day < CAST(:before AS date)",
    "quarantine": "decided_at < :before AND status <> 'held'",
}
"""What was once so and is no longer, and figures that rollups have counted."""

_FORECASTS = ("forecasts", "severities", "evaluations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """How many rows went."""

    documents: int
    payloads: int


def retain(
    conn: Connection, *, documents_before: datetime, payloads_before: datetime | None = None,
) -> Retained:
    """Delete model documents older than `documents_before` that nothing refers to.

    Kept: what a forecast names, what an alias names with the documents of the same training, and
    the last document of every member. Raw payloads stored before `payloads_before` go too, when
    it is given, with their refusals; the readings stay, and what is held in quarantine.
    """
    documents = conn.execute(text(_DOCUMENTS), {"before": documents_before}).rowcount
    payloads = 0
    if payloads_before is not None:
        payloads = conn.execute(text(_PAYLOADS), {"before": payloads_before}).rowcount
    return Retained(documents=documents, payloads=payloads)


def drop_history(conn: Connection, before: datetime) -> int:
    """Delete what was superseded, cleared or decided before then; how many rows went.

    Readings and their revisions stay, as do flags that stand and payloads that are held.
    """
    return sum(_delete(conn, table, condition, before) for table, condition in _HISTORY.items())


def drop_forecasts(conn: Connection, before: datetime) -> int:
    """Delete forecasts, severities and scores of cycles before then; how many rows went.

    Rollups keep what boards show of them.
    """
    return sum(_delete(conn, table, "cutoff < :before", before) for table in _FORECASTS)


def _delete(conn: Connection, table: str, condition: str, before: datetime) -> int:
    return conn.execute(text(f"DELETE FROM {table} WHERE {condition}"),  # noqa: S608 -- constants
                        {"before": before}).rowcount
