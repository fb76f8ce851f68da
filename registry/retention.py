"""Deleting what nothing needs any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from registry.database import Connection, Engine, transaction

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

# The first fetch of a resource tells since when it is asked, the newest complete one from where.
_FETCHES = """
t.cycle < :before AND EXISTS (
    SELECT 1 FROM fetches first
    WHERE first.connection_id = t.connection_id AND first.resource = t.resource
      AND first.cycle < t.cycle) AND EXISTS (
    SELECT 1 FROM fetches newer
    WHERE newer.connection_id = t.connection_id AND newer.resource = t.resource
      AND newer.cycle > t.cycle AND newer.outcome = 'complete' AND newer.cursor_after IS NOT NULL
      AND (newer.last_sync IS NOT NULL OR t.last_sync IS NULL))"""

# The newest fit tells whether training is due; of documents at one cutoff, which one is in use.
_FITS = """
t.cutoff < :before AND EXISTS (
    SELECT 1 FROM fits newer
    WHERE newer.patient_id = t.patient_id AND newer.vital = t.vital
      AND newer.member = t.member AND newer.cutoff > t.cutoff) AND NOT EXISTS (
    SELECT 1 FROM model_documents d
    WHERE d.patient_id = t.patient_id AND d.vital = t.vital
      AND d.member = t.member AND d.cutoff = t.cutoff)"""

_HISTORY = {
    "coverage_revisions": "t.replaced_at < :before",
    "quality_flags": "t.cleared_at < :before",
    "drift_figures": "t.day < CAST(:before AS date)",
    "quarantine": "t.decided_at < :before AND t.status <> 'held'",
    "runs": "t.started_at < :before AND t.cycle < :before",
    "fetches": _FETCHES,
    "fits": _FITS,
}
"""What was once so and is no longer, and what rollups have counted."""

_FORECASTS = dict.fromkeys(
    ("forecasts", "severities", "evaluations", "series_statistics"), "t.cutoff < :before")

_ROLLUPS = {
    **dict.fromkeys(("rollup_coverage", "rollup_flags"), "t.hour < :before"),
    **dict.fromkeys((
        "rollup_arrivals", "rollup_fetches", "rollup_quarantine", "rollup_fits", "rollup_failures",
        "rollup_forecasts", "rollup_severities", "rollup_accuracy", "rollup_members",
        "rollup_cycles"), "t.cycle < :before"),
}

# By an index where there is one; a row's address reads as a point: page, place.
_STRETCHES = """
SELECT DISTINCT CAST((CAST(CAST(t.ctid AS text) AS point))[0] AS bigint) / :pages AS stretch
FROM {table} t WHERE {condition} ORDER BY stretch"""

_DELETE = """
DELETE FROM {table} t WHERE {condition}
AND t.ctid >= CAST(:first AS tid) AND t.ctid < CAST(:last AS tid)"""

PAGES = 2048
"""Pages of a table, 16 MiB, that one transaction deletes from."""


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


def drop_history(engine: Engine, before: datetime) -> int:
    """Delete what was superseded, cleared, decided or counted before then; how many rows went.

    Readings and their revisions stay, as do flags that stand, payloads that are held, and of
    fetches and fits what the next ones begin from.
    """
    return _sweep(engine, _HISTORY, before)


def drop_forecasts(engine: Engine, before: datetime) -> int:
    """Delete forecasts, severities and scores of cycles before then; how many rows went.

    Rollups keep what boards show of them.
    """
    return _sweep(engine, _FORECASTS, before)


def drop_rollups(engine: Engine, before: datetime) -> int:
    """Delete the counts of cycles before then; how many rows went."""
    return _sweep(engine, _ROLLUPS, before)


def _sweep(engine: Engine, conditions: Mapping[str, str], before: datetime) -> int:
    """Delete from those stretches of each table that hold what is due, a transaction each."""
    gone = 0
    for table, condition in conditions.items():
        find, delete = (text(query.format(table=table, condition=condition))
                        for query in (_STRETCHES, _DELETE))
        with transaction(engine) as conn:
            stretches = conn.execute(find, {"before": before, "pages": PAGES}).scalars().all()
        for first in (stretch * PAGES for stretch in stretches):
            with transaction(engine) as conn:
                gone += conn.execute(delete, {
                    "before": before, "first": f"({first},0)", "last": f"({first + PAGES},0)",
                }).rowcount
    return gone
