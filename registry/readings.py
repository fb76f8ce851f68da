"""Readings for the severity of now and for the protocol's daily table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text

from clinical.current import Reading
from clinical.vitals import Vital
from registry.database import Connection

_LAST = """
SELECT DISTINCT ON (patient_id, vital, context, granularity)
       patient_id, vital, CAST(value AS double precision) AS value, effective_start AS time,
       context, granularity
FROM observations
WHERE patient_id = ANY(:patients) AND effective_start >= :since AND effective_start < :until
  AND quality = 'ok' AND statistic IN ('instant', 'mean')
ORDER BY patient_id, vital, context, granularity, effective_start DESC, value DESC"""

_DATED = """
SELECT key, patient_id, vital, CAST(value AS double precision) AS value, effective_start AS time,
       coalesce(civil_date, CAST(effective_start AT TIME ZONE 'UTC'
           + make_interval(secs => coalesce(utc_offset_s, 0)) AS date)) AS civil_date,
       make_interval(secs => utc_offset_s) AS utc_offset, context, granularity, statistic
FROM observations
WHERE patient_id = ANY(:patients) AND vital = ANY(:vitals) AND quality = 'ok'
  AND effective_start >= :since AND effective_start < :until"""

# A day's worst reading can be the vendor's own minimum or maximum: no statistic is left out.
_DAILY = f"""
WITH ranked AS (
    SELECT *,
        row_number() OVER (PARTITION BY patient_id, vital, civil_date
                           ORDER BY time DESC, key DESC) AS from_last,
        row_number() OVER (PARTITION BY patient_id, vital, civil_date
                           ORDER BY value, time, key) AS from_lowest,
        row_number() OVER (PARTITION BY patient_id, vital, civil_date
                           ORDER BY value DESC, time, key) AS from_highest,
        row_number() OVER (PARTITION BY patient_id
                           ORDER BY (utc_offset IS NULL), time DESC, vital, key) AS from_told
    FROM ({_DATED} AND context <> 'active') AS dated)
SELECT * FROM ranked WHERE 1 IN (from_last, from_lowest, from_highest, from_told)
ORDER BY patient_id, vital, time, key"""  # noqa: S608 -- constants of this file

# A patient has few nights, so that a month of them is little to read.
_NIGHTLY = f"""{_DATED} AND granularity IN ('night', 'day') AND statistic = 'mean'
ORDER BY patient_id, vital, time, key"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyReading:
    """A reading with the date on the patient's own calendar (UTC where no offset is known)."""

    vital: Vital
    value: float
    time: datetime
    civil_date: date
    utc_offset: timedelta | None
    context: str
    granularity: str
    statistic: str


def last_readings(
    conn: Connection, patients: Sequence[str], since: datetime, until: datetime,
) -> dict[str, list[Reading]]:
    """The newest reading in [since, until) of each vital, context and granularity, by patient.

    These are enough to choose from: which context counts is the severity's own decision.
    """
    found: dict[str, list[Reading]] = {patient: [] for patient in patients}
    for row in conn.execute(text(_LAST), {
            "patients": list(patients), "since": since, "until": until}):
        found[row.patient_id].append(Reading(
            vital=Vital(row.vital), value=row.value, time=row.time, context=row.context,
            granularity=row.granularity))
    return found


def daily_readings(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str],
    since: datetime, until: datetime,
) -> dict[str, list[DailyReading]]:
    """What a daily protocol needs of [since, until), by patient, in time order within a vital.

    Of each vital and civil date its last, lowest and highest reading, those in exercise left out;
    and the patient's newest reading that tells where the calendar stands.
    """
    return _dated(conn, _DAILY, patients, vitals, since, until)


def nightly_readings(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str],
    since: datetime, until: datetime,
) -> dict[str, list[DailyReading]]:
    """Averages over a night or a day in [since, until) by patient, in time order within a vital."""
    return _dated(conn, _NIGHTLY, patients, vitals, since, until)


def _dated(
    conn: Connection, query: str, patients: Sequence[str], vitals: Sequence[str],
    since: datetime, until: datetime,
) -> dict[str, list[DailyReading]]:
    found: dict[str, list[DailyReading]] = {patient: [] for patient in patients}
    for row in conn.execute(text(query), {
            "patients": list(patients), "vitals": [str(vital) for vital in vitals],
            "since": since, "until": until}):
        found[row.patient_id].append(DailyReading(
            vital=Vital(row.vital), value=row.value, time=row.time, civil_date=row.civil_date,
            utc_offset=row.utc_offset, context=row.context, granularity=row.granularity,
            statistic=row.statistic))
    return found
