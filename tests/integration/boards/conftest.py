"""One watched installation for all tests of boards and rollups; they only read it."""

from collections.abc import Callable, Iterator

import pytest

from registry.database import open_engine
from tests.reference.cycles import Installation, vendors
from tests.watched import watch


@pytest.fixture(scope="session")
def watched(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """A day of a small installation, rolled up."""
    url = new_database()
    engine = open_engine(url)
    with vendors() as root:
        yield watch(engine, url, root, tmp_path_factory.mktemp("watched"))
    engine.dispose()
