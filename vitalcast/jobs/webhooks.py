"""Webhooks: fetch what vendors hint at, store what they push, in the order it came.

A push is one transaction: payload, observations, refusals and the event's end. A ping is one, too:
its address is asked before the transaction and stored as if it had been pushed. A hint becomes a
fetch of the account's link, as in `ingest`, one for all hints of a run; the event ends when the
ledger says how it went. A run that dies anywhere finds the same events and leaves the same rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import orjson

from providers.errors import ProviderError
from providers.fetching import TRAILING_REREAD, Outcome
from providers.imports import FORMATS, Importer, Owner
from providers.imports.reading import FileRefused
from providers.observation import Observation, Provider, Refusal
from providers.stored import PUSHED
from providers.versions import PARSER_VERSIONS
from providers.webhooks import EventRefused, Gone, Hint, Part, Pull, Push, read_event
from registry.connections import (
    Connection,
    linked_accounts,
    lock_connection,
    set_status,
)
from registry.database import Connection as Transaction
from registry.database import StatementFailed, transaction
from registry.faults import fault_of
from registry.file_imports import SourceFile, check_owner, open_file_connection, save_items
from registry.quality import Spans, check_arrivals, noting
from registry.quarantine import hold_refusals
from registry.runs import run
from registry.webhooks import (
    Event,
    mark_event,
    renew_events,
    save_push,
    take_event,
    waiting_events,
)
from vitalcast.cycle import last_full_hour
from vitalcast.errors import UserError
from vitalcast.jobs.ingest import ingest_resource
from vitalcast.memory import collector_paused
from vitalcast.wiring import System

Figures = dict[str, Any]
Items = list[Observation | Refusal]

GIVE_UP = timedelta(hours=24)
"""A hint that could not be followed for so long is left to the hourly ingest alone."""

_IMPORTERS: dict[Provider, Importer] = {
    Provider.GARMIN: FORMATS["garmin"].read, Provider.TERRA: FORMATS["terra"].read,
}
_STUMBLES = (StatementFailed, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
_ROWS = ("inserted", "revised", "unchanged", "refused", "flagged")
_FIGURES = ("events", "done", "unknown_account", "refused_events", "failed", "waiting", "fetches",
            *_ROWS)


@dataclass(slots=True)
class _Asked:
    """What the hints of one link come to: its resources, back to when, and the events."""

    link: Connection
    resources: dict[str, datetime | None] = field(default_factory=dict)
    everything: bool = False
    events: list[tuple[str, datetime]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ping:
    """What an event points to, of accounts that are linked."""

    received_at: datetime
    pulls: Sequence[Pull]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Todo:
    """What events leave to be asked: hints by link, pings by event."""

    asked: dict[str, _Asked] = field(default_factory=dict)
    pings: dict[str, _Ping] = field(default_factory=dict)


def process_webhooks(system: System, *, now: datetime | None = None,
                     again: bool = False) -> Figures:
    """Process every event that is due; figures: events by fate, fetches, rows by fate.

    With `again`, those that were refused or failed are due once more.
    """
    now = now or datetime.now(UTC)
    figures: Counter[str] = Counter(dict.fromkeys(_FIGURES, 0))
    with transaction(system.engine) as conn:
        if again:
            renew_events(conn)
        waiting = waiting_events(conn)
    if not waiting:
        return dict(figures)
    system.breakers.clear()
    hour = last_full_hour(now)
    with run(system.engine, job="webhooks", cycle=hour, shard="1/1") as told:
        todo = _Todo()
        for key in waiting:
            figures.update(_taken(system, key, todo, hour))
        for key, ping in todo.pings.items():
            figures.update(_follow(system, key, ping, hour, now))
        for one in todo.asked.values():
            figures.update(_fetch(system, one, hour, now))
        told.update(figures)
    return dict(figures)


def any_waiting(system: System) -> bool:
    """Is there an event to process."""
    with transaction(system.engine) as conn:
        return bool(waiting_events(conn, most=1))


def link_account(system: System, *, provider: Provider, account: str, patient_id: str) -> str:
    """Say whose account of a pushing vendor it is; the link's id. WrongPatient, UserError.

    Events that came before are processed with the next run.
    """
    if provider not in _IMPORTERS:
        raise UserError(f"{provider} pushes no readings: its accounts are linked by consent, "
                        f"those of {', '.join(_IMPORTERS)} by hand")
    with transaction(system.engine) as conn:
        link = open_file_connection(conn, patient_id, provider)
        check_owner(conn, patient_id, provider, user_id=account)
        set_status(conn, link, "file")                  # also of one who left and came back
        return link


def _taken(system: System, key: str, todo: _Todo, hour: datetime,
           pulled: Mapping[Pull, Push] | None = None) -> Counter[str]:
    """As `_take`; an event that our own code stumbles over is set aside and stops no other."""
    try:
        return _take(system, key, todo, hour, pulled or {})
    except _STUMBLES as error:
        with transaction(system.engine) as conn:
            mark_event(conn, key, "failed", fault_of(error).where)
        return Counter(events=1, failed=1)


def _take(system: System, key: str, todo: _Todo, hour: datetime,
          pulled: Mapping[Pull, Push]) -> Counter[str]:
    """Read one event: end it, or note in `todo` what it hints at or points to."""
    with transaction(system.engine) as conn, collector_paused():
        event = take_event(conn, key)
        if event is None:
            return Counter()
        try:
            parts = _parts(system, event, pulled)
            pushed = _pushed(event, parts)
        except (EventRefused, FileRefused) as refusal:
            mark_event(conn, key, "refused", str(refusal))
            return Counter(events=1, refused_events=1)
        links = linked_accounts(conn, event.provider, [part.account for part in parts])
        pulls = [part for part in parts if isinstance(part, Pull) and part.account in links]
        if pulls:
            todo.pings[key] = _Ping(received_at=event.received_at, pulls=pulls)
            return Counter()
        hints = [part for part in parts if isinstance(part, Hint) and part.account in links]
        for hint in hints:
            if _note(todo.asked, hint, links[hint.account], event, hour):
                return Counter(events=1)
        counts = _store(conn, event, parts, pushed, links)
        return counts + _end(conn, event, parts, links)


def _parts(system: System, event: Event, pulled: Mapping[Pull, Push]) -> list[Part]:
    """What the event says, with what its addresses held in their place. EventRefused for an
    address that is not the vendor's; one of what nobody reads stands as an empty push of it."""
    parts: list[Part] = []
    for part in read_event(event.provider, event.body):
        if isinstance(part, Pull) and part not in pulled:
            from providers.webhooks.pings import require_allowed

            require_allowed(part, system.settings.ping_hosts)
            empty = Push(account=part.account, body=orjson.dumps({part.name: []}))
            parts.append(part if _is_read(event, empty) else empty)
        else:
            parts.append(pulled.get(part, part) if isinstance(part, Pull) else part)
    return parts


def _is_read(event: Event, push: Push) -> bool:
    try:
        _parsed(event, push)
    except FileRefused:
        return False
    return True


def _pushed(event: Event, parts: Sequence[Part]) -> dict[Push, Items]:
    """What each push holds; one that nobody reads is refused alone. FileRefused where all are."""
    found: dict[Push, Items] = {}
    refused: dict[Push, FileRefused] = {}
    for push in (part for part in parts if isinstance(part, Push)):
        try:
            found[push] = _parsed(event, push)
        except FileRefused as refusal:
            refused[push] = refusal
    if refused and len(refused) == len(parts):
        raise next(iter(refused.values()))
    return found | {push: [Refusal(record="payload", reason=str(why))]
                    for push, why in refused.items()}


def _follow(system: System, key: str, ping: _Ping, hour: datetime,
            now: datetime) -> Counter[str]:
    """Ask the addresses of a ping, with no lock held, and store what they hold as pushed."""
    from providers.webhooks.pings import follow

    try:
        pulled = {one: follow(one, system.settings.ping_hosts) for one in ping.pulls}
    except (EventRefused, ProviderError) as error:
        return _not_followed(system, key, ping, error, now)
    return _taken(system, key, _Todo(), hour, pulled)


def _not_followed(system: System, key: str, ping: _Ping, error: Exception,
                  now: datetime) -> Counter[str]:
    """End a ping that is refused or holds nothing; one whose address fails waits for a day."""
    transient = isinstance(error, ProviderError) and error.transient
    if transient and now - ping.received_at <= GIVE_UP:
        return Counter(events=1, waiting=1)
    with transaction(system.engine) as conn:
        mark_event(conn, key, "failed" if transient else "refused", str(error))
    return Counter({"events": 1, "failed" if transient else "refused_events": 1})


def _parsed(event: Event, push: Push) -> Items:
    items = _IMPORTERS[event.provider](BytesIO(push.body), None)
    return [one for one in items if not isinstance(one, Owner)]


def _note(asked: dict[str, _Asked], hint: Hint, link: Connection, event: Event,
          hour: datetime) -> bool:
    """Put a hint to the others of its link; False where there is nothing to ask."""
    if link.status != "active" or hint.resources == ():
        return False
    one = asked.setdefault(link.connection_id, _Asked(link=link))
    one.events.append((event.key, event.received_at))
    one.everything |= hint.resources is None
    late = hint.since if hint.since and hint.since < hour - TRAILING_REREAD else None
    for name in hint.resources or ():
        held = one.resources.get(name)
        one.resources[name] = min(filter(None, (held, late)), default=None)
    return True


def _store(conn: Transaction, event: Event, parts: Sequence[Part], pushed: dict[Push, Items],
           links: dict[str, Connection]) -> Counter[str]:
    """Store what was pushed of the accounts that are linked, and end the links of who left."""
    counts: Counter[str] = Counter()
    for part in sorted(parts, key=lambda part: getattr(links.get(part.account),
                                                       "connection_id", "")):
        link = links.get(part.account)
        if link is None:
            continue
        if isinstance(part, Push):
            counts += _store_push(conn, event, part, pushed[part], link)
        elif isinstance(part, Gone):
            set_status(conn, link.connection_id, "revoked")
    return counts


def _store_push(conn: Transaction, event: Event, push: Push, items: Items,
                link: Connection) -> Counter[str]:
    lock_connection(conn, link.connection_id)
    source = SourceFile(provider=event.provider, format="webhook", body=None,
                        sha256=save_push(conn, event, push.body))
    spans: Spans = {}
    saved, refused = save_items(conn, noting(items, spans), source, patient_id=link.patient_id,
                                connection_id=link.connection_id)
    hold_refusals(conn, source.sha256, refused=refused, connection_id=link.connection_id,
                  resource=PUSHED, cycle=last_full_hour(event.received_at),
                  parser_version=PARSER_VERSIONS[event.provider])
    return Counter(inserted=saved.inserted, revised=saved.revised, unchanged=saved.unchanged,
                   refused=refused, flagged=check_arrivals(conn, link.patient_id, spans).raised)


def _end(conn: Transaction, event: Event, parts: Sequence[Part],
         links: dict[str, Connection]) -> Counter[str]:
    """Write what became of an event that needs no fetch. Who is unknown and left is no loss."""
    unknown = sorted({part.account for part in parts
                      if not isinstance(part, Gone) and part.account not in links})
    if unknown:
        mark_event(conn, event.key, "unknown_account",
                   f"{len(unknown)} account(s) that no patient is linked with", unknown)
        return Counter(events=1, unknown_account=1)
    quiet = {link.status for link in links.values()} - {"active", "file"}
    mark_event(conn, event.key, "done",
               f"the link is {', '.join(sorted(quiet))}: nobody was asked" if quiet else None)
    return Counter(events=1, done=1)


def _fetch(system: System, asked: _Asked, hour: datetime, now: datetime) -> Counter[str]:
    """Ask the vendor once for all hints of a link, and end their events."""
    counts: Counter[str] = Counter()
    client = system.client(asked.link)
    try:
        for resource in client.resources:
            if asked.everything or resource in asked.resources:
                _, found = ingest_resource(system, asked.link, client, resource, hour,
                                           since=asked.resources.get(resource))
                counts.update(found)
    finally:
        client.close()
    failed = counts[Outcome.FETCH_FAILED.value] > 0
    told = Counter({name: counts[name] for name in _ROWS})
    told["fetches"] = sum(counts[outcome.value] for outcome in Outcome)
    with transaction(system.engine) as conn:
        for key, received_at in asked.events:
            told[_ended(conn, key, failed=failed, late=now - received_at > GIVE_UP)] += 1
    return told


def _ended(conn: Transaction, key: str, *, failed: bool, late: bool) -> str:
    """What a hint's event counts as; while the vendor fails, it waits for the next run."""
    if not failed:
        mark_event(conn, key, "done")
        return "done"
    if not late:
        return "waiting"
    mark_event(conn, key, "failed", "the vendor could not be asked for a day: see the ledger")
    return "failed"
