"""Cycles that are lived through after their hour: what the database stamps is moved to that hour.

For a database of invented patients alone: stamps are otherwise what they say.
"""

from datetime import datetime

from sqlalchemy import DateTime, text

from registry.database import Connection
from registry.tables import metadata

_WITH_THEM = {"ended_at", "fetched_at", "cleared_at"}
_STAMPS = [(table.name, column.name) for table in metadata.sorted_tables for column in table.columns
           if isinstance(column.type, DateTime)
           and (column.server_default is not None or column.name in _WITH_THEM)]

_IN_ITS_HOUR = """started_at >= CAST(:cycle AS timestamptz)
    AND started_at < CAST(:cycle AS timestamptz) + interval '1 hour'"""

# Runs of the hour that were not moved yet go behind those that were, five minutes past it at first.
_MOVE_BY = f"""
SELECT min(started_at) FILTER (WHERE NOT moved) AS began,
       min(started_at) FILTER (WHERE NOT moved)
       - coalesce(max(coalesce(ended_at, started_at)) FILTER (WHERE moved),
                  CAST(:cycle AS timestamptz) + interval '5 minutes') AS by
FROM (SELECT started_at, ended_at, {_IN_ITS_HOUR} AS moved FROM runs WHERE cycle = :cycle) AS r
"""  # noqa: S608 -- constants of this file

_LIVED = f"""
SELECT EXISTS (SELECT 1 FROM runs WHERE job = 'rollup' AND status = 'done'
               AND (cycle > :cycle OR cycle = :cycle AND {_IN_ITS_HOUR}))
"""  # noqa: S608 -- constants of this file


def lived_through(conn: Connection, cycle: datetime) -> bool:
    """Whether this cycle was lived through and dated back, or a later one has been."""
    return bool(conn.execute(text(_LIVED), {"cycle": cycle}).scalar_one())


def date_back(conn: Connection, cycle: datetime) -> None:
    """Move whatever was stamped since the cycle's first run that is not in its hour to that hour.

    The runs must be the newest of the database. Nothing is moved twice.
    """
    span = conn.execute(text(_MOVE_BY), {"cycle": cycle}).one()
    if span.began is None:
        return
    for table, column in _STAMPS:
        conn.execute(text(f"UPDATE {table} SET {column} = {column} - :by "  # noqa: S608
                          f"WHERE {column} >= :began"), {"began": span.began, "by": span.by})
