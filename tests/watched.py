"""A small installation that has been watched for a day: every board has something to show.

Sandbox vendors, the jobs themselves, the real database: the past that a demo has too, and the
cycle that follows it, dated back as well.
"""

from dataclasses import replace
from pathlib import Path

from registry.database import Engine
from tests.reference.cycles import CYCLE, QUICK, Installation
from vitalcast.model_config import parse_config
from vitalcast.past import PAST, Hour, live_past

HOURS = (*PAST, Hour(ago=0, told="all is well again"))
HISTORY_DAYS = 22
"""Drift is looked for in two weeks, beside the week before."""


def watch(engine: Engine, database_url: str, sandbox_url: str, home: Path) -> Installation:
    """Live through the hours before `CYCLE` and that hour itself."""
    place = Installation.on(engine, database_url, sandbox_url)
    place = replace(place, system=replace(place.system, settings=place.system.settings.model_copy(
        update={"history_days": HISTORY_DAYS, "home": home})))
    live_past(place.system, CYCLE, lambda _: None, hours=HOURS, config=parse_config(QUICK))
    return place
