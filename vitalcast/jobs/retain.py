"""Retain: delete what is past its time. Readings are kept for ever."""

from datetime import datetime, timedelta
from typing import Any

from registry.database import transaction
from registry.event_log import drop_events
from registry.retention import drop_forecasts, drop_history, drop_rollups
from registry.retention import retain as drop
from registry.runs import run
from registry.webhooks import drop_webhook_events
from vitalcast.cycle import parse_cycle
from vitalcast.wiring import System


def retain(system: System, *, cycle: str | datetime) -> dict[str, Any]:
    """Delete what is past its days before `cycle`; figures: rows deleted.

    Documents go that no alias, no forecast and no later training needs; events that Elasticsearch
    has, or all where there is none; raw payloads only where a setting says so.
    """
    hour, settings, engine = parse_cycle(cycle), system.settings, system.engine

    def ago(days: int) -> datetime:
        return hour - timedelta(days=days)

    with run(engine, job="retain", cycle=hour, shard="1/1") as figures:
        figures["forecasts"] = drop_forecasts(engine, ago(settings.forecast_days))
        with transaction(engine) as conn:
            gone = drop(conn, documents_before=ago(settings.retain_days), payloads_before=(
                ago(settings.payload_days) if settings.payload_days else None))
        figures.update(documents=gone.documents, payloads=gone.payloads)
        figures["history"] = drop_history(engine, ago(settings.retain_days))
        figures["rollups"] = drop_rollups(engine, ago(settings.rollup_days))
        with transaction(engine) as conn:
            figures["events"] = drop_events(conn, before=ago(settings.event_days),
                                            delivering=bool(settings.elasticsearch_url))
            figures["webhooks"] = drop_webhook_events(conn, before=ago(settings.event_days))
    return dict(figures)
