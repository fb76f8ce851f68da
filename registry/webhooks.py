"""Webhook events: in at once and once, out in the order they came, each with what became of it.

An event's status: `received` waits to be processed; `done`; `unknown_account` waits until one of
its accounts is linked; `refused` was not understood, or may not be; `failed` was given up. The body
of an event that is done is dropped: readings keep their payload in `raw_payloads`.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import create_engine, text

from providers.observation import Provider
from registry.database import Connection, database_url, transaction
from registry.payloads import save_payloads

Status = Literal["received", "done", "unknown_account", "refused", "failed"]

MOST_AT_ONCE = 100_000
"""Events of one run; the others wait for the next."""

_CONNECT_TIMEOUT_S = 5

_ADD = """
INSERT INTO webhook_events (key, provider, body, received_at)
VALUES (:key, :provider, :body, clock_timestamp()) ON CONFLICT (key) DO NOTHING"""

# An event of an unknown account is due as soon as the account is linked.
_DUE = """(status = 'received' OR status = 'unknown_account' AND EXISTS (
    SELECT 1 FROM connections c WHERE c.provider = e.provider AND c.status <> 'revoked'
        AND c.provider_user_id = ANY(e.accounts)))"""

_WAITING = f"""
SELECT key FROM webhook_events e WHERE {_DUE} ORDER BY received_at, key LIMIT :most"""  # noqa: S608 -- constants of this file

_TAKE = f"""
SELECT key, provider, received_at, body FROM webhook_events e
WHERE key = :key AND {_DUE} FOR UPDATE SKIP LOCKED"""  # noqa: S608 -- constants of this file

_MARK = """
UPDATE webhook_events SET status = :status, reason = :reason, accounts = :accounts,
    processed_at = clock_timestamp(), body = CASE WHEN :status = 'done' THEN NULL ELSE body END
WHERE key = :key AND status IN ('received', 'unknown_account')"""

_DROP = "DELETE FROM webhook_events WHERE status <> 'received' AND received_at < :before"

_RENEW = """
UPDATE webhook_events SET status = 'received', reason = NULL, processed_at = NULL
WHERE status IN ('refused', 'failed')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a vendor sent, byte for byte."""

    key: str
    provider: Provider
    received_at: datetime
    body: bytes


class Inbox:
    """Where the API puts events; a pool of its own that connects at the first of them."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            database_url(url), pool_size=4, pool_pre_ping=True, hide_parameters=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})

    def add(self, provider: Provider, body: bytes) -> None:
        """Store an event; one that is known changes nothing. Committed when this returns."""
        with transaction(self._engine) as conn:
            add_event(conn, provider, body)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def event_key(provider: Provider, body: bytes) -> str:
    """What an event is known by: the same body of the same vendor is the same event."""
    return hashlib.sha256(provider.value.encode() + b"\n" + body).hexdigest()


def drop_webhook_events(conn: Connection, *, before: datetime) -> int:
    """Delete what came before then and does not wait to be processed; how many went."""
    return conn.execute(text(_DROP), {"before": before}).rowcount


def add_event(conn: Connection, provider: Provider, body: bytes) -> None:
    """Store an event unless it is known."""
    conn.execute(text(_ADD), {"key": event_key(provider, body), "provider": provider.value,
                              "body": zlib.compress(body, 1)})


def waiting_events(conn: Connection, most: int = MOST_AT_ONCE) -> list[str]:
    """Keys of the events that are due, in the order they came."""
    return list(conn.execute(text(_WAITING), {"most": most}).scalars())


def renew_events(conn: Connection) -> None:
    """Make events due again that were refused or failed."""
    conn.execute(text(_RENEW))


def take_event(conn: Connection, key: str) -> Event | None:
    """The event, locked until the transaction ends; None when another worker has it."""
    row = conn.execute(text(_TAKE), {"key": key}).first()
    if row is None:
        return None
    return Event(key=row.key, provider=Provider(row.provider), received_at=row.received_at,
                 body=zlib.decompress(bytes(row.body)))


def mark_event(conn: Connection, key: str, status: Status, reason: str | None = None,
               accounts: Sequence[str] = ()) -> None:
    """Write what became of an event; one that has ended stays as it is."""
    conn.execute(text(_MARK), {"key": key, "status": status, "reason": reason,
                               "accounts": list(accounts)})


def save_push(conn: Connection, event: Event, body: bytes) -> str:
    """Keep what was pushed of one account, as of when it came; its SHA-256.

    Of two versions of a reading, the one that came later holds, whichever was processed first.
    """
    digest = hashlib.sha256(body).hexdigest()
    save_payloads(conn, [(digest, body)], provider=event.provider, resource="webhook",
                  stored_at=event.received_at)
    return digest
