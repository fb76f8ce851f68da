"""Whatever happens to a fit, its task comes back as an outcome."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.documents import dumps
from forecasting.members import fit
from forecasting.provenance import Provenance
from forecasting.types import FloatArray
from forecasting.workers import FAILED, FITTED, TIMEOUT, TOO_LITTLE_DATA, FitTask, fit_many
from tests.reference import series

ROOT = Path(__file__).resolve().parents[3]


class Deadly(EngineConfig):
    """A configuration that kills, stalls or breaks the process that reads it."""

    def engine(self, member: str) -> str:
        if multiprocessing.parent_process() is None:
            return "native"                       # the pool asks too, before it starts
        if member == "last_value":
            os.kill(os.getpid(), signal.SIGKILL)
        if member == "hour_of_day":
            time.sleep(600)
        if member == "seasonal_naive":
            raise ZeroDivisionError("as a library would")
        return super().engine(member)


def a_task(member: str, y: FloatArray | None = None, config: EngineConfig | None = None) -> FitTask:
    return FitTask(key=("p1", "heart_rate"), member=member, start=series.START,
                   y=series.rhythm() if y is None else y, config=config or EngineConfig(),
                   provenance=Provenance(code_version="test"))


def test_killed_stalled_and_broken_fits_are_outcomes_and_the_rest_goes_on() -> None:
    names = ["last_value", "profile", "hour_of_day", "seasonal_naive", "revert"]
    tasks = [a_task(name, config=Deadly()) for name in names]
    outcomes = list(fit_many(tasks, workers=2, timeout_s=15))
    assert [each.member for each in outcomes] == names
    assert [each.status for each in outcomes] == [FAILED, FITTED, TIMEOUT, FAILED, FITTED]
    assert "died" in outcomes[0].reason and outcomes[2].reason == "not finished after 15 s"
    assert outcomes[3].reason == "ZeroDivisionError: as a library would"


def test_a_worker_finds_what_this_process_finds_to_the_byte() -> None:
    tasks = [a_task("theta"), a_task("profile"), a_task("theta", np.full(50, np.nan))]
    outcomes = list(fit_many(tasks, workers=2, timeout_s=60))
    for task, outcome in zip(tasks[:2], outcomes, strict=False):
        here = fit(task.member, task.y, start=task.start, config=task.config,
                   provenance=task.provenance)
        assert outcome.document is not None and dumps(outcome.document) == dumps(here)
        assert outcome.cpu_seconds >= 0 and 0 < outcome.seconds < 60
    assert (outcomes[2].status, outcomes[2].document) == (TOO_LITTLE_DATA, None)
    assert outcomes[2].key == ("p1", "heart_rate")


def fit_and_tell(answer: Any) -> None:
    outcomes = fit_many([a_task("profile"), a_task("revert")], workers=1, timeout_s=60)
    answer.put([each.status for each in outcomes])


def test_fits_run_inside_a_daemonic_process() -> None:
    spawn = multiprocessing.get_context("spawn")
    answer = spawn.Queue()
    process = spawn.Process(target=fit_and_tell, args=(answer,), daemon=True)
    process.start()
    assert answer.get(timeout=60) == [FITTED, FITTED]
    process.join(30)
    assert process.exitcode == 0


def test_a_caller_that_stops_asking_leaves_no_process_behind() -> None:
    outcomes = fit_many([a_task("profile")] * 20, workers=2, timeout_s=60)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    list(fit_many([a_task("last_value")], workers=1, timeout_s=60))
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


def test_no_task_starts_no_process() -> None:
    assert list(fit_many([], workers=2, timeout_s=1)) == []



UNGUARDED = """
import sys
from tests.reference import series
from forecasting.config import EngineConfig
from forecasting.provenance import Provenance
from forecasting.workers import FitTask, fit_many
task = FitTask(key=1, member="profile", y=series.rhythm(), start=series.START,
               config=EngineConfig(), provenance=Provenance(code_version="test"))
print([each.status for each in fit_many([task], workers=1, timeout_s=60)])
assert sys.modules["__main__"].__file__.endswith("script.py")
"""


def test_workers_do_not_run_the_callers_script_again(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)
    run = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True,
                         text=True, check=True, timeout=60,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert run.stdout == "['fitted']\n"
