"""How long each panel takes at 10,000 patients × 90 days; each must answer within a second.

    python benchmarks/boards.py --json

The rollups of so many hours are made in PostgreSQL itself, with as many rows as the jobs would
leave: every cycle, provider, vital, member and reason. Of one patient single readings, forecasts
and coverage are made, and of all others an eighth of a day of readings, which the patient's board
has to find its way through. Every query of every board then runs over 90 days with the rights of
its reader; the figure is the slowest panel's median of three. The rollup of one cycle is timed
too: its forecasts and scores are those of all patients. Beside it stands the time of two
panels without rollups, over an eighth of a day of readings, set out to 90 days.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks.boards_sql import MAKE, WITHOUT
from benchmarks.common import scratch_database
from dashboards.boards import BOARDS
from dashboards.check import choose, reader
from dashboards.macros import Window, expand
from registry.database import Engine, open_engine, transaction
from registry.readers import READONLY, ask
from registry.rollups import roll_up

UNTIL = datetime(2026, 11, 21, tzinfo=UTC)
MOST_S = 1.0
RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Median seconds of a panel's query, and how many rows it answers with."""

    board: str
    panel: str
    rows: int
    seconds: float


def main() -> None:
    """Make the rows, time the panels, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with scratch_database() as url:
        engine = open_engine(url)
        began = time.perf_counter()
        make(engine, given.patients, given.days)
        made_s = time.perf_counter() - began
        panels = timed(engine, given.days)
        rollup_s = rolled_up(engine)
        slow = without_rollups(engine, given.days)
        engine.dispose()
    figures = figures_of(panels, slow) | {
        "patients": given.patients, "days": given.days, "made_s": round(made_s, 1),
        "rollup_s": round(rollup_s, 1)}
    if given.json:
        print(json.dumps(figures | {"panels": [asdict(one) for one in panels]}))
        return
    for one in sorted(panels, key=lambda one: -one.seconds):
        print(f"{one.seconds:8.3f} s {one.rows:7} rows  {one.board}: {one.panel}")
    print(json.dumps(figures, indent=2))


def figures_of(panels: Sequence[Timed], slow: dict[str, float]) -> dict[str, object]:
    """The slowest panel, and what those without rollups take beside their own time with them."""
    worst = max(panels, key=lambda one: one.seconds)
    own = {one.panel: one.seconds for one in panels}
    return {"slowest": f"{worst.board}: {worst.panel}", "slowest_s": worst.seconds,
            "each_within_a_second": worst.seconds < MOST_S,
            "without_rollups": {name: {"seconds": seconds, "times": round(seconds / own[name])}
                                for name, seconds in slow.items()}}


def make(engine: Engine, patients: int, days: int) -> None:
    """Every row, table by table."""
    for statement in MAKE:
        with transaction(engine) as conn:
            conn.execute(text(statement), {
                "patients": patients, "since": UNTIL - timedelta(days=days), "until": UNTIL})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE"))


def timed(engine: Engine, days: int) -> list[Timed]:
    """Median seconds and rows of each panel over all days."""
    found = []
    for board in BOARDS:
        window = choose(engine, board, Window(
            since=UNTIL - timedelta(days=days), until=UNTIL, interval="2h"),
            {"patient": ["p00007"]} if board.clinical else {})
        for panel in board.panels:
            seconds, rows = clocked(engine, expand(panel.sql, window), reader(board))
            found.append(Timed(board=board.title, panel=panel.title, rows=rows,
                               seconds=round(seconds, 4)))
    return found


def clocked(engine: Engine, query: str, role: str) -> tuple[float, int]:
    """Median seconds of a query, and its rows."""
    taken, rows = [], 0
    for _ in range(RUNS):
        began = time.perf_counter()
        rows = len(ask(engine, query, role).rows)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), rows


def rolled_up(engine: Engine) -> float:
    """Seconds that the rollup of the newest cycle takes."""
    with transaction(engine) as conn:
        began = time.perf_counter()
        roll_up(conn, UNTIL)
        return time.perf_counter() - began


def without_rollups(engine: Engine, days: int) -> dict[str, float]:
    """Seconds that panels would take on the tables themselves, set out to all days."""
    with transaction(engine) as conn:
        conn.execute(text(f"GRANT SELECT ON observations, fits TO {READONLY}"))
    return {name: round(clocked(engine, query, READONLY)[0] * days / part, 1)
            for name, (query, part) in WITHOUT.items()}


if __name__ == "__main__":
    main()
