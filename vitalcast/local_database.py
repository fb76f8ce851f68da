"""The database of this installation: the one the settings name, or the embedded one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from registry.database import create_database, open_engine
from registry.migrate import migrate, require_migrated
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.home import make_home
from vitalcast.settings import Settings

_STARTED = "started"


@contextmanager
def database_server(settings: Settings, dataset: str | None = None, *,
                    migrated: bool = True) -> Iterator[str]:
    """The registry's address; a database of our own is made and, if `migrated`, brought up to date.

    A demo's `dataset` has a database of its own, on whichever server: it never touches the one
    that `VITALCAST_DATABASE_URL` or `VITALCAST_DATABASE` names. The former is somebody's, with a
    backup to be made first: only `vitalcast migrate` migrates it, for all else it has to be.
    NotMigrated.
    """
    if settings.database_url and dataset is None:
        if migrated:
            _require_migrated(settings.database_url)
        yield settings.database_url
        return
    with _made(settings, dataset) as url:
        if migrated:
            migrate(url)
        yield url


def _require_migrated(url: str) -> None:
    engine = open_engine(url)
    try:
        require_migrated(engine)
    finally:
        engine.dispose()


@contextmanager
def _made(settings: Settings, dataset: str | None) -> Iterator[str]:
    if settings.database_url:
        yield create_database(settings.database_url, suffix=f"_{dataset}")
        return
    with _embedded_server(settings.home) as server:
        name = f"vitalcast_{dataset}" if dataset else settings.database
        server.create_database(name)
        yield server.url(name)


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
