"""The database of this installation: the one the settings name, or the embedded one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from registry.database import create_database
from registry.migrate import migrate
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.home import make_home
from vitalcast.settings import Settings

_STARTED = "started"


@contextmanager
def database_server(settings: Settings, dataset: str | None = None) -> Iterator[str]:
    """The registry's address; the database is made and migrated where needed.

    A demo's `dataset` has a database of its own, on whichever server: it never touches the one
    that `VITALCAST_DATABASE_URL` or `VITALCAST_DATABASE` names.
    """
    if settings.database_url:
        yield _migrated(_beside(settings.database_url, dataset))
        return
    with _embedded_server(settings.home) as server:
        name = f"vitalcast_{dataset}" if dataset else settings.database
        server.create_database(name)
        yield _migrated(server.url(name))


def _beside(url: str, dataset: str | None) -> str:
    return create_database(url, suffix=f"_{dataset}") if dataset else url


def _migrated(url: str) -> str:
    migrate(url)
    return url


@contextmanager
def _embedded_server(home: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server, running. Of several users at once the last to leave stops it.

    A server that nobody started through here is left running.
    """
    make_home(home)
    server = EmbeddedPostgres(home)
    with (home / "database.lock").open("a+") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if not server.running():
                server.start()
                users.write(_STARTED)
                users.flush()
            yield server
        finally:
            with suppress(BlockingIOError):   # somebody else uses it
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop_if_ours(server, users)


def _stop_if_ours(server: EmbeddedPostgres, users: IO[str]) -> None:
    users.seek(0)
    if users.read():
        server.stop()
        users.truncate(0)
