"""Flags of readings: judged when readings arrive, in the transaction that stored them.

`check_arrivals` judges what the transaction wrote and the neighbours that it may change, and makes
the flags that stand there those that the checks find now: what is no longer found is cleared, with
the time, and stays on record. The flags that stand at the end do not depend on the order of
arrival, and the same readings again change nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clinical.quality import KEEPS_OUT, Flag
from clinical.vitals import Vital
from providers.observation import Observation
from providers.quality import Finding, Readings, check, impossible_pairs, numbered, reach
from registry.database import Connection, execute_rows, raw_cursor

if TYPE_CHECKING:
    from providers.fetching import Page

Spans = dict[Vital, tuple[datetime, datetime]]
"""When the first and the last reading of each vital begin."""

PIECE = timedelta(days=7)
"""What is judged at once of a long import: a week, so that memory does not grow with it."""

_PAIR = (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

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

MICROSECONDS = "CAST(extract(epoch FROM {}) * 1000000 AS bigint)"

# A fetch withholds what is not over by its hour: only what was pushed or imported can come early.
READINGS = f"""
SELECT o.key, o.vital, {MICROSECONDS.format("o.effective_start")},
       CAST(o.value AS double precision), o.provider,
       concat_ws(' ', o.provider, coalesce(o.device_id, o.device_model)), coalesce(o.group_id, ''),
       CASE WHEN o.effective_start > o.fetched_at AND EXISTS (
           SELECT 1 FROM raw_payloads r WHERE r.sha256 = o.raw_sha256
             AND (r.resource = 'webhook' OR r.resource LIKE 'file %%'))
       THEN {MICROSECONDS.format("o.fetched_at")} END
FROM observations o
WHERE o.patient_id = %(patient)s AND o.vital = ANY(%(vitals)s)
  AND o.effective_start BETWEEN %(since)s AND %(until)s
  AND o.quality = 'ok' AND o.granularity IN ('sample', 'interval')
  AND o.statistic IN ('instant', 'mean')
ORDER BY o.effective_start, o.key"""  # noqa: S608 -- constants of this file

_STANDING = """
SELECT key, flag, reason, value = (SELECT o.value FROM observations o WHERE o.key = f.key)
FROM quality_flags f
WHERE patient_id = %(patient)s AND vital = ANY(%(vitals)s)
  AND effective_start BETWEEN %(since)s AND %(until)s
  AND cleared_at IS NULL AND flag = ANY(%(flags)s)"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Readings of a patient between two moments, both included."""

    patient_id: str
    vitals: Sequence[Vital]
    since: datetime
    until: datetime

    def parameters(self) -> dict[str, Any]:
        """As the statements name them."""
        return {"patient": self.patient_id, "vitals": [vital.value for vital in self.vitals],
                "since": self.since, "until": self.until}


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


def check_arrivals(conn: Connection, patient_id: str, spans: Spans) -> Checked:
    """Judge what this transaction wrote of the patient within the spans; see the head."""
    if not spans:
        return Checked()
    with raw_cursor(conn) as cursor:
        cursor.execute(_LOCK, {"patient": patient_id})
        cursor.execute(_WRITTEN, {
            "patient": patient_id, "vitals": [vital.value for vital in spans],
            "since": [first for first, _ in spans.values()],
            "until": [last for _, last in spans.values()]})
        written = cursor.fetchall()
    checked = Checked()
    for vitals, since, until in _pieces(written):
        far = max(map(reach, vitals))
        judged = Window(patient_id=patient_id, vitals=vitals, since=since - far, until=until + far)
        checked += _judge(conn, judged, far)
    return checked


def check_pages(conn: Connection, patient_id: str, pages: "Iterable[Page]") -> Checked:
    """As `check_arrivals`, of what the pages of a fetch hold."""
    return check_arrivals(conn, patient_id, spans_of(
        one for page in pages for one in page.parsed.observations))


def _pieces(
    written: Iterable[tuple[str, datetime, datetime]],
) -> Iterator[tuple[Sequence[Vital], datetime, datetime]]:
    """What is judged together: a vital, or both blood pressures, over at most about `PIECE`."""
    days: dict[Sequence[Vital], list[tuple[datetime, datetime]]] = {}
    for name, first, last in written:
        vital = Vital(name)
        days.setdefault(_PAIR if vital in _PAIR else (vital,), []).append((first, last))
    for vitals, spans in days.items():
        since, until = spans[0]
        for first, last in spans[1:]:
            if last - since > PIECE or first - until > 2 * max(map(reach, vitals)):
                yield vitals, since, until
                since, until = first, last
            until = max(until, last)
        yield vitals, since, until


def _judge(conn: Connection, judged: Window, far: timedelta) -> Checked:
    """Make the flags that stand in the window those that are found there."""
    loaded = load(conn, Window(patient_id=judged.patient_id, vitals=judged.vitals,
                               since=judged.since - far, until=judged.until + far))
    first, last = ((moment - _EPOCH) // _MICROSECOND for moment in (judged.since, judged.until))
    found = {(bytes(one.keys[finding.index]), finding.flag): finding.reason
             for one, findings in _found(loaded) for finding in findings
             if first <= one.readings.times_us[finding.index] <= last}
    return settle(conn, judged, found, _ON_ARRIVAL)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """Readings of one vital, and the key of each, as the driver gives it."""

    keys: Sequence[memoryview]
    readings: Readings


def load(conn: Connection, window: Window) -> list[Loaded]:
    """The window's readings that forecasts could be made from, a vital with some each."""
    with raw_cursor(conn) as cursor:
        cursor.execute(READINGS, window.parameters())
        rows = cursor.fetchall()
    if not rows:
        return []
    keys, vitals, times, values, platforms, sources, groups, arrived = zip(*rows, strict=True)
    columns: dict[str, npt.NDArray[Any]] = {
        "times_us": np.array(times, dtype=np.int64),
        "values": np.array(values, dtype=np.float64),
        "platforms": numbered(platforms), "sources": numbered(sources), "groups": numbered(groups),
        "arrived_us": np.array([np.inf if one is None else one for one in arrived])}
    loaded = []
    for vital in window.vitals:
        own = np.array([name == vital.value for name in vitals])
        if own.any():
            loaded.append(Loaded(
                keys=[keys[i] for i in np.flatnonzero(own).tolist()],
                readings=Readings(vital=vital, **{name: column[own]
                                                  for name, column in columns.items()})))
    return loaded


def _found(loaded: Sequence[Loaded]) -> Iterator[tuple[Loaded, Iterable[Finding]]]:
    for one in loaded:
        yield one, check(one.readings)
    by_vital = {one.readings.vital: one for one in loaded}
    if all(vital in by_vital for vital in _PAIR):
        pressures = [by_vital[vital] for vital in _PAIR]
        yield from zip(pressures, impossible_pairs(*(one.readings for one in pressures)),
                       strict=True)


def settle(
    conn: Connection, window: Window, found: Mapping[tuple[bytes, Flag], str],
    flags: Iterable[Flag],
) -> Checked:
    """Let exactly `found` stand in the window, of the kinds in `flags`: by key and flag, why."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_STANDING, {**window.parameters(), "flags": [one.value for one in flags]})
        standing = {(bytes(key), Flag(flag)): reason if current else "of an older version"
                    for key, flag, reason, current in cursor}
    gone = [which for which, reason in standing.items() if found.get(which) != reason]
    new = [which for which, reason in found.items() if standing.get(which) != reason]
    execute_rows(conn, _CLEAR, [(key, flag.value) for key, flag in gone])
    execute_rows(conn, _RAISE, [(key, flag.value, flag in KEEPS_OUT, found[key, flag])
                                for key, flag in new])
    return Checked(raised=len(new), cleared=len(gone))
