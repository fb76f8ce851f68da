"""Readings: the upsert with its history, and the fetch ledger.

`prepared` makes what can be made without the database, so that it may be busy meanwhile;
`save_fetch` writes everything that one fetch brought in the caller's transaction. Which version of
a reading holds: the one with the later `provider_modified_at`; where the vendor gives none, the
one fetched last, except that a payload seen before never replaces what a later one said. The
replaced version goes to `observation_revisions`. The same fetch twice changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from clinical.vitals import Vital
from providers.observation import Observation, Provider, utc_text
from registry.connections import lock_connection
from registry.copytext import NULL, copy_bytes, copy_text, copy_text_array
from registry.database import Connection, copy_in, raw_cursor
from registry.payloads import save_payloads, save_refusals

if TYPE_CHECKING:                      # jobs that speak to no vendor do not import what does
    from providers.fetching import FetchResult, Page

_COLUMNS = """key, patient_id, vital, provider, connection_id, value, effective_start,
    effective_end, utc_offset_s, civil_date, granularity, statistic, context, method, body_site,
    device_id, device_model, source_record_id, group_id, provider_modified_at, raw_sha256,
    parser_version, quality, quality_reasons"""

# What a reading says; raw_sha256 is not part of it, since pages overlap from fetch to fetch.
_CONTENT = """value, effective_end, utc_offset_s, civil_date, context, method, body_site,
    device_model, group_id, quality, quality_reasons"""


def _prefixed(alias: str, columns: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in columns.split(","))


# A key names patient, vital and time: where their window holds nothing, no key is stored. The order
# keeps the planner at the index, however many rows it expects.
_ANY = """
SELECT 1 FROM unnest(CAST(%(vitals)s AS text[])) AS v (vital)
CROSS JOIN LATERAL (
    SELECT 1 FROM observations o WHERE o.patient_id = %(patient)s AND o.vital = v.vital
        AND o.effective_start BETWEEN %(first)s AND %(last)s
    ORDER BY o.effective_start LIMIT 1) AS o
LIMIT 1"""

_COPY_NEW = f"COPY observations ({_COLUMNS}) FROM STDIN"

_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE observations INCLUDING DEFAULTS)
ON COMMIT DELETE ROWS;
TRUNCATE incoming"""

_COPY_INCOMING = f"COPY incoming ({_COLUMNS}) FROM STDIN"

_SUPERSEDES = f"""(
    i.provider_modified_at > o.provider_modified_at
    OR (o.provider_modified_at IS NULL AND i.provider_modified_at IS NOT NULL)
    OR (i.provider_modified_at IS NOT DISTINCT FROM o.provider_modified_at
        AND i.parser_version >= o.parser_version
        AND ({_prefixed("i", _CONTENT)}) IS DISTINCT FROM ({_prefixed("o", _CONTENT)})
        AND ((SELECT stored_at FROM raw_payloads WHERE sha256 = i.raw_sha256)
             < (SELECT stored_at FROM raw_payloads WHERE sha256 = o.raw_sha256)) IS NOT TRUE)
)"""  # noqa: S608 -- constants of this file

# Which of the incoming readings are stored, and whether they say something else that holds.
_KNOWN = f"""
SELECT i.key, {_SUPERSEDES} FROM incoming i JOIN observations o USING (key)"""  # noqa: S608

_REVISE = f"""
WITH replaced AS (
    SELECT o.* FROM incoming i JOIN observations o ON o.key = i.key WHERE {_SUPERSEDES}
), kept AS (
    INSERT INTO observation_revisions ({_COLUMNS}, fetched_at)
    SELECT {_COLUMNS}, fetched_at FROM replaced
)
UPDATE observations o
SET ({_COLUMNS}, fetched_at) = ROW ({_prefixed("i", _COLUMNS)}, clock_timestamp())
FROM incoming i JOIN replaced ON replaced.key = i.key
WHERE o.key = i.key
RETURNING o.vital, o.effective_start"""  # noqa: S608 -- constants of this file

# A complete fetch stays on record when its cycle is run again and the vendor fails this time. One
# that brings no cursor read some late days alone: how far all was read, and up to which sync, is
# told by the one before.
_LEDGER = """
INSERT INTO fetches (connection_id, resource, cycle, window_start, outcome, reason, http_status,
                     pages, received, parsed, refused, cursor_after, last_sync, device_syncs,
                     raw_hashes, duration_s)
VALUES (:connection_id, :resource, :cycle, :window_start, :outcome, :reason, :http_status,
        :pages, :received, :parsed, :refused, :cursor_after, :last_sync,
        CAST(:device_syncs AS json), :raw_hashes, :duration_s)
ON CONFLICT (connection_id, resource, cycle) DO UPDATE SET
    window_start = excluded.window_start, outcome = excluded.outcome, reason = excluded.reason,
    http_status = excluded.http_status, pages = excluded.pages, received = excluded.received,
    parsed = excluded.parsed, refused = excluded.refused,
    cursor_after = coalesce(excluded.cursor_after, fetches.cursor_after),
    last_sync = CASE WHEN excluded.cursor_after IS NULL THEN fetches.last_sync
        ELSE excluded.last_sync END,
    device_syncs = CASE WHEN excluded.cursor_after IS NULL THEN fetches.device_syncs
        ELSE excluded.device_syncs END,
    raw_hashes = excluded.raw_hashes, duration_s = excluded.duration_s, finished_at = now()
WHERE fetches.outcome <> 'complete' OR excluded.outcome = 'complete'"""


Newest = dict[bytes, tuple[Observation, str]]
"""An observation a key, with the SHA-256 of its payload."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Readings of a link as they will be stored: all that needs no database.

    `lines` are those of `newest`, in its order; `received` counts duplicates too.
    """

    patient_id: str
    provider: Provider
    connection_id: str
    newest: Newest
    lines: Sequence[str]
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was inserted of a link's readings, and which stored ones were revised."""

    patient_id: str
    provider: Provider
    connection_id: str
    new: Newest
    revised: Sequence[tuple[Vital, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of the observations of a fetch; duplicates within it count as unchanged.

    `written` is for the checks on arrival; None where it is of several saves.
    """

    inserted: int
    revised: int
    unchanged: int
    written: Written | None = field(default=None, repr=False, compare=False)


def prepared(
    pages: "Sequence[Page]", *, patient_id: str, provider: Provider, connection_id: str,
    parser_version: int,
) -> Prepared:
    """The observations of pages, each once, and what the database will be told of them."""
    newest = _newest(pages, patient_id, provider)
    owner = copy_text(patient_id), copy_text(provider), copy_text(connection_id)
    return Prepared(
        patient_id=patient_id, provider=provider, connection_id=connection_id, newest=newest,
        lines=[_line(key, one, owner, f"{sha256}\t{parser_version}")
               for key, (one, sha256) in newest.items()],
        received=sum(len(page.parsed.observations) for page in pages))


def save_fetch(
    conn: Connection, ready: Prepared, *, resource: str, cycle: datetime, window_start: datetime,
    result: "FetchResult", duration_s: float | None = None,
) -> Saved:
    """Store payloads, observations, refusals and the ledger row of one fetch.

    `ready` are the pages of `result`. A page that was read before the vendor failed is stored
    too; the cursor is that of `result`.
    """
    lock_connection(conn, ready.connection_id)
    save_payloads(conn, ((page.sha256, page.body) for page in result.pages),
                  provider=ready.provider, resource=resource)
    saved = save_readings(conn, ready)
    save_refusals(conn, ((page.sha256, one) for page in result.pages
                         for one in page.parsed.refused), connection_id=ready.connection_id)
    conn.execute(text(_LEDGER), {
        "connection_id": ready.connection_id, "resource": resource, "cycle": cycle,
        "window_start": window_start, "outcome": str(result.outcome), "reason": result.reason,
        "http_status": result.http_status, "pages": len(result.pages),
        "received": result.received, "parsed": result.parsed, "refused": result.refused,
        "cursor_after": result.cursor_after, "last_sync": result.last_sync,
        "device_syncs": None if not result.device_syncs
        else orjson.dumps(result.device_syncs).decode(),
        "raw_hashes": [page.sha256 for page in result.pages], "duration_s": duration_s})
    return saved


def save_readings(conn: Connection, ready: Prepared) -> Saved:
    """Store observations, each version once; see the head of this module."""
    new, lines = ready.newest, ready.lines
    known: dict[bytes, bool] = {}
    if new and _any_stored(conn, new, ready.patient_id):
        known = _compared(conn, lines)
    if known:
        lines = [line for key, line in zip(new, lines, strict=True) if key not in known]
        new = {key: one for key, one in new.items() if key not in known}
    revised = _revise(conn) if any(known.values()) else []
    copy_in(conn, _COPY_NEW, lines)
    return Saved(
        inserted=len(new), revised=len(revised),
        unchanged=ready.received - len(new) - len(revised),
        written=Written(patient_id=ready.patient_id, provider=ready.provider,
                        connection_id=ready.connection_id, new=new, revised=revised))


def _any_stored(conn: Connection, newest: Newest, patient_id: str) -> bool:
    """Whether any key may be stored. The connection's lock keeps others from adding more."""
    starts = [observation.effective_start for observation, _ in newest.values()]
    vitals = {observation.vital for observation, _ in newest.values()}
    with raw_cursor(conn) as cursor:
        cursor.execute(_ANY, {"patient": patient_id, "vitals": [one.value for one in vitals],
                              "first": min(starts), "last": max(starts)})
        return cursor.fetchone() is not None


def _compared(conn: Connection, lines: Iterable[str]) -> dict[bytes, bool]:
    """The keys that are stored, and whether the reading supersedes what is stored of it."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_INCOMING)
        copy_in(conn, _COPY_INCOMING, lines)
        cursor.execute(_KNOWN)
        return {bytes(key): bool(newer) for key, newer in cursor}


def _revise(conn: Connection) -> list[tuple[Vital, datetime]]:
    """Let what was compared replace what it supersedes; which readings, and when they begin."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_REVISE)
        return [(Vital(name), start) for name, start in cursor]


def _newest(
    pages: "Sequence[Page]", patient_id: str, provider: Provider,
) -> Newest:
    """One observation a key, with its page's hash: the last modified, among equals the last."""
    newest: Newest = {}
    for page in pages:
        for observation in page.parsed.observations:
            key = observation.key(patient_id, provider)
            held = newest.get(key)
            if held is None or not _older(observation, held[0]):
                newest[key] = (observation, page.sha256)
    return newest


def _older(one: Observation, other: Observation) -> bool:
    if other.provider_modified_at is None:
        return False
    return (one.provider_modified_at is None
            or one.provider_modified_at < other.provider_modified_at)


def _line(key: bytes, one: Observation, owner: tuple[str, str, str], origin: str) -> str:
    """An observation as a line for `_COPY`; `origin` is raw_sha256 and parser_version."""
    patient, provider, connection = owner
    start = utc_text(one.effective_start)
    end = start if one.effective_end == one.effective_start else utc_text(one.effective_end)
    modified = one.provider_modified_at
    changed = start if modified is one.effective_start else (
        NULL if modified is None else utc_text(modified))
    return "\t".join((
        copy_bytes(key), patient, one.vital, provider, connection, str(one.value), start, end,
        _plain(one.utc_offset_s), _plain(one.civil_date), one.granularity, one.statistic,
        one.context, one.method, copy_text(one.body_site), copy_text(one.device_id),
        copy_text(one.device_model), copy_text(one.source_record_id), copy_text(one.group_id),
        changed, origin, one.quality,
        copy_text_array(one.quality_reasons) if one.quality_reasons else "{}",
    )) + "\n"


def _plain(value: Any) -> str:
    """A number or date; their texts need no escapes."""
    return NULL if value is None else str(value)
