"""What the doors read: patients, series, forecasts, severity, models, runs. Nothing is written.

`Reading` asks over its own pool of read-only connections. Every question about a patient carries
an `Access`; a patient outside it is not found, exactly as one that does not exist.

PatientNotFound   no such patient, or not in the asker's care
DocumentNotFound  no such model document, or of a patient not in the asker's care
and the errors of `registry.database`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Engine, Row, TextClause, create_engine, text

from forecasting.config import BASELINES
from registry import reading_sql as sql
from registry.cycles import Cycles
from registry.database import (
    DatabaseUnreachable,
    NotFound,
    database_url,
    transaction,
)
from registry.drift import cohort_figures
from registry.migrate import require_migrated
from registry.prepared import Prepared
from registry.quality_reading import QualityReading
from registry.quarantine import HELD, OF_WEIGHT
from registry.quarantine import Entry as QuarantineEntry
from registry.quarantine import entries as quarantine_entries
from registry.views import (
    Access,
    Accuracy,
    Champion,
    Change,
    CoverageDay,
    Entry,
    Forecast,
    Freshness,
    Hour,
    Interval,
    Link,
    Model,
    Night,
    Patient,
    PatientList,
    Run,
    Severity,
    StoredModel,
    User,
)

LEVELS = (50, 80, 95)
HOUR = timedelta(hours=1)
NUL = "\0"
POOL_SIZE = 10
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 10_000


class PatientNotFound(NotFound):
    """There is no such patient among those you may see; GET /v1/patients lists them."""


class DocumentNotFound(NotFound):
    """There is no such model document among those you may see."""


def open_reading(url: str) -> "Reading":
    """A pool on `url` that refuses writes; connects at the first question."""
    options = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": "-c default_transaction_read_only=on -c timezone=UTC "
                   "-c plan_cache_mode=force_generic_plan "
                   f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
    }
    return Reading(create_engine(
        database_url(url), hide_parameters=True, isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE, max_overflow=3 * POOL_SIZE, connect_args=options), options)


class Reading:
    """The questions of the API and the pages, one method each."""

    def __init__(self, engine: Engine, options: Mapping[str, Any]) -> None:
        self._engine = engine
        self._latest = Prepared(
            engine, options, prepare=sql.LATEST_FORECAST, execute=sql.EXECUTE_LATEST_FORECAST,
            size=POOL_SIZE, connect_timeout_s=CONNECT_TIMEOUT_S)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()
        self._latest.close()

    # --- people -----------------------------------------------------------------------------

    def user(self, username: str) -> User | None:
        """The login of that name."""
        rows = self._ask(sql.USER, username=username)
        return User(**rows[0]._mapping) if rows else None

    def patients(self, access: Access, *, limit: int, offset: int = 0) -> PatientList:
        """A page of the work list, worst first; patients without a severity come last."""
        rows = self._ask(sql.WORK_LIST, viewer=access.username, limit=limit, offset=offset)
        (count,) = self._ask(sql.COUNT_PATIENTS, viewer=access.username)
        return PatientList(patients=tuple(_patient(row) for row in rows), total=count.total)

    def patient(self, access: Access, patient_id: str) -> Patient:
        """One patient. PatientNotFound outside `access`."""
        rows = self._ask(sql.PATIENT, viewer=access.username, patient=patient_id)
        if not rows:
            raise PatientNotFound
        return _patient(rows[0])

    def entries(
        self, access: Access, patient_id: str, since: datetime
    ) -> tuple[Entry, ...]:
        """Clinical entries that took effect since then, newest first."""
        rows = self._ask_patient(sql.ENTRIES, access, patient_id, since=since)
        return tuple(Entry(**row._mapping) for row in rows)

    # --- readings ---------------------------------------------------------------------------

    def series(
        self, access: Access, patient_id: str, vitals: Sequence[str], start: datetime, end: datetime
    ) -> Mapping[str, tuple[Hour, ...]]:
        """Hourly means of [start, end), both full hours; every hour is there, gaps as None."""
        rows = self._ask_patient(
            sql.SERIES, access, patient_id, vitals=list(vitals), start=start, end=end
        )
        known = {(row.vital, row.hour): (row.mean, row.readings) for row in rows}
        hours = [start + HOUR * step for step in range((end - start) // HOUR)]
        return {
            vital: tuple(_hour(hour, known.get((vital, hour), (None, 0))) for hour in hours)
            for vital in vitals
        }

    def nights(
        self, access: Access, patient_id: str, vitals: Sequence[str], start: datetime, end: datetime
    ) -> tuple[Night, ...]:
        """Vendors' means over a night or a day that began in [start, end), by vital and time."""
        rows = self._ask_patient(
            sql.NIGHTS, access, patient_id, vitals=list(vitals), start=start, end=end)
        return tuple(Night(**row._mapping) for row in rows)

    def freshness(
        self, access: Access, patient_id: str, vitals: Sequence[str], as_of: datetime
    ) -> tuple[Freshness, ...]:
        """Per vital the newest reading and how many fell into the day before `as_of`."""
        rows = self._ask_patient(
            sql.FRESHNESS, access, patient_id, vitals=list(vitals), as_of=as_of
        )
        return tuple(Freshness(**row._mapping) for row in rows)

    def coverage(
        self, access: Access, patient_id: str, vitals: Sequence[str], first: date, last: date
    ) -> tuple[CoverageDay, ...]:
        """The judged days from `first` to `last`, vital by vital, each in order of time."""
        rows = self._ask_patient(
            sql.COVERAGE, access, patient_id, vitals=list(vitals), first=first, last=last)
        return tuple(_coverage(row._asdict()) for row in rows)

    def coverage_revisions(
        self, access: Access, patient_id: str, vitals: Sequence[str], first: date, last: date
    ) -> tuple[CoverageDay, ...]:
        """What these days said before, oldest version first."""
        rows = self._ask_patient(sql.COVERAGE_REVISIONS, access, patient_id,
                                 vitals=list(vitals), first=first, last=last)
        return tuple(_coverage(row._asdict()) for row in rows)

    def links(self, access: Access, patient_id: str) -> tuple[Link, ...]:
        """The patient's vendors, each with the newest fetch."""
        rows = self._ask_patient(sql.LINKS, access, patient_id)
        return tuple(Link(**row._mapping) for row in rows)

    # --- forecasts --------------------------------------------------------------------------

    async def latest_forecast(
        self, access: Access, patient_id: str, vital: str, unit: str, horizon: int | None
    ) -> tuple[int, str] | None:
        """The stored horizon, and the latest forecast's first `horizon` hours as the API's JSON.

        None before the first forecast. The hot path: one prepared statement, its text passed on.
        """
        if NUL in patient_id:
            raise PatientNotFound
        row = await self._latest.ask((access.username, patient_id, vital, unit, horizon))
        if row is None:
            raise PatientNotFound
        stored, body = row
        return None if body is None else (stored, body)

    def forecast_bodies(
        self, access: Access, patient_id: str, units: Mapping[str, str]
    ) -> tuple[str, ...]:
        """The latest forecast of each vital in `units` that has one, as the API's JSON."""
        rows = self._ask_patient(sql.FORECAST_BODIES, access, patient_id,
                                 vitals=list(units), units=list(units.values()))
        return tuple(row.body for row in rows)

    def forecasts(
        self, access: Access, patient_id: str, vitals: Sequence[str]
    ) -> tuple[Forecast, ...]:
        """The latest forecast of each vital that has one, in the order asked."""
        rows = self._ask_patient(sql.FORECASTS, access, patient_id, vitals=list(vitals))
        return tuple(_forecast(row) for row in rows)

    def accuracy(
        self, access: Access, patient_id: str, vitals: Sequence[str], span: timedelta
    ) -> tuple[Accuracy, ...]:
        """How the last `span` of forecasts did, for each vital that has a scored one."""
        rows = self._ask_patient(sql.ACCURACY, access, patient_id, vitals=list(vitals),
                                 baselines=list(BASELINES), span=span)
        return tuple(Accuracy(**row._mapping) for row in rows)

    def severity(self, access: Access, patient_id: str) -> Severity | None:
        """The latest severity, None before the first cycle."""
        rows = self._ask_patient(sql.SEVERITY, access, patient_id)
        return _severity(rows[0]) if rows else None

    def changes(self, access: Access, patient_id: str, span: timedelta) -> tuple[Change, ...]:
        """Drift of a patient's vitals that lasts or ended within `span`, what lasts first."""
        rows = self._ask_patient(sql.CHANGES, access, patient_id, span=span)
        return tuple(Change(**row._mapping) for row in rows)

    # --- models and runs --------------------------------------------------------------------

    def models(self, access: Access, patient_id: str) -> tuple[Model, ...]:
        """The newest document of each vital and member; operators see every patient's."""
        rows = self._ask(sql.MODELS, viewer=access.username, patient=patient_id)
        if not rows:
            self._require(access, patient_id, sql.MAY_SEE_MODELS)
        return tuple(Model(**row._mapping) for row in rows)

    def model(self, access: Access, document_id: str) -> StoredModel:
        """One model document. DocumentNotFound outside `access`; operators see every patient's."""
        rows = self._ask(sql.DOCUMENT, viewer=access.username, document=document_id)
        if not rows:
            raise DocumentNotFound
        return StoredModel(**rows[0]._mapping)

    def member_documents(
        self, access: Access, patient_id: str, wanted: Sequence[tuple[str, str, datetime]]
    ) -> Mapping[tuple[str, str], StoredModel]:
        """By (vital, member), the document that a forecast used: `wanted` has its cutoff third."""
        vitals, members, cutoffs = ([*column] for column in zip(*wanted, strict=True))
        rows = self._ask_patient(sql.MEMBER_DOCUMENTS, access, patient_id, vitals=vitals,
                                 members=members, cutoffs=cutoffs)
        return {(row.vital, row.member): StoredModel(**row._mapping) for row in rows}

    def champions(self, access: Access, patient_id: str) -> Mapping[str, Champion]:
        """By vital, the member that the last training found best."""
        rows = self._ask_patient(sql.CHAMPIONS, access, patient_id)
        return {row.vital: Champion(**row._mapping) for row in rows}

    def runs(self, *, limit: int) -> tuple[Run, ...]:
        """The newest runs of the jobs; they hold no patient data."""
        return tuple(Run(**row._mapping) for row in self._ask(sql.RUNS, limit=limit))

    def quarantine(
        self, *, provider: str | None, since: datetime | None, kinds: Sequence[str] | None,
        statuses: Sequence[str] | None, limit: int,
    ) -> list[QuarantineEntry]:
        """Payloads that were not understood; without kinds and statuses, held ones of weight."""
        with transaction(self._engine) as conn:
            return quarantine_entries(conn, provider=provider, since=since, most=limit,
                                      kinds=kinds or OF_WEIGHT, statuses=statuses or HELD)

    def drift(self, *, until: date | None, span: timedelta) -> list[dict[str, Any]]:
        """Drift by day and cohort; it names no patient."""
        with transaction(self._engine) as conn:
            return cohort_figures(conn, until, span)

    @property
    def cycles(self) -> Cycles:
        """Questions about cycles; no answer names a patient."""
        return Cycles(self._engine)

    @property
    def quality(self) -> QualityReading:
        """Questions about flags, and the daily reports."""
        return QualityReading(self._engine)

    def require_migrated(self) -> None:
        """NotMigrated unless the database has this release's tables."""
        require_migrated(self._engine)

    # --- asking -----------------------------------------------------------------------------

    def _ask_patient(
        self, statement: str, access: Access, patient_id: str, **values: Any
    ) -> Sequence[Row[Any]]:
        """Rows about one patient; whether the asker may see the patient is asked when none come."""
        rows = self._ask(statement, viewer=access.username, patient=patient_id, **values)
        if not rows:
            self._require(access, patient_id, sql.MAY_SEE)
        return rows

    def _require(self, access: Access, patient_id: str, question: str) -> None:
        if not self._ask(question, viewer=access.username, patient=patient_id):
            raise PatientNotFound

    def _ask(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """All rows; asked once more when the pooled connection was cut meanwhile."""
        if any(isinstance(value, str) and NUL in value for value in values.values()):
            return ()   # Postgres has no text with a NUL: nothing stored can match
        try:
            return self._run(statement, values)
        except DatabaseUnreachable:
            return self._run(statement, values)

    def _run(self, statement: str, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        with transaction(self._engine) as connection:
            return connection.execute(_statement(statement), values).all()


@lru_cache
def _statement(text_: str) -> TextClause:
    """Parsed once: the statements are the few constants of `reading_sql`."""
    return text(text_)


def _patient(row: Row[Any]) -> Patient:
    return Patient(**{
        **row._mapping, "current": _json(row.current), "outlook": _json(row.outlook),
        "coverage": tuple(_coverage({
            **one, "day": date.fromisoformat(one["day"]),
            "computed_cycle": datetime.fromisoformat(one["computed_cycle"])})
            for one in _json(row.coverage) or ()),
    })


def _coverage(told: Mapping[str, Any]) -> CoverageDay:
    reasons = told["reasons"]
    pairs = orjson.loads(reasons) if isinstance(reasons, str) else reasons
    return CoverageDay(**{**told, "states": bytes.fromhex(told["states"]),
                          "reasons": tuple((hour, why) for hour, why in pairs)})


def _severity(row: Row[Any]) -> Severity:
    parsed = {name: orjson.loads(row._mapping[name]) for name in ("current", "outlook", "protocol")}
    return Severity(**{**row._mapping, **parsed})


def _forecast(row: Row[Any]) -> Forecast:
    fields = row._mapping
    return Forecast(
        vital=row.vital, cutoff=row.cutoff, horizon=row.horizon, document_id=row.document_id,
        reason=row.reason, point=tuple(row.point), members=row.members, absent=row.absent,
        intervals={
            level: Interval(lower=tuple(fields[f"lower_{level}"]),
                            upper=tuple(fields[f"upper_{level}"]))
            for level in LEVELS
        },
    )


def _hour(start: datetime, found: tuple[float | None, int]) -> Hour:
    mean, readings = found
    return Hour(start=start, mean=mean, readings=readings)


def _json(stored: str | None) -> Any:
    return None if stored is None else orjson.loads(stored)
