"""A row for every execution of a job: when, how long, what came of it."""

import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text

from registry.database import Engine, RegistryError, transaction

_BEGIN = """
WITH killed AS (
    UPDATE runs SET status = 'failed', exception = 'killed: it left no end'
    WHERE job = :job AND cycle = :cycle AND shard = :shard AND status = 'running'
)
INSERT INTO runs (job, cycle, shard, status) VALUES (:job, :cycle, :shard, 'running')
RETURNING run_id"""

_END = """
UPDATE runs SET status = :status, ended_at = now(), cpu_seconds = :cpu_seconds,
    figures = CAST(:figures AS json), exception = :exception
WHERE run_id = :run_id"""


@contextmanager
def run(engine: Engine, *, job: str, cycle: datetime, shard: str) -> Iterator[dict[str, Any]]:
    """Record the block as running, then as done or failed, with the figures it puts in the dict.

    A failure is recorded by class and place, for its message may quote a reading, and goes on. A
    row that a killed run of the same shard left behind is closed.
    """
    figures: dict[str, Any] = {}
    began = _cpu_seconds()
    with transaction(engine) as conn:
        run_id = conn.execute(text(_BEGIN), {
            "job": job, "cycle": cycle, "shard": shard}).scalar_one()
    try:
        yield figures
    except BaseException as error:
        try:
            _end(engine, run_id, "failed", began, figures, what_and_where(error))
        except RegistryError as unrecorded:
            error.add_note(f"the end of run {run_id} could not be recorded: {unrecorded}")
        raise
    _end(engine, run_id, "done", began, figures, None)


def what_and_where(error: BaseException) -> str:
    """Class and innermost place of an exception, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} in {last.name}"


def _end(engine: Engine, run_id: int, status: str, began: float, figures: dict[str, Any],
         exception: str | None) -> None:
    with transaction(engine) as conn:
        conn.execute(text(_END), {
            "run_id": run_id, "status": status, "cpu_seconds": _cpu_seconds() - began,
            "figures": orjson.dumps(figures, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
            "exception": exception})


def _cpu_seconds() -> float:
    """User and system time of this process and of its ended children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
