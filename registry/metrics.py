"""Figures of the jobs for Prometheus: how late, how much, how well. No row names a patient.

Jobs are processes that end, so nobody could ask them: what they left in the registry is asked
instead, of the newest cycle that is rolled up. Each figure is a gauge; `docs/metrics.md` has the
same table. Each is asked for alone, so that one whose table is locked takes no other with it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy import create_engine, text

from registry.database import (
    Connection,
    NotMigrated,
    RegistryError,
    StatementFailed,
    database_url,
    translated,
)
from registry.reading import CONNECT_TIMEOUT_S
from registry.runs import WHOLE

STATEMENT_TIMEOUT_MS = 1_000
LOCK_TIMEOUT_MS = 200
ALL_TIMEOUT_S = 8.0
"""Prometheus waits 10 s for an answer."""

FRESH_S = 10.0
"""How long an answer is given again, so that no number of askers costs more than one."""

_NEWEST = "(SELECT max(cycle) FROM rollup_cycles)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric: its name, help, labels, and a question whose rows are labels and a value.

    `:cycle` in the question stands for the newest cycle that is rolled up. `of_delivery`: told
    only where events are delivered somewhere.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    sql: str
    of_delivery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a figure, `labels` in the order of its names."""

    figure: Figure
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the database told. `missing`: why a figure was not, by its name."""

    up: bool
    samples: tuple[Sample, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


FIGURES = (
    Figure(
        name="vitalcast_job_last_success_timestamp_seconds", labels=("stage",),
        help="When the job last ended well",
        sql="""SELECT job, date_part('epoch', max(ended_at)) FROM runs
               WHERE status = 'done' GROUP BY job"""),
    Figure(
        name="vitalcast_job_last_cycle_timestamp_seconds", labels=("stage",),
        help="Hour of the newest cycle that the job ended well for, on every shard",
        sql=f"""SELECT job, date_part('epoch', max(cycle)) FROM ({WHOLE}) whole
                GROUP BY job"""),  # noqa: S608 -- a constant
    Figure(
        name="vitalcast_job_last_duration_seconds", labels=("stage",),
        help="Busy time of the slowest shard, all its runs of the newest cycle",
        sql="""SELECT job, date_part('epoch', max(busy)) FROM (
                   SELECT job, shard, sum(ended_at - started_at) AS busy
                   FROM runs JOIN (SELECT job, max(cycle) AS cycle FROM runs
                                   WHERE status = 'done' GROUP BY job) newest USING (job, cycle)
                   WHERE status = 'done' GROUP BY job, shard) shards
               GROUP BY job"""),
    Figure(
        name="vitalcast_job_last_cpu_seconds", labels=("stage",),
        help="CPU time of all shards, newest cycle",
        sql="""SELECT job, sum(cpu_seconds)
               FROM runs JOIN (SELECT job, max(cycle) AS cycle FROM runs
                               WHERE status = 'done' GROUP BY job) newest USING (job, cycle)
               WHERE status = 'done' GROUP BY job"""),
    Figure(
        name="vitalcast_job_runs", labels=("stage", "status"),
        help="Runs of shards that began in the last 24 hours",
        sql="""SELECT job, status, count(*) FROM runs
               WHERE started_at > now() - interval '1 day' GROUP BY job, status"""),
    Figure(
        name="vitalcast_cycle_timestamp_seconds",
        help="Hour of the newest cycle that is rolled up; the figures below are its",
        sql="SELECT date_part('epoch', max(cycle)) FROM rollup_cycles HAVING count(*) > 0"),
    Figure(
        name="vitalcast_cycle_patients", help="Patients scored",
        sql="SELECT patients FROM rollup_cycles WHERE cycle = :cycle"),
    Figure(
        name="vitalcast_cycle_readings", labels=("provider", "vital"), help="Readings that came",
        sql="""SELECT provider, vital, readings FROM rollup_arrivals WHERE cycle = :cycle"""),
    Figure(
        name="vitalcast_cycle_lateness_seconds", labels=("provider", "vital", "share"),
        help="From the end of a reading to its storage, for this share of them",
        sql="""SELECT provider, vital, share, seconds FROM rollup_arrivals,
                    LATERAL (VALUES ('0.5', lateness_p50_s), ('0.95', lateness_p95_s))
                        AS late (share, seconds)
                WHERE cycle = :cycle AND seconds IS NOT NULL"""),
    Figure(
        name="vitalcast_cycle_fetches", labels=("provider", "outcome"),
        help="Questions asked of the vendors",
        sql="""SELECT provider, outcome, sum(fetches) FROM rollup_fetches
                WHERE cycle = :cycle GROUP BY provider, outcome"""),
    Figure(
        name="vitalcast_cycle_fits", labels=("member", "outcome"), help="Fits of members",
        sql="""SELECT member, outcome, sum(fits) FROM rollup_fits
                WHERE cycle = :cycle GROUP BY member, outcome"""),
    Figure(
        name="vitalcast_cycle_fit_cpu_seconds", labels=("member",), help="CPU time of the fits",
        sql="""SELECT member, sum(cpu_seconds) FROM rollup_fits
                WHERE cycle = :cycle GROUP BY member"""),
    Figure(
        name="vitalcast_cycle_series", labels=("vital", "forecast"),
        help="Series with a forecast and without",
        sql="""SELECT vital, CASE reason WHEN '' THEN 'yes' ELSE 'no' END, sum(series)
                FROM rollup_forecasts WHERE cycle = :cycle GROUP BY 1, 2"""),
    Figure(
        name="vitalcast_coverage_series", labels=("vital", "state"),
        help="Series by state in the newest hour of coverage",
        sql="""SELECT vital, state, sum(series) FROM rollup_coverage
               WHERE hour = (SELECT max(hour) FROM rollup_coverage) GROUP BY vital, state"""),
    Figure(
        name="vitalcast_forecast_covered_ratio", labels=("vital", "level"),
        help="Share of observed hours within the bounds, forecasts of the last 48 cycles",
        sql="""SELECT vital, level, sum(covered) / sum(hours) FROM rollup_accuracy,
                    LATERAL (VALUES ('50', covered_50), ('80', covered_80), ('95', covered_95))
                        AS within (level, covered)
                WHERE cycle > CAST(:cycle AS timestamptz) - interval '48 hours' AND hours > 0
                GROUP BY vital, level"""),
    Figure(
        name="vitalcast_quarantine_payloads", labels=("provider",), help="Payloads that are held",
        sql="""SELECT provider, sum(held) FROM rollup_quarantine
                WHERE cycle = :cycle GROUP BY provider"""),
    Figure(
        name="vitalcast_drift_open", labels=("kind",), help="Changes of series that still stand",
        sql="SELECT kind, count(*) FROM drift_events WHERE closed_at IS NULL GROUP BY kind"),
    Figure(
        name="vitalcast_events_waiting", of_delivery=True,
        help="Events that the log store has not got yet; not told where none is set",
        sql="""SELECT count(*) FROM events
               WHERE delivered_at IS NULL AND refused IS NULL"""),
)


class Metrics:
    """Asks for the figures over a connection of its own; connects at the first question.

    Without a log store (`delivering` False) every event would wait for ever: that is not told.
    """

    def __init__(self, url: str, *, delivering: bool = False,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._figures = [one for one in FIGURES if delivering or not one.of_delivery]
        self._lock, self._clock = Lock(), clock
        self._kept: Told | None = None
        self._asked_at = 0.0
        self._engine = create_engine(
            database_url(url), isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0,
            hide_parameters=True, pool_pre_ping=True, connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": "-c default_transaction_read_only=on "
                           f"-c statement_timeout={STATEMENT_TIMEOUT_MS} "
                           f"-c lock_timeout={LOCK_TIMEOUT_MS}"})

    def close(self) -> None:
        """Give the connection back."""
        self._engine.dispose()

    def told(self) -> Told:
        """Every sample of every figure, at most `FRESH_S` old. Never an error: see `Told`."""
        with self._lock:
            if self._kept is None or self._clock() - self._asked_at >= FRESH_S:
                self._kept = self._asked()
                self._asked_at = self._clock()
            return self._kept

    def _asked(self) -> Told:
        samples: list[Sample] = []
        missing: dict[str, str] = {}
        end = time.monotonic() + ALL_TIMEOUT_S
        try:
            with translated(self._engine), self._engine.connect() as conn:
                for figure in self._figures:
                    try:
                        samples += self._samples(conn, figure, end)
                    except (NotMigrated, StatementFailed) as error:
                        missing[figure.name] = str(error)
        except RegistryError as error:
            return Told(up=False, missing={one.name: str(error) for one in self._figures})
        return Told(up=True, samples=tuple(samples), missing=missing)

    def _samples(self, conn: Connection, figure: Figure, end: float) -> list[Sample]:
        if time.monotonic() > end:
            raise StatementFailed("Other figures took all the time.")
        with translated(self._engine):
            rows = conn.execute(text(figure.sql.replace(":cycle", _NEWEST))).all()
        return [Sample(figure=figure, labels=tuple(labels), value=float(value))
                for *labels, value in rows if value is not None]
