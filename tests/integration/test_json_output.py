"""`--json` is for programs: standard output holds JSON and nothing else."""

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest

from registry.database import open_engine
from tests.reference.cycles import CYCLE, LIGHT, Installation, job_environment, vendors
from vitalcast.processes import script

HOUR = ["--hour", CYCLE.isoformat()]
COMMANDS = [
    ["ingest", *HOUR], ["train", *HOUR], ["forecast", *HOUR], ["evaluate", *HOUR],
    ["watch", *HOUR, "--all"], ["rollup", *HOUR], ["coverage", *HOUR], ["retain", *HOUR],
    ["migrate"], ["status"], ["explain", CYCLE.isoformat()], ["patients", "list"],
    ["quarantine", "list"], ["events", "status"], ["webhooks", "process"], ["dashboards", "check"],
    ["quality", "--day", f"{CYCLE - timedelta(days=1):%Y-%m-%d}"], ["events", "tail"]]
LINES = [["events", "tail"]]
"""A line of JSON each, as they come."""


@pytest.fixture(scope="module")
def place(database_url: str) -> Iterator[Installation]:
    engine = open_engine(database_url)
    with vendors(patients=("demo-01",)) as root:
        yield Installation.on(engine, database_url, root, LIGHT)
    engine.dispose()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_standard_output_is_json(place: Installation, command: list[str]) -> None:
    done = subprocess.run([script("vitalcast"), *command, "--json"], capture_output=True,
                          text=True, check=False, env=job_environment(place.system.settings))
    assert done.returncode in (0, 1), done.stderr
    for told in done.stdout.splitlines() if command in LINES else [done.stdout]:
        assert isinstance(json.loads(told), dict)
