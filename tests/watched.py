"""A small installation that has been watched for two days: every board has something to show.

Sandbox vendors, the jobs themselves, the real database. The vendors' clock runs at `CYCLE`, the
database's does not: what it stamps is moved to the vendors' time, as if the cycles had run then.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from registry.database import Engine, transaction
from registry.runs import run
from tests.reference.cycles import CYCLE, LIGHT, Installation
from vitalcast.jobs.configure import use_config
from vitalcast.jobs.rollup import rollup
from vitalcast.jobs.watch import watch as look
from vitalcast.sandbox_admin import arm

HOUR = timedelta(hours=1)
HOURS_AGO = (24, 6, 1, 0)
CONFIG = LIGHT.replace("{", '{"stale_after_hours": 5, ', 1)      # some series have no forecast
HISTORY_DAYS = 22
"""Drift is looked for in two weeks, beside the week before."""

FAULTS: Mapping[int, Mapping[str, Any]] = {
    6: {"kind": "changed_schema", "provider": "withings", "resource": "/measure", "times": 1},
    1: {"kind": "http_500", "provider": "oura", "times": 12},
}
"""What goes wrong at the vendors so many hours ago."""

TROUBLED = 24
"""When it goes wrong here, in hours ago."""

_MOVE = (
    "UPDATE runs SET started_at = started_at - :by, ended_at = ended_at - :by WHERE cycle = :cycle",
    "UPDATE events SET recorded_at = recorded_at - :by WHERE recorded_at >= :began",
    "UPDATE observations SET fetched_at = fetched_at - :by WHERE fetched_at >= :began",
    "UPDATE model_configs SET first_used_at = first_used_at - :by WHERE first_used_at >= :began",
)
_FAILED = """
INSERT INTO fits (patient_id, vital, member, cutoff, outcome, reason, config_hash, cpu_seconds)
SELECT patient_id, vital, 'theta', cutoff, 'failed', 'no start: 12.5 of 20 hours', config_hash, 0.2
FROM fits WHERE cutoff = :cycle AND member = 'profile' AND vital = 'heart_rate'
ON CONFLICT (patient_id, vital, member, cutoff) DO UPDATE SET outcome = 'failed',
    reason = excluded.reason"""
_FLAGGED = """
INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start, value,
                           keeps_out, reason)
SELECT key, 'jump', patient_id, vital, provider, effective_start, value, true, 'as a test says'
FROM observations WHERE fetched_at >= :began AND patient_id = 'demo-01'
ORDER BY effective_start DESC LIMIT 5 ON CONFLICT DO NOTHING"""


def watch(engine: Engine, database_url: str, sandbox_url: str, *,
          hours_ago: Sequence[int] = HOURS_AGO, config: str = CONFIG) -> Installation:
    """Run the cycles so many hours before `CYCLE`, one after the other, and roll them up."""
    place = Installation.on(engine, database_url, sandbox_url, config)
    place = replace(place, system=replace(place.system, settings=place.system.settings.model_copy(
        update={"history_days": HISTORY_DAYS})))
    for ago in hours_ago:
        if ago in FAULTS:
            arm(sandbox_url, **FAULTS[ago])
        cycle_then(place, CYCLE - ago * HOUR, train=ago % 24 == 0 or ago == hours_ago[0],
                   troubled=ago == TROUBLED)
    return place


def cycle_then(place: Installation, hour: datetime, *, train: bool, troubled: bool) -> None:
    """One cycle, stamped as if it had begun five minutes past its hour.

    In a troubled one a run and some fits fail. The newest readings are flagged each time: the next
    check clears what it would not have found itself.
    """
    began, engine = datetime.now(UTC), place.system.engine
    place.clock(hour)
    place.ingest(hour)
    if train:
        place.train(hour)
    place.forecast(hour)
    place.evaluate(hour)
    if troubled:
        with suppress(TimeoutError), run(engine, job="evaluate", cycle=hour, shard="1/1"):
            raise TimeoutError
    with transaction(engine) as conn:
        conn.execute(text(_FLAGGED), {"began": began})
        if troubled:
            conn.execute(text(_FAILED), {"cycle": hour})
    look(place.system, cycle=hour, shard="1/1", everyone=True,
         config_hash=use_config(place.system, place.config))
    with transaction(engine) as conn:
        for statement in _MOVE:
            conn.execute(text(statement), {
                "by": began - hour - timedelta(minutes=5), "began": began, "cycle": hour})
    rollup(place.system, cycle=hour)
