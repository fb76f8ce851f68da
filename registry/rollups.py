"""Rollups: each cycle counted once, so that boards over months read rows of counts.

Rows are keyed by the cycle or hour that they count and replaced as a whole, so a cycle may be
rolled up any number of times. What goes on after its cycle, scores and coverage, is counted again
at the ages below. No row names a patient.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from registry import rollup_sql as sql
from registry.database import Connection

BUCKETS = {"1": (1, 1, 1), "2-6": (2, 6, 6), "7-12": (7, 12, 12), "13-24": (13, 24, 24)}
"""First and last lead of each bucket, and the age in hours at which it is scored."""

SETTLED_HOURS = 96
"""Age at which scores count as settled: the horizon, and 72 h in which readings come late."""

MEMBER_AGES_HOURS = (6, 24, SETTLED_HOURS)

DAY_AGES = (0, 1, 4, 8)
"""Days whose coverage and flags are counted again: late readings judge them otherwise."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def roll_up(conn: Connection, cycle: datetime) -> None:
    """Count what belongs to `cycle`: its fetches, readings, fits, forecasts, and later scores."""
    window = {"cycle": cycle, **_arrival_window(conn, cycle)}
    for statement in (sql.ARRIVALS, sql.FETCHES, sql.QUARANTINE, sql.FITS, sql.FAILURES,
                      sql.FORECASTS, sql.SEVERITIES):
        _replace(conn, statement, window)
    for cutoff, bucket in _due_buckets(cycle):
        first, last, _ = BUCKETS[bucket]
        _replace(conn, sql.ACCURACY, {
            "cycle": cutoff, "bucket": bucket, "first": first, "last": last})
    for age in MEMBER_AGES_HOURS:
        _replace(conn, sql.MEMBERS, {"cycle": cycle - age * _HOUR})
    for age in DAY_AGES:
        start = (cycle - _HOUR - age * _DAY).replace(hour=0)
        for statement in (sql.COVERAGE, sql.FLAGS):
            _replace(conn, statement, {"day": start.date(), "start": start, "end": start + _DAY})


def open_cycles(conn: Connection, cycle: datetime, since: datetime) -> Sequence[datetime]:
    """Cycles from `since` up to `cycle` that jobs ran for but no rollup, oldest first."""
    return list(conn.execute(text(sql.OPEN_CYCLES), {"cycle": cycle, "since": since}).scalars())


def rolled_cycles(conn: Connection, cycle: datetime, since: datetime) -> Sequence[datetime]:
    """Cycles from `since` up to `cycle` that were rolled up, oldest first."""
    return list(conn.execute(text(sql.ROLLED_CYCLES), {"cycle": cycle, "since": since}).scalars())


def _arrival_window(conn: Connection, cycle: datetime) -> dict[str, datetime | None]:
    """Write the cycle's own row; between which times its readings were stored."""
    row = conn.execute(text(sql.MARK), {"cycle": cycle}).one()
    return {"arrived_from": row.arrived_from, "arrived_until": row.arrived_until}


def _due_buckets(cycle: datetime) -> list[tuple[datetime, str]]:
    """(cutoff, bucket) whose last hour has just been observed, or is settled by now."""
    return [(cycle - age * _HOUR, bucket) for bucket, (_, _, complete) in BUCKETS.items()
            for age in (complete, SETTLED_HOURS)]


def _replace(conn: Connection, statement: sql.Statement, values: Mapping[str, object]) -> None:
    conn.execute(text(statement.delete), values)
    conn.execute(text(statement.insert), values)
