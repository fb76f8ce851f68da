"""What the doors read about quality: flags of a patient, and the daily reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text

from registry.database import Engine, NotFound, transaction
from registry.reading_sql import MAY_SEE
from registry.views import Access

_STANDING = f"""
FROM quality_flags f
WHERE f.patient_id = :patient AND EXISTS ({MAY_SEE})
  AND f.vital = ANY(CAST(:vitals AS text[])) AND f.cleared_at IS NULL
  AND f.effective_start >= :start AND f.effective_start < :end"""

_FLAGS = f"""
SELECT f.vital, f.effective_start AS time, f.value, f.provider, f.flag, f.reason, f.keeps_out,
       f.flagged_at {_STANDING}
ORDER BY f.effective_start DESC, f.vital, f.flag LIMIT :limit"""

_FLAGGED_HOURS = f"""
SELECT f.vital, date_trunc('hour', f.effective_start, 'UTC') AS hour, f.flag,
       count(*) AS readings, min(f.reason) AS reason, bool_or(f.keeps_out) AS keeps_out {_STANDING}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""

_REPORT = "SELECT CAST(report AS text) FROM quality_reports WHERE day = :day"

_LATEST = """
SELECT day, CAST(report AS text) AS report FROM quality_reports WHERE day <= :day
ORDER BY day DESC LIMIT :days"""


class ReportNotFound(NotFound):
    """There is no quality report of that day; make it: vitalcast quality --day YYYY-MM-DD"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedReading:
    """A flag that stands, and the reading it is about, `value` in the vital's own unit."""

    vital: str
    time: datetime
    value: float
    provider: str
    flag: str
    reason: str
    keeps_out: bool
    flagged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedHour:
    """Readings of one hour with the same flag; `reason` is that of one of them."""

    vital: str
    hour: datetime
    flag: str
    readings: int
    reason: str
    keeps_out: bool


class QualityReading:
    """Flags carry an `Access`, as every question about a patient; reports name nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def flags(self, access: Access, patient_id: str, vitals: Sequence[str], start: datetime,
              end: datetime, *, limit: int) -> tuple[FlaggedReading, ...]:
        """The newest flags that stand in [start, end). Whether the patient may be seen is asked
        elsewhere: outside `access` there are none."""
        rows = self._ask(_FLAGS, viewer=access.username, patient=patient_id, vitals=list(vitals),
                         start=start, end=end, limit=limit)
        return tuple(FlaggedReading(**{**row._mapping, "value": float(row.value)}) for row in rows)

    def flagged_hours(self, access: Access, patient_id: str, vitals: Sequence[str],
                      start: datetime, end: datetime) -> tuple[FlaggedHour, ...]:
        """The hours of [start, end) in which a flag stands, for charts; none outside `access`."""
        return tuple(FlaggedHour(**row._mapping) for row in self._ask(
            _FLAGGED_HOURS, viewer=access.username, patient=patient_id, vitals=list(vitals),
            start=start, end=end))

    def report(self, day: date) -> str:
        """The report of a day, as JSON. ReportNotFound where none was made."""
        rows = self._ask(_REPORT, day=day)
        if not rows:
            raise ReportNotFound
        found: str = rows[0][0]
        return found

    def reports(self, until: date, days: int) -> tuple[tuple[date, str], ...]:
        """The newest reports up to a day, newest first, each with its day."""
        return tuple((row.day, row.report) for row in self._ask(_LATEST, day=until, days=days))

    def _ask(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        if any(isinstance(value, str) and "\0" in value for value in values.values()):
            return ()   # Postgres has no text with a NUL: nothing stored can match
        with transaction(self._engine) as connection:
            return connection.execute(text(statement), values).all()
