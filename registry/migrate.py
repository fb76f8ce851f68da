"""Bringing a database to this release's tables; safe to run again and by several at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from registry.database import Engine, NotMigrated, open_engine, transaction

# Any fixed number: whoever holds it migrates, the others wait and find nothing to do.
_LOCK = "SELECT pg_advisory_xact_lock(7641120926)"


def migrate(url: str) -> str:
    """Upgrade to the newest revision and return its name."""
    engine = open_engine(url)
    try:
        with transaction(engine) as conn:
            conn.execute(text(_LOCK))
            config = _config()
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
        return newest()
    finally:
        engine.dispose()


def current(url: str) -> str | None:
    """The revision that a database is at; None when it was never migrated."""
    engine = open_engine(url)
    try:
        return _revision(engine)
    finally:
        engine.dispose()


def newest() -> str:
    """The revision that this release needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def require_migrated(engine: Engine) -> None:
    """NotMigrated unless the database is at the newest revision."""
    found = _revision(engine)
    if found != newest():
        raise NotMigrated(f"the database is at {found or 'no revision'}, this release needs "
                          f"{newest()}; run: vitalcast migrate")


def _revision(engine: Engine) -> str | None:
    with transaction(engine) as conn:
        return MigrationContext.configure(conn).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
