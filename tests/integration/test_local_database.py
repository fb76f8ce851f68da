"""The embedded server of a home is shared: the last who uses it stops it."""

import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.database import create_database
from registry.migrate import NEWEST, current
from tests.reference.cycles import KEYS
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.local_database import database_server
from vitalcast.processes import script
from vitalcast.settings import Settings


@pytest.fixture
def home() -> Iterator[Path]:
    """A short directory that the server's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="vc-test-"))
    folder.chmod(0o755)
    yield folder
    EmbeddedPostgres(folder).stop()
    shutil.rmtree(folder)


def test_the_last_user_stops_the_server(home: Path) -> None:
    settings, server = Settings(home=home, database_url=""), EmbeddedPostgres(home)
    first, second = database_server(settings), database_server(settings, "other")
    first.__enter__()
    url = second.__enter__()
    first.__exit__(None, None, None)
    assert current(url) == NEWEST
    second.__exit__(None, None, None)
    assert not server.running()
    server.start()
    with database_server(settings):
        pass
    assert server.running(), "somebody else had started it"


@pytest.fixture
def blank(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of somebody's that was never migrated."""
    url = create_database(postgres.url("postgres"), suffix=f"_{uuid.uuid4().hex[:12]}")
    monkeypatch.setenv("VITALCAST_DATABASE_URL", url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", KEYS.token_key)
    return url


@pytest.mark.parametrize("command", [
    "status", "explain latest", "ingest", "retain", "events tail", "quarantine list",
    "keys rotate", "report p-17 --out p-17.html", "dashboards check"])
def test_nobody_else_s_database_is_migrated_by_the_way(blank: str, command: str) -> None:
    done = subprocess.run([script("vitalcast"), *command.split()], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and "run: vitalcast migrate" in done.stderr
    assert current(blank) is None


def test_migrating_tells_where_the_database_was(blank: str) -> None:
    for was in (None, NEWEST):
        done = subprocess.run([script("vitalcast"), "migrate", "--json"], capture_output=True,
                              text=True, check=True)
        assert json.loads(done.stdout) == {"version": NEWEST, "was": was}


def test_migrating_the_embedded_one_tells_it_too(home: Path) -> None:
    with database_server(Settings(home=home, database_url=""), migrated=False) as url:
        assert current(url) is None
