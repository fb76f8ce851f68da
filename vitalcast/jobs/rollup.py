"""Roll up: count each finished cycle once, so that boards read counts instead of readings.

A cycle whose rollup never came, since a stage before it failed, is caught up by the next one. One
transaction a cycle; a cycle rolled up again has the same rows.
"""

from datetime import datetime, timedelta
from typing import Any

from registry.database import transaction
from registry.rollups import SETTLED_HOURS, open_cycles, roll_up, rolled_cycles
from registry.runs import run
from vitalcast.cycle import parse_cycle
from vitalcast.errors import UserError
from vitalcast.wiring import System

REACH = timedelta(days=7)
"""How far back a missing rollup is caught up by itself."""

SETTLED_DAYS = SETTLED_HOURS // 24
"""A cycle's rollup scores forecasts that are so much older."""


def rollup(system: System, *, cycle: str | datetime, again_days: int = 0) -> dict[str, Any]:
    """Roll up `cycle` and those before it that are missing; figures: cycles counted.

    With `again_days`, the cycles of that many days are counted once more, for readings that came
    later than the rollups look back by themselves. UserError where what they count is not kept
    so long: they would be counted as nothing.
    """
    hour = parse_cycle(cycle)
    kept = min(system.settings.retain_days, system.settings.forecast_days) - SETTLED_DAYS
    if again_days > kept:
        raise UserError(f"what is counted is there for {kept} days (VITALCAST_RETAIN_DAYS, "
                        f"VITALCAST_FORECAST_DAYS): say at most --again-days {kept}")
    with run(system.engine, job="rollup", cycle=hour, shard="1/1") as figures:
        figures["cycles"] = 0
        for one in _cycles(system, hour, timedelta(days=again_days)):
            with transaction(system.engine) as conn:
                roll_up(conn, one)
            figures["cycles"] += 1
    return dict(figures)


def _cycles(system: System, hour: datetime, again: timedelta) -> list[datetime]:
    """What is to be counted, oldest first."""
    with transaction(system.engine) as conn:
        missing = open_cycles(conn, hour, hour - max(REACH, again))
        known = rolled_cycles(conn, hour, hour - again) if again else []
    return sorted({*missing, *known, hour})
