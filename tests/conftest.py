"""Fixtures every test room shares."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, text

from registry.database import create_database, open_engine, transaction
from registry.migrate import migrate
from registry.tables import metadata
from vitalcast.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent

# How long one example takes says more about the machine's other work than about the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and vendor payloads; a test that needs them is skipped where they are absent."""
    folder = Path(os.environ.get("VITALCAST_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"shared data absent: {folder} does not exist; set VITALCAST_SHARED")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real server for the whole run, in a short directory that its user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="vc-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database_url(postgres: EmbeddedPostgres) -> str:
    """A migrated database of this test module alone."""
    url = create_database(postgres.url("postgres"), suffix=f"_{uuid.uuid4().hex[:12]}")
    _wait_for_no_disk(url)
    migrate(url)
    return url


def _wait_for_no_disk(url: str) -> None:
    """Only a crash of the server could lose a commit by this, and no test crashes this one."""
    engine = open_engine(url)
    with transaction(engine) as conn:
        conn.execute(text(f"ALTER DATABASE {engine.url.database} SET synchronous_commit = off"))
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The module's database, emptied."""
    engine = _emptied(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def ward(database_url: str) -> Iterator[Engine]:
    """The module's database with the ward of `tests.clinic`."""
    from tests.clinic import open_ward

    engine = _emptied(database_url)
    open_ward(engine)
    yield engine
    engine.dispose()


def _emptied(url: str) -> Engine:
    engine = open_engine(url)
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    with transaction(engine) as conn:
        conn.execute(text(f"TRUNCATE {tables} CASCADE"))
    return engine
