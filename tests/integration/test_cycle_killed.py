"""Jobs killed with SIGKILL and run again leave the rows of an undisturbed run.

Each job runs as its own command. It is killed where a lock of ours holds it up, in the middle of a
transaction, or as soon as the database shows how far it has come.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from registry.database import open_engine, transaction
from tests.reference.cycles import (
    CYCLE,
    QUICK,
    Dump,
    Installation,
    assert_same,
    await_that,
    dump,
    job_command,
    job_environment,
    settings,
    vendors,
)
from tests.reference.process_tree import Process, alive, descendants

ROOT = Path(__file__).resolve().parents[2]
IN_SMALL_BLOCKS = """
from vitalcast.cli import main
from vitalcast.jobs import evaluate, forecast, train

evaluate.BLOCK = forecast.BLOCK = train.BLOCK = train.LIBRARY_BLOCK = 1
main()
"""
BY_LIBRARY = json.dumps({**json.loads(QUICK), "engines": {"theta": "statsforecast"}})
PATIENTS = ("demo-02", "demo-04", "demo-07")
JOB_TIMEOUT_S = 180

_WAITING = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST(:relation AS regclass)"""
_WAITING_AT_ALL = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_RUNNING = "SELECT count(*) FROM runs WHERE status = 'running' AND job = :job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An installation and the commands that work on it."""

    place: Installation
    url: str
    folder: Path

    @property
    def engine(self) -> Engine:
        return self.place.system.engine

    def start(self, job: str) -> subprocess.Popen[bytes]:
        """The job's command, as it is installed but for blocks of one patient."""
        config = self.folder / "config.json"
        config.write_text(self.place.config)
        given = settings(self.url, self.place.sandbox_url, home=self.folder)
        command = [sys.executable, "-c", IN_SMALL_BLOCKS, *job_command(job, CYCLE, config)[1:]]
        with (self.folder / f"{job}.log").open("ab") as log:
            return subprocess.Popen(command, env=job_environment(given), cwd=ROOT,
                                    stdout=log, stderr=log, start_new_session=True)

    def to_the_end(self, job: str) -> None:
        code = self.start(job).wait(JOB_TIMEOUT_S)
        assert code == 0, (self.folder / f"{job}.log").read_text()[-2000:]

    def count(self, query: str, **given: str) -> int:
        with transaction(self.engine) as conn:
            return int(conn.execute(text(query), given).scalar_one())

    def reached(self, query: str, least: int) -> Callable[[], bool]:
        """Whether the query counts as many, whenever it is asked."""
        return lambda: self.count(query) >= least

    def kill_when(self, job: str, what: str, reached: Callable[[], bool]) -> list[Process]:
        """Start the job, SIGKILL it once `reached`; the processes that it had started."""
        child = self.start(job)
        await_that(what, lambda: reached() or child.poll() is not None, JOB_TIMEOUT_S)
        assert child.poll() is None, f"{job} ended before: {what}"
        started = descendants(child.pid)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        return started

    def kill_writing(self, job: str, table: str) -> None:
        """SIGKILL the job at its first write to `table`, with what it wrote before uncommitted."""
        with held(self.engine, table):
            self.kill_when(job, f"{job} writes {table}",
                           lambda: self.count(_WAITING, relation=table) > 0)


@contextmanager
def held(engine: Engine, table: str) -> Iterator[None]:
    """Nobody else writes to the table; reading goes on."""
    with transaction(engine) as conn:
        conn.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
        yield


@contextmanager
def patient_held(engine: Engine, patient: str) -> Iterator[None]:
    """Nobody else writes a document or a forecast of this patient."""
    with transaction(engine) as conn:
        conn.execute(text("SELECT 1 FROM patients WHERE patient_id = :patient FOR UPDATE"),
                     {"patient": patient})
        yield


def bench(url: str, folder: Path, sandbox: str) -> Bench:
    place = Installation.on(open_engine(url), url, sandbox)
    folder.mkdir(exist_ok=True)
    return Bench(place=place, url=url, folder=folder)


@pytest.fixture(scope="module")
def undisturbed(new_database: Callable[[], str]) -> Dump:
    """What one cycle leaves that nobody disturbs, on a database and vendors of its own."""
    url = new_database()
    engine = open_engine(url)
    with vendors(patients=PATIENTS) as root:
        Installation.on(engine, url, root).cycle()
    found = dump(engine)
    engine.dispose()
    return found


@pytest.fixture
def disturbed(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    """An empty database on which jobs are killed."""
    with vendors(patients=PATIENTS) as root:
        found = bench(database_url, tmp_path / "home", root)
        yield found
        found.engine.dispose()


def tables(found: Dump, *names: str) -> Dump:
    return {name: found[name] for name in names}


INGESTED = ("patients", "connections", "raw_payloads", "observations", "observation_revisions",
            "refusals", "fetches")


def test_ingest_killed_and_run_again_leaves_the_rows_of_an_undisturbed_run(
    disturbed: Bench, undisturbed: Dump,
) -> None:
    for table in ("raw_payloads", "observations", "fetches"):
        disturbed.kill_writing("ingest", table)
        assert disturbed.count(f"SELECT count(*) FROM {table}") == 0, "a transaction in part"
    for least in (1, 4):
        disturbed.kill_when("ingest", f"{least} fetches stored", disturbed.reached(
            "SELECT count(*) FROM fetches", least))
        assert disturbed.count("SELECT count(*) FROM fetches") < len(undisturbed["fetches"])
    disturbed.to_the_end("ingest")
    assert_same(tables(undisturbed, *INGESTED), tables(dump(disturbed.engine), *INGESTED))


def test_training_killed_and_run_again_leaves_the_rows_of_an_undisturbed_run(
    disturbed: Bench, undisturbed: Dump,
) -> None:
    disturbed.place.ingest()
    for table in ("model_documents", "series_statistics"):
        disturbed.kill_writing("train", table)
        assert disturbed.count("SELECT count(*) FROM model_documents") == 0
    for patients in (1, 2):
        with patient_held(disturbed.engine, PATIENTS[patients]):
            disturbed.kill_when("train", f"it waits with {patients} blocks trained",
                                lambda: disturbed.count(_WAITING_AT_ALL) > 0)
        assert disturbed.count("SELECT count(DISTINCT patient_id) FROM fits") == patients
    disturbed.to_the_end("train")
    assert disturbed.count(_RUNNING, job="train") == 0
    disturbed.place.forecast()
    disturbed.place.evaluate()
    assert_same(undisturbed, dump(disturbed.engine))


def test_killed_training_leaves_no_worker_behind(disturbed: Bench) -> None:
    disturbed.place.ingest()
    slow = replace(disturbed, place=replace(disturbed.place, config=BY_LIBRARY))
    workers = slow.kill_when("train", "workers fit", lambda: bool(
        disturbed.count(_RUNNING, job="train")) and bool(fitting()))
    assert workers
    await_that("every worker of the killed training ends",
               lambda: not any(map(alive, workers)), 60)


def fitting() -> list[Process]:
    """Spawned workers of jobs that this test process started."""
    return [one for one in descendants(os.getpid()) if "spawn_main" in one.command]


def test_forecasting_killed_and_run_again_leaves_the_rows_of_an_undisturbed_run(
    disturbed: Bench, undisturbed: Dump,
) -> None:
    disturbed.place.ingest()
    disturbed.place.train()
    for table in ("forecasts", "series_statistics", "severities"):
        disturbed.kill_writing("forecast", table)
        assert disturbed.count("SELECT count(*) FROM forecasts") == 0
    with patient_held(disturbed.engine, PATIENTS[1]):
        disturbed.kill_when("forecast", "it waits with a block forecast",
                            lambda: disturbed.count(_WAITING_AT_ALL) > 0)
    assert disturbed.count("SELECT count(DISTINCT patient_id) FROM forecasts") == 1
    disturbed.to_the_end("forecast")
    disturbed.place.evaluate()
    assert_same(undisturbed, dump(disturbed.engine))
    assert disturbed.count(_RUNNING, job="forecast") == 0
