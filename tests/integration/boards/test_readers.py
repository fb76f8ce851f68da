"""Readers where the database's user is no superuser, as at most hosts."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from registry.database import create_database, open_engine, transaction
from registry.migrate import migrate
from registry.readers import READONLY, RoleMissing, ask, make_reader
from vitalcast.embedded import EmbeddedPostgres

OWNER = "owner_of_a_database"
PASSWORD = "a long enough password"


@pytest.fixture
def superuser(postgres: EmbeddedPostgres) -> Iterator[Engine]:
    engine = open_engine(postgres.url("postgres"))
    yield engine
    engine.dispose()


@pytest.fixture
def owned(postgres: EmbeddedPostgres, superuser: Engine) -> Iterator[str]:
    """Address of an empty database, as a user who may make roles and is no superuser."""
    name = f"_{uuid.uuid4().hex[:12]}"
    url = create_database(postgres.url("postgres"), suffix=name)
    database = url.rpartition("/")[2].partition("?")[0]
    with transaction(superuser) as conn:
        conn.execute(text(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"))
        conn.execute(text(f'ALTER DATABASE "{database}" OWNER TO {OWNER}'))
    head, _, tail = url.rpartition("@")
    yield f"{head.partition('://')[0]}://{OWNER}:{PASSWORD.replace(' ', '%20')}@{tail}"
    with superuser.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f'DROP DATABASE "{database}" WITH (FORCE)'))
        conn.execute(text("DROP ROLE IF EXISTS reader_of_a_database"))
        conn.execute(text(f"DROP ROLE {OWNER}"))


def test_a_role_that_cannot_be_taken_is_told(owned: str, watched: object) -> None:
    migrate(owned)
    engine = open_engine(owned)
    with pytest.raises(RoleMissing, match="administrator"):
        ask(engine, "SELECT 1", READONLY)
    with pytest.raises(RoleMissing, match="administrator"):
        make_reader(engine, "reader_of_a_database", PASSWORD, clinical=False)
    engine.dispose()


def test_what_the_message_says_helps(owned: str, superuser: Engine, watched: object) -> None:
    with transaction(superuser) as conn:
        conn.execute(text(
            f"GRANT vitalcast_readonly, vitalcast_clinical TO {OWNER} WITH ADMIN OPTION"))
    migrate(owned)
    engine = open_engine(owned)
    assert ask(engine, "SELECT count(*) FROM bi_cycles", READONLY).rows == [(0,)]
    make_reader(engine, "reader_of_a_database", PASSWORD, clinical=True)
    engine.dispose()
