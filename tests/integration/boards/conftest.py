"""One watched installation for all tests of boards and rollups; they only read it."""

import uuid
from collections.abc import Iterator

import pytest

from registry.database import create_database, open_engine
from registry.migrate import migrate
from tests.reference.cycles import Installation, vendors
from tests.watched import watch
from vitalcast.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def watched(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """A day of a small installation, rolled up."""
    url = create_database(postgres.url("postgres"), suffix=f"_{uuid.uuid4().hex[:12]}")
    migrate(url)
    engine = open_engine(url)
    with vendors() as root:
        yield watch(engine, url, root, tmp_path_factory.mktemp("watched"))
    engine.dispose()
