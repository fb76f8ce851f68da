"""What a stage costs: wall and processor seconds, memory and bytes, of jobs and of Postgres.

Read from /proc and from the kernel's accounts of ended children, so nothing that ends between two
looks is lost. Memory is the proportional set size (PSS), in which shared memory counts once; it
is sampled, so a peak shorter than the interval can be missed.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.cycle_server import Server
from registry.database import Engine

INTERVAL_S = 0.25
MIB = 2**20
_BACKENDS_END_S = 0.2      # the postmaster accounts for a backend when it has buried it
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_WRITTEN = """
SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS bigint),
       CAST(pg_database_size(current_database()) AS bigint)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a stage took.

    cpu_*_s          processor seconds of the job processes with their children, of the server
    peak_mib         highest sum of PSS over jobs and server, sampled
    peak_job_mib     highest resident size of one job process
    wal_mib, growth_mib  write-ahead log written, growth of the database's files
    """

    wall_s: float
    cpu_jobs_s: float
    cpu_postgres_s: float
    peak_mib: float
    peak_job_mib: float
    wal_mib: float
    growth_mib: float

    @property
    def cpu_s(self) -> float:
        """Processor seconds of everything."""
        return self.cpu_jobs_s + self.cpu_postgres_s


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCommand:
    """How one job process is started: its arguments after the module's name."""

    arguments: Sequence[str]
    env: Mapping[str, str]


class JobFailed(RuntimeError):
    """A job process ended with an error; its last words are in the message."""


class Meter:
    """Runs something and says what it cost; `server` must be running all the while."""

    def __init__(self, server: Server) -> None:
        self._engine: Engine = server.engine
        self._postmaster = server.postmaster
        self._peak = 0
        self._peak_job = 0

    def run(self, commands: Sequence[JobCommand]) -> tuple[Cost, Counter[str]]:
        """All job processes at once, until the last has ended; their figures are added up."""
        self._peak = self._peak_job = 0
        began, before = time.perf_counter(), self._counts()
        jobs = [_started(one) for one in commands]
        while running := [job for job in jobs if job.poll() is None]:
            self._look(jobs)
            with suppress(subprocess.TimeoutExpired):
                running[0].wait(INTERVAL_S)
        wall_s = time.perf_counter() - began
        time.sleep(_BACKENDS_END_S)
        figures = Counter[str]()
        for job in jobs:
            figures.update(_figures(job))
        cpu_jobs, cpu_postgres, wal, size = (
            after - earlier for after, earlier in zip(self._counts(), before, strict=True))
        return Cost(
            wall_s=wall_s, cpu_jobs_s=cpu_jobs, cpu_postgres_s=cpu_postgres,
            peak_mib=self._peak / MIB, peak_job_mib=self._peak_job / MIB,
            wal_mib=wal / MIB, growth_mib=size / MIB), figures

    def _look(self, jobs: Sequence[subprocess.Popen[str]]) -> None:
        working = family([job.pid for job in jobs])
        self._peak = max(self._peak, sum(map(_pss, working | family([self._postmaster]))))
        self._peak_job = max(self._peak_job, *map(_highest_resident, working))

    def _counts(self) -> tuple[float, float, int, int]:
        """Processor seconds of ended jobs and of the server, bytes of WAL and of the database."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        with self._engine.connect() as conn:
            wal, size = conn.execute(text(_WRITTEN)).one()
        return (children.ru_utime + children.ru_stime,
                sum(map(_cpu_s, family([self._postmaster]))), wal, size)


def _started(command: JobCommand) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cycle_job", *command.arguments],
        env={**os.environ, **command.env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def _figures(job: subprocess.Popen[str]) -> dict[str, int]:
    said, error = job.communicate()
    if job.returncode:
        raise JobFailed(f"{' '.join(map(str, job.args))}\n{error[-2000:]}")  # type: ignore[arg-type]
    found: dict[str, int] = json.loads(said.splitlines()[-1])
    return {name: value for name, value in found.items() if isinstance(value, int)}


# --- /proc ----------------------------------------------------------------------------------


def family(roots: Sequence[int]) -> set[int]:
    """Processes, their children, and so on."""
    parents = {int(one.name): _parent(one) for one in Path("/proc").iterdir()
               if one.name.isdecimal()}
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _stat(process: Path) -> list[str]:
    """Fields of `stat` from the state on; none of a process that has gone."""
    with suppress(OSError):
        return (process / "stat").read_text().rsplit(")", 1)[1].split()
    return []


def _parent(process: Path) -> int:
    fields = _stat(process)
    return int(fields[1]) if fields else 0


def _cpu_s(pid: int) -> float:
    """User and system time of a process and of its ended children."""
    return sum(map(int, _stat(Path(f"/proc/{pid}"))[11:15])) / _TICKS_PER_S


def _pss(pid: int) -> int:
    return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") * 1024


def _highest_resident(pid: int) -> int:
    return _kib(Path(f"/proc/{pid}/status"), "VmHWM:") * 1024


def _kib(file: Path, name: str) -> int:
    with suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
