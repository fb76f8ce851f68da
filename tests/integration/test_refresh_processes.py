"""Refreshing over processes: one refresh token is spent, a killed worker loses what it must."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, text

from providers.fetching import FetchRequest, Outcome
from registry.connections import Connection, list_connections
from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, await_that, job_environment, vendors
from vitalcast.cycle import HOUR

PATIENTS = {"withings": "demo-01", "google_health": "demo-04", "oura": "demo-07"}
RESOURCES = {"withings": "getmeas", "google_health": "heart-rate", "oura": "heartrate"}
TOKENS = {"withings": "/withings/v2/oauth2", "google_health": "/google_health/token",
          "oura": "/oura/oauth/token"}

# A worker that fetches one resource once it is told to; what it is told to die of comes first.
WORKER = """
import os, pathlib, signal, sys, time
from datetime import datetime, timedelta
from providers import oauth
from providers.fetching import FetchRequest
from registry import connections
from registry.database import transaction
from vitalcast import wiring

patient, resource, hour, go, death = sys.argv[1:]
if death == "before commit":
    ask = oauth.refresh
    def dying(*given):
        tokens = ask(*given)
        os.kill(os.getpid(), signal.SIGKILL)
    oauth.refresh = dying
if death == "after commit":
    renew = connections.refreshing
    def dying(*given):
        renew(*given)
        os.kill(os.getpid(), signal.SIGKILL)
    connections.refreshing = dying
system = wiring.open_system()
with transaction(system.engine) as conn:
    (link,) = connections.list_connections(conn, [patient])
client = system.client(link)
pathlib.Path(f"{go}.ready.{os.getpid()}").touch()
while not pathlib.Path(go).exists():
    time.sleep(0.005)
end = datetime.fromisoformat(hour)
asked = FetchRequest(resource=resource, start=end - timedelta(hours=1), end=end)
print(client.fetch(asked).outcome)
"""


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=tuple(PATIENTS.values())) as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def link(place: Installation, provider: str) -> Connection:
    with transaction(place.system.engine) as conn:
        return list_connections(conn, [PATIENTS[provider]])[0]


def expire(place: Installation) -> None:
    """Access tokens that no vendor knows; the refresh tokens stay."""
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE connections SET access_enc = :none"),
                     {"none": place.system.cipher.encrypt("expired")})


def refreshes(place: Installation, provider: str) -> int:
    told = requests.get(f"{place.sandbox_url}/sandbox/requests", timeout=20).json()
    return int(told.get(f"POST {TOKENS[provider]}", 0))


def fetched(place: Installation, provider: str) -> str:
    """A fetch of this process: its outcome, or the reason of its failure."""
    client = place.system.client(link(place, provider))
    try:
        result = client.fetch(FetchRequest(
            resource=RESOURCES[provider], start=CYCLE - HOUR, end=CYCLE))
    finally:
        client.close()
    return result.reason.split(":")[0] if result.status and result.reason else result.outcome


def workers(place: Installation, provider: str, go: Path, *deaths: str) -> list[tuple[int, str]]:
    """Workers that begin at the same moment: exit status and what each printed."""
    argv = [sys.executable, "-c", WORKER, PATIENTS[provider], RESOURCES[provider],
            CYCLE.isoformat(), str(go)]
    running = [subprocess.Popen([*argv, death], env=job_environment(place.system.settings),
                                stdout=subprocess.PIPE, text=True) for death in deaths]
    await_that("workers ready", lambda: len(list(go.parent.glob("go.ready.*"))) >= len(deaths))
    go.touch()
    printed = [one.communicate(timeout=60)[0].strip() for one in running]
    return [(one.returncode, text) for one, text in zip(running, printed, strict=True)]


@pytest.mark.parametrize("provider", ["withings", "oura"])
def test_workers_that_refresh_at_once_spend_one_refresh_token(
        place: Installation, provider: str, tmp_path: Path) -> None:
    expire(place)
    before = refreshes(place, provider)
    done = workers(place, provider, tmp_path / "go", "", "")
    assert done == [(0, Outcome.COMPLETE)] * 2
    assert refreshes(place, provider) == before + 1
    assert link(place, provider).token_version == 2
    assert link(place, provider).status == "active"


def test_a_pair_that_was_committed_outlives_its_worker(
        place: Installation, tmp_path: Path) -> None:
    provider = "oura"
    expire(place)
    ((status, _),) = workers(place, provider, tmp_path / "go", "after commit")
    assert status == -signal.SIGKILL
    before = refreshes(place, provider)
    assert fetched(place, provider) == Outcome.COMPLETE
    assert refreshes(place, provider) == before


@pytest.mark.parametrize(("provider", "then"), [
    ("withings", Outcome.COMPLETE), ("oura", "reauth_required")])
def test_a_worker_killed_before_the_commit_costs_a_consent_only_where_tokens_die_at_once(
        place: Installation, provider: str, then: str, tmp_path: Path) -> None:
    expire(place)
    ((status, _),) = workers(place, provider, tmp_path / "go", "before commit")
    assert status == -signal.SIGKILL
    assert link(place, provider).token_version == 1
    assert fetched(place, provider) == then


def test_a_dead_refresh_token_is_a_status_and_asked_once(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE connections SET access_enc = :none, refresh_enc = :none"),
                     {"none": place.system.cipher.encrypt("dead")})
    before = {provider: refreshes(place, provider) for provider in PATIENTS}
    place.ingest()
    assert {link(place, provider).status for provider in PATIENTS} == {"reauth_required"}
    place.ingest(CYCLE + HOUR)
    assert {provider: refreshes(place, provider) - before[provider]
            for provider in PATIENTS} == dict.fromkeys(PATIENTS, 1)
