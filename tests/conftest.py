"""Fixtures every test room shares."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine, text
from xdist.scheduler import LoadFileScheduling

from registry.database import open_engine, transaction
from registry.migrate import migrate
from registry.tables import metadata
from vitalcast.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "migrated"
STACKS = ("tests/integration/test_airflow_demo.py", "tests/integration/test_airflow.py",
          "tests/integration/test_celery.py")
SHARED_ROOM = "tests/integration/boards"

# How long one example takes says more about the machine's other work than about the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


class OneStackAtATime(LoadFileScheduling):  # type: ignore[misc]
    """Which tests stay together in one worker: a file's, and those of files named above.

    A whole stack keeps two cores busy: another one beside it would only slow both.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "stacks" if file in STACKS else SHARED_ROOM if SHARED_ROOM in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStackAtATime:
    return OneStackAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, beside all else."""
    items.sort(key=lambda item: item.location[0] not in STACKS)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and vendor payloads; a test that needs them is skipped where they are absent."""
    folder = Path(os.environ.get("VITALCAST_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"shared data absent: {folder} does not exist; set VITALCAST_SHARED")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real server for the whole run, in a short directory that its user can enter.

    It does not wait for the disk: only a crash could lose a commit by this, and no test crashes
    this one.
    """
    folder = Path(tempfile.mkdtemp(prefix="vc-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder) as server:
        _administer(server, "ALTER SYSTEM SET fsync = off",
                    "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        yield server
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres) -> Callable[[], str]:
    """Makes databases with this release's tables, each a copy of one that was migrated."""
    postgres.create_database(TEMPLATE)
    migrate(postgres.url(TEMPLATE))

    def copy() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return postgres.url(name)

    return copy


def _administer(server: EmbeddedPostgres, *statements: str) -> None:
    engine = open_engine(server.url("postgres"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        for statement in statements:
            conn.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated database of this test module alone."""
    return new_database()


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
    """Its tables are small, and emptying fifty such costs TRUNCATE ten times what DELETE does."""
    engine = open_engine(url)
    with transaction(engine) as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(table.delete())
    return engine
