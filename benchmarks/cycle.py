"""Cost of an hour for many patients: from stored readings to forecasts and severity, in Postgres.

    python benchmarks/cycle.py [--patients 100,1000,10000] [--vitals 5] [--json] [--keep DIR]
                               [--profile DIR]

Not counted: two weeks of hourly history are stored and trained (`cycle_prepare`), and each
measured hour's readings arrive. Counted, on two cores, one process a shard as in the product:

    hour a   train (every series refitted from the hour before, one in 168 searched), forecast
    hour b   forecast alone, an hour later, from the models of hour a

`forecast` reads the window, runs the states on, combines, scores severity and writes. Processor
seconds are those of jobs and Postgres together; memory is a sampled sum of PSS. Ends with 1 when
an hour did not do what was asked of it. Kernels that are not compiled yet (`vitalcast compile`)
would be compiled in the measured hours.
"""

import argparse
import json
import os
import pstats
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.fernet import Fernet

from benchmarks.cycle_check import faults, found
from benchmarks.cycle_meter import JobCommand, Meter
from benchmarks.cycle_prepare import (
    FIRST,
    HOUR,
    SEARCH_EVERY_HOURS,
    SHARDS,
    Clock,
    Size,
    arrive,
    clear,
    copy_models,
    enrol,
    fill_history,
    generate_readings,
)
from benchmarks.cycle_report import Hour, Run, Stage, as_json, as_text
from benchmarks.cycle_server import Server, filled, opened_to_fill, serving
from vitalcast.cycle import all_shards, partition_key
from vitalcast.jobs.configure import use_config
from vitalcast.settings import Settings
from vitalcast.wiring import open_system

CORES = 2
CONFIG = {"train_every_hours": 1, "search_every_hours": SEARCH_EVERY_HOURS, "drift_ratio": 100.0}
"""Age alone asks for a search, so that it is one in 168; drift is looked for all the same."""
PROFILE_LINES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """How jobs are started on one server; with `profile`, what each did goes to that folder."""

    server: Server
    config_hash: str
    env: Mapping[str, str]
    profile: Path | None = None

    def run(self, job: str, hour: datetime) -> Stage:
        """All shards of one job at once."""
        cost, figures = Meter(self.server).run([
            JobCommand(env=self.env, arguments=(
                job, partition_key(hour), shard, self.config_hash,
                *self._profiled(job, hour, shard)))
            for shard in all_shards(SHARDS)])
        return Stage(job=job, cost=cost, figures=dict(figures))

    def _profiled(self, job: str, hour: datetime, shard: str) -> Sequence[str]:
        if self.profile is None:
            return ()
        return "--profile", str(self.profile / f"{job}-{hour:%H}-{shard.replace('/', '-')}.prof")


def measure(size: Size, home: Path, profile: Path | None) -> Run:
    """Prepare so many patients on a server of their own, then measure both hours."""
    clock, key = Clock(), Fernet.generate_key().decode()
    with serving(home) as postgres:
        with clock.step("server"):
            server = opened_to_fill(postgres)
        _prepare(server, size, _jobs(server, key, home), clock)
        with clock.step("to disk"):
            server = filled(server)
        jobs = _jobs(server, key, home, profile)
        hours = {"a": _hour(jobs, size, FIRST, ("train", "forecast")),
                 "b": _hour(jobs, size, FIRST + HOUR, ("forecast",))}
        clear(server)
        server.engine.dispose()
    return Run(size=size, preparation=clock.seconds, hours=hours)


def _prepare(server: Server, size: Size, jobs: Jobs, clock: Clock) -> None:
    with clock.step("people"):
        enrol(server, size)
    with clock.step("readings made"):
        generate_readings(server, size)
    with clock.step("distinct history"):
        fill_history(server, size.distinct)
        server.alone("ANALYZE")
    with clock.step("distinct training"):
        jobs.run("train", FIRST - HOUR)
    if size.patients > size.distinct:
        with clock.step("whole history"):
            fill_history(server, size.patients)
    with clock.step("models copied"):
        copy_models(server, size)


def _jobs(server: Server, key: str, home: Path, profile: Path | None = None) -> Jobs:
    system = open_system(Settings(home=home, database_url=server.url, token_keys=key))
    config_hash = use_config(system, json.dumps(CONFIG))
    system.engine.dispose()
    return Jobs(server=server, config_hash=config_hash, profile=profile, env={
        "VITALCAST_HOME": str(home), "VITALCAST_DATABASE_URL": server.url,
        "VITALCAST_TOKEN_KEYS": key, "VITALCAST_SHARDS": str(SHARDS)})


def _hour(jobs: Jobs, size: Size, hour: datetime, chain: Sequence[str]) -> Hour:
    readings = arrive(jobs.server, size, hour)
    stages = [jobs.run(job, hour) for job in chain]
    left = found(jobs.server.engine, hour)
    return Hour(readings=readings, stages=stages, found=left,
                faults=faults(left, size, trained="train" in chain))


# --- command line ---------------------------------------------------------------------------


def _two_cores() -> None:
    """Bind this process, and so the server and the jobs, to two cores where there are more."""
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, usable[:CORES])


@contextmanager
def _home(keep: Path | None, patients: int) -> Iterator[Path]:
    """A data home: temporary, or one that stays."""
    if keep is not None:
        home = keep / f"patients-{patients}"
        home.mkdir(parents=True)
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="vitalcast-cycle-") as folder:
        Path(folder).chmod(0o755)   # as root the server runs as another user, who must get in
        yield Path(folder)


def _print_profiles(folder: Path) -> None:
    for file in sorted(folder.glob("*-1-*.prof")):
        print(f"\n{file}", file=sys.stderr)
        stats = pstats.Stats(str(file), stream=sys.stderr)
        stats.sort_stats("tottime").print_stats(PROFILE_LINES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", default="100,1000,10000", help="one number or several")
    parser.add_argument("--distinct", type=int, default=1000,
                        help="patients that are generated and trained; the others are copies")
    parser.add_argument("--vitals", type=int, default=5, choices=range(1, 7))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", type=Path, help="leave the data homes in this folder")
    parser.add_argument("--profile", type=Path, help="profile the jobs into this folder (slower)")
    given = parser.parse_args()
    _two_cores()
    if given.profile:
        given.profile.mkdir(parents=True, exist_ok=True)
    runs = []
    for patients in sorted(int(one) for one in given.patients.split(",")):
        with _home(given.keep, patients) as home:
            size = Size(patients=patients, vitals=given.vitals, most=given.distinct)
            runs.append(measure(size, home, given.profile))
    print(json.dumps(as_json(runs)) if given.json else as_text(runs))
    if given.profile:
        _print_profiles(given.profile)
    return int(any(hour.faults for run in runs for hour in run.hours.values()))


if __name__ == "__main__":
    sys.exit(main())
