"""What one cycle left behind, for whoever asks why it was late or wrong. No patient is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text

from providers.coverage import State
from registry.database import Connection, Engine, NotFound, transaction

CHAIN = ("ingest", "train", "forecast", "evaluate")
"""The jobs that a cycle's time is counted by, in the order that they begin in."""

JOBS = (*CHAIN, "coverage", "watch", "rollup", "quality")
"""Every job of a cycle; those beside the chain look at what it left."""

NEEDED = ("ingest", "forecast", "evaluate")
"""Jobs that every cycle has; training is due in some alone."""

ON_TIME = timedelta(hours=1)
_REACH = timedelta(days=7)
_HOUR = timedelta(hours=1)

_RUNS = """
SELECT run_id, job, shard, status, started_at, ended_at, cpu_seconds, figures, exception
FROM runs WHERE job = ANY(:jobs) AND cycle = :cycle ORDER BY run_id"""

# Each block of a training, and each of its runs, tells of its own fits. What other jobs counted
# stands in the figures of their runs: an event that a later run no longer has would stay.
_COUNTS = """
SELECT kind, member, reason, CAST(sum(CAST(data ->> 'count' AS bigint)) AS bigint) AS count
FROM events WHERE cycle = :cycle AND kind IN ('fits.ended', 'fits.searched')
GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC, 2, 3"""

_GAPS = """
SELECT get_byte(states, :hour), count(*) FROM coverage WHERE day = :day GROUP BY 1"""

# A shard that ran again stands where its newest run does; it was done when it was done first.
_SHARDS = """
SELECT job, cycle, shard, (array_agg(status ORDER BY run_id DESC))[1] AS status,
       min(started_at) AS started_at, sum(cpu_seconds) AS cpu_seconds,
       coalesce(min(ended_at) FILTER (WHERE status = 'done'), max(ended_at)) AS ended_at
FROM runs WHERE job = ANY(:jobs) AND cycle"""

_GOOD = f"""
SELECT cycle FROM ({_SHARDS} < :cycle AND cycle >= :since GROUP BY job, cycle, shard) AS shards
GROUP BY cycle
HAVING bool_and(status = 'done')
   AND count(DISTINCT job) FILTER (WHERE job = ANY(:needed)) = cardinality(:needed)
   AND max(ended_at) FILTER (WHERE job = ANY(:chain))
       - min(started_at) FILTER (WHERE job = ANY(:chain)) <= :on_time
ORDER BY cycle DESC LIMIT 1"""  # noqa: S608 -- constants of this file

_CHANGES = """
SELECT e.recorded_at, e.data -> 'changed' AS changed, CAST(before.config AS text) AS before,
       CAST(after.config AS text) AS after
FROM events e
LEFT JOIN model_configs before ON before.config_hash = e.data ->> 'earlier_hash'
LEFT JOIN model_configs after ON after.config_hash = e.data ->> 'config_hash'
WHERE e.cycle IS NULL AND e.kind = 'config.changed'
    AND e.recorded_at > :since AND e.recorded_at <= :until
ORDER BY e.number DESC LIMIT 20"""

_NEWEST = "SELECT max(cycle) FROM runs WHERE job = ANY(:jobs)"
_OF_RUN = "SELECT cycle FROM runs WHERE run_id = :run_id"

_LIST = f"""
SELECT cycle, coalesce(min(started_at) FILTER (WHERE job = ANY(:chain)), min(started_at))
           AS started_at,
       coalesce(max(ended_at) FILTER (WHERE job = ANY(:chain)), max(ended_at)) AS ended_at,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'running') AS running,
       array_agg(DISTINCT job) AS jobs, sum(cpu_seconds) AS cpu_seconds
FROM ({_SHARDS} IN (
          SELECT cycle FROM runs WHERE job = ANY(:jobs) GROUP BY cycle ORDER BY 1 DESC LIMIT :limit)
      GROUP BY job, cycle, shard) AS shards
GROUP BY cycle ORDER BY cycle DESC"""  # noqa: S608 -- constants of this file


class CycleNotFound(NotFound):
    """No job has run for that cycle; look at the newest one: latest"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRun:
    """One shard of one job of the cycle."""

    run_id: int
    job: str
    shard: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    cpu_seconds: float | None
    figures: Mapping[str, Any]
    exception: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often something happened to fits, as events of the cycle tell."""

    kind: str
    member: str | None
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """Another model configuration: when, and each key's value before and after, as JSON."""

    at: datetime
    keys: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFacts:
    """A cycle's runs, oldest first; counts of its fits; its last hour's coverage by state."""

    cycle: datetime
    runs: Sequence[CycleRun] = ()
    counts: Sequence[Count] = ()
    gaps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleLine:
    """A cycle in a list; `jobs` are those that ran."""

    cycle: datetime
    started_at: datetime
    ended_at: datetime | None
    failed: int
    running: int
    jobs: Sequence[str]
    cpu_seconds: float | None

    @property
    def done(self) -> bool:
        """Whether all that a cycle needs was done."""
        return not self.failed and not self.running and set(NEEDED) <= set(self.jobs)

    @property
    def good(self) -> bool:
        """Whether it was done in time."""
        return (self.done and self.ended_at is not None
                and self.ended_at - self.started_at <= ON_TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A cycle, the last good one before it, and the configuration changes between them."""

    this: CycleFacts
    good: CycleFacts | None
    changes: Sequence[ConfigChange]


class Cycles:
    """Questions about cycles."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def newest(self) -> datetime:
        """The newest cycle that any job ran for. CycleNotFound before the first."""
        try:
            return self._cycle(_NEWEST, jobs=list(JOBS))
        except CycleNotFound:
            raise CycleNotFound("no job has run yet: run `vitalcast ingest`, or see in Airflow "
                                "whether the DAGs run") from None

    def of_run(self, run_id: int) -> datetime:
        """The cycle that a run belongs to. CycleNotFound without such a run."""
        return self._cycle(_OF_RUN, run_id=run_id)

    def lines(self, limit: int) -> list[CycleLine]:
        """The newest cycles, newest first."""
        with transaction(self._engine) as conn:
            return [CycleLine(**row._mapping) for row in conn.execute(
                text(_LIST), {"jobs": list(JOBS), "chain": list(CHAIN), "limit": limit})]

    def compared(self, cycle: datetime) -> Compared:
        """A cycle beside the last good one before it. CycleNotFound when no job ran for it."""
        with transaction(self._engine) as conn:
            this = _facts(conn, cycle)
            if not this.runs:
                raise CycleNotFound
            found = conn.execute(text(_GOOD), {
                "jobs": list(JOBS), "needed": list(NEEDED), "chain": list(CHAIN), "cycle": cycle,
                "since": cycle - _REACH, "on_time": ON_TIME}).scalar()
            good = None if found is None else _facts(conn, found)
            return Compared(this=this, good=good, changes=_changes(conn, this, good))

    def _cycle(self, question: str, **values: Any) -> datetime:
        with transaction(self._engine) as conn:
            found: datetime | None = conn.execute(text(question), values).scalar()
        if found is None:
            raise CycleNotFound
        return found


def _facts(conn: Connection, cycle: datetime) -> CycleFacts:
    runs = conn.execute(text(_RUNS), {"jobs": list(JOBS), "cycle": cycle})
    counts = conn.execute(text(_COUNTS), {"cycle": cycle})
    last = cycle - _HOUR
    gaps = conn.execute(text(_GAPS), {"day": last.date(), "hour": last.hour})
    return CycleFacts(
        cycle=cycle, runs=tuple(CycleRun(**row._mapping) for row in runs),
        counts=tuple(Count(**row._mapping) for row in counts),
        gaps={State(state).word: hours for state, hours in gaps})


def _changes(conn: Connection, this: CycleFacts, good: CycleFacts | None) -> list[ConfigChange]:
    """What was configured after the last good cycle was done, until this one was."""
    if good is None:
        return []
    since = max(run.ended_at for run in good.runs if run.ended_at is not None)
    until = max(run.ended_at or run.started_at for run in this.runs)
    rows = conn.execute(text(_CHANGES), {"since": since, "until": until})
    return [ConfigChange(at=row.recorded_at, keys=_values(row.changed, row.before, row.after))
            for row in rows]


def _values(changed: Sequence[str], before: str | None,
            after: str | None) -> dict[str, tuple[str, str]]:
    """Each changed key's values; of a mapping the entries that differ."""
    earlier, later = orjson.loads(before or "{}"), orjson.loads(after or "{}")
    return {key: _differing(earlier.get(key), later.get(key)) for key in changed}


def _differing(before: Any, after: Any) -> tuple[str, str]:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
        before, after = ({key: each.get(key) for key in keys} for each in (before, after))
    return _short(before), _short(after)


def _short(value: Any) -> str:
    shown = orjson.dumps(value).decode()
    return shown if len(shown) <= 80 else shown[:79] + "…"
