"""The embedded Postgres of the cycle benchmark: fast while it is filled, as shipped when measured.

While it is filled the server writes neither WAL for fresh tables nor waits for the disk. Then these
settings go, everything is flushed, and the server starts anew: nothing is left to be written that
the measured hours would pay for.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from registry.database import Connection, Engine, open_engine, transaction
from registry.migrate import migrate
from vitalcast.embedded import EmbeddedPostgres

DATABASE = "cycle"

_FILLING = {
    "wal_level": "minimal", "max_wal_senders": "0", "fsync": "off", "full_page_writes": "off",
    "max_wal_size": "16GB", "checkpoint_timeout": "1h", "autovacuum": "off",
    "maintenance_work_mem": "256MB",
}

_CONSTRAINTS = """
SELECT CAST(CAST(conrelid AS regclass) AS text) AS owner, conname AS name, contype AS kind,
       pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE contype IN ('p', 'u', 'f')
  AND (conrelid = ANY(CAST(:tables AS regclass[])) OR confrelid = ANY(CAST(:tables AS regclass[])))
ORDER BY position(contype IN 'puf'), conname"""

_INDEXES = """
SELECT CAST(CAST(indexrelid AS regclass) AS text) AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = ANY(CAST(:tables AS regclass[]))
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
ORDER BY name"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded server with the benchmark's migrated database."""

    postgres: EmbeddedPostgres
    url: str
    engine: Engine

    @property
    def postmaster(self) -> int:
        """The server's first process."""
        with self.engine.connect() as conn:
            folder = Path(str(conn.execute(text("SHOW data_directory")).scalar_one()))
        return int((folder / "postmaster.pid").read_text().splitlines()[0])

    def alone(self, *statements: str) -> None:
        """Run statements that Postgres refuses within a transaction."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            for statement in statements:
                conn.execute(text(statement))

    def restart(self) -> None:
        """Stop and start the server; the address may change, so the caller opens it again."""
        self.engine.dispose()
        self.postgres.stop()
        self.postgres.start()


@contextmanager
def serving(home: Path) -> Iterator[EmbeddedPostgres]:
    """The server of `home`, stopped at the end."""
    postgres = EmbeddedPostgres(home)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()


def opened(postgres: EmbeddedPostgres) -> Server:
    """The benchmark's database on a running server, made and migrated where it is missing."""
    postgres.create_database(DATABASE)
    url = postgres.url(DATABASE)
    migrate(url)
    return Server(postgres=postgres, url=url, engine=open_engine(url))


def opened_to_fill(postgres: EmbeddedPostgres) -> Server:
    """The same, with the settings that make filling it fast."""
    server = opened(postgres)
    server.alone(*(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in _FILLING.items()))
    server.restart()
    return opened(postgres)


def filled(server: Server) -> Server:
    """What was filled, vacuumed and on disk, on a server as shipped."""
    server.alone("VACUUM ANALYZE", "CHECKPOINT", "ALTER SYSTEM RESET ALL")
    server.restart()
    os.sync()
    return opened(server.postgres)


@contextmanager
def without_keys(conn: Connection, tables: Sequence[str]) -> Iterator[None]:
    """Fill tables without their indexes and keys, which are made anew at the end.

    Foreign keys from other tables to these go too. All within the transaction of `conn`.
    """
    named = {"tables": list(tables)}
    constraints = conn.execute(text(_CONSTRAINTS), named).all()
    indexes = conn.execute(text(_INDEXES), named).all()
    for one in reversed(constraints):
        conn.execute(text(f"ALTER TABLE {one.owner} DROP CONSTRAINT {one.name}"))
    for one in indexes:
        conn.execute(text(f"DROP INDEX {one.name}"))
    yield
    for one in indexes:
        conn.execute(text(one.definition))
    for one in constraints:
        conn.execute(text(f"ALTER TABLE {one.owner} ADD CONSTRAINT {one.name} {one.definition}"))


def run_statement(server: Server, statement: str, **given: object) -> int:
    """One statement in a transaction of its own; the rows that it wrote."""
    with transaction(server.engine) as conn:
        return int(conn.execute(text(statement), given).rowcount)
