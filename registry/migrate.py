"""Bringing a database to this release's tables; safe to run again and by several at once.

Alembic is imported to migrate: every job asks only whether that was done.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from registry.database import Engine, NotMigrated, open_engine, transaction

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0014"
"""The revision that this release needs; a test holds it to be the last one in `migrations`."""

_REVISION = "SELECT version_num FROM alembic_version"

_TABLE = "SELECT to_regclass('alembic_version')"

# Any fixed number: whoever holds it migrates, the others wait and find nothing to do.
_LOCK = "SELECT pg_advisory_xact_lock(7641120926)"


def migrate(url: str) -> str:
    """Upgrade to the newest revision and return its name."""
    from alembic import command

    engine = open_engine(url)
    try:
        with transaction(engine) as conn:
            conn.execute(text(_LOCK))
            config = _config()
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
        return NEWEST
    finally:
        engine.dispose()


def current(url: str) -> str | None:
    """The revision that a database is at; None when it was never migrated."""
    engine = open_engine(url)
    try:
        return _revision(engine)
    finally:
        engine.dispose()


def require_migrated(engine: Engine) -> None:
    """NotMigrated unless the database is at the newest revision."""
    found = _revision(engine)
    if found != NEWEST:
        raise NotMigrated(f"the database is at {found or 'no revision'}, this release needs "
                          f"{NEWEST}; run: vitalcast migrate")


def _revision(engine: Engine) -> str | None:
    with transaction(engine) as conn:
        if conn.execute(text(_TABLE)).scalar() is None:
            return None
        found: str | None = conn.execute(text(_REVISION)).scalar()
        return found


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
