"""Quarantine: payloads that were not understood, kept until read by a fix, or let go by a person.

An entry is a payload of a connection and resource; webhook events that were refused or failed are
shown beside them. An entry's status: `held`; `replayed`, all of it has been read since; `dismissed`
by a person, with the reason. What is shown names no patient and quotes no reading: an entry's id is
a hash, a reason says what is wrong and not what it said.

    EntryNotFound   no entry has this id, or several begin with it
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from providers.observation import Provider
from registry import quarantine_sql as sql
from registry.database import Connection, NotFound, execute_rows
from registry.events import Event, record

if TYPE_CHECKING:
    from providers.fetching import FetchResult, Page

PAGE, DISCREPANCY, RECORDS, EVENT = "page", "discrepancy", "records", "event"
"""Kinds: a page not understood as a whole; too much of a fetch refused; single records refused in
one that is fine; a webhook event."""

OF_WEIGHT = (PAGE, DISCREPANCY, EVENT)
"""Kinds that stop a cursor or lose an event; refused records of a fetch that is fine are many."""

HELD = ("held",)


class EntryNotFound(NotFound):
    """There is no such entry; `vitalcast quarantine list` shows all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What operators see: no patient, no reading. `parser_version` is None for an event."""

    entry_id: str
    provider: str
    resource: str
    kind: str
    reason: str | None
    records: int
    first_cycle: datetime
    last_cycle: datetime
    cycles: int
    parser_version: int | None
    status: str
    decided_at: datetime | None
    decided_by: str | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Held payloads of a vendor's resource with the same fault; `latest` is the id of one."""

    provider: str
    resource: str
    kind: str
    reason: str
    payloads: int
    connections: int
    first_cycle: datetime
    last_cycle: datetime
    parser_version: int
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An entry with its payload, and what a parse function needs to read it again.

    `known_until` is the newest cycle of the connection: what was not over by then comes with the
    next one.
    """

    raw_sha256: str
    connection_id: str
    patient_id: str
    provider: Provider
    resource: str
    last_cycle: datetime
    known_until: datetime
    zone: str | None
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was not understood of one payload."""

    raw_sha256: str
    kind: str
    reason: str
    records: int


def entry_id(raw_sha256: str, connection_id: str, resource: str) -> str:
    """What an entry is named by: a hash that holds the payload's, so that nobody can guess it."""
    named = "\x1f".join((raw_sha256, connection_id, resource))
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def faults(pages: "Sequence[Page]", *, discrepancy: str | None) -> list[Fault]:
    """What was not understood of a fetch's pages; `discrepancy` is why the fetch as a whole was
    not. One that names no record (a paging without end) is put to the last page."""
    found = [_fault(page, discrepancy) for page in pages if page.problem or page.parsed.refused]
    if discrepancy and not found and pages:
        found.append(Fault(raw_sha256=pages[-1].sha256, kind=DISCREPANCY, reason=discrepancy,
                           records=0))
    return found


def _fault(page: "Page", discrepancy: str | None) -> Fault:
    refused = page.parsed.refused
    if page.problem:
        kind, reason = PAGE, str(page.problem)
    elif discrepancy:
        kind, reason = DISCREPANCY, discrepancy
    else:
        (reason, _), = Counter(one.reason for one in refused).most_common(1)
        kind = RECORDS
    return Fault(raw_sha256=page.sha256, kind=kind, reason=reason, records=len(refused))


def hold_fetch(
    conn: Connection, result: "FetchResult", *, connection_id: str, cycle: datetime,
    parser_version: int,
) -> None:
    """Quarantine what a fetch did not understand; what it did is held no longer."""
    told = (result.reason or "").removeprefix("schema: ")
    found = {one.raw_sha256: one for one in faults(
        result.pages, discrepancy=told if result.outcome == "format_discrepancy" else None)}
    mark_read(conn, [page.sha256 for page in result.pages if page.sha256 not in found],
              connection_id=connection_id, resource=result.resource, by="ingest",
              parser_version=parser_version)
    hold(conn, list(found.values()), connection_id=connection_id, resource=result.resource,
         cycle=cycle, parser_version=parser_version)


def hold_refusals(
    conn: Connection, raw_sha256: str, *, refused: int, connection_id: str, resource: str,
    cycle: datetime, parser_version: int, zone: str | None = None,
) -> None:
    """Quarantine a push or a file of which records were refused; `refusals` says why."""
    if not refused:
        mark_read(conn, [raw_sha256], connection_id=connection_id, resource=resource, by="ingest",
                  parser_version=parser_version)
        return
    reason = conn.execute(text(sql.COMMON_REASON), {
        "sha256": raw_sha256, "connection_id": connection_id}).scalar_one()
    one = Fault(raw_sha256=raw_sha256, kind=RECORDS, reason=reason, records=refused)
    hold(conn, [one], connection_id=connection_id, resource=resource, cycle=cycle,
         parser_version=parser_version, zone=zone)


def hold(
    conn: Connection, found: Sequence[Fault], *, connection_id: str, resource: str,
    cycle: datetime, parser_version: int, zone: str | None = None,
) -> None:
    """Put payloads into quarantine, or tell anew what is wrong with them.

    A dismissed entry stays so; one that a newer version has read is none of an older one's.
    """
    execute_rows(conn, sql.HOLD, [
        (entry_id(one.raw_sha256, connection_id, resource), one.raw_sha256, connection_id,
         resource, one.kind, one.reason, one.records, cycle, cycle, zone, parser_version)
        for one in found])


def mark_read(
    conn: Connection, hashes: Sequence[str], *, connection_id: str, resource: str, by: str,
    parser_version: int, statuses: Sequence[str] = HELD,
) -> None:
    """Say of payloads in quarantine that all of them was understood; their refusals go."""
    conn.execute(text(sql.READ), {
        "connection_id": connection_id, "resource": resource, "hashes": list(hashes), "by": by,
        "parser_version": parser_version, "statuses": list(statuses)})


def entries(
    conn: Connection, *, provider: str | None = None, since: datetime | None = None,
    statuses: Sequence[str] = HELD, kinds: Sequence[str] = OF_WEIGHT,
    most: int = 1000,
) -> list[Entry]:
    """Entries seen in a cycle from `since` on, the latest first."""
    return [Entry(**row._mapping) for row in conn.execute(text(sql.LIST), {
        "provider": provider, "since": since, "statuses": list(statuses), "kinds": list(kinds),
        "most": most})]


def groups(conn: Connection, *, provider: str | None = None,
           since: datetime | None = None) -> list[Group]:
    """What is held by vendor, resource and reason, single refused records included."""
    return [Group(**row._mapping) for row in conn.execute(
        text(sql.SUMMARY), {"provider": provider, "since": since})]


def find_entry(conn: Connection, begin: str) -> Entry:
    """The one entry whose id begins so. EntryNotFound."""
    rows = conn.execute(text(sql.ONE), {"begin": begin}).all() if begin else []
    if len(rows) > 1:
        raise EntryNotFound("several entries begin with this id: write more of it")
    if not rows:
        raise EntryNotFound
    return Entry(**rows[0]._mapping)


def stored(conn: Connection, entry: str) -> Stored:
    """The entry with its payload; its connection is locked until the transaction ends, so that no
    fetch stores the same readings meanwhile. EntryNotFound."""
    conn.execute(text(sql.LOCK), {"entry_id": entry})
    row = conn.execute(text(sql.STORED), {"entry_id": entry}).first()
    if row is None:
        raise EntryNotFound
    return Stored(**{**row._mapping, "provider": Provider(row.provider),
                     "body": zlib.decompress(bytes(row.body))})


def body_of(conn: Connection, entry: Entry) -> bytes:
    """What came, byte for byte. EntryNotFound when it was deleted meanwhile."""
    if entry.kind != EVENT:
        return stored(conn, entry.entry_id).body
    body: Any = conn.execute(text(sql.EVENT_BODY), {"entry_id": entry.entry_id}).scalar()
    if body is None:
        raise EntryNotFound
    return zlib.decompress(bytes(body))


def refused_records(conn: Connection, entry: Entry, most: int = 20) -> list[tuple[str, str]]:
    """Place and reason of the records that were refused, at most so many."""
    return [(row.record, row.reason) for row in conn.execute(
        text(sql.REFUSED), {"entry_id": entry.entry_id, "most": most})]


def forget_refusals(conn: Connection, one: Stored) -> None:
    """Delete what an older version refused of a payload, before a newer one says it anew."""
    conn.execute(text(sql.FORGET), {"sha256": one.raw_sha256, "connection_id": one.connection_id})


def dismiss(conn: Connection, entry: Entry, *, by: str, why: str) -> bool:
    """Let a held entry go and leave an event; whether there was one to."""
    statement = sql.DISMISS_EVENT if entry.kind == EVENT else sql.DISMISS
    found = conn.execute(text(statement), {
        "entry_id": entry.entry_id, "by": by, "why": why}).rowcount > 0
    if found:
        record(conn, [Event(kind="quarantine.dismissed", provider=entry.provider,
                            reason=entry.kind, data={"count": entry.records},
                            once=f"{entry.entry_id} {entry.last_cycle.isoformat()}")])
    return found


def renew_events(conn: Connection, entry_ids: Sequence[str]) -> int:
    """Make these events due again; how many."""
    return conn.execute(text(sql.RENEW_EVENTS), {"entry_ids": list(entry_ids)}).rowcount
