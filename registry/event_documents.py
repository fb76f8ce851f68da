"""An event as Elasticsearch keeps it: field names of the Elastic Common Schema, and its templates.

What ECS has no name for is under `vitalcast.`; docs/events.md lists every field. Pure: nothing is
sent from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry.event_words import ERROR, INFO, KINDS, WARNING

ECS_VERSION = "9.0.0"
DATASET = "vitalcast.events"
NAMESPACE = "default"
DATA_STREAM = f"logs-{DATASET}-{NAMESPACE}"
INDEX_TEMPLATE = f"logs-{DATASET}"
MAPPINGS = f"{DATASET}@mappings"
SETTINGS = f"{DATASET}@settings"
PRIORITY = 500
"""Above Elasticsearch's own template for logs-*-*, which has 100."""

_LEVELS = {INFO: 6, WARNING: 4, ERROR: 3}                   # as syslog counts
_OWN = ("job", "shard", "run_id", "provider", "vital", "member", "reason")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """A row of the outbox."""

    event_id: str
    number: int
    recorded_at: datetime
    kind: str
    severity: str
    job: str | None
    cycle: datetime | None
    shard: str | None
    run_id: int | None
    provider: str | None
    vital: str | None
    member: str | None
    reason: str | None
    series_hash: str | None
    exception: str | None
    fingerprint: str | None
    stack: str | None
    message: str
    data: Mapping[str, Any]
    sent_at: datetime | None = None


def document(event: StoredEvent) -> Document:
    """The event in ECS; fields that it has nothing for are left out."""
    kind = KINDS.get(event.kind)
    told: Document = {
        "@timestamp": _time(event.recorded_at),
        "ecs": {"version": ECS_VERSION},
        "data_stream": {"type": "logs", "dataset": DATASET, "namespace": NAMESPACE},
        "service": {"name": "vitalcast"},
        "message": event.message,
        "log": {"level": event.severity},
        "event": {"id": event.event_id, "kind": "event", "module": "vitalcast",
                  "dataset": DATASET, "action": event.kind, "outcome": _outcome(event),
                  "category": [kind.category if kind else "process"],
                  "severity": _LEVELS[event.severity], "sequence": event.number},
        "vitalcast": _present({
            **{name: getattr(event, name) for name in _OWN},
            "cycle": event.cycle and _time(event.cycle), "series": event.series_hash,
            "data": dict(event.data) or None}),
    }
    if event.exception is not None or event.fingerprint is not None:
        told["error"] = _present({"type": event.exception, "id": event.fingerprint,
                                  "stack_trace": event.stack})
    return told


def templates(retention_days: int) -> dict[str, Document]:
    """Bodies by name: two component templates, and the index template of the data stream."""
    return {
        MAPPINGS: {"template": {"mappings": mappings()}, "_meta": _meta()},
        SETTINGS: {"template": {"settings": {
            "index": {"auto_expand_replicas": "0-1", "codec": "best_compression"}}},
            "_meta": _meta()},
        INDEX_TEMPLATE: {
            "index_patterns": [f"logs-{DATASET}-*"], "priority": PRIORITY, "data_stream": {},
            "composed_of": [MAPPINGS, SETTINGS], "_meta": _meta(),
            "template": {"lifecycle": lifecycle(retention_days)}},
    }


def lifecycle(retention_days: int) -> Document:
    """The data stream's own lifecycle: Elasticsearch rolls over by itself and deletes after it."""
    return {"data_retention": f"{retention_days}d", "enabled": True}


def mappings() -> Document:
    """Fields by type; what is not listed is kept in the document and not indexed."""
    keyword: Document = {"type": "keyword", "ignore_above": 1024}
    number: Document = {"type": "long"}
    own = {**dict.fromkeys(_OWN, keyword), "run_id": number, "series": keyword}
    return {
        "dynamic": False,
        "dynamic_templates": [
            {"figures": {"path_match": "vitalcast.data.*", "match_mapping_type": [
                "long", "double"], "mapping": {"type": "double"}}},
            {"words": {"path_match": "vitalcast.data.*", "match_mapping_type": "string",
                       "mapping": {"type": "keyword"}}}],
        "properties": {
            "@timestamp": {"type": "date"},
            "message": {"type": "match_only_text"},
            "ecs": _fields(version=keyword),
            "data_stream": _fields(**{name: {"type": "constant_keyword"}
                                      for name in ("type", "dataset", "namespace")}),
            "service": _fields(name=keyword),
            "log": _fields(level=keyword),
            "event": _fields(
                **dict.fromkeys(("id", "kind", "module", "dataset", "action", "outcome",
                                 "category"), keyword),
                severity=number, sequence=number),
            "error": _fields(type=keyword, id=keyword, stack_trace={"type": "wildcard"}),
            "vitalcast": _fields(**own, cycle={"type": "date"},
                                 data={"type": "object", "dynamic": True}),
        },
    }


def _fields(**properties: Document) -> Document:
    return {"properties": properties}


def _meta() -> Document:
    return {"managed_by": "vitalcast events setup"}


def _present(fields: Document) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _outcome(event: StoredEvent) -> str:
    if event.severity != INFO:
        return "failure"
    return "success" if event.kind.endswith((".done", ".resumed")) else "unknown"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
