"""The ledger read: how far earlier fetches read, and what a cycle's fetches came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from registry.database import Connection

_TROUBLED = """
SELECT c.provider, f.outcome, split_part(coalesce(f.reason, ''), ':', 1) AS reason, f.http_status,
       count(*) AS fetches, CAST(sum(f.refused) AS bigint) AS refused
FROM fetches f JOIN connections c USING (connection_id)
WHERE f.cycle = :cycle AND c.patient_id = ANY(:patients)
  AND (f.outcome <> 'complete' OR f.refused > 0)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""


_BEFORE = """
SELECT cursor_after, last_sync, device_syncs FROM fetches
WHERE connection_id = :connection_id AND resource = :resource AND cycle < :before
  AND outcome = 'complete' AND cursor_after IS NOT NULL{}
ORDER BY cycle DESC LIMIT 1"""

# A fetch that could not ask for syncs leaves those that an earlier one was told of.
_READ = f"""
SELECT f.cursor_after, s.last_sync, s.device_syncs
FROM ({_BEFORE.format("")}) AS f
LEFT JOIN ({_BEFORE.format(" AND last_sync IS NOT NULL")}) AS s ON true"""  # noqa: S608 -- constants of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBefore:
    """How far earlier cycles read a resource.

    `cursor` is where the newest complete fetch ended, None when there was none; `synced` the last
    sync of each device that the newest one that was told any knew of, by '' where it told no
    devices apart.
    """

    cursor: str | None = None
    synced: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """Fetches of one vendor with one end; `reason` is the error's word, '' where there is none."""

    provider: str
    outcome: str
    reason: str
    http_status: int | None
    fetches: int
    refused: int


def troubled_fetches(conn: Connection, patients: Sequence[str],
                     cycle: datetime) -> list[Troubled]:
    """This cycle's fetches of these patients that were not complete or not understood in whole."""
    return [Troubled(**row._mapping) for row in conn.execute(
        text(_TROUBLED), {"cycle": cycle, "patients": list(patients)})]


def read_before(conn: Connection, connection_id: str, resource: str,
                before: datetime) -> ReadBefore:
    """From where to go on. Cycles from `before` on do not count: a cycle that is run again asks
    for the same window."""
    found = conn.execute(text(_READ), {
        "connection_id": connection_id, "resource": resource, "before": before}).first()
    if found is None:
        return ReadBefore()
    synced = {} if found.last_sync is None else {"": found.last_sync}
    if found.device_syncs is not None:
        synced = {device: datetime.fromisoformat(sync)
                  for device, sync in found.device_syncs.items()}
    return ReadBefore(cursor=found.cursor_after, synced=synced)
