"""Retain: delete model documents that nothing needs, events and webhooks past their time."""

from datetime import datetime, timedelta
from typing import Any

from registry.database import transaction
from registry.event_log import drop_events
from registry.retention import retain as drop
from registry.runs import run
from registry.webhooks import drop_webhook_events
from vitalcast.cycle import parse_cycle
from vitalcast.wiring import System


def retain(system: System, *, cycle: str | datetime | None) -> dict[str, Any]:
    """Delete what is past its days before `cycle`; figures: documents, events and webhooks deleted.

    Documents go that no alias, no forecast and no later training needs; events that Elasticsearch
    has, or all where there is none.
    """
    hour = parse_cycle(cycle)
    with run(system.engine, job="retain", cycle=hour, shard="1/1") as figures, \
            transaction(system.engine) as conn:
        settings = system.settings
        before = hour - timedelta(days=settings.retain_days)
        figures["documents"] = drop(conn, documents_before=before).documents
        figures["events"] = drop_events(
            conn, before=hour - timedelta(days=settings.event_days),
            delivering=bool(settings.elasticsearch_url))
        figures["webhooks"] = drop_webhook_events(
            conn, before=hour - timedelta(days=settings.event_days))
    return dict(figures)
