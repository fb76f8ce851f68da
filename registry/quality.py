"""Flags of readings: judged when readings arrive, in the transaction that stored them.

`check_saved` judges what one fetch wrote, `check_arrivals` whatever the transaction wrote, and the
neighbours that it may change; both make the flags that stand there those that the checks find now:
what is no longer found is cleared, with the time, and stays on record. The flags that stand at the
end do not depend on the order of arrival, and the same readings again change nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from clinical.quality import KEEPS_OUT, Flag
from clinical.vitals import Vital
from providers.observation import Observation
from providers.quality import Finding, check, impossible_pairs, reach
from registry.database import Connection, execute_rows, raw_cursor
from registry.observations import Written
from registry.quality_loading import (
    PAIR,
    WINDOWS,
    Loaded,
    Own,
    Window,
    load,
    own_readings,
    parameters,
)

Spans = dict[Vital, tuple[datetime, datetime]]
"""When the first and the last reading of each vital begin."""

PIECE = timedelta(days=7)
"""What is judged at once of a long import: a week, so that memory does not grow with it."""

# One at a time for a patient: readings of two vendors may arrive at once, and are neighbours.
_LOCK = "SELECT pg_advisory_xact_lock(1986620777, hashtext(%(patient)s))"

# Written by this transaction: inserted at its now(), or revised after it.
_WRITTEN = """
SELECT w.vital, min(o.effective_start), max(o.effective_start)
FROM unnest(CAST(%(vitals)s AS text[]), CAST(%(since)s AS timestamptz[]),
            CAST(%(until)s AS timestamptz[])) AS w (vital, since, until)
JOIN observations o ON o.patient_id = %(patient)s AND o.vital = w.vital
    AND o.effective_start BETWEEN w.since AND w.until
WHERE o.fetched_at >= now()
GROUP BY w.vital, date_trunc('day', o.effective_start, 'UTC')
ORDER BY 2"""

_STANDING = f"""
SELECT f.* FROM {WINDOWS} CROSS JOIN LATERAL (
    SELECT key, flag, reason, value = (SELECT o.value FROM observations o WHERE o.key = f.key)
    FROM quality_flags f
    WHERE patient_id = %(patient)s AND f.vital = w.vital
      AND effective_start BETWEEN w.since AND w.until
      AND cleared_at IS NULL AND flag = ANY(%(flags)s)
    OFFSET 0) AS f"""  # noqa: S608 -- constants of this package

_CLEAR = """
UPDATE quality_flags SET cleared_at = clock_timestamp()
FROM (VALUES %s) AS gone (key, flag)
WHERE quality_flags.key = gone.key AND quality_flags.flag = gone.flag AND cleared_at IS NULL"""

# The flagged reading's own row tells the rest, so that a flag never says another value than it.
_RAISE = """
INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start, value,
                           keeps_out, reason)
SELECT o.key, found.flag, o.patient_id, o.vital, o.provider, o.effective_start, o.value,
       found.keeps_out, found.reason
FROM (VALUES %s) AS found (key, flag, keeps_out, reason) JOIN observations o ON o.key = found.key
ON CONFLICT (key, flag, flagged_at) DO UPDATE SET
    cleared_at = NULL, value = excluded.value, reason = excluded.reason"""

_ON_ARRIVAL = frozenset(Flag) - {Flag.CLOCK_SHIFT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How many flags are new, and how many no longer stand."""

    raised: int = 0
    cleared: int = 0

    def __add__(self, other: "Checked") -> "Checked":
        return Checked(raised=self.raised + other.raised, cleared=self.cleared + other.cleared)


def spans_of(observations: Iterable[Observation]) -> Spans:
    """The spans of some observations."""
    spans: Spans = {}
    for _ in noting(observations, spans):
        pass
    return spans


def noting(items: Iterable[Any], spans: Spans) -> Iterator[Any]:
    """The items themselves; the spans grow by the observations among them as they pass."""
    for one in items:
        if isinstance(one, Observation):
            start = one.effective_start
            first, last = spans.setdefault(one.vital, (start, start))
            if start > last:
                spans[one.vital] = first, start
            elif start < first:
                spans[one.vital] = start, last
        yield one


def check_saved(conn: Connection, written: Written) -> Checked:
    """Judge what one save wrote, from memory; see the head.

    For fetches: it must be the transaction's only save of the link. What comes by push or file may
    lie ahead of its arrival, which only the database tells: `check_arrivals`.
    """
    if not (written.new or written.revised):
        return Checked()
    _lock(conn, written.patient_id)
    own = own_readings(written)
    days = chain(own.days(), ((vital, start, start) for vital, start in written.revised))
    pieces = list(_pieces(written.patient_id, sorted(days, key=lambda day: day[1]), timedelta.max))
    return _judge(conn, pieces, own) if pieces else Checked()


def check_arrivals(conn: Connection, patient_id: str, spans: Spans) -> Checked:
    """Judge what this transaction wrote of the patient within the spans; see the head."""
    if not spans:
        return Checked()
    _lock(conn, patient_id)
    with raw_cursor(conn) as cursor:
        cursor.execute(_WRITTEN, {
            "patient": patient_id, "vitals": [vital.value for vital in spans],
            "since": [first for first, _ in spans.values()],
            "until": [last for _, last in spans.values()]})
        days = [(Vital(name), first, last) for name, first, last in cursor]
    checked = Checked()
    for piece in _pieces(patient_id, days, PIECE):
        checked += _judge(conn, [piece])
    return checked


def _lock(conn: Connection, patient_id: str) -> None:
    with raw_cursor(conn) as cursor:
        cursor.execute(_LOCK, {"patient": patient_id})


def _pieces(patient_id: str, written: Iterable[tuple[Vital, datetime, datetime]],
            longest: timedelta) -> Iterator[Window]:
    """What is judged together: a vital, or both blood pressures, over at most about `longest`."""
    days: dict[Sequence[Vital], list[tuple[datetime, datetime]]] = {}
    for vital, first, last in written:
        days.setdefault(PAIR if vital in PAIR else (vital,), []).append((first, last))
    for vitals, spans in days.items():
        since, until = spans[0]
        for first, last in spans[1:]:
            if last - since > longest or first - until > 2 * _far(vitals):
                yield Window(patient_id=patient_id, vitals=vitals, since=since, until=until)
                since, until = first, last
            until = max(until, last)
        yield Window(patient_id=patient_id, vitals=vitals, since=since, until=until)


def _far(vitals: Sequence[Vital]) -> timedelta:
    return max(map(reach, vitals))


def _judge(conn: Connection, pieces: Sequence[Window], own: Own | None = None) -> Checked:
    """Make the flags that stand in and around the pieces those that are found there."""
    judged = [piece.wider(_far(piece.vitals)) for piece in pieces]
    loaded = load(conn, [window.wider(_far(window.vitals)) for window in judged], own)
    found = {(one.keys[finding.index], finding.flag): finding.reason
             for window, vitals in zip(judged, loaded, strict=True)
             for one, findings in _found(vitals)
             for finding in _within(window, one, findings)}
    return settle(conn, judged, found, _ON_ARRIVAL)


def _found(loaded: Sequence[Loaded]) -> Iterator[tuple[Loaded, Sequence[Finding]]]:
    for one in loaded:
        yield one, check(one.readings)
    by_vital = {one.readings.vital: one for one in loaded}
    if all(vital in by_vital for vital in PAIR):
        pressures = [by_vital[vital] for vital in PAIR]
        yield from zip(pressures, impossible_pairs(*(one.readings for one in pressures)),
                       strict=True)


def _within(window: Window, one: Loaded, findings: Sequence[Finding]) -> Iterator[Finding]:
    held = window.holds(one.readings.times_us)
    return (finding for finding in findings if held[finding.index])


def settle(
    conn: Connection, windows: Sequence[Window], found: Mapping[tuple[bytes, Flag], str],
    flags: Iterable[Flag],
) -> Checked:
    """Let exactly `found` stand in the windows, of the kinds in `flags`: by key and flag, why."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_STANDING, parameters(windows) | {"flags": [one.value for one in flags]})
        standing = {(bytes(key), Flag(flag)): reason if current else "of an older version"
                    for key, flag, reason, current in cursor}
    gone = [which for which, reason in standing.items() if found.get(which) != reason]
    new = [which for which, reason in found.items() if standing.get(which) != reason]
    execute_rows(conn, _CLEAR, [(key, flag.value) for key, flag in gone])
    execute_rows(conn, _RAISE, [(key, flag.value, flag in KEEPS_OUT, found[key, flag])
                                for key, flag in new])
    return Checked(raised=len(new), cleared=len(gone))
