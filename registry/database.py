"""The way to Postgres: engines, transactions and COPY; the errors of the registry.

    RegistryError           anything that persistence cannot do
    ├── DatabaseUnreachable nobody answers, or the login is refused
    ├── TooOld              the server is older than PostgreSQL 15
    ├── NotMigrated         the tables are missing or older than this release
    ├── NotFound            a row that must exist does not
    └── StatementFailed     the server refused a statement; says which rule, never which values

Messages never hold values: the vendor's, the driver's and the server's texts can quote a reading.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extras
from psycopg2 import sql
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

__all__ = ["Connection", "Engine", "RegistryError", "open_engine", "transaction"]

OLDEST_VERSION = 15
# Statements over a block's series look expensive and take milliseconds: compiling them takes more.
_SESSION = "-c timezone=UTC -c jit=off"
_PAGE_ROWS = 1000
_COPY_LINES = 100
_COPY_CHARACTERS = 1 << 18


class RegistryError(Exception):
    """The registry cannot do what was asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or type(self).__doc__)


class DatabaseUnreachable(RegistryError):
    """Postgres does not answer; start it or correct VITALCAST_DATABASE_URL."""


class TooOld(RegistryError):
    """The server is too old; VITALCAST_DATABASE_URL must name a PostgreSQL 15 or newer."""


class NotMigrated(RegistryError):
    """The tables are missing or older than this release; run: vitalcast migrate"""


class NotFound(RegistryError):
    """There is no such row."""


class StatementFailed(RegistryError):
    """The server refused a statement."""


def database_url(url: str, setting: str = "VITALCAST_DATABASE_URL") -> URL:
    """`url` for the driver in use, whichever way PostgreSQL is spelt in it.

    DatabaseUnreachable where it cannot be read; the message names the `setting` it comes from.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):   # the latter: a port that is no number
        raise DatabaseUnreachable(
            f"{setting} cannot be read; write "
            "postgresql://user:password@host:5432/database") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseUnreachable(
            f"{setting} names {parsed.get_backend_name()}, not PostgreSQL; write "
            "postgresql://user:password@host:5432/database")
    return parsed.set(drivername="postgresql+psycopg2")


def open_engine(url: str) -> Engine:
    """A pool of connections in UTC. DatabaseUnreachable or TooOld when the server is no use."""
    engine = create_engine(
        database_url(url), pool_pre_ping=True, hide_parameters=True,
        connect_args={"options": _SESSION, "connect_timeout": 10,
                      "application_name": "vitalcast"})
    with translated(engine), engine.connect() as conn:
        version = conn.connection.driver_connection.server_version // 10_000  # type: ignore[union-attr]
    if version < OLDEST_VERSION:
        raise TooOld(f"{_place(engine.url)} is PostgreSQL {version}; VITALCAST_DATABASE_URL must "
                     f"name version {OLDEST_VERSION} or newer")
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One unit of work: all of it is committed at the end of the block, or nothing."""
    with translated(engine), engine.begin() as conn:
        yield conn


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """The driver's errors as the registry's; a test fails when one is left out."""
    try:
        yield
    except DBAPIError as error:
        raise _meaning(error.orig, engine.url) from None
    except psycopg2.Error as error:
        raise _meaning(error, engine.url) from None


def _meaning(error: BaseException | None, url: URL) -> RegistryError:
    state = getattr(error, "pgcode", None)
    if state is None or state[:2] in ("08", "28", "3D") or state in ("57P01", "57P02", "57P03"):
        return DatabaseUnreachable(
            f"PostgreSQL at {_place(url)} does not answer or refuses the login "
            f"({state or type(error).__name__}); start it or correct VITALCAST_DATABASE_URL")
    if isinstance(error, (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn)):
        return NotMigrated()
    rule = error.diag.constraint_name if isinstance(error, psycopg2.Error) else None
    return StatementFailed(f"PostgreSQL refused a statement: {type(error).__name__} ({state})"
                           + (f", rule {rule}" if rule else ""))


def _place(url: URL) -> str:
    return f"{url.host or 'the local socket'}:{url.port or 5432}/{url.database}"


# --- many rows at once ----------------------------------------------------------------------


def raw_cursor(conn: Connection) -> Any:
    """A psycopg2 cursor in the transaction of `conn`, for what SQLAlchemy has no words for."""
    return conn.connection.cursor()


def execute_rows(conn: Connection, statement: str, rows: Sequence[Sequence[Any]], *,
                 template: str | None = None) -> int:
    """Run `INSERT … VALUES %s …` for all rows in pages; the number of rows written.

    `template` is one row's "(%s, …)" where it holds more than its values.
    """
    written = 0
    with raw_cursor(conn) as cursor:
        for start in range(0, len(rows), _PAGE_ROWS):
            page = rows[start:start + _PAGE_ROWS]
            psycopg2.extras.execute_values(cursor, statement, page, template,
                                           page_size=_PAGE_ROWS)
            written += cursor.rowcount
    return written


class _Lines:
    """Lines as a file for COPY: the server stores one portion while the next is being made.

    Portions are large, because another thread that is busy meanwhile lets each one wait.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def read(self, _: int) -> bytes:
        """The next portion, empty at the end; of its own size, which the driver takes."""
        portion: list[str] = []
        characters = 0
        while characters < _COPY_CHARACTERS:
            portion.append("".join(islice(self._lines, _COPY_LINES)))
            if not portion[-1]:
                break
            characters += len(portion[-1])
        # A lone surrogate, which JSON can smuggle in, has no UTF-8: it becomes a question mark.
        return "".join(portion).encode(errors="replace")


def copy_in(conn: Connection, statement: str, lines: Iterable[str]) -> None:
    """`COPY … FROM STDIN` in text format; each line ends with a newline (see `copytext`)."""
    with raw_cursor(conn) as cursor:
        cursor.copy_expert(statement, _Lines(lines))


def upsert(conn: Connection, table: str, columns: str, lines: Iterable[str],
           conflict: str) -> int:
    """COPY lines and insert them in one statement, `ON CONFLICT {conflict}`; how many were written.

    The lines go through a temporary table, which is not logged. No key may come twice unless
    `conflict` does nothing.
    """
    incoming = f"incoming_{table}"
    with raw_cursor(conn) as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {table} INCLUDING DEFAULTS "
            f"INCLUDING STORAGE) ON COMMIT DELETE ROWS; TRUNCATE {incoming}")
        copy_in(conn, f"COPY {incoming} ({columns}) FROM STDIN", lines)
        cursor.execute(
            f"INSERT INTO {table} ({columns}) "  # noqa: S608 -- names of this package alone
            f"SELECT {columns} FROM {incoming} ON CONFLICT {conflict}")
        return int(cursor.rowcount)


def copy_out(conn: Connection, query: str, parameters: dict[str, Any]) -> bytes:
    """The rows of `query` in PostgreSQL's binary COPY format; `%(name)s` are parameters."""
    with raw_cursor(conn) as cursor:
        buffer = io.BytesIO()
        ask = cursor.mogrify(query, parameters).decode()
        cursor.copy_expert(f"COPY ({ask}) TO STDOUT (FORMAT binary)", buffer)
        return buffer.getvalue()


# --- databases ------------------------------------------------------------------------------


def create_database(url: str, *, suffix: str) -> str:
    """Create the database `<database><suffix>` beside the one in `url` where it is missing.

    Returns its address, password included.
    """
    beside = database_url(url)
    beside = beside.set(database=f"{beside.database}{suffix}")
    engine = create_engine(database_url(url), isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with translated(engine), engine.connect() as conn:
            _create_missing(conn, str(beside.database))
    finally:
        engine.dispose()
    return beside.render_as_string(hide_password=False)


def _create_missing(conn: Connection, name: str) -> None:
    exists = text("SELECT 1 FROM pg_database WHERE datname = :name")
    if conn.execute(exists, {"name": name}).scalar():
        return
    try:
        with raw_cursor(conn) as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg2.Error as error:
        # Another process was faster: DuplicateDatabase, or a duplicate key in the catalogue.
        if error.pgcode not in ("42P04", "23505"):
            raise RegistryError(
                f"the database {name} could not be created ({type(error).__name__}); create "
                "it, or give the login the right CREATEDB") from None
