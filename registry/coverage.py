"""Coverage: what tells why a reading is missing, and the judged days with their history.

A day of a series is written when it says something else than what is stored. What it said of hours
that had been judged goes to `coverage_revisions`; a new hour alone is no revision.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import text

from providers.coverage_facts import Fetched
from providers.measures import CARRIED_BY, WORN_BY
from providers.observation import Provider
from providers.signals import Signals
from registry.copytext import copy_line
from registry.database import Connection, copy_in, copy_out, execute_rows, raw_cursor

StateArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Series = tuple[str, str]

DAY = timedelta(days=1)
HOUR_S = 3600

_SIGNALS_LOCK = "SELECT 1 FROM connections WHERE connection_id = :connection FOR NO KEY UPDATE"

_SYNCS = """
INSERT INTO device_syncs AS d (connection_id, device, last_sync) VALUES %s
ON CONFLICT (connection_id, device) DO UPDATE SET last_sync = excluded.last_sync
WHERE excluded.last_sync > d.last_sync OR d.last_sync IS NULL AND excluded.last_sync IS NOT NULL"""

_WEAR = """
INSERT INTO wear_days AS w (connection_id, day, worn, charging) VALUES %s
ON CONFLICT (connection_id, day) DO UPDATE SET
    worn = w.worn | excluded.worn, charging = w.charging | excluded.charging
WHERE (w.worn | excluded.worn, w.charging | excluded.charging) <> (w.worn, w.charging)"""

_LINKS = """
SELECT connection_id, patient_id, provider, status FROM connections
WHERE patient_id = ANY(%(patients)s) ORDER BY patient_id, connection_id"""

_LEDGER = """
SELECT a.connection_id, a.resource, n.cycle, n.outcome, split_part(n.reason, ':', 1),
       k.cycle, k.last_sync, b.window_start
FROM unnest(CAST(%(connections)s AS text[]), CAST(%(resources)s AS text[]))
     AS a (connection_id, resource)
CROSS JOIN LATERAL (
    SELECT x.cycle, x.outcome, x.reason FROM fetches x
    WHERE x.connection_id = a.connection_id AND x.resource = a.resource
    ORDER BY x.cycle DESC LIMIT 1) AS n
CROSS JOIN LATERAL (
    SELECT x.window_start FROM fetches x
    WHERE x.connection_id = a.connection_id AND x.resource = a.resource
    ORDER BY x.cycle LIMIT 1) AS b
LEFT JOIN LATERAL (
    SELECT x.cycle, x.last_sync FROM fetches x
    WHERE x.connection_id = a.connection_id AND x.resource = a.resource
      AND x.outcome = 'complete' AND x.cursor_after IS NOT NULL
    ORDER BY x.cycle DESC LIMIT 1) AS k ON true"""

_DEVICES = """
SELECT connection_id, device, last_sync FROM device_syncs WHERE connection_id = ANY(%(ids)s)"""

_WORN = """
SELECT connection_id, day, worn, charging FROM wear_days
WHERE connection_id = ANY(%(ids)s) AND day >= %(start)s AND day < %(end)s"""

# OFFSET 0 keeps the planner from turning the lookups into one pass over all readings.
_HOURS = """
SELECT DISTINCT CAST(c.position - 1 AS integer), date_trunc('hour', o.effective_start, 'UTC')
FROM unnest(CAST(%(patients)s AS text[]), CAST(%(connections)s AS text[]),
            CAST(%(vitals)s AS text[]), CAST(%(by_hand)s AS boolean[]))
     WITH ORDINALITY AS c (patient_id, connection_id, vitals, by_hand, position)
CROSS JOIN LATERAL (
    SELECT r.effective_start FROM observations r
    WHERE r.patient_id = c.patient_id AND r.vital = ANY(string_to_array(c.vitals, ','))
      AND r.connection_id = c.connection_id AND r.granularity IN ('sample', 'interval')
      AND (c.by_hand OR r.method <> 'manual')
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
    OFFSET 0) AS o"""

_BY_HAND = """
SELECT p.patient_id FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN LATERAL (
    SELECT 1 FROM observations r
    WHERE r.patient_id = p.patient_id AND r.method = 'manual'
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
    LIMIT 1) AS o"""

_NIGHTS = """
SELECT p.patient_id, v.vital, o.effective_start, o.effective_end
FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) AS v (vital)
CROSS JOIN LATERAL (
    SELECT r.effective_start, r.effective_end FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital AND r.granularity IN ('night', 'day')
      AND r.granularity = 'night' AND r.quality = 'ok' AND r.statistic = 'mean'
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
    OFFSET 0) AS o"""

_STORED = """
SELECT CAST((p.position - 1) * %(count)s + v.position - 1 AS integer),
       CAST(o.day - CAST(%(start)s AS date) AS integer), o.version, o.states
FROM unnest(CAST(%(patients)s AS text[])) WITH ORDINALITY AS p (patient_id, position)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)
CROSS JOIN LATERAL (
    SELECT c.day, c.version, c.states FROM coverage c
    WHERE c.patient_id = p.patient_id AND c.vital = v.vital
      AND c.day >= %(start)s AND c.day < %(end)s
    OFFSET 0) AS o"""

_STORED_ROW = np.dtype([
    ("fields", ">i2"), ("n1", ">i4"), ("series", ">i4"), ("n2", ">i4"), ("day", ">i4"),
    ("n3", ">i4"), ("version", ">i4"), ("n4", ">i4"), ("states", "u1", (24,))])
_COPY_HEADER_BYTES = 19
_COPY_TRAILER_BYTES = 2

_REASONS = """
SELECT c.patient_id, c.vital, c.day, c.reasons
FROM unnest(CAST(%(patients)s AS text[]), CAST(%(vitals)s AS text[]), CAST(%(days)s AS date[]))
     AS a (patient_id, vital, day)
JOIN coverage c USING (patient_id, vital, day)"""

_COLUMNS = "patient_id, vital, day, states, reasons, version, computed_cycle"

_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_coverage
    (LIKE coverage INCLUDING STORAGE) ON COMMIT DELETE ROWS;
TRUNCATE incoming_coverage"""

_COPY = f"COPY incoming_coverage ({_COLUMNS}) FROM STDIN"

_KEEP = f"""
INSERT INTO coverage_revisions ({_COLUMNS})
SELECT c.patient_id, c.vital, c.day, c.states, c.reasons, c.version, c.computed_cycle
FROM incoming_coverage i JOIN coverage c USING (patient_id, vital, day)
WHERE i.version > c.version
ON CONFLICT DO NOTHING"""  # noqa: S608 -- constants of this file

_WRITE = f"""
INSERT INTO coverage ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming_coverage
ON CONFLICT (patient_id, vital, day) DO UPDATE SET
    states = excluded.states, reasons = excluded.reasons, version = excluded.version,
    computed_cycle = excluded.computed_cycle"""  # noqa: S608 -- constants of this file

_BEGUN = """
SELECT shard, cycle, run_id, started_at FROM (
    SELECT *, row_number() OVER (PARTITION BY shard ORDER BY cycle DESC, run_id DESC) AS place
    FROM runs
    WHERE job IN ('forecast', 'coverage') AND status = 'done'
      AND CAST(figures AS jsonb) ? 'covered') AS newest
WHERE place <= 2"""

_LATE = """
SELECT DISTINCT o.patient_id, CAST(at.moment AT TIME ZONE 'UTC' AS date)
FROM observations o
CROSS JOIN LATERAL (VALUES
    (o.effective_start),
    (greatest(o.effective_start, o.effective_end - interval '1 microsecond'))) AS at (moment)
WHERE o.fetched_at >= %(since)s AND o.effective_start < %(before)s AND at.moment < %(before)s
  AND o.patient_id = ANY(%(patients)s) AND o.vital = ANY(%(vitals)s) AND o.quality = 'ok'
  AND o.granularity IN ('sample', 'interval', 'night') AND o.statistic IN ('instant', 'mean')
ORDER BY 2, 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A connection with what its ledger and its devices tell."""

    connection_id: str
    patient_id: str
    provider: Provider
    status: str
    fetched: tuple[Fetched, ...]
    devices: Mapping[str, datetime | None]
    last_sync: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A judged day. `reasons` is JSON; `states` has a byte an hour."""

    patient_id: str
    vital: str
    day: date
    states: bytes
    reasons: str
    version: int


def save_signals(conn: Connection, connection_id: str, signals: Signals) -> None:
    """Store syncs and wear; what was known is added to, never taken back."""
    if not (signals.devices or signals.worn or signals.charging):
        return
    conn.execute(text(_SIGNALS_LOCK), {"connection": connection_id})
    execute_rows(conn, _SYNCS, [(connection_id, device, sync)
                                for device, sync in sorted(signals.devices.items())])
    worn, charging = _by_day(signals.worn), _by_day(signals.charging)
    execute_rows(conn, _WEAR, [(connection_id, day, worn.get(day, 0), charging.get(day, 0))
                               for day in sorted({*worn, *charging})])


def _by_day(hours: Iterable[datetime]) -> dict[date, int]:
    """Hours as bits of their days."""
    return {day: sum(1 << hour.hour for hour in of_day)
            for day, of_day in groupby(sorted(hours), key=datetime.date)}


def read_links(conn: Connection, patients: Sequence[str]) -> list[Link]:
    """Every connection of these patients, by patient."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_LINKS, {"patients": list(patients)})
        links = cursor.fetchall()
        asked = [(connection, resource) for connection, _, provider, _ in links
                 for resource in CARRIED_BY.get(Provider(provider), ())]
        cursor.execute(_LEDGER, {"connections": [one for one, _ in asked],
                                 "resources": [resource for _, resource in asked]})
        fetched: dict[str, list[Fetched]] = defaultdict(list)
        syncs: dict[str, datetime] = {}
        for connection, resource, cycle, outcome, word, until, sync, begin in cursor:
            fetched[connection].append(Fetched(
                resource=resource, cycle=cycle, outcome=outcome, word=word or "",
                complete_until=until, read_from=begin))
            if sync is not None:
                syncs[connection] = max(sync, syncs.get(connection, sync))
        cursor.execute(_DEVICES, {"ids": [link[0] for link in links]})
        devices: dict[str, dict[str, datetime | None]] = defaultdict(dict)
        for connection, device, last in cursor:
            devices[connection][device] = last
    return [Link(connection_id=connection, patient_id=patient, provider=Provider(provider),
                 status=status, fetched=tuple(fetched[connection]),
                 devices=devices[connection], last_sync=syncs.get(connection))
            for connection, patient, provider, status in links]


def read_wear(conn: Connection, links: Sequence[Link], start: datetime,
              hours: int) -> tuple[BoolArray, BoolArray]:
    """Hours worn and hours charging of each link, (C, hours) each, from midnight `start` on."""
    found = np.zeros((2, len(links), hours), dtype=np.bool_)
    place = {link.connection_id: row for row, link in enumerate(links)}
    with raw_cursor(conn) as cursor:
        cursor.execute(_WORN, {"ids": list(place), "start": start.date(),
                               "end": (start + timedelta(hours=hours) + DAY).date()})
        for connection, day, *bits in cursor:
            first = 24 * (day - start.date()).days
            for kind, mask in enumerate(bits):
                told = [first + hour for hour in range(24)
                        if mask >> hour & 1 and first + hour < hours]
                found[kind, place[connection], told] = True
    return found[0], found[1]


def read_hours(conn: Connection, links: Sequence[Link], vitals: Sequence[Sequence[str]],
               start: datetime, hours: int) -> BoolArray:
    """Hours in which each link brought a reading of one of its `vitals`, (C, hours).

    What was entered by hand counts of sources without a known device alone: it comes to the vendor
    past the device.
    """
    found = np.zeros((len(links), hours), dtype=np.bool_)
    with raw_cursor(conn) as cursor:
        cursor.execute(_HOURS, {
            "patients": [link.patient_id for link in links],
            "connections": [link.connection_id for link in links],
            "vitals": [",".join(several) for several in vitals],
            "by_hand": [link.provider not in WORN_BY for link in links],
            "start": start, "end": start + timedelta(hours=hours)})
        for row, hour in cursor:
            found[row, int((hour - start).total_seconds()) // HOUR_S] = True
    return found


def entered_by_hand(conn: Connection, patients: Sequence[str], start: datetime,
                    end: datetime) -> set[str]:
    """Who has a reading in [start, end) that was entered by hand."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_BY_HAND, {"patients": list(patients), "start": start, "end": end})
        return {patient for (patient,) in cursor}


def read_nights(conn: Connection, patients: Sequence[str], vitals: Sequence[str],
                start: datetime, end: datetime) -> list[tuple[str, str, datetime, datetime]]:
    """(patient, vital, asleep, awake) of each night with a mean that begins in [start, end)."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_NIGHTS, {"patients": list(patients), "vitals": list(vitals),
                                 "start": start, "end": end})
        rows: list[tuple[str, str, datetime, datetime]] = cursor.fetchall()
        return rows


def read_days(conn: Connection, patients: Sequence[str], vitals: Sequence[str], start: date,
              days: int) -> tuple[StateArray, npt.NDArray[np.int64]]:
    """Stored states (S, days, 24), 0 = not judged, and versions (S, days), 0 = no row.

    Series are patient by patient, vital by vital in the orders given.
    """
    copied = copy_out(conn, _STORED, {
        "patients": list(patients), "vitals": list(vitals), "count": len(vitals),
        "start": start, "end": start + days * DAY})
    rows = np.frombuffer(copied[_COPY_HEADER_BYTES:-_COPY_TRAILER_BYTES], dtype=_STORED_ROW)
    count = len(patients) * len(vitals)
    states = np.zeros((count, days, 24), dtype=np.uint8)
    versions = np.zeros((count, days), dtype=np.int64)
    states[rows["series"], rows["day"]] = rows["states"]
    versions[rows["series"], rows["day"]] = rows["version"]
    return states, versions


def read_reasons(conn: Connection,
                 wanted: Sequence[tuple[str, str, date]]) -> dict[tuple[str, str, date], Any]:
    """The stored reasons of these days."""
    patients, vitals, days = ([*column] for column in zip(*wanted, strict=True))
    with raw_cursor(conn) as cursor:
        cursor.execute(_REASONS, {"patients": patients, "vitals": vitals, "days": days})
        return {(patient, vital, day): reasons for patient, vital, day, reasons in cursor}


def save_days(conn: Connection, days: Iterable[Day], cycle: datetime) -> None:
    """Store judged days, and what a row of an older version said."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_INCOMING)
        copy_in(conn, _COPY, (copy_line((
            one.patient_id, one.vital, one.day.isoformat(), f"\\x{one.states.hex()}",
            one.reasons, one.version, cycle)) for one in days))
        cursor.execute(_KEEP)
        cursor.execute(_WRITE)


def coverages_begun(conn: Connection) -> dict[str, list[tuple[datetime, int, datetime]]]:
    """By shard, (cycle, run, begin) of the last two coverages that were done."""
    found: dict[str, list[tuple[datetime, int, datetime]]] = defaultdict(list)
    for shard, *one in conn.execute(text(_BEGUN)):
        found[shard].append(tuple(one))
    return found


def late_days(conn: Connection, patients: Sequence[str], vitals: Sequence[str], since: datetime,
              before: datetime) -> list[tuple[str, date]]:
    """(patient, day), by day, of readings of before `before` that came from `since` on."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_LATE, {"since": since, "before": before, "patients": list(patients),
                               "vitals": list(vitals)})
        rows: list[tuple[str, date]] = cursor.fetchall()
        return rows
