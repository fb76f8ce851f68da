"""`vitalcast demo` as a person runs it: Airflow and all, twice on one home, and interrupted."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dashboards.boards import BOARDS
from registry.database import open_engine, transaction
from tests.reference.cycles import CYCLE, LIGHT, await_that
from tests.reference.process_tree import Process, alive, descendants, listening_addresses
from vitalcast.cycle import HOUR
from vitalcast.dataset import Dataset
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.processes import script

pytestmark = pytest.mark.slow

TIMEOUT_S = 540
DATABASE = f"vitalcast_{Dataset(data=None).name}"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Demos on one home folder, with every process seen under them and where these listened."""

    home: Path
    seen: set[Process] = field(default_factory=set)
    listened: set[str] = field(default_factory=set)

    @contextmanager
    def started(self, hour: datetime) -> Iterator[subprocess.Popen[bytes]]:
        """A demo, which the block's failure interrupts."""
        with self.output(hour).open("wb") as file:
            demo = subprocess.Popen(
                [script("vitalcast"), "demo", "--hour", hour.isoformat()],
                env=self.environment(), stdout=file, stderr=file, start_new_session=True)
        try:
            yield demo
        finally:
            demo.terminate()
            demo.wait(60)

    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items()
                 if not name.startswith(("VITALCAST_", "AIRFLOW_"))}
        return given | {"VITALCAST_HOME": str(self.home), "VITALCAST_DATABASE": DATABASE,
                        "AIRFLOW_VAR_VITALCAST_MODEL_CONFIG": LIGHT}

    def output(self, hour: datetime) -> Path:
        return self.home / f"demo-{hour:%H}.txt"

    def look(self, demo: subprocess.Popen[bytes]) -> None:
        for one in descendants(demo.pid):
            self.seen.add(one)
            self.listened.update(listening_addresses(one))

    def run(self, hour: datetime) -> str:
        """A demo from begin to end; what it printed."""
        with self.started(hour) as demo:
            def ended() -> bool:
                self.look(demo)
                return demo.poll() is not None

            await_that(f"the demo of {hour} ends", ended, TIMEOUT_S, 0.5)
        told = self.output(hour).read_text()
        assert demo.returncode == 0, told
        return told

    def nothing_left(self) -> None:
        assert len(self.seen) > 5
        await_that("every process of the demo is gone", lambda: not any(map(alive, self.seen)), 30)
        assert not EmbeddedPostgres(self.home).running()

    def rows(self, query: str, hour: datetime) -> list[Any]:
        with EmbeddedPostgres(self.home) as server:
            engine = open_engine(server.url(DATABASE))
            with transaction(engine) as conn:
                found = list(conn.execute(text(query), {"hour": hour}).all())
            engine.dispose()
            return found


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """A home in a short directory that the database's user can enter."""
    home = Path(tempfile.mkdtemp(prefix="vc-demo-"))
    home.chmod(0o755)
    yield Demo(home=home)
    shutil.rmtree(home)


def test_a_demo_shows_the_patients_and_leaves_a_report_and_no_process(demo: Demo) -> None:
    told = demo.run(CYCLE)
    assert "cycle of 2026-11-21 06:00 UTC for 8 patients" in told
    assert "Patients by severity" in told
    for number in range(1, 9):
        assert f"demo-0{number}" in told
    (report,) = (demo.home / "reports").glob("*.html")
    assert str(report) in told
    assert "<html" in report.read_text()
    demo.nothing_left()
    assert demo.listened, "no process was seen to listen"
    assert demo.listened <= LOOPBACK
    assert len(demo.rows("SELECT DISTINCT patient_id FROM forecasts WHERE cutoff = :hour",
                         CYCLE)) == 8


def test_the_command_that_a_demo_prints_works_as_it_is_pasted(demo: Demo, tmp_path: Path) -> None:
    (line,) = (line for line in demo.output(CYCLE).read_text().splitlines()
               if "another report" in line)
    _, pasted = line.split("id: ")
    told = subprocess.run(pasted, shell=True, cwd=tmp_path, env={"PATH": os.defpath},
                          capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "<html" in next(tmp_path.glob("demo-*.html")).read_text()


def test_every_query_of_every_board_has_rows_after_a_demo(demo: Demo) -> None:
    told = subprocess.run(
        [script("vitalcast"), "dashboards", "check", "--require-rows", "--json", "--days", "2",
         "--until", f"{CYCLE + HOUR:%Y-%m-%dT%H:%M:%S}"],
        env=demo.environment(), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    checked = {(one["board"], one["title"]) for one in json.loads(told.stdout)["queries"]}
    assert {(board.title, panel.title) for board in BOARDS for panel in board.panels} <= checked


def test_the_next_demo_forecasts_from_stored_models_and_scores_the_last(demo: Demo) -> None:
    later = CYCLE + HOUR
    before = demo.rows("SELECT run_id, started_at FROM runs WHERE cycle < :hour ORDER BY 1", CYCLE)
    assert "h ago" not in demo.run(later)
    assert before == demo.rows(
        "SELECT run_id, started_at FROM runs WHERE cycle < :hour ORDER BY 1", CYCLE)
    demo.nothing_left()
    assert demo.rows("SELECT 1 FROM fits WHERE cutoff = :hour", later) == []
    assert len(demo.rows("SELECT 1 FROM severities WHERE cutoff = :hour", later)) == 8
    assert len(demo.rows("SELECT DISTINCT patient_id FROM forecasts WHERE cutoff = :hour "
                         "AND reason IS NULL", later)) == 8
    (observed,) = demo.rows("SELECT max(observed), bool_or(final) FROM evaluations "
                            "WHERE cutoff = :hour", CYCLE)
    assert tuple(observed) == (1, False)


def test_a_demo_told_to_end_stops_all_that_it_started(demo: Demo) -> None:
    hour = CYCLE + 2 * HOUR
    with demo.started(hour) as one:
        def in_the_middle() -> bool:
            demo.look(one)
            assert one.poll() is None, demo.output(hour).read_text()
            return "dag-processor" in demo.output(hour).read_text()

        await_that("the demo starts Airflow", in_the_middle, TIMEOUT_S, 0.5)
        demo.look(one)
        one.send_signal(signal.SIGTERM)
        await_that("the demo ends", lambda: one.poll() is not None, 60)
    assert one.returncode != 0
    demo.nothing_left()
