"""The daily quality report: counts by provider, vital and reason. It names no patient.

Clock shifts are judged here too, once a day: they need days of readings of two devices at once.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from sqlalchemy import text

from clinical.quality import KEEPS_OUT, Flag
from clinical.vitals import FORECAST_VITALS, Vital
from providers.coverage import State
from providers.quality import Readings, clock_shift
from registry.database import Connection, raw_cursor
from registry.quality import Checked, settle
from registry.quality_days import Days, Tallies, Tally, quantiles
from registry.quality_loading import Loaded, Window, load

DAY = timedelta(days=1)
COMPARED = timedelta(days=2)
"""So much of what came before the day helps to compare clocks."""

_TWO_DEVICES = """
SELECT p.patient_id, v.vital
FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) AS v (vital)
CROSS JOIN LATERAL (
    SELECT count(DISTINCT (o.provider, coalesce(o.device_id, o.device_model))) AS devices
    FROM observations o
    WHERE o.patient_id = p.patient_id AND o.vital = v.vital AND o.quality = 'ok'
      AND o.effective_start >= %(since)s AND o.effective_start < %(until)s) AS o
WHERE o.devices > 1"""

_REFUSED = """
SELECT c.provider, r.reason, count(*) AS records
FROM refusals r JOIN raw_payloads p ON p.sha256 = r.raw_sha256
JOIN connections c USING (connection_id)
WHERE p.stored_at >= :since AND p.stored_at < :until
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2"""

_FETCHES = """
SELECT c.provider, f.outcome, count(*) AS fetches
FROM fetches f JOIN connections c USING (connection_id)
WHERE f.cycle > :since AND f.cycle <= :until GROUP BY 1, 2 ORDER BY 1, 2"""

_QUARANTINE = """
SELECT c.provider, q.kind, q.status, count(*) AS payloads, sum(q.records) AS records
FROM quarantine q JOIN connections c USING (connection_id)
WHERE q.status = 'held' OR (q.first_seen_at >= :since AND q.first_seen_at < :until)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""

_GAPS = """
SELECT vital, get_byte(states, hour) AS state, count(*) AS hours
FROM coverage CROSS JOIN generate_series(0, 23) AS hour
WHERE day = :day GROUP BY 1, 2 ORDER BY 1, 2"""

_SAVE = """
INSERT INTO quality_reports (day, report) VALUES (:day, CAST(:report AS json))
ON CONFLICT (day) DO UPDATE SET report = excluded.report, made_at = now()"""


def full_day(day: date) -> Days:
    """The day, from midnight to midnight UTC."""
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Days(since=since, until=since + DAY)


def day_report(conn: Connection, day: date, tallies: Tallies) -> dict[str, Any]:
    """Everything that is counted of a day, as the API and the page show it."""
    days = full_day(day)
    asked = {"since": days.since, "until": days.until}
    series = [_series(provider, vital, tally)
              for (provider, vital), tally in sorted(tallies.items())]
    refused = _rows(conn, _REFUSED, **asked)
    return {
        "day": day.isoformat(),
        "totals": {
            **{name: sum(one[name] for one in series)
               for name in ("readings", "late", "not_accepted", "flagged", "kept_out")},
            "refused": sum(one["records"] for one in refused)},
        "series": series, "refused": refused,
        "fetches": _rows(conn, _FETCHES, **asked),
        "quarantine": [{**one, "records": int(one["records"])}
                       for one in _rows(conn, _QUARANTINE, **asked)],
        "gaps": [{**one, "state": State(one["state"]).name.lower()}
                 for one in _rows(conn, _GAPS, day=day)]}


def save_report(conn: Connection, day: date, report: dict[str, Any]) -> None:
    """Store the day's report, in place of an earlier one of the same day."""
    conn.execute(text(_SAVE), {"day": day, "report": orjson.dumps(report).decode()})


def _series(provider: str, vital: str, tally: Tally) -> dict[str, Any]:
    median, q95 = quantiles(tally.late_s, (0.5, 0.95))
    return {
        "provider": provider, "vital": vital, "patients": tally.patients,
        "readings": tally.readings, "hours": tally.hours, "not_accepted": tally.not_accepted,
        "late": tally.late, "lateness_median_s": median, "lateness_q95_s": q95,
        "flagged": tally.flags.total(),
        "kept_out": sum(tally.flags[flag] for flag in KEEPS_OUT),
        "flags": dict(sorted(tally.flags.items()))}


def _rows(conn: Connection, query: str, **asked: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in conn.execute(text(query), asked)]


def check_clocks(conn: Connection, patients: Sequence[str], day: date) -> Checked:
    """Flag the day's readings of devices whose clock differs from another's of the patient.

    Which of the two is right cannot be told: those of the device with fewer readings are flagged.
    """
    days = full_day(day)
    since = days.since - COMPARED
    with raw_cursor(conn) as cursor:
        cursor.execute(_TWO_DEVICES, {
            "patients": list(patients), "vitals": [vital.value for vital in FORECAST_VITALS],
            "since": since, "until": days.until})
        several = cursor.fetchall()
    checked = Checked()
    for patient, name in several:
        vital = Vital(name)
        (loaded,) = load(conn, [Window(patient_id=patient, vitals=[vital], since=since,
                                       until=days.until - timedelta(microseconds=1))])
        found = {(one.keys[index], Flag.CLOCK_SHIFT): reason
                 for one in loaded for index, reason in _shifted(one)
                 if one.readings.times_us[index] >= days.since.timestamp() * 1e6}
        judged = Window(patient_id=patient, vitals=[vital], since=days.since,
                        until=days.until - timedelta(microseconds=1))
        checked += settle(conn, [judged], found, [Flag.CLOCK_SHIFT])
    return checked


def _shifted(one: Loaded) -> Iterator[tuple[int, str]]:
    """The readings, and why, of each device that is compared with the busiest and differs."""
    sources, counts = np.unique(one.readings.sources, return_counts=True)
    busiest, *others = [sources[i] for i in np.argsort(-counts, kind="stable").tolist()]
    reference = _of(one.readings, busiest)
    for source in others:
        shift = clock_shift(_of(one.readings, source), reference)
        if shift is None:
            continue
        hours = abs(shift) / timedelta(hours=1)
        for index in np.flatnonzero(one.readings.sources == source).tolist():
            yield index, (f"runs {hours:g} h {'ahead of' if shift > timedelta() else 'behind'} "
                          "another device")


def _of(readings: Readings, source: int) -> Readings:
    own = readings.sources == source
    return Readings(vital=readings.vital, **{
        name: getattr(readings, name)[own]
        for name in ("times_us", "values", "sources", "platforms", "groups", "arrived_us")})
