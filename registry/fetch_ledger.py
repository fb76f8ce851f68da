"""What a cycle's fetches came to, read from the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
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


_SYNCED = """
SELECT device_syncs, last_sync FROM fetches
WHERE connection_id = :connection_id AND resource = :resource AND cycle < :before
  AND outcome = 'complete' AND cursor_after IS NOT NULL AND last_sync IS NOT NULL
ORDER BY cycle DESC LIMIT 1"""


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


def synced_before(conn: Connection, connection_id: str, resource: str,
                  before: datetime) -> dict[str, datetime]:
    """The last sync of each device, as the newest whole fetch of an earlier cycle that told any
    knew it; by '' where it told no devices apart."""
    found = conn.execute(text(_SYNCED), {
        "connection_id": connection_id, "resource": resource, "before": before}).first()
    if found is None:
        return {}
    if found.device_syncs is None:
        return {"": found.last_sync}
    return {device: datetime.fromisoformat(sync) for device, sync in found.device_syncs.items()}
