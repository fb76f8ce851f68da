"""Webhook events put in by a test, and what became of them and of the readings."""

import json
from typing import Any

from sqlalchemy import text

from providers.observation import Provider
from registry.database import transaction
from registry.webhooks import add_event
from vitalcast.wiring import System

CONTENT = "patient_id, vital, value, effective_start, effective_end, source_record_id"


def add(system: System, provider: Provider, *bodies: bytes | dict[str, Any]) -> None:
    for body in bodies:
        with transaction(system.engine) as conn:
            add_event(conn, provider, body if isinstance(body, bytes)
                      else json.dumps(body).encode())


def rows(system: System, query: str) -> list[tuple[Any, ...]]:
    with transaction(system.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def readings(system: System) -> list[tuple[Any, ...]]:
    return rows(system, f"SELECT {CONTENT} FROM observations ORDER BY {CONTENT}")


def fates(system: System) -> list[tuple[str, str | None]]:
    return [(status, reason) for status, reason in rows(
        system, "SELECT status, reason FROM webhook_events ORDER BY received_at")]
