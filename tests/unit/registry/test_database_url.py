"""An address that cannot be meant is refused before anybody is asked."""

import pytest

from registry.database import DatabaseUnreachable, database_url


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/db", "postgresql://u:hush@h:port/db"])
def test_an_address_that_cannot_be_read_says_how_to_write_one(url: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="postgresql://user:password@host") as told:
        database_url(url)
    assert "hush" not in str(told.value)
