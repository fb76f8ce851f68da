"""The outbox: events on their way to a log store, and what operators read of them without one.

Every event reaches the store exactly once, whatever happens on the way. Before a batch is sent
its rows say so (`sent_at`); they are delivered when the store says that it has them. A row that was
sent and never confirmed (the connection was cut, the process killed) is asked for by its id before
it is sent again. What the store has no time for is sent again after a pause; what it will never
take is marked with the reason and holds nothing up. A batch that is refused whole, mostly for being
longer than a proxy allows, is halved until it passes or one event is left. A store that fails is
left alone for a while that doubles (a circuit breaker, shared by all workers): nothing else waits
for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from registry.database import Connection, Engine, transaction, translated
from registry.event_documents import StoredEvent, document
from registry.events import Event, record
from registry.log_store import LogStore, LogStoreError, Overloaded, Unfit

BATCH = 500
TRIES = 4
"""How often one batch is offered to a store that has no time, 1, 2 and 4 s apart."""

MOST_UNFIT = 5
"""How many events are refused alone, while nothing of their batch is taken, before each half that
is left is tried by its newest events alone: a store that takes nothing is soon left alone."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
SINK = "elasticsearch"

_COLUMNS = """event_id, number, recorded_at, kind, severity, job, cycle, shard, run_id, provider,
    vital, member, reason, series_hash, exception, fingerprint, stack, message, data, sent_at"""

_WAITING = f"""
SELECT {_COLUMNS} FROM events WHERE delivered_at IS NULL AND refused IS NULL
ORDER BY number LIMIT :limit"""  # noqa: S608 -- constants of this file

_COUNT = "SELECT count(*) FROM events WHERE delivered_at IS NULL AND refused IS NULL"

_SENT = "UPDATE events SET sent_at = :now WHERE event_id = ANY(:ids)"
_DELIVERED = "UPDATE events SET delivered_at = :now WHERE event_id = ANY(:ids)"
_AGAIN = "UPDATE events SET sent_at = NULL WHERE event_id = ANY(:ids)"
_REFUSED = "UPDATE events SET refused = :reason WHERE event_id = :id"

_BREAKER = "SELECT failures, retry_at, fault FROM event_sinks WHERE sink = :sink"
_SET_BREAKER = """
INSERT INTO event_sinks (sink, failures, retry_at, fault, changed_at)
VALUES (:sink, :failures, :retry_at, :fault, :now)
ON CONFLICT (sink) DO UPDATE SET failures = excluded.failures, retry_at = excluded.retry_at,
    fault = excluded.fault, changed_at = excluded.changed_at"""

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('deliver events', 8))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('deliver events', 8))"

# The newest change of the configuration tells which one is in use.
_DROP = """
DELETE FROM events e WHERE recorded_at < :before
    AND (delivered_at IS NOT NULL OR refused IS NOT NULL OR NOT :delivering)
    AND NOT (kind = 'config.changed' AND NOT EXISTS (
        SELECT 1 FROM events x WHERE x.kind = 'config.changed' AND x.number > e.number))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How the store did: failures in a row, when it is asked again, what was wrong."""

    failures: int = 0
    retry_at: datetime | None = None
    fault: str | None = None

    def failed(self, fault: str, now: datetime) -> "Breaker":
        """After another failure: the pause doubles up to half an hour."""
        pause = min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        return Breaker(failures=self.failures + 1, retry_at=now + pause, fault=fault)

    def open_at(self, now: datetime) -> bool:
        """Whether the store is left alone."""
        return self.retry_at is not None and now < self.retry_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one delivery came to.

    waiting  events still to be delivered
    busy     another process delivers already
    error    why it stopped; None: everything was delivered, or nobody was asked
    retry_at when the store is asked again, None at once
    """

    delivered: int = 0
    refused: int = 0
    waiting: int = 0
    busy: bool = False
    retry_at: datetime | None = None
    error: LogStoreError | None = None


def deliver(engine: Engine, store: LogStore, *, clock: Callable[[], datetime],
            sleep: Callable[[float], None] = time.sleep, force: bool = False) -> Delivery:
    """Send all that waits; stops at a failure and says when to go on. `force`: not to wait."""
    with _alone(engine) as alone:
        if not alone:
            return Delivery(busy=True, waiting=waiting(engine))
        breaker = read_breaker(engine)
        if breaker.open_at(clock()) and not force:
            return Delivery(waiting=waiting(engine), retry_at=breaker.retry_at)
        return _Delivering(engine, store, breaker, clock, sleep).all()


def waiting(engine: Engine) -> int:
    """How many events are to be delivered."""
    with transaction(engine) as conn:
        return int(conn.execute(text(_COUNT)).scalar_one())


def read_breaker(engine: Engine) -> Breaker:
    """The breaker as the last delivery left it."""
    with transaction(engine) as conn:
        row = conn.execute(text(_BREAKER), {"sink": SINK}).first()
    return Breaker(**row._mapping) if row else Breaker()


def drop_events(conn: Connection, *, before: datetime, delivering: bool) -> int:
    """Delete events recorded before then; where there is a log store, only what it has."""
    return conn.execute(text(_DROP), {"before": before, "delivering": delivering}).rowcount


class _Delivering:
    """One delivery."""

    def __init__(self, engine: Engine, store: LogStore, breaker: Breaker,
                 clock: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        self._engine, self._store, self._breaker = engine, store, breaker
        self._clock, self._sleep = clock, sleep
        self._delivered = self._refused = self._before = 0
        self._unfit: dict[str, Unfit] = {}

    def all(self) -> Delivery:
        """Batch by batch, until nothing waits or the store fails."""
        try:
            if self._batch():
                self._store.check()
                while events := self._batch():
                    self._deliver(events)
        except LogStoreError as error:
            self._trip(error)
            return self._told(error)
        return self._told(None)

    def _deliver(self, events: Sequence[StoredEvent]) -> None:
        """One batch, offered again where the store has no time for some of it."""
        left = self._without_those_there(events)
        self._before = self._delivered
        for tried in range(TRIES):
            left = self._send(left)
            if not left:
                return self._give_up_unfit()
            if tried + 1 < TRIES:
                self._sleep(2.0 ** tried)
        raise Overloaded

    def _without_those_there(self, events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """Those that the store has not; asked for such alone as were sent without an answer."""
        unsure = [event.event_id for event in events if event.sent_at is not None]
        there = self._store.present(unsure) if unsure else frozenset()
        self._confirm(there)
        return [event for event in events if event.event_id not in there]

    def _send(self, events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """Those that have to be sent again."""
        if not events:
            return ()
        documents = {event.event_id: document(event) for event in events}
        self._mark(_SENT, documents, now=self._clock())
        try:
            sent = self._store.send(documents)
        except Unfit as error:
            self._mark(_AGAIN, documents)
            return self._halved(events, error)
        self._refuse(sent.refused)
        self._mark(_AGAIN, sent.again)
        self._confirm(sent.there)
        if self._breaker.failures and (sent.there or sent.refused):
            self._resume()
        return [event for event in events if event.event_id in sent.again]

    def _halved(self, events: Sequence[StoredEvent], error: Unfit) -> Sequence[StoredEvent]:
        """Send each half; an event that was refused alone waits for what becomes of the others."""
        if len(events) == 1:
            self._unfit[events[0].event_id] = error
            return ()
        half = len(events) // 2
        hopeless = self._nothing_taken() and len(self._unfit) > MOST_UNFIT
        first = () if hopeless else self._send(events[:half])
        return [*first, *self._send(events[half:])]

    def _give_up_unfit(self) -> None:
        """Mark what was refused alone, unless nothing was taken: then no event is at fault."""
        if self._unfit and self._nothing_taken():
            raise next(iter(self._unfit.values()))
        self._refuse({name: error.reason for name, error in self._unfit.items()})
        self._unfit.clear()

    def _nothing_taken(self) -> bool:
        """Whether nothing that was sent of this batch is there."""
        return self._delivered == self._before

    def _refuse(self, reasons: Mapping[str, str]) -> None:
        with transaction(self._engine) as conn:
            for name, reason in reasons.items():
                conn.execute(text(_REFUSED), {"id": name, "reason": reason})
        self._refused += len(reasons)

    def _confirm(self, ids: frozenset[str]) -> None:
        self._mark(_DELIVERED, ids, now=self._clock())
        self._delivered += len(ids)

    def _mark(self, statement: str, ids: "Mapping[str, Any] | frozenset[str]",
              **values: Any) -> None:
        if ids:
            with transaction(self._engine) as conn:
                conn.execute(text(statement), {"ids": sorted(ids), **values})

    def _batch(self) -> list[StoredEvent]:
        with transaction(self._engine) as conn:
            return [StoredEvent(**row._mapping)
                    for row in conn.execute(text(_WAITING), {"limit": BATCH})]

    def _trip(self, error: LogStoreError) -> None:
        before, now = self._breaker, self._clock()
        first = [] if before.failures else [Event(
            kind="delivery.stopped", reason=error.fault, once=now.isoformat())]
        self._set(before.failed(error.fault, now), first)

    def _resume(self) -> None:
        event = Event(kind="delivery.resumed", once=self._clock().isoformat(),
                      data={"failures": self._breaker.failures})
        self._set(Breaker(), [event])

    def _set(self, breaker: Breaker, events: Sequence[Event]) -> None:
        with transaction(self._engine) as conn:
            conn.execute(text(_SET_BREAKER), {
                "sink": SINK, "failures": breaker.failures, "retry_at": breaker.retry_at,
                "fault": breaker.fault, "now": self._clock()})
            record(conn, events)
        self._breaker = breaker

    def _told(self, error: LogStoreError | None) -> Delivery:
        return Delivery(delivered=self._delivered, refused=self._refused, error=error,
                        waiting=waiting(self._engine), retry_at=self._breaker.retry_at)


@contextmanager
def _alone(engine: Engine) -> Iterator[bool]:
    """Whether nobody else delivers; the lock goes with the connection, if this process dies."""
    with translated(engine), engine.connect().execution_options(
            isolation_level="AUTOCOMMIT") as conn:
        mine = bool(conn.execute(text(_TRY_LOCK)).scalar())
        try:
            yield mine
        finally:
            if mine:
                conn.execute(text(_UNLOCK))
