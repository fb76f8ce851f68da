"""Forecasts, severities, and what became of the forecasts once their hours were observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import text

from registry.copytext import copy_line
from registry.database import Connection, upsert

Numbers = Sequence[float] | npt.NDArray[np.float64]

LEVELS = (50, 80, 95)

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_BOUNDS = [f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")]

_FORECAST = f"""patient_id, vital, cutoff, horizon, document_id, state_hash, reason, point,
    {", ".join(_BOUNDS)}, members, absent"""
_FORECAST_AGAIN = f"""(patient_id, vital, cutoff) DO UPDATE SET
    horizon = excluded.horizon, document_id = excluded.document_id,
    state_hash = excluded.state_hash, reason = excluded.reason, point = excluded.point,
    {", ".join(f"{name} = excluded.{name}" for name in _BOUNDS)},
    members = excluded.members, absent = excluded.absent"""

_SEVERITY = "patient_id, cutoff, rank, band, current, outlook, protocol"
_SEVERITY_AGAIN = """(patient_id, cutoff) DO UPDATE SET
    rank = excluded.rank, band = excluded.band, current = excluded.current,
    outlook = excluded.outlook, protocol = excluded.protocol"""

_EVALUATION = "patient_id, vital, cutoff, observed, final, actual, errors, mae, covered"
_EVALUATION_AGAIN = """(patient_id, vital, cutoff) DO UPDATE SET
    observed = excluded.observed, final = excluded.final, actual = excluded.actual,
    errors = excluded.errors, mae = excluded.mae, covered = excluded.covered
WHERE excluded.final OR NOT evaluations.final AND excluded.observed >= evaluations.observed"""

_TO_EVALUATE = f"""
SELECT f.patient_id, f.vital, f.cutoff, f.horizon, f.document_id, f.state_hash, f.reason, f.point,
       {", ".join(f"f.{name}" for name in _BOUNDS)}, f.members, f.absent
FROM forecasts f LEFT JOIN evaluations e USING (patient_id, vital, cutoff)
WHERE f.patient_id = ANY(:patients) AND f.document_id IS NOT NULL
  AND f.cutoff < :cycle AND (f.cutoff >= :oldest OR e.final IS NOT TRUE)
ORDER BY f.patient_id, f.vital, f.cutoff"""  # noqa: S608 -- constants of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRow:
    """The forecast of one series; every array has one number an hour from `cutoff` on.

    bounds   level in percent -> (lower, upper)
    members  name -> {"weights": {bucket: weight}, "path": [...]}
    absent   name -> reason
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
        _json(row.absent))) for row in rows), _FORECAST_AGAIN)


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


def forecasts_to_evaluate(
    conn: Connection, patients: Sequence[str], cycle: datetime, oldest: datetime,
) -> list[ForecastRow]:
    """Forecasts with hours that `cycle` may have observed: all that are not final yet.

    Late readings change final ones too: those with cutoff in [oldest, cycle) come as well.
    """
    found = conn.execute(text(_TO_EVALUATE), {
        "patients": list(patients), "cycle": cycle, "oldest": oldest})
    return [_forecast(row) for row in found]


def _forecast(row: Any) -> ForecastRow:
    values = dict(row._mapping)
    bounds = {level: (tuple(values.pop(f"lower_{level}")), tuple(values.pop(f"upper_{level}")))
              for level in LEVELS}
    return ForecastRow(**values | {"point": tuple(row.point)}, bounds=bounds)


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
