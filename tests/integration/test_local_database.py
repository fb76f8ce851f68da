"""The embedded server of a home is shared: the last who uses it stops it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.migrate import NEWEST, current
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.local_database import database_server
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
