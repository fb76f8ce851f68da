"""The database of this installation: the one the settings name, or the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from registry.database import create_database
from registry.migrate import migrate
from vitalcast.embedded import EmbeddedPostgres
from vitalcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrls:
    """Addresses of the registry and of Airflow's metadata, on the same server by default."""

    registry: str = field(repr=False)
    airflow: str = field(repr=False)


@contextmanager
def database_server(settings: Settings, name: str = "vitalcast") -> Iterator[DatabaseUrls]:
    """Both databases, made and migrated where needed.

    An embedded server that was not running is stopped again at the end. `name` is the embedded
    database's; with `VITALCAST_DATABASE_URL` that database is used as it is.
    """
    if settings.database_url:
        yield _prepare(settings, settings.database_url)
        return
    server = EmbeddedPostgres(settings.home)
    was_running = server.running()
    server.start()
    try:
        server.create_database(name)
        yield _prepare(settings, server.url(name))
    finally:
        if not was_running:
            server.stop()


def _prepare(settings: Settings, registry_url: str) -> DatabaseUrls:
    migrate(registry_url)
    airflow_url = settings.airflow_database_url
    if not airflow_url:
        airflow_url = create_database(registry_url, suffix="_airflow")
    return DatabaseUrls(registry=registry_url, airflow=airflow_url)
