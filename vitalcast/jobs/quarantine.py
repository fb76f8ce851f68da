"""Quarantine: read held payloads again with today's parse functions, or let them go.

A replay stores what a payload holds as a fetch would have: the same keys, history and payload hash,
one transaction a payload. It may be killed anywhere and run again, and twice changes nothing. The
cursor stays where it is: the next cycle's fetch reads on from there.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from providers.discrepancy import discrepancy
from providers.stored import is_fetched, read_stored
from providers.versions import PARSER_VERSIONS
from registry.database import Connection, transaction
from registry.events import Event, record
from registry.observations import prepared, save_readings
from registry.payloads import save_refusals
from registry.quality import check_arrivals, spans_of
from registry.quarantine import (
    EVENT,
    OF_WEIGHT,
    RECORDS,
    Entry,
    Stored,
    body_of,
    dismiss,
    entries,
    faults,
    find_entry,
    forget_refusals,
    hold,
    mark_read,
    refused_records,
    renew_events,
    stored,
)
from registry.runs import run
from vitalcast.cycle import last_full_hour
from vitalcast.errors import UserError
from vitalcast.jobs.webhooks import process_webhooks
from vitalcast.memory import collector_paused
from vitalcast.wiring import System

Figures = dict[str, Any]

ALL_KINDS = (*OF_WEIGHT, RECORDS)
MOST_AT_ONCE = 100_000

_FIGURES = ("entries", "replayed", "held", "not_kept", "inserted", "revised", "unchanged",
            "refused", "events")
_PLAIN_KEY = re.compile(r"(?!(?:.*[0-9]){4})[A-Za-z_][A-Za-z0-9_.-]{0,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry in full, still without a reading: `shape` tells members, types and counts."""

    entry: Entry
    refused: list[tuple[str, str]]
    size: int
    shape: dict[str, dict[str, int]] | None


def replay(system: System, *, ids: Sequence[str] = (), provider: str | None = None, by: str,
           dry_run: bool = False, now: datetime | None = None) -> Figures:
    """Read these entries again, or all that are held; figures: entries by fate, rows by fate.

    A dry run says what would come of it and leaves nothing behind. EntryNotFound for a wrong id.
    """
    chosen = _chosen(system, ids, provider)
    if dry_run:
        return _replayed(system, chosen, by=by, dry_run=True)
    hour = last_full_hour(now or datetime.now(UTC))
    with run(system.engine, job="replay", cycle=hour, shard="1/1") as figures:
        figures.update(_replayed(system, chosen, by=by, dry_run=False))
    return dict(figures)


def dismiss_entries(system: System, ids: Sequence[str], *, by: str, why: str) -> int:
    """Let these entries go for a reason; how many were held. EntryNotFound, UserError."""
    if not why.strip():
        raise UserError("say why, for those who look later: --why 'a test of the vendor'")
    with transaction(system.engine) as conn:
        return sum(dismiss(conn, find_entry(conn, one), by=by, why=why) for one in ids)


def show(system: System, begin: str) -> Shown:
    """One entry, with the places that were refused and the shape of what came. EntryNotFound."""
    with transaction(system.engine) as conn:
        entry = find_entry(conn, begin)
        body = body_of(conn, entry)
        refused = [] if entry.kind == EVENT else [
            (_place(record), reason) for record, reason in refused_records(conn, entry)]
    return Shown(entry=entry, refused=refused, size=len(body), shape=shape(body))


def raw_body(system: System, begin: str) -> bytes:
    """What came, byte for byte: patient data. EntryNotFound."""
    with transaction(system.engine) as conn:
        return body_of(conn, find_entry(conn, begin))


def shape(body: bytes) -> dict[str, dict[str, int]] | None:
    """Members of a JSON body by path, with how often each type stands there; None if it is none.

    No value is told, nor a key that may be one (a time, an id): those stand together as `*`.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    found: dict[str, Counter[str]] = {}
    for path, kind in _places(document, "$"):
        found.setdefault(path, Counter())[kind] += 1
    return {path: dict(kinds) for path, kinds in found.items()}


def _place(record: str) -> str:
    """Where a refused record stood, without a vendor's ids."""
    return ".".join(part if _PLAIN_KEY.fullmatch(part.partition("[")[0]) else "*"
                    for part in record.split("."))


def _places(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and type of everything in a document, without recursion: a vendor may nest deeply."""
    left = [(value, path)]
    while left:
        one, where = left.pop()
        yield where, _TYPES[type(one)]
        if isinstance(one, dict):
            left += [(inner, f"{where}.{key if _PLAIN_KEY.fullmatch(key) else '*'}")
                     for key, inner in reversed(one.items())]
        elif isinstance(one, list):
            left += [(inner, f"{where}[]") for inner in reversed(one)]


_TYPES = {dict: "object", list: "list", str: "text", int: "integer", float: "number",
          bool: "boolean", type(None): "null"}


@dataclass(slots=True)
class _Chosen:
    """Entries by what is done with them."""

    payloads: list[str] = field(default_factory=list)
    events: list[Entry] = field(default_factory=list)


def _chosen(system: System, ids: Sequence[str], provider: str | None) -> _Chosen:
    with transaction(system.engine) as conn:
        found = [find_entry(conn, one) for one in ids] if ids else entries(
            conn, provider=provider, kinds=ALL_KINDS, most=MOST_AT_ONCE)
    chosen = _Chosen()
    # The oldest first: of two versions of a reading the later holds, whichever comes first.
    for one in sorted(found, key=lambda one: (one.first_cycle, one.entry_id)):
        if one.kind == EVENT:
            chosen.events.append(one)
        else:
            chosen.payloads.append(one.entry_id)
    return chosen


def _replayed(system: System, chosen: _Chosen, *, by: str, dry_run: bool) -> Figures:
    figures: Counter[str] = Counter(dict.fromkeys(_FIGURES, 0))
    for name in dict.fromkeys(chosen.payloads):
        figures.update(_replay_one(system, name, by=by, dry_run=dry_run))
    figures["events"] = len(chosen.events)
    if chosen.events and not dry_run:
        with transaction(system.engine) as conn:
            renew_events(conn, [one.entry_id for one in chosen.events])
            record(conn, [Event(kind="quarantine.replayed", provider=one.provider, reason=EVENT,
                                data={"count": one.records}, once=one.entry_id)
                          for one in chosen.events])
        told = process_webhooks(system)
        figures.update({name: told[name] for name in ("inserted", "revised", "unchanged",
                                                      "refused")})
    return dict(figures)


def _replay_one(system: System, name: str, *, by: str, dry_run: bool) -> Counter[str]:
    """Read one payload again, in a transaction of its own."""
    with transaction(system.engine) as conn, collector_paused():
        point = conn.begin_nested()
        counts = _read_again(conn, stored(conn, name), by=by)
        if dry_run:
            point.rollback()
    return counts + Counter(entries=1)


def _read_again(conn: Connection, one: Stored, *, by: str) -> Counter[str]:
    if not one.body:
        return Counter(not_kept=1, held=1)        # a file too large to keep: import it again
    version = PARSER_VERSIONS[one.provider]
    page = read_stored(one.provider, one.resource, one.body, end=one.known_until, zone=one.zone)
    saved = save_readings(conn, prepared(
        [page], patient_id=one.patient_id, provider=one.provider,
        connection_id=one.connection_id, parser_version=version))
    if saved.inserted or saved.revised:
        check_arrivals(conn, one.patient_id, spans_of(page.parsed.observations))
    forget_refusals(conn, one)
    save_refusals(conn, [(page.sha256, refusal) for refusal in page.parsed.refused],
                  connection_id=one.connection_id)
    # A fetch's alone: a push or a file has no cursor to hold back.
    told = discrepancy([page]) if is_fetched(one.resource) else None
    found = faults([page], discrepancy=str(told) if told else None)
    if found:
        hold(conn, found, connection_id=one.connection_id, resource=one.resource, zone=one.zone,
             cycle=one.last_cycle, parser_version=version)
    else:
        mark_read(conn, [page.sha256], connection_id=one.connection_id, resource=one.resource,
                  by=by, parser_version=version, statuses=("held", "dismissed"))
    rows = {"inserted": saved.inserted, "revised": saved.revised, "unchanged": saved.unchanged,
            "refused": len(page.parsed.refused)}
    record(conn, [Event(kind="quarantine.replayed", provider=one.provider, reason="payload",
                        series=(one.connection_id,), data=rows,
                        once=f"{one.resource} {one.raw_sha256}")])
    return Counter({"held" if found else "replayed": 1, **rows})
