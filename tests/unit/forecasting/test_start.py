"""What a fresh process does before its first forecast, and where it cannot write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CYCLE = """
import sys
import numpy as np
import numba.core.event as event
compiled = event.RecordingListener()
event.register("numba:compile", compiled)
from datetime import UTC, datetime
from forecasting.config import HEAVY, EngineConfig
from forecasting.documents import dumps, loads
from forecasting.ensemble import forecast_ensemble
from forecasting.members import fit
from forecasting.provenance import Provenance
from tests.reference.fits import fit_ensemble
hours, start = np.arange(168), datetime(2026, 1, 5, tzinfo=UTC)
y = 70 + 8 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(1).normal(0, 2, hours.size)
config, made_by = EngineConfig(), Provenance(code_version="test")
documents = {name: loads(dumps(fit(name, y, start=start, config=config, provenance=made_by)))
             for name in config.members}
ensemble = fit_ensemble(documents, y, start=start, config=config, vital=None,
                        provenance=made_by)
made = forecast_ensemble(ensemble, documents, y_since=y[-3:], horizon=24, levels=(80,), vital=None)
assert np.isfinite(made.point).all() and set(HEAVY) <= set(documents)
print(len(compiled.buffer), *sorted({"statsforecast", "pandas", "scipy.linalg"} & set(sys.modules)))
"""

COMPILE = """
from forecasting.exercise import SHARES, exercise
for members in SHARES:
    exercise(members)
"""

BLAS = """
import numpy as np
import forecasting.kernels
from numba import njit
print(njit(lambda a: np.dot(a, a))(np.ones(3)))
"""

READ_ONLY = """
import os, sys, tempfile
allowed = os.path.realpath(tempfile.gettempdir())
def refuse(event, given):
    writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.mkdir", "os.rename", "os.remove"):
        place = given[0]
        if isinstance(place, str) and not os.path.realpath(place).startswith(allowed + os.sep):
            raise PermissionError(13, "read-only", place)
sys.addaudithook(refuse)
"""


def told(code: str, **environment: str) -> str:
    """What a fresh process prints; warnings are errors, and it says nothing else."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], text=True, capture_output=True, check=False,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """As `vitalcast compile` leaves it; a moment's work where an installation did so before."""
    told(COMPILE)


def test_after_compiling_a_fresh_process_compiles_nothing_and_needs_no_other_library() -> None:
    assert told(CYCLE) == "0"


def test_where_nothing_but_the_temporary_folder_can_be_written_it_works(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    place = "from forecasting.kernels import CACHE_PLACE; print(CACHE_PLACE)"
    compiled, found = told(
        READ_ONLY + place + CYCLE, HOME="/nonexistent", TMPDIR=str(tmp_path / "own"),
        NUMBA_CACHE_DIR="/nonexistent/numba").splitlines()[::-1]
    assert compiled == "0" and found.startswith(str(tmp_path))


def test_a_function_that_calls_for_a_blas_still_finds_it() -> None:
    assert told(BLAS) == "3.0"
