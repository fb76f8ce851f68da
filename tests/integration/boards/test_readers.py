"""Readers where the database's user is no superuser, as at most hosts."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from registry.database import create_database, open_engine, transaction
from registry.migrate import migrate
from registry.readers import READONLY, LoginTaken, RoleMissing, ask, make_reader
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


def test_what_the_message_says_helps(made: Engine, watched: object) -> None:
    assert ask(made, "SELECT count(*) FROM bi_cycles", READONLY).rows == [(0,)]
    make_reader(made, "reader_of_a_database", PASSWORD, clinical=True)


@pytest.fixture
def made(owned: str, superuser: Engine) -> Iterator[Engine]:
    """A migrated database, as its owner, who may hand out the roles."""
    with transaction(superuser) as conn:
        conn.execute(text(
            f"GRANT vitalcast_readonly, vitalcast_clinical TO {OWNER} WITH ADMIN OPTION"))
    migrate(owned)
    engine = open_engine(owned)
    yield engine
    engine.dispose()


def test_a_login_that_was_not_made_here_stays_as_it_is(
        made: Engine, superuser: Engine, watched: object) -> None:
    def roles() -> list[object]:
        with transaction(superuser) as conn:
            return list(conn.execute(text("""
                SELECT rolname, rolpassword, rolsuper, rolcreaterole, rolcanlogin, setconfig
                FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid
                ORDER BY rolname""")))

    before = roles()
    own = str(superuser.url.username)
    for engine in (made, superuser):
        for login in (OWNER, own, READONLY, "pg_monitor", "pg_mine", "public"):
            with pytest.raises(LoginTaken, match=f"^{login} is a role .* choose another name"):
                make_reader(engine, login, PASSWORD, clinical=False)
    assert roles() == before


def test_a_reader_may_be_changed_any_number_of_times(made: Engine, watched: object) -> None:
    for clinical in (False, True, False):
        make_reader(made, "reader_of_a_database", PASSWORD, clinical=clinical)
    with transaction(made) as conn:
        held = conn.execute(text("""
            SELECT held.rolname FROM pg_auth_members m JOIN pg_roles held ON held.oid = m.roleid
            WHERE m.member = 'reader_of_a_database'::regrole""")).scalars().all()
    assert held == [READONLY]
