"""Two Celery workers over Redis; one dies in the middle of training, the cycle completes."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from registry.database import open_engine, transaction
from tests.reference.cycles import LIGHT, await_that
from tests.reference.process_tree import Process, alive, descendants
from vitalcast.airflow import AirflowClient, AirflowPlace
from vitalcast.cycle import partition_key
from vitalcast.dataset import Dataset
from vitalcast.follow import CHAIN, follow, start_cycle
from vitalcast.processes import Supervisor, free_port, listening
from vitalcast.settings import Settings
from vitalcast.stack import RunningStack, running_stack
from vitalcast.wiring import open_system

pytestmark = pytest.mark.slow

CYCLE = datetime(2026, 11, 21, 6, tzinfo=UTC)
KEY = partition_key(CYCLE)
TIMEOUT_S = 480
FOUND_DEAD_S = "40"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    if not shutil.which("redis-server") and not os.environ.get("CI"):
        pytest.skip("redis-server is missing: make test-deps installs it")
    port = free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no"], stdout=subprocess.DEVNULL)
    await_that("Redis answers", lambda: listening(port), 20)
    yield f"redis://127.0.0.1:{port}/0"
    redis.terminate()
    redis.wait(20)


@pytest.fixture
def stack(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    """The whole system with two workers, where a dead one is found sooner than in a minute."""
    usual = AirflowPlace.environment
    name = "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"
    monkeypatch.setattr(AirflowPlace, "environment",
                        lambda place: usual(place) | {name: FOUND_DEAD_S})
    monkeypatch.setenv("AIRFLOW_VAR_VITALCAST_MODEL_CONFIG", LIGHT)
    home = Path(tempfile.mkdtemp(prefix="vc-ce-"))
    home.chmod(0o755)
    settings = Settings(home=home, database_url="", airflow_database_url="", broker_url=broker)
    with running_stack(settings, Dataset(data=None), CYCLE, schedule="manual",
                       step=lambda _: None) as stack:
        yield stack
    shutil.rmtree(home)


def test_a_worker_killed_in_training_costs_no_series_and_doubles_none(
        stack: RunningStack) -> None:
    system = open_system(stack.settings)
    first, second = workers()
    with closing(AirflowClient(stack.airflow)) as client:
        with fits_locked(system.engine) as waiting:
            cycle = start_cycle(client, KEY)
            await_that("both workers train", lambda: waiting() == 2, TIMEOUT_S)
            kill(first)
        follow(cycle, Survivors(stack.settings.home), lambda _: None, timeout_s=TIMEOUT_S)
        assert {run["state"] for dag in CHAIN for run in client.runs(dag, KEY)} == {"success"}
    assert alive(second) and not alive(first)
    series = rows(system.engine, "SELECT DISTINCT patient_id, vital FROM observations o "
                  "WHERE EXISTS (SELECT 1 FROM fits f WHERE (f.patient_id, f.vital) = "
                  "(o.patient_id, o.vital))")
    made = rows(system.engine, "SELECT patient_id, vital FROM model_documents "
                "WHERE member = 'ensemble'")
    assert len(made) == len(set(made)) and set(made) <= set(series)
    told = rows(system.engine, "SELECT patient_id, vital FROM forecasts WHERE reason IS NULL")
    assert sorted(told) == sorted(made) and len({patient for patient, _ in told}) == 8
    runs = rows(system.engine, "SELECT status, count(*) FROM runs WHERE job = 'train' GROUP BY 1")
    # On a busy machine the living one may be late with its heartbeat too, and run once more.
    counts = dict(runs)
    assert counts.pop("done") == 2 and counts.pop("failed") >= 1 and not counts
    system.engine.dispose()


class Survivors(Supervisor):
    """A supervisor that misses nobody: one of its processes is killed on purpose."""

    def check(self) -> None:
        """The killed worker may be gone."""


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


@contextmanager
def fits_locked(engine: Engine) -> Iterator[Any]:
    """Trainings stop where they would write; the value tells how many stand there."""
    holder = open_engine(engine.url.render_as_string(hide_password=False))
    with holder.connect() as conn, conn.begin():
        conn.execute(text("LOCK TABLE fits IN SHARE ROW EXCLUSIVE MODE"))
        yield lambda: rows(engine, """
            SELECT count(DISTINCT pid) FROM pg_locks
            WHERE NOT granted AND relation = 'fits'::regclass""")[0][0]
    holder.dispose()


def workers() -> list[Process]:
    """The main processes of the Celery workers, in the order of their numbers."""
    found: dict[str, Process] = {}
    for one in descendants(os.getpid()):
        _, here, after = one.command.partition("--celery-hostname airflow-worker-")
        if here:
            found.setdefault(after[0], one)
    return [found[number] for number in sorted(found)]


def kill(worker: Process) -> None:
    """The worker and all that it started, at once, as when its host dies."""
    for one in (worker, *descendants(worker.pid)):
        os.kill(one.pid, signal.SIGKILL)
    await_that("the worker is gone", lambda: not alive(worker))
