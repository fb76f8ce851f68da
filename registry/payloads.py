"""What vendors sent, byte for byte, and the records of it that were not understood."""

import zlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text

from providers.observation import Provider, Refusal
from registry.database import Connection, execute_rows

_HELD = "SELECT sha256 FROM raw_payloads WHERE sha256 = ANY(:hashes)"

_PAYLOADS = """
INSERT INTO raw_payloads (sha256, provider, resource, body, stored_at) VALUES %s
ON CONFLICT (sha256) DO NOTHING"""

_PAYLOAD = "(%s, %s, %s, %s, coalesce(%s, now()))"

_REFUSALS = """
INSERT INTO refusals (raw_sha256, record, reason, connection_id) VALUES %s
ON CONFLICT (raw_sha256, connection_id, record) DO NOTHING"""


def save_payloads(
    conn: Connection, bodies: Iterable[tuple[str, bytes]], *, provider: Provider, resource: str,
    stored_at: datetime | None = None,
) -> None:
    """Keep (SHA-256, body) pairs, each content once; `stored_at` is now where it is not told."""
    told = dict(bodies)                    # closed days come again, hour after hour, as they were
    held = set(conn.execute(text(_HELD), {"hashes": list(told)}).scalars())
    execute_rows(conn, _PAYLOADS, [
        (sha256, provider.value, resource, zlib.compress(body, 1), stored_at)
        for sha256, body in told.items() if sha256 not in held], template=_PAYLOAD)


def save_refusals(
    conn: Connection, refused: Iterable[tuple[str, Refusal]], *, connection_id: str,
) -> None:
    """Keep which records of which payload (by SHA-256) were refused, and why."""
    execute_rows(conn, _REFUSALS, [(sha256, one.record, one.reason, connection_id)
                                   for sha256, one in refused])
