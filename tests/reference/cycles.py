"""Whole cycles on a few sandbox patients, and what they leave: for tests of the jobs together."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from providers.sandbox.cohort import cohort
from providers.sandbox.readings import Subject
from providers.sandbox.world import Source
from registry.connections import TokenCipher
from registry.database import Engine, transaction
from registry.tables import metadata
from tests.reference.sandbox_user import sandbox_user
from vitalcast.jobs.configure import use_config
from vitalcast.jobs.enrol import enrol_sandbox
from vitalcast.jobs.evaluate import evaluate
from vitalcast.jobs.forecast import forecast
from vitalcast.jobs.ingest import ingest
from vitalcast.jobs.train import train
from vitalcast.keys import Keys
from vitalcast.sandbox_admin import set_clock
from vitalcast.settings import Settings, child_environment
from vitalcast.wiring import System

CYCLE = datetime(2026, 11, 21, 6, tzinfo=UTC)
FEW = ("demo-01", "demo-04", "demo-07")            # one patient a vendor, ten series
HISTORY_DAYS = 8
QUICK = json.dumps({"members": {"arima": False, "tbats": False}, "window_hours": 168})
LIGHT = json.dumps({"window_hours": 168, "train_every_hours": 24,
                    "members": dict.fromkeys(("arima", "tbats", "ets", "theta"), False)})
KEYS = Keys()
UNLIMITED = dict.fromkeys(("withings", "google_health", "oura"), "1000000/60")

PASSING = {
    "created_at", "fetched_at", "replaced_at", "finished_at", "stored_at", "first_used_at",
    "flagged_at", "cleared_at", "made_at",
    "duration_s", "seconds", "cpu_seconds", "host",                    # when, how long, where
    "access_enc", "refresh_enc", "token_version", "expires_at", "last_refresh_at",
    "consented_at",
    "first_seen_at", "decided_at",
    "password_hash", "session_version",                            # secrets are new each time
}
"""Columns that tell of one execution."""

OF_EXECUTIONS = {"runs", "rate_calls", "events", "event_keys", "event_sinks"}
"""Tables that tell of executions; what a repeated job leaves in `events` has a test of its own."""


@contextmanager
def vendors(*, patients: Sequence[str] = FEW, now: datetime = CYCLE) -> Iterator[str]:
    """A sandbox that serves these patients of the cohort, its clock at `now`; its address."""
    with sandbox_user(only(patients), now=int(now.timestamp())) as user:
        yield user.root


def only(patients: Sequence[str]) -> Source:
    """The cohort of seed 7, of which these patients alone are there."""
    def source(anchor: int) -> list[Subject]:
        return [one for one in cohort(7)(anchor) if one.subject_id in patients]
    return source


def settings(database_url: str, sandbox_url: str, home: Path = Path("/nonexistent")) -> Settings:
    """Settings of an installation on these two; one shard, no rate limit, a short history."""
    return Settings(
        home=home, database_url=database_url, airflow_database_url=database_url,
        sandbox_url=sandbox_url, secret_key=KEYS.secret_key, token_keys=KEYS.token_key,
        rate_limits=UNLIMITED, history_days=HISTORY_DAYS, shards=1, workers=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A database and a sandbox, and what is done with them in this process."""

    system: System
    sandbox_url: str
    config: str = QUICK

    @classmethod
    def on(cls, engine: Engine, database_url: str, sandbox_url: str,
           config: str = QUICK) -> "Installation":
        """An installation whose patients have all given their consent."""
        one = cls(sandbox_url=sandbox_url, config=config, system=System(
            settings=settings(database_url, sandbox_url), engine=engine,
            cipher=TokenCipher([KEYS.token_key])))
        one.enrol()
        return one

    def enrol(self) -> None:
        enrol_sandbox(self.system, self.sandbox_url, KEYS)

    def clock(self, now: datetime) -> None:
        set_clock(self.sandbox_url, now)

    def ingest(self, hour: datetime = CYCLE) -> dict[str, int]:
        return ingest(self.system, cycle=hour, shard="1/1")

    def train(self, hour: datetime = CYCLE) -> dict[str, Any]:
        return train(self.system, cycle=hour, shard="1/1", config_hash=self._config())

    def forecast(self, hour: datetime = CYCLE) -> dict[str, int]:
        return forecast(self.system, cycle=hour, shard="1/1", config_hash=self._config())

    def evaluate(self, hour: datetime = CYCLE) -> dict[str, int]:
        return evaluate(self.system, cycle=hour, shard="1/1")

    def cycle(self, hour: datetime = CYCLE) -> None:
        """All jobs in the order that the DAGs chain them in."""
        self.ingest(hour)
        self.train(hour)
        self.forecast(hour)
        self.evaluate(hour)

    def _config(self) -> str:
        return use_config(self.system, self.config)


Dump = dict[str, list[str]]


def dump(engine: Engine) -> Dump:
    """Every row of every table but those of `OF_EXECUTIONS`, without the columns of `PASSING`."""
    found: Dump = {}
    with transaction(engine) as conn:
        for table in metadata.sorted_tables:
            if table.name not in OF_EXECUTIONS:
                columns = ", ".join(one.name for one in table.columns if one.name not in PASSING)
                rows = conn.execute(text(
                    f"SELECT CAST(t AS text) FROM (SELECT {columns} FROM {table.name}) t"))
                found[table.name] = sorted(rows.scalars())
    return found


def assert_same(one: Dump, other: Dump) -> None:
    """Fail with the tables and the first rows that differ."""
    faults = []
    for name in one:
        here, there = set(one[name]) - set(other[name]), set(other[name]) - set(one[name])
        if one[name] != other[name]:
            faults.append(f"{name}: {len(one[name])} rows, then {len(other[name])}\n"
                          f"  only first:  {[row[:400] for row in sorted(here)[:2]]}\n"
                          f"  only second: {[row[:400] for row in sorted(there)[:2]]}")
    assert not faults, "\n".join(faults)


def job_command(job: str, hour: datetime, config: Path) -> list[str]:
    """The command that runs one job by hand."""
    given = ["--config", str(config)] if job in ("train", "forecast") else []
    return [str(Path(sys.executable).with_name("vitalcast")), job, "--json",
            "--hour", hour.isoformat(), *given]


def job_environment(given: Settings) -> Mapping[str, str]:
    """The settings as environment variables, for a job in a process of its own."""
    return {**os.environ, **child_environment(given)}


def await_that(what: str, true: Callable[[], bool], within_s: float = 60,
               every_s: float = 0.02) -> None:
    """Wait until something holds; fails by name when it does not in time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s in vain for: {what}"
        time.sleep(every_s)
