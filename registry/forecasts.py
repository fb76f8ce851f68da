"""Forecasts, severities, and what became of the forecasts once their hours were observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from clinical.vitals import FORECAST_VITALS
from registry.copytext import copy_line
from registry.database import Connection, raw_cursor, upsert

Numbers = Sequence[float] | npt.NDArray[np.float64]

LEVELS = (50, 80, 95)

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_BOUNDS = [f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")]

_FORECAST = f"""patient_id, vital, cutoff, horizon, document_id, state_hash, reason, point,
    {", ".join(_BOUNDS)}, members, absent, coverage"""
_FORECAST_AGAIN = f"""(patient_id, vital, cutoff) DO UPDATE SET
    horizon = excluded.horizon, document_id = excluded.document_id,
    state_hash = excluded.state_hash, reason = excluded.reason, point = excluded.point,
    {", ".join(f"{name} = excluded.{name}" for name in _BOUNDS)},
    members = excluded.members, absent = excluded.absent, coverage = excluded.coverage"""

_SEVERITY = "patient_id, cutoff, rank, band, current, outlook, protocol"
_SEVERITY_AGAIN = """(patient_id, cutoff) DO UPDATE SET
    rank = excluded.rank, band = excluded.band, current = excluded.current,
    outlook = excluded.outlook, protocol = excluded.protocol"""

_EVALUATION = "patient_id, vital, cutoff, observed, final, actual, errors, mae, covered"
_EVALUATION_AGAIN = """(patient_id, vital, cutoff) DO UPDATE SET
    observed = excluded.observed, final = excluded.final, actual = excluded.actual,
    errors = excluded.errors, mae = excluded.mae, covered = excluded.covered
WHERE excluded.final OR NOT evaluations.final AND excluded.observed >= evaluations.observed"""

# Each evaluation gives every forecast before it a row, so that those without one are newer than the
# newest row. Final ones within the reach of late readings are looked at too.
_OPEN = """
SELECT p.patient_id, v.vital, f.since
FROM unnest(CAST(%(patients)s AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) AS v (vital)
CROSS JOIN LATERAL (
    SELECT least((SELECT min(e.cutoff) FROM evaluations e
                  WHERE e.patient_id = p.patient_id AND e.vital = v.vital AND NOT e.final),
                 (SELECT max(e.cutoff) FROM evaluations e
                  WHERE e.patient_id = p.patient_id AND e.vital = v.vital)) AS cutoff) AS o
CROSS JOIN LATERAL (
    SELECT min(x.cutoff) AS since FROM forecasts x
    WHERE x.patient_id = p.patient_id AND x.vital = v.vital AND x.document_id IS NOT NULL
      AND x.cutoff < %(cycle)s
      AND x.cutoff >= least(coalesce(o.cutoff, '-infinity'), %(oldest)s)) AS f
WHERE f.since IS NOT NULL"""

# `at` is the hour of `hours` that the forecast begins with, `passed` how many of its own there are.
_CHANGED = f"""
SELECT f.patient_id, f.vital, f.cutoff, f.horizon, f.document_id, f.state_hash, f.reason, f.point,
       {", ".join(f"f.{name}" for name in _BOUNDS)}, CAST(f.members AS text) AS members,
       CAST(f.absent AS text) AS absent
FROM unnest(CAST(%(patients)s AS text[]), CAST(%(vitals)s AS text[]),
            CAST(%(since)s AS timestamptz[]), CAST(%(hours)s AS text[]))
     AS s (patient_id, vital, since, hours)
CROSS JOIN LATERAL (SELECT CAST(s.hours AS double precision[]) AS hours) AS w
CROSS JOIN LATERAL (
    SELECT * FROM forecasts x
    WHERE x.patient_id = s.patient_id AND x.vital = s.vital AND x.document_id IS NOT NULL
      AND x.cutoff >= s.since AND x.cutoff < %(cycle)s) AS f
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM f.cutoff - %(start)s) AS integer) / 3600 AS at,
           least(CAST(extract(epoch FROM %(cycle)s - f.cutoff) AS integer) / 3600, f.horizon)
           AS passed) AS t
LEFT JOIN evaluations e ON e.patient_id = f.patient_id AND e.vital = f.vital
    AND e.cutoff = f.cutoff
WHERE e.cutoff IS NULL OR (t.passed = f.horizon AND NOT e.final)
   OR e.actual[1:t.passed] IS DISTINCT FROM w.hours[t.at + 1:t.at + t.passed]
ORDER BY f.patient_id, f.vital, f.cutoff"""  # noqa: S608 -- constants of this file


_RISKS = """
SELECT patient_id, cutoff, CAST(outlook ->> 'peak_probability' AS double precision)
FROM severities WHERE cutoff > %(since)s AND cutoff <= %(until)s ORDER BY patient_id, cutoff"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRow:
    """The forecast of one series; every array has one number an hour from `cutoff` on.

    bounds   level in percent -> (lower, upper)
    members  name -> {"weights": {bucket: weight}, "path": [...]}
    absent   name -> reason
    coverage of the hours before, as `vitalcast.jobs.coverage` tells it
    Without a forecast the arrays are empty and `reason` says why.
    """

    patient_id: str
    vital: str
    cutoff: datetime
    horizon: int
    document_id: str | None = None
    state_hash: str | None = None
    reason: str | None = None
    point: Numbers = ()
    bounds: Mapping[int, tuple[Numbers, Numbers]]
    members: Mapping[str, Any]
    absent: Mapping[str, str]
    coverage: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRow:
    """A patient's severity at a cutoff: now, over the forecast, and by the protocol."""

    patient_id: str
    cutoff: datetime
    rank: float
    band: str
    current: Mapping[str, Any]
    outlook: Mapping[str, Any]
    protocol: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """A stored forecast beside what was observed; one entry a lead, None where nothing was.

    errors, mae  member or "ensemble" -> actual minus forecast, or its mean absolute value
    covered      level -> whether the interval held
    """

    patient_id: str
    vital: str
    cutoff: datetime
    observed: int
    final: bool
    actual: Sequence[float | None]
    errors: Mapping[str, Any]
    mae: Mapping[str, Any]
    covered: Mapping[str, Any]


def save_forecasts(conn: Connection, rows: Sequence[ForecastRow]) -> None:
    """Store forecasts; the same cutoff again replaces them."""
    upsert(conn, "forecasts", _FORECAST, (copy_line((
        row.patient_id, row.vital, row.cutoff, row.horizon, row.document_id, row.state_hash,
        row.reason, _array(row.point), *_bound_columns(row), _json(row.members),
        _json(row.absent), None if row.coverage is None else _json(row.coverage)))
        for row in rows), _FORECAST_AGAIN)


def save_severities(conn: Connection, rows: Sequence[SeverityRow]) -> None:
    """Store severities; the same cutoff again replaces them."""
    upsert(conn, "severities", _SEVERITY, (copy_line((
        row.patient_id, row.cutoff, float(row.rank), row.band, _json(row.current),
        _json(row.outlook), _json(row.protocol))) for row in rows), _SEVERITY_AGAIN)


def save_evaluations(conn: Connection, rows: Sequence[EvaluationRow]) -> None:
    """Store evaluations; one with more hours observed stays when an older cycle is run again."""
    upsert(conn, "evaluations", _EVALUATION, (copy_line((
        row.patient_id, row.vital, row.cutoff, row.observed, row.final, _array(row.actual),
        _json(row.errors), _json(row.mae), _json(row.covered))) for row in rows),
        _EVALUATION_AGAIN)


def open_forecasts(
    conn: Connection, patients: Sequence[str], cycle: datetime, oldest: datetime,
) -> dict[tuple[str, str], datetime]:
    """Since when each (patient, vital) has forecasts whose score `cycle` may change.

    Those are all that are not final; late readings change final ones too, from `oldest` on.
    """
    with raw_cursor(conn) as cursor:
        cursor.execute(_OPEN, {
            "patients": list(patients), "vitals": [vital.value for vital in FORECAST_VITALS],
            "cycle": cycle, "oldest": oldest})
        return {(patient, vital): since for patient, vital, since in cursor}


def changed_forecasts(
    conn: Connection, since: Mapping[tuple[str, str], datetime],
    observed: Mapping[tuple[str, str], Numbers], start: datetime, cycle: datetime,
) -> list[ForecastRow]:
    """The forecasts with cutoff from `since` up to `cycle` whose score is not what it would be.

    `observed` are each series' hourly means of [start, cycle), NaN = none. A forecast comes when it
    has no score yet, when its score says anything else of these hours, or becomes final.
    """
    with raw_cursor(conn) as cursor:
        cursor.execute(_CHANGED, {
            "patients": [patient for patient, _ in since], "vitals": [vital for _, vital in since],
            "since": list(since.values()), "hours": [_array(observed[key]) for key in since],
            "start": start, "cycle": cycle})
        names = [column.name for column in cursor.description]
        return [_forecast(dict(zip(names, row, strict=True))) for row in cursor]


def risks(
    conn: Connection, since: datetime, until: datetime,
) -> dict[str, list[tuple[datetime, float | None]]]:
    """Each patient's highest P(NEWS2 ≥ 5) ahead, by cutoff in (since, until]; None = none."""
    found: dict[str, list[tuple[datetime, float | None]]] = {}
    with raw_cursor(conn) as cursor:
        cursor.execute(_RISKS, {"since": since, "until": until})
        for patient, cutoff, risk in cursor:
            found.setdefault(patient, []).append((cutoff, risk))
    return found


def _forecast(values: dict[str, Any]) -> ForecastRow:
    bounds = {level: (values.pop(f"lower_{level}"), values.pop(f"upper_{level}"))
              for level in LEVELS}
    texts = {name: orjson.loads(values[name]) for name in ("members", "absent")}
    return ForecastRow(**values | texts, bounds=bounds)


def _bound_columns(row: ForecastRow) -> list[str]:
    """The six arrays in the order of `_BOUNDS`; empty where there is no forecast."""
    none: tuple[Numbers, Numbers] = ((), ())
    return [_array(side) for level in LEVELS for side in row.bounds.get(level, none)]


def _array(values: Numbers | Sequence[float | None]) -> str:
    """A PostgreSQL array; None and NaN become null."""
    return "{" + orjson.dumps(values, option=_NUMPY)[1:-1].decode() + "}"


def _json(value: Mapping[str, Any]) -> str:
    """Sorted, so that the same content is the same text; a NaN becomes null."""
    return orjson.dumps(value, option=_NUMPY | orjson.OPT_SORT_KEYS).decode()
