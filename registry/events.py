"""Events: what happened, into the outbox, in the transaction in which it happened.

    with transaction(engine) as conn:
        save_what_was_done(conn)
        record(conn, [Event(kind="fits.searched", member="arima", reason="age",
                            data={"count": 3})])

An event's id is a keyed hash of everything that tells it from another: a job that was killed and is
run again writes it once. A series, too, is only there as a keyed hash: whoever has the events but
not this database cannot find out whose they are by trying ids. What the vocabulary does not hold is
refused (`EventRefused`). Inside `registry.runs.run` job, cycle, shard and run come by themselves.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from numbers import Real
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import text

from clinical.vitals import Vital
from forecasting.config import KNOWN_MEMBERS
from forecasting.documents import ENSEMBLE
from providers.observation import Provider
from registry.database import Connection, RegistryError, execute_rows
from registry.event_words import FIGURES, KINDS, REASONS, WORDS, Kind
from registry.faults import Fault

_COLUMNS = """event_id, kind, severity, job, cycle, shard, run_id, provider, vital, member, reason,
    series_hash, exception, fingerprint, stack, message, data"""

_INSERT = f"""
INSERT INTO events ({_COLUMNS}) VALUES %s ON CONFLICT (event_id) DO NOTHING"""  # noqa: S608 -- constants of this file

_SECRET = "SELECT secret FROM event_keys"
_FIRST_SECRET = """
INSERT INTO event_keys (number, secret) VALUES (1, :secret) ON CONFLICT (number) DO NOTHING"""

_MEMBERS = frozenset({*KNOWN_MEMBERS, ENSEMBLE})
_VITALS = frozenset(vital.value for vital in Vital)
_PROVIDERS = frozenset(provider.value for provider in Provider)
_JOB = re.compile(r"[a-z][a-z_]{0,29}")
_SHARD = re.compile(r"\d{1,4}/\d{1,4}")
_HASH = re.compile(r"[0-9a-f]{64}")


class EventRefused(RegistryError):
    """An event says what the vocabulary does not hold; add it to registry.event_words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    kind    a name of `event_words.KINDS`
    series  whose it is, such as (patient, vital) or (connection,); stored as a keyed hash alone
    data    the kind's own numbers, words and hashes
    fault   the exception, where there was one
    once    what else tells this event from another of its kind; hashed, never stored
    """

    kind: str
    provider: str | None = None
    vital: str | None = None
    member: str | None = None
    reason: str | None = None
    series: tuple[str, ...] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    once: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The run of a job that events belong to."""

    run_id: int
    job: str
    cycle: datetime
    shard: str


_RUNNING: ContextVar[Running | None] = ContextVar("running", default=None)


@contextmanager
def running(run: Running) -> Iterator[None]:
    """Events of this block, on this thread, belong to `run`."""
    token = _RUNNING.set(run)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def record(conn: Connection, events: Sequence[Event], *, of: Running | None = None) -> int:
    """Write events that are not there yet; how many were new. EventRefused for unknown words.

    `of` is the run they belong to, by default the one that runs.
    """
    if not events:
        return 0
    secret, run = event_key(conn), of or _RUNNING.get()
    rows = [_row(event, run, secret) for event in events]
    return execute_rows(conn, _INSERT, sorted(rows, key=itemgetter(0)))     # locks in one order


def event_key(conn: Connection) -> bytes:
    """What this installation hashes ids and series with; made when it is first asked for."""
    found = conn.execute(text(_SECRET)).scalar()
    if found is None:
        conn.execute(text(_FIRST_SECRET), {"secret": secrets.token_bytes(32)})
        found = conn.execute(text(_SECRET)).scalar_one()
    return bytes(found)


def series_hash(secret: bytes, *parts: str) -> str:
    """32 hex digits that stand for a series or link in events."""
    return keyed_hash(secret, ["series", *parts])


def keyed_hash(secret: bytes, parts: Sequence[Any]) -> str:
    """32 hex digits (128 bits) of HMAC-SHA256 over the parts."""
    return hmac.new(secret, orjson.dumps(parts), hashlib.sha256).hexdigest()[:32]


def _row(event: Event, run: Running | None, secret: bytes) -> tuple[Any, ...]:
    kind = _checked(event, run)
    whose = None if event.series is None else series_hash(secret, *event.series)
    job, cycle = (run.job, run.cycle) if run else (None, None)
    shard, run_id = (run.shard, run.run_id) if run and not kind.of_cycle else (None, None)
    fault = event.fault
    told = (event.provider, event.vital, event.member, event.reason)
    at = None if cycle is None else cycle.astimezone(UTC).isoformat()
    name = keyed_hash(secret, [event.kind, job, at, shard, *told, whose, event.once])
    message = kind.message.format(job=job, shard=shard, provider=event.provider, vital=event.vital,
                                  member=event.member, reason=event.reason)
    return (name, event.kind, kind.severity, job, cycle, shard, run_id, *told, whose,
            fault and fault.exception, fault and fault.fingerprint, fault and fault.stack,
            message, orjson.dumps(event.data, option=orjson.OPT_SERIALIZE_NUMPY).decode())


def _checked(event: Event, run: Running | None) -> Kind:
    """The event's kind. EventRefused when anything of it is not of the vocabulary."""
    kind = KINDS.get(event.kind)
    if kind is None:
        raise EventRefused(f"there is no kind of event {event.kind!r}")
    for word, words in ((event.provider, _PROVIDERS), (event.vital, _VITALS),
                        (event.member, _MEMBERS), (event.reason, REASONS)):
        if word is not None and word not in words:
            raise EventRefused
    if run and not (_JOB.fullmatch(run.job) and _SHARD.fullmatch(run.shard)):
        raise EventRefused("a job's name is a word, its shard is written as 1/4")
    for name, value in event.data.items():
        _check_data(kind, name, value)
    return kind


def _check_data(kind: Kind, name: str, value: Any) -> None:
    if kind.data == FIGURES:
        if not (name.isidentifier() and isinstance(value, Real)):
            raise EventRefused("figures of a run are numbers by name")
        return
    if name not in kind.data:
        raise EventRefused("the data of an event have the names that its kind lists")
    for each in value if isinstance(value, list | tuple) else (value,):
        if isinstance(each, str) and each not in WORDS and not _HASH.fullmatch(each):
            raise EventRefused

