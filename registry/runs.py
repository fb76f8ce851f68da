"""A row for every execution of a job: when, how long, what came of it. Each leaves events too."""

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from numbers import Real
from typing import Any

import orjson
from sqlalchemy import text

from registry.database import Connection, Engine, RegistryError, transaction
from registry.events import Event, Running, record, running
from registry.faults import Fault, fault_of

LAST_JOB = "evaluate"
"""When every shard of this job is done, the cycle is."""

WHOLE = """
SELECT job, cycle FROM runs WHERE status = 'done' GROUP BY job, cycle, split_part(shard, '/', 2)
HAVING count(DISTINCT shard) = CAST(split_part(shard, '/', 2) AS integer)"""
"""Jobs and cycles of which every shard is done."""

_KILLED = """
UPDATE runs SET status = 'failed', exception = 'killed: it left no end'
WHERE job = :job AND cycle = :cycle AND shard = :shard AND status = 'running'
RETURNING run_id"""

_BEGIN = """
INSERT INTO runs (job, cycle, shard, status) VALUES (:job, :cycle, :shard, 'running')
RETURNING run_id"""

_END = """
UPDATE runs SET status = :status, ended_at = now(), cpu_seconds = :cpu_seconds,
    figures = CAST(:figures AS json), exception = :exception
WHERE run_id = :run_id"""

# Of two shards that end at once, the second sees that the first is done.
_LOCK_STAGE = "SELECT pg_advisory_xact_lock(hashtextextended(:job || ' ' || :cycle, 8))"

_STAGE = """
SELECT count(*) AS shards, bool_and(status = 'done') AS done, sum(cpu_seconds) AS cpu_seconds,
    CAST(extract(epoch FROM max(ended_at) - min(started_at)) AS double precision) AS seconds
FROM (SELECT DISTINCT ON (shard) * FROM runs
      WHERE job = :job AND cycle = :cycle AND split_part(shard, '/', 2) = :of
      ORDER BY shard, run_id DESC) newest"""

_CYCLE_SECONDS = """
SELECT CAST(extract(epoch FROM max(ended_at) - min(started_at)) AS double precision)
FROM runs WHERE cycle = :cycle AND job IN ('ingest', 'train', 'forecast', 'evaluate')"""


@contextmanager
def run(engine: Engine, *, job: str, cycle: datetime, shard: str) -> Iterator[dict[str, Any]]:
    """Record the block as running, then as done or failed, with the figures it puts in the dict.

    A failure is recorded by class and place, for its message may quote a reading, and goes on. A
    row that a killed run of the same shard left behind is closed. Events that the block records
    belong to this run.
    """
    figures: dict[str, Any] = {}
    began = _cpu_seconds()
    one = _begin(engine, job, cycle, shard)
    try:
        with running(one):
            yield figures
    except BaseException as error:
        try:
            _end(engine, one, began, figures, fault_of(error))
        except RegistryError as unrecorded:
            error.add_note(f"the end of run {one.run_id} could not be recorded: {unrecorded}")
        raise
    _end(engine, one, began, figures, None)


def _begin(engine: Engine, job: str, cycle: datetime, shard: str) -> Running:
    this: dict[str, Any] = {"job": job, "cycle": cycle, "shard": shard}
    with transaction(engine) as conn:
        for killed in conn.execute(text(_KILLED), this).scalars().all():
            _record(conn, Running(run_id=killed, **this), "job.killed")
        one = Running(run_id=conn.execute(text(_BEGIN), this).scalar_one(), **this)
        _record(conn, one, "job.started")
    return one


def _end(engine: Engine, one: Running, began: float, figures: Mapping[str, Any],
         fault: Fault | None) -> None:
    with transaction(engine) as conn:
        conn.execute(text(_END), {
            "run_id": one.run_id, "status": "failed" if fault else "done",
            "cpu_seconds": _cpu_seconds() - began, "exception": fault and fault.where,
            "figures": orjson.dumps(figures, option=orjson.OPT_SERIALIZE_NUMPY).decode()})
        _record(conn, one, "job.failed" if fault else "job.done", data=_numbers(figures),
                fault=fault)
        if fault is None:
            _end_stage(conn, one)


def _end_stage(conn: Connection, one: Running) -> None:
    """Where this was the job's last shard, say that the stage is done, after the last the cycle."""
    at, shards = one.cycle.isoformat(), one.shard.split("/")[-1]
    conn.execute(text(_LOCK_STAGE), {"job": one.job, "cycle": at})
    stage = conn.execute(text(_STAGE), {
        "job": one.job, "cycle": one.cycle, "of": shards}).one()
    if not stage.done or str(stage.shards) != shards:
        return
    record(conn, [Event(kind="stage.done", data={
        "shards": stage.shards, "seconds": stage.seconds, "cpu_seconds": stage.cpu_seconds})],
        of=one)
    if one.job == LAST_JOB:
        seconds = conn.execute(text(_CYCLE_SECONDS), {"cycle": one.cycle}).scalar()
        record(conn, [Event(kind="cycle.done", data={"seconds": seconds})], of=one)


def _record(conn: Connection, one: Running, kind: str, **more: Any) -> None:
    record(conn, [Event(kind=kind, once=str(one.run_id), **more)], of=one)


def _numbers(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that are numbers; those by member stay with the run."""
    return {name: value for name, value in figures.items() if isinstance(value, Real)}


def _cpu_seconds() -> float:
    """User and system time of this process and of its ended children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
