"""Readings for the severity of now and for the protocol's daily table.

Everything here comes from the indexes alone where a vacuum has been: `OFFSET 0` and `LIMIT 1` keep
the planner from turning the lookups of one patient and vital into a pass over all readings.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from clinical.current import Reading
from clinical.vitals import Vital
from registry.database import Connection, raw_cursor

_SERIES = """
FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)"""

# Time and value name the reading well enough: the index that is read has no key.
KEPT_OUT = """EXISTS (
        SELECT 1 FROM quality_flags f
        WHERE f.patient_id = {0}.patient_id AND f.vital = {0}.vital
          AND f.effective_start = {0}.effective_start AND f.value = {0}.value
          AND f.keeps_out AND f.cleared_at IS NULL)"""

_ACCEPTED = f"r.quality = 'ok' AND NOT {KEPT_OUT.format('r')}"

_IN_WINDOW = f"""FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital AND {_ACCEPTED}
      AND r.effective_start >= %(since)s AND r.effective_start < %(until)s"""

_MOMENTS = f"""SELECT r.value, r.effective_start, r.context, r.granularity {_IN_WINDOW}
      AND r.statistic IN ('instant', 'mean')"""

_NEWEST = "ORDER BY r.effective_start DESC, r.value DESC LIMIT 1"

# The newest reading that may stand for the moment; where there is none, the newest of any kind.
_LAST = f"""
SELECT p.patient_id, v.vital, CAST(o.value AS double precision), o.effective_start, o.context,
       o.granularity
{_SERIES}
CROSS JOIN LATERAL (
    (SELECT 1 AS choice, fit.* FROM (
        {_MOMENTS} AND r.context <> 'active' AND r.granularity IN ('sample', 'interval')
        {_NEWEST}) AS fit)
    UNION ALL
    (SELECT 2, newest.* FROM ({_MOMENTS} {_NEWEST}) AS newest)
    ORDER BY choice LIMIT 1) AS o
ORDER BY p.patient_id, v.position"""  # noqa: S608 -- constants of this file

_CIVIL_DATE = """coalesce(r.civil_date, CAST(r.effective_start AT TIME ZONE 'UTC'
        + make_interval(secs => coalesce(r.utc_offset_s, 0)) AS date))"""

# A day's worst reading can be the vendor's own minimum or maximum: no statistic is left out.
_DAILY = f"""
SELECT p.patient_id, v.vital, d.civil_date, CAST(d.lowest AS double precision),
       CAST(d.highest AS double precision), CAST(o.value AS double precision)
{_SERIES}
CROSS JOIN LATERAL (
    SELECT {_CIVIL_DATE} AS civil_date, min(r.value) AS lowest, max(r.value) AS highest,
           max(r.effective_start) AS last_start
    {_IN_WINDOW} AND r.context <> 'active'
    GROUP BY 1 OFFSET 0) AS d
CROSS JOIN LATERAL (
    SELECT r.value FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital AND {_ACCEPTED}
      AND r.effective_start = d.last_start AND r.context <> 'active'
      AND {_CIVIL_DATE} = d.civil_date
    ORDER BY r.value DESC LIMIT 1) AS o
ORDER BY p.patient_id, v.position, d.civil_date"""  # noqa: S608 -- constants of this file

_OFFSETS = f"""
SELECT DISTINCT ON (p.patient_id) p.patient_id, make_interval(secs => o.utc_offset_s)
{_SERIES}
CROSS JOIN LATERAL (
    SELECT r.utc_offset_s, r.effective_start {_IN_WINDOW}
      AND r.context <> 'active' AND r.utc_offset_s IS NOT NULL
    ORDER BY r.effective_start DESC LIMIT 1) AS o
ORDER BY p.patient_id, o.effective_start DESC, v.position"""

_NIGHTLY = f"""
SELECT p.patient_id, v.vital, o.effective_start, CAST(o.value AS double precision)
{_SERIES}
CROSS JOIN LATERAL (
    SELECT r.value, r.effective_start {_IN_WINDOW}
      AND r.granularity IN ('night', 'day') AND r.statistic = 'mean'
    OFFSET 0) AS o
ORDER BY p.patient_id, v.position, o.effective_start, o.value"""


class DailyReading(NamedTuple):
    """A vital's readings at rest of one date of the patient's own calendar.

    Where no offset is known the calendar is UTC's; of readings at the same moment the last is the
    highest.
    """

    vital: str
    civil_date: date
    lowest: float
    highest: float
    last: float


def last_readings(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], since: datetime,
    until: datetime,
) -> dict[str, list[Reading]]:
    """Each vital's newest reading in [since, until) that may stand for the moment, by patient.

    Those in exercise and averages over a night or a day do not; where there is nothing else, the
    newest of them comes, so that it can be told why nothing is scored.
    """
    found: dict[str, list[Reading]] = {patient: [] for patient in patients}
    for patient, vital, value, time, context, granularity in _rows(
            conn, _LAST, patients, vitals, since, until):
        found[patient].append(Reading(vital=Vital(vital), value=value, time=time, context=context,
                                      granularity=granularity))
    return found


def daily_readings(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], since: datetime,
    until: datetime,
) -> dict[str, list[DailyReading]]:
    """What a daily protocol needs of [since, until), by patient: a row a vital and civil date."""
    found: dict[str, list[DailyReading]] = {patient: [] for patient in patients}
    for patient, *row in _rows(conn, _DAILY, patients, vitals, since, until):
        found[patient].append(DailyReading._make(row))
    return found


def civil_offsets(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], since: datetime,
    until: datetime,
) -> dict[str, timedelta]:
    """How far each patient's calendar is from UTC, by the newest reading at rest that tells.

    Patients of whom no reading in [since, until) tells are left out.
    """
    return dict(_rows(conn, _OFFSETS, patients, vitals, since, until))


def nightly_readings(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], since: datetime,
    until: datetime,
) -> dict[str, dict[str, list[tuple[datetime, float]]]]:
    """Means over a night or a day that began in [since, until), in time order, with their begin."""
    found: dict[str, dict[str, list[tuple[datetime, float]]]] = {name: {} for name in patients}
    for patient, vital, start, value in _rows(conn, _NIGHTLY, patients, vitals, since, until):
        found[patient].setdefault(vital, []).append((start, value))
    return found


def _rows(conn: Connection, query: str, patients: Sequence[str], vitals: Sequence[str],
          since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    with raw_cursor(conn) as cursor:
        cursor.execute(query, {
            "patients": list(patients), "vitals": [str(vital) for vital in vitals],
            "since": since, "until": until})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
