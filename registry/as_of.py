"""What was known at a moment: the readings, in the version and with the flags of then.

For backtests that cannot leak: a reading that came late, a revision, or a flag that was raised
afterwards is not seen before it was there. A version is known from its `fetched_at`, the start of
the transaction that stored it (of a revision, the moment in it), until the next one's. A fetch or a
push was committed seconds later. A file may take minutes: of what files brought while an import was
under way, nothing is known before that import's run has ended. That holds as long as the run is
kept; flags that an import raises count from its start.
"""

from collections.abc import Sequence
from datetime import datetime

from clinical.vitals import Vital
from registry.database import Connection
from registry.panels import HourlyPanel, copied_rows, panels_of

# Committed by then. Of a payload that is no longer kept nobody knows whether it was a file.
_COMMITTED = """({0}.fetched_at <= %(known_at)s AND ({0}.fetched_at < importing.since
    OR {0}.raw_sha256 IS NULL OR EXISTS (
        SELECT 1 FROM raw_payloads a
        WHERE a.sha256 = {0}.raw_sha256 AND a.resource NOT LIKE 'file %%')))"""

# The newest version of each reading that had come by then. `replaced_at` is not asked: within its
# transaction it lies before the next version's fetched_at, and neither would be known between.
_KNOWN = f"""
SELECT CAST((p.position - 1) * %(count)s + v.position - 1 AS integer),
       o.effective_start, CAST(o.value AS double precision)
FROM (SELECT coalesce(min(started_at), 'infinity') AS since FROM runs
      WHERE job = 'import' AND status = 'done'
        AND started_at <= %(known_at)s AND ended_at > %(known_at)s) AS importing
CROSS JOIN unnest(CAST(%(patients)s AS text[])) WITH ORDINALITY AS p (patient_id, position)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)
CROSS JOIN LATERAL (
    SELECT r.effective_start, known.value FROM observations r
    CROSS JOIN LATERAL (
        SELECT r.value, r.quality WHERE {_COMMITTED.format("r")}
        UNION ALL
        (SELECT x.value, x.quality FROM observation_revisions x
         WHERE x.key = r.key AND {_COMMITTED.format("x")} AND NOT {_COMMITTED.format("r")}
         ORDER BY x.fetched_at DESC LIMIT 1)) AS known
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
      AND known.quality = 'ok' AND r.granularity IN ('sample', 'interval')
      AND r.statistic IN ('instant', 'mean')
      AND NOT EXISTS (
          SELECT 1 FROM quality_flags f
          WHERE f.key = r.key AND f.keeps_out AND f.flagged_at <= %(known_at)s
            AND (f.cleared_at IS NULL OR f.cleared_at > %(known_at)s))
    OFFSET 0) AS o"""  # noqa: S608 -- constants of this file


def read_panels_as_of(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], start: datetime,
    end: datetime, known_at: datetime,
) -> dict[Vital, HourlyPanel]:
    """As `read_panels`, of what was known at `known_at`; with the present moment, the same.

    Whole rows are read, not the index alone: for backtests, not for the jobs of a cycle.
    """
    return panels_of(
        lambda asked: copied_rows(conn, _KNOWN, {**asked, "known_at": known_at}), patients, vitals,
        start, end)
