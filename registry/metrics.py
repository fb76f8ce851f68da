"""Figures of the jobs for Prometheus: how late, how much, how well. No row names a patient.

Jobs are processes that end, so nobody could ask them: what they left in the registry is asked
instead, of the newest cycle that is rolled up. Each figure is a gauge; `docs/metrics.md` has the
same table.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import create_engine, text

from registry.database import database_url, transaction
from registry.reading import CONNECT_TIMEOUT_S

STATEMENT_TIMEOUT_MS = 5_000

_NEWEST = "SELECT max(cycle) FROM rollup_cycles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric: its name, help, labels, and a question whose rows are labels and a value.

    `:cycle` in the question is the newest cycle that is rolled up. `of_delivery`: told only where
    events are delivered somewhere.
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


FIGURES = (
    Figure(
        name="vitalcast_job_last_success_timestamp_seconds", labels=("stage",),
        help="When the job last ended well",
        sql="""SELECT job, date_part('epoch', max(ended_at)) FROM runs
               WHERE status = 'done' AND cycle > now() - interval '14 days' GROUP BY job"""),
    Figure(
        name="vitalcast_job_last_cycle_timestamp_seconds", labels=("stage",),
        help="Hour of the newest cycle that the job ended well for",
        sql="""SELECT job, date_part('epoch', max(cycle)) FROM runs
               WHERE status = 'done' AND cycle > now() - interval '14 days' GROUP BY job"""),
    Figure(
        name="vitalcast_job_last_duration_seconds", labels=("stage",),
        help="From the first shard's start to the last one's end, newest cycle",
        sql="""SELECT job, date_part('epoch', max(ended_at) - min(started_at))
               FROM runs JOIN (SELECT job, max(cycle) AS cycle FROM runs
                               WHERE status = 'done' GROUP BY job) newest USING (job, cycle)
               WHERE status = 'done' GROUP BY job"""),
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

    def __init__(self, url: str, *, delivering: bool = False) -> None:
        self._figures = [one for one in FIGURES if delivering or not one.of_delivery]
        self._engine = create_engine(
            database_url(url), pool_size=1, max_overflow=0, hide_parameters=True,
            pool_pre_ping=True, connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": "-c default_transaction_read_only=on "
                           f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"})

    def close(self) -> None:
        """Give the connection back."""
        self._engine.dispose()

    def samples(self) -> Iterator[Sample]:
        """Every sample of every figure that is known. Errors of `registry.database`."""
        with transaction(self._engine) as conn:
            newest = {"cycle": conn.execute(text(_NEWEST)).scalar()}
            rows = [(one, conn.execute(text(one.sql), newest).all()) for one in self._figures]
        for figure, found in rows:
            for *labels, value in found:
                if value is not None:
                    yield Sample(figure=figure, labels=tuple(labels), value=float(value))
