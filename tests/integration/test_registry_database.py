"""Engines, transactions, their errors, and migrations, on a real server."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from registry.database import (
    DatabaseUnreachable,
    NotMigrated,
    RegistryError,
    StatementFailed,
    create_database,
    open_engine,
    raw_cursor,
    transaction,
)
from registry.migrate import NEWEST, current, migrate, require_migrated
from registry.tables import metadata
from vitalcast.embedded import EmbeddedPostgres


def test_the_migrated_tables_are_those_of_the_metadata(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_every_comment_reaches_the_database(engine: Engine) -> None:
    with transaction(engine) as conn:
        found = conn.execute(text("SELECT obj_description(CAST('fetches' AS regclass))")).scalar()
    assert found == metadata.tables["fetches"].comment


def test_migrating_again_and_all_at_once_is_safe(postgres: EmbeddedPostgres) -> None:
    url = create_database(postgres.url("postgres"), suffix=f"_{uuid.uuid4().hex[:12]}")
    assert current(url) is None
    reached: list[str] = []
    threads = [threading.Thread(target=lambda: reached.append(migrate(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reached == [NEWEST] * 3
    assert migrate(url) == current(url) == NEWEST


def test_a_database_that_was_never_migrated_says_so(postgres: EmbeddedPostgres) -> None:
    engine = open_engine(create_database(postgres.url("postgres"),
                                         suffix=f"_{uuid.uuid4().hex[:12]}"))
    with pytest.raises(NotMigrated, match="vitalcast migrate"):
        require_migrated(engine)
    with pytest.raises(NotMigrated, match="vitalcast migrate"), transaction(engine) as conn:
        conn.execute(text("SELECT * FROM patients"))
    engine.dispose()


@pytest.mark.parametrize("url", [
    "postgresql://nobody:no@127.0.0.1:1/none",
    "postgresql://no-such-host.invalid/none",
    "mysql://127.0.0.1/x",
    "not an address",
])
def test_an_unreachable_database_names_the_setting(url: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="VITALCAST_DATABASE_URL"):
        open_engine(url)


def test_a_wrong_password_is_unreachable_and_not_quoted(postgres: EmbeddedPostgres) -> None:
    url = postgres.url("postgres").replace(postgres.address().password, "wrong-secret")
    with pytest.raises(DatabaseUnreachable) as told:
        open_engine(url)
    assert "wrong-secret" not in str(told.value)


@pytest.mark.parametrize("spelling", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_any_spelling_of_the_address_is_understood(database_url: str, spelling: str) -> None:
    engine = open_engine(database_url.replace("postgresql+psycopg2", spelling))
    with transaction(engine) as conn:
        assert conn.execute(text("SHOW timezone")).scalar() == "UTC"
    engine.dispose()


def test_nothing_of_a_failed_transaction_stays(engine: Engine) -> None:
    def fail() -> None:
        with transaction(engine) as conn:
            conn.execute(text("INSERT INTO patients (patient_id) VALUES ('p1')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with transaction(engine) as conn:
        assert conn.execute(text("SELECT count(*) FROM patients")).scalar() == 0


@pytest.mark.parametrize("execute", [
    lambda conn, statement: conn.execute(text(statement)),
    lambda conn, statement: raw_cursor(conn).execute(statement),
], ids=["sqlalchemy", "driver"])
def test_errors_of_the_driver_are_translated_without_values(
        engine: Engine, execute: Callable[[Connection, str], object]) -> None:
    statement = "INSERT INTO patients (patient_id) VALUES ('secret-name'), ('secret-name')"
    with pytest.raises(StatementFailed) as told, transaction(engine) as conn:
        execute(conn, statement)
    assert "pk_patients" in str(told.value)
    assert "secret-name" not in str(told.value)
    assert told.value.__suppress_context__


def test_no_kind_of_driver_error_is_left_untranslated(engine: Engine) -> None:
    def subclasses(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*map(subclasses, kind.__subclasses__()))

    for kind in subclasses(psycopg2.Error):
        with pytest.raises(RegistryError), transaction(engine):
            raise kind("from the driver")
    for kind in subclasses(DBAPIError):
        with pytest.raises(RegistryError), transaction(engine):
            raise kind("SELECT 1", {}, psycopg2.OperationalError("from the driver"))


def test_a_database_beside_is_created_once(database_url: str) -> None:
    beside = create_database(database_url, suffix="_airflow:%s")
    assert create_database(database_url, suffix="_airflow:%s") == beside
    engine = open_engine(beside)
    with transaction(engine) as conn:
        assert str(conn.execute(text("SELECT current_database()")).scalar()).endswith(
            "_airflow:%s")
    engine.dispose()
