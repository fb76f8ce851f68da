"""Drift: what the watch reads, the events that it opens and closes, and the figures of each day.

Series are named (patient, vital). All writes are idempotent by key; `replace_found` makes the
events that a cycle found those that it finds now, so that a cycle run again leaves the same rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import text

from clinical.vitals import FORECAST_VITALS
from registry.copytext import copy_line
from registry.database import Connection, copy_out, raw_cursor, upsert
from registry.events import Event, record

FloatArray = npt.NDArray[np.float64]
Key = tuple[str, str]

_HOUR_US = 3_600_000_000
_HEADER_BYTES, _TRAILER_BYTES = 19, 2

_EACH = """
FROM unnest(CAST(%(patients)s AS text[])) WITH ORDINALITY AS p (patient_id, position)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)"""

_LEFT = """
SELECT patient_id FROM connections GROUP BY patient_id
HAVING bool_or(status = 'revoked') AND bool_and(status IN ('revoked', 'file'))"""

_OF_FILES = """
SELECT patient_id FROM connections WHERE patient_id = ANY(%(patients)s) GROUP BY patient_id
HAVING bool_and(status = 'file')"""

_LAST_LOOKS = f"""
SELECT p.patient_id, max(f.cycle)
{_EACH}
CROSS JOIN LATERAL (
    SELECT x.cycle FROM drift_figures x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.cycle < %(before)s
    ORDER BY x.day DESC LIMIT 1) AS f
GROUP BY p.patient_id"""  # noqa: S608 -- constants of this file

_AN_HOUR_AHEAD = f"""
SELECT CAST((p.position - 1) * %(count)s + v.position - 1 AS integer),
       CAST(extract(epoch FROM f.cutoff - %(start)s) AS integer) / 3600,
       f.point, f.lower, f.upper
{_EACH}
CROSS JOIN LATERAL (
    SELECT x.cutoff, coalesce(x.point[1], 'NaN') AS point,
           coalesce(x.lower_80[1], 'NaN') AS lower, coalesce(x.upper_80[1], 'NaN') AS upper
    FROM forecasts x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital
      AND x.cutoff >= %(start)s AND x.cutoff < %(end)s
    OFFSET 0) AS f"""  # noqa: S608

_AHEAD = np.dtype([("fields", ">i2"), ("n1", ">i4"), ("series", ">i4"), ("n2", ">i4"),
                   ("hour", ">i4"), ("n3", ">i4"), ("point", ">f8"), ("n4", ">i4"),
                   ("lower", ">f8"), ("n5", ">i4"), ("upper", ">f8")])

# Flagged readings too: a unit that changed is far out of range, and kept out of everything else.
_ARRIVED = """
SELECT k.patient_id, k.vital, CAST(extract(epoch FROM o.hour - %(start)s) AS integer) / 3600,
       o.mean, o.readings
FROM unnest(CAST(%(patients)s AS text[]), CAST(%(vitals)s AS text[])) AS k (patient_id, vital)
CROSS JOIN LATERAL (
    SELECT date_trunc('hour', r.effective_start, 'UTC') AS hour,
           CAST(avg(r.value) AS double precision) AS mean, count(*) AS readings
    FROM observations r
    WHERE r.patient_id = k.patient_id AND r.vital = k.vital AND r.quality <> 'quarantined'
      AND r.granularity IN ('sample', 'interval') AND r.statistic IN ('instant', 'mean')
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
    GROUP BY 1) AS o"""

_KEPT_OUT = """
SELECT f.patient_id, f.vital, count(DISTINCT f.key)
FROM quality_flags f
WHERE f.patient_id = ANY(%(patients)s) AND f.vital = ANY(%(vitals)s)
  AND f.effective_start >= %(start)s AND f.effective_start < %(end)s
  AND f.keeps_out AND f.cleared_at IS NULL
GROUP BY 1, 2"""

_PROVIDERS = f"""
SELECT p.patient_id, v.vital, o.provider
{_EACH}
CROSS JOIN LATERAL (
    SELECT r.provider FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital AND r.effective_start < %(end)s
    ORDER BY r.effective_start DESC LIMIT 1) AS o"""  # noqa: S608

_STATISTICS = f"""
SELECT p.patient_id, v.vital, j.job, s.mean, s.std
{_EACH}
CROSS JOIN (VALUES ('train'), ('forecast')) AS j (job)
CROSS JOIN LATERAL (
    SELECT x.mean, x.std FROM series_statistics x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.job = j.job
      AND x.cutoff <= %(cycle)s AND x.mean IS NOT NULL
    ORDER BY x.cutoff DESC LIMIT 1) AS s"""  # noqa: S608

_EVENT = "patient_id, vital, kind, detected, began, score, threshold, words, closed_at"
_EVENT_AGAIN = "(patient_id, vital, kind, detected) DO UPDATE SET closed_at = excluded.closed_at"

_STANDING = f"""
SELECT {_EVENT} FROM drift_events
WHERE patient_id = ANY(%(patients)s) AND detected < %(cycle)s
  AND (closed_at IS NULL OR closed_at >= %(since)s)"""  # noqa: S608

_FORGET_FOUND = """
DELETE FROM drift_events e
USING unnest(CAST(%(patients)s AS text[]), CAST(%(vitals)s AS text[]),
             CAST(%(kinds)s AS text[])) AS k (patient_id, vital, kind)
WHERE e.patient_id = k.patient_id AND e.vital = k.vital AND e.kind = k.kind
  AND e.detected = %(cycle)s"""

_FOUND_BEFORE = """
SELECT patient_id, vital, kind, max(detected) FROM drift_events
WHERE patient_id = ANY(%(patients)s) AND detected < %(before)s AND detected >= %(since)s
GROUP BY 1, 2, 3"""

FIGURE_COLUMNS = ("psi", "wasserstein", "level", "spread", "error_ratio", "coverage_80", "skew",
                  "age_h")
_FIGURE = ", ".join(("patient_id", "vital", "day", "cycle", "provider", "observed",
                     "missing_usual", "readings", "flagged", *FIGURE_COLUMNS))
_FIGURE_AGAIN = f"""(patient_id, vital, day) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _FIGURE.split(", ")[3:])}
WHERE excluded.cycle >= drift_figures.cycle"""

# One shard at a time, so that the last of them counts the figures of all.
_LOCK_COHORTS = "SELECT pg_advisory_xact_lock(hashtextextended('drift cohorts', 9))"

_DROP_COHORTS = "DELETE FROM drift_cohorts WHERE day = %(day)s"
_COHORTS = f"""
INSERT INTO drift_cohorts (provider, vital, age_band, day, series, drifting, missing,
    missing_usual, flagged, {", ".join(FIGURE_COLUMNS)})
SELECT coalesce(f.provider, 'none'), f.vital,
       CASE WHEN b.birth_date IS NULL THEN 'unknown'
            WHEN b.birth_date > f.day - interval '40 years' THEN 'under 40'
            WHEN b.birth_date > f.day - interval '65 years' THEN '40-64'
            ELSE '65 and over' END,
       f.day, count(*), count(e.patient_id), 1 - avg(f.observed) / 24, avg(f.missing_usual),
       CAST(sum(f.flagged) AS double precision) / nullif(sum(f.readings), 0),
       {", ".join(f"percentile_cont(0.5) WITHIN GROUP (ORDER BY f.{name})"
                  for name in FIGURE_COLUMNS)}
FROM drift_figures f
JOIN patients b USING (patient_id)
LEFT JOIN (SELECT DISTINCT patient_id, vital FROM drift_events
           WHERE detected < %(next)s AND (closed_at IS NULL OR closed_at >= %(day)s)) e
    ON e.patient_id = f.patient_id AND e.vital = f.vital
WHERE f.day = %(day)s AND f.patient_id NOT IN ({_LEFT})
GROUP BY 1, 2, 3, 4"""  # noqa: S608


_COHORT_FIGURES = """
WITH last AS (SELECT coalesce(CAST(:until AS date), max(day)) AS day FROM drift_cohorts)
SELECT c.* FROM drift_cohorts c, last
WHERE c.day BETWEEN last.day - CAST(:span AS interval) AND last.day
ORDER BY c.day DESC, c.vital, c.provider, c.age_band"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftEvent:
    """A series departed from its training window; `closed_at` None while it lasts."""

    patient_id: str
    vital: str
    kind: str
    detected: datetime
    began: datetime
    score: float
    threshold: float
    words: str
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """The figures of one series on one day; the table's comments tell each."""

    patient_id: str
    vital: str
    day: str
    cycle: datetime
    provider: str | None
    observed: int
    missing_usual: float | None
    readings: int
    flagged: int
    psi: float | None
    wasserstein: float | None
    level: float | None
    spread: float | None
    error_ratio: float | None
    coverage_80: float | None
    skew: float | None
    age_h: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnHourAhead:
    """What was forecast for each hour when it began, and its 80 % interval: (S, n), NaN = none."""

    point: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """All that came of a series in some hours, flagged or not: (n,) means, and how many."""

    y: FloatArray
    readings: int


def left_patients(conn: Connection) -> set[str]:
    """Who has ended every link with a vendor; what came of files, if anything, goes no further."""
    return {patient for (patient,) in _rows(conn, _LEFT)}


def of_files(conn: Connection, patients: Sequence[str]) -> set[str]:
    """Those whose readings come of files alone."""
    return {patient for (patient,) in _rows(conn, _OF_FILES, patients=list(patients))}


def last_looks(conn: Connection, patients: Sequence[str], before: datetime) -> dict[str, datetime]:
    """When each patient's series were last looked at before `before`."""
    return dict(_rows(conn, _LAST_LOOKS, patients=list(patients), before=before))


def read_an_hour_ahead(conn: Connection, patients: Sequence[str], vital: str, start: datetime,
                       end: datetime) -> AnHourAhead:
    """The forecasts an hour ahead of each hour of [start, end), a patient a row."""
    hours = (end - start) // timedelta(hours=1)
    copied = copy_out(conn, _AN_HOUR_AHEAD, {
        "patients": list(patients), "vitals": [vital], "count": 1, "start": start, "end": end})
    rows = np.frombuffer(copied[_HEADER_BYTES:-_TRAILER_BYTES], dtype=_AHEAD)
    found = np.full((3, len(patients), hours), np.nan)
    for number, name in enumerate(("point", "lower", "upper")):
        found[number, rows["series"], rows["hour"]] = rows[name]
    return AnHourAhead(point=found[0], lower=found[1], upper=found[2])


def read_arrived(conn: Connection, keys: Sequence[Key], start: datetime,
                 end: datetime) -> dict[Key, Arrived]:
    """Hours of [start, end) of these series with all readings but quarantined ones."""
    hours = (end - start) // timedelta(hours=1)
    y: dict[Key, FloatArray] = {}
    counts: dict[Key, int] = {}
    for patient, vital, hour, mean, readings in _rows(
            conn, _ARRIVED, patients=[key[0] for key in keys], vitals=[key[1] for key in keys],
            start=start, end=end):
        key = patient, vital
        y.setdefault(key, np.full(hours, np.nan))[hour] = mean
        counts[key] = counts.get(key, 0) + readings
    return {key: Arrived(y=one, readings=counts[key]) for key, one in y.items()}


def kept_out(conn: Connection, patients: Sequence[str], start: datetime,
             end: datetime) -> dict[Key, int]:
    """Readings of [start, end) that a flag keeps out, by series; none are not named."""
    return {(patient, vital): count for patient, vital, count in _rows(
        conn, _KEPT_OUT, patients=list(patients), start=start, end=end)}


def providers_of(conn: Connection, patients: Sequence[str], end: datetime) -> dict[Key, str]:
    """Who sent the newest reading of each series before `end`."""
    return {(patient, vital): provider for patient, vital, provider in _rows(
        conn, _PROVIDERS, patients=list(patients), end=end)}


def read_statistics(conn: Connection, patients: Sequence[str],
                    cycle: datetime) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Mean and deviation of the newest window by (patient, vital, train or forecast)."""
    return {(patient, vital, job): (mean, std) for patient, vital, job, mean, std in _rows(
        conn, _STATISTICS, patients=list(patients), cycle=cycle)}


def standing_events(conn: Connection, patients: Sequence[str], cycle: datetime,
                    since: datetime) -> list[DriftEvent]:
    """Events found before `cycle` that are open, or were closed at `since` or later."""
    names = _EVENT.split(", ")
    return [DriftEvent(**dict(zip(names, row, strict=True))) for row in _rows(
        conn, _STANDING, patients=list(patients), cycle=cycle, since=since)]


def found_before(conn: Connection, patients: Sequence[str], before: datetime,
                 since: datetime) -> dict[Key, dict[str, datetime]]:
    """When each kind of drift was last found in a series, from `since` on and before `before`."""
    found: dict[Key, dict[str, datetime]] = {}
    for patient, vital, kind, detected in _rows(
            conn, _FOUND_BEFORE, patients=list(patients), before=before, since=since):
        found.setdefault((patient, vital), {})[kind] = detected
    return found


def replace_found(conn: Connection, looked: Sequence[tuple[str, str, str]], cycle: datetime,
                  found: Sequence[DriftEvent], closed: Sequence[DriftEvent]) -> None:
    """Store what `cycle` found in the series and kinds that it looked at, and what it closed."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_FORGET_FOUND, {
            "patients": [one[0] for one in looked], "vitals": [one[1] for one in looked],
            "kinds": [one[2] for one in looked], "cycle": cycle})
    upsert(conn, "drift_events", _EVENT, _lines(_EVENT, [*found, *closed]), _EVENT_AGAIN)
    record(conn, [_told("drift.began", one) for one in found])
    record(conn, [_told("drift.ended", one) for one in closed if one.closed_at == cycle])


def save_figures(conn: Connection, rows: Sequence[FigureRow]) -> None:
    """Store figures; of two looks on one day the later one stays."""
    upsert(conn, "drift_figures", _FIGURE, _lines(_FIGURE, rows), _FIGURE_AGAIN)


def roll_up_cohorts(conn: Connection, day: date) -> None:
    """Count the figures of `day` by provider, vital and age, without patients who left; in place of
    what was counted."""
    with raw_cursor(conn) as cursor:
        cursor.execute(_LOCK_COHORTS)
        cursor.execute(_DROP_COHORTS, {"day": day})
        cursor.execute(_COHORTS, {"day": day, "next": day + timedelta(days=1)})


def cohort_figures(conn: Connection, until: date | None, span: timedelta) -> list[dict[str, Any]]:
    """The rows of drift_cohorts of `span` up to `until`, None = the newest day; newest first."""
    found = conn.execute(text(_COHORT_FIGURES), {"until": until, "span": span})
    return [dict(row) for row in found.mappings()]


def _told(kind: str, one: DriftEvent) -> Event:
    return Event(kind=kind, vital=one.vital, reason=one.kind, series=(one.patient_id, one.vital),
                 data={"score": round(one.score, 2), "threshold": one.threshold,
                       "hours": (one.detected - one.began) // timedelta(hours=1)})


def _rows(conn: Connection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Rows as plain tuples; the six vitals where none are named."""
    parameters.setdefault("vitals", [vital.value for vital in FORECAST_VITALS])
    with raw_cursor(conn) as cursor:
        cursor.execute(query, parameters)
        return list(cursor)


def _lines(columns: str, rows: Sequence[Any]) -> Iterable[str]:
    fields = attrgetter(*columns.split(", "))
    return (copy_line(fields(row)) for row in rows)
