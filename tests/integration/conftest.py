"""What holds for all tests of several rooms together."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from registry import passwords
from tests.reference.cycles import Installation, vendors
from tests.reference.held import FEW


@pytest.fixture(scope="module", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """A hash takes 50 ms of a core on purpose, and enrolling the sandbox makes four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "N", 2**4)
        yield


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    """A ring and a watch at the sandbox's vendors, linked and not read yet."""
    with vendors(patients=FEW) as root:
        yield Installation.on(engine, database_url, root)
