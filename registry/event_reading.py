"""What operators read of the events, with or without a log store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from registry.database import Connection, Engine, transaction
from registry.event_documents import StoredEvent

_COLUMNS = """event_id, number, recorded_at, kind, severity, job, cycle, shard, run_id, provider,
    vital, member, reason, series_hash, exception, fingerprint, stack, message, data, sent_at"""

# A pattern is matched against all that an event says, whatever column says it.
_SAID = """concat_ws(' ', kind, severity, job, shard, provider, vital, member, reason,
    series_hash,
    exception, fingerprint, stack, message, CAST(data AS text),
    to_char(cycle, 'YYYY-MM-DD"T"HH24:MI'))"""

_NEWEST = f"""
SELECT {_COLUMNS} FROM events
WHERE number > :after
    AND (CAST(:since AS timestamptz) IS NULL OR recorded_at >= :since)
    AND (:kinds = CAST('{{}}' AS text[]) OR kind LIKE ANY(:kinds))
    AND (:severities = CAST('{{}}' AS text[]) OR severity = ANY(:severities))
    AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:words AS text[])) w
                    WHERE strpos(lower({_SAID}), w) = 0)
ORDER BY number DESC LIMIT :limit"""  # noqa: S608 -- constants of this file

_LOCK_CONFIG = "SELECT pg_advisory_xact_lock(hashtextextended('model configuration', 8))"

# Written outside of any run, hence without a cycle: the index knows them by that.
_LAST_CONFIG = """
SELECT number, data ->> 'config_hash' FROM events WHERE cycle IS NULL AND kind = 'config.changed'
ORDER BY number DESC LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events.

    kinds  names of kinds, or the part before the dot: `job` for `job.failed` and the like
    words  each has to be somewhere in what the event says; case does not count
    after  of a higher number alone
    """

    kinds: Sequence[str] = ()
    severities: Sequence[str] = ()
    words: Sequence[str] = ()
    since: datetime | None = None
    after: int = 0
    limit: int = 50


def newest_events(engine: Engine, wanted: Wanted) -> list[StoredEvent]:
    """The newest of the events wanted, oldest of them first."""
    patterns = [pattern for kind in wanted.kinds
                for pattern in (_literal(kind), _literal(kind) + ".%")]
    with transaction(engine) as conn:
        rows = conn.execute(text(_NEWEST), {
            "after": wanted.after, "since": wanted.since, "limit": wanted.limit,
            "kinds": patterns, "severities": list(wanted.severities),
            "words": [word.lower() for word in wanted.words]})
        return [StoredEvent(**row._mapping) for row in rows][::-1]


def last_config(conn: Connection) -> tuple[int, str | None]:
    """Number and hash of the configuration used last; nobody else changes it till the commit."""
    conn.execute(text(_LOCK_CONFIG))
    row = conn.execute(text(_LAST_CONFIG)).first()
    return (row[0], row[1]) if row else (0, None)


def _literal(kind: str) -> str:
    """A kind as a pattern that matches itself."""
    return kind.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
