"""Retain: delete model documents that no alias, no forecast and no later training needs."""

from datetime import datetime, timedelta
from typing import Any

from registry.database import transaction
from registry.retention import retain as drop
from registry.runs import run
from vitalcast.cycle import parse_cycle
from vitalcast.wiring import System


def retain(system: System, *, cycle: str | datetime | None) -> dict[str, Any]:
    """Delete what is older than `retain_days` before `cycle`; figures: documents deleted."""
    hour = parse_cycle(cycle)
    with run(system.engine, job="retain", cycle=hour, shard="1/1") as figures, \
            transaction(system.engine) as conn:
        before = hour - timedelta(days=system.settings.retain_days)
        figures["documents"] = drop(conn, documents_before=before).documents
    return dict(figures)
