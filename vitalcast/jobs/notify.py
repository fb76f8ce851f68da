"""Withings' notifications: an account's own, made with its tokens and for each kind of data.

Made when a patient has consented and looked after daily, since Withings drops those of an address
that did not answer. Withings' list decides what is to be done. What it refuses leaves an event, and
is asked for again by the next run: without notifications readings come by the hour.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from providers.observation import Provider
from registry.connections import Connection, active_connections, conclude
from registry.database import RegistryError, transaction
from registry.event_words import OTHER, known
from registry.events import Event, record
from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.wiring import System

if TYPE_CHECKING:
    from providers.withings import WithingsClient

Made = Counter[tuple[str, str]]
"""How many of each kind of data are in which state: good, made, missing, ending, ended, failed."""

ANY_KIND = "any"


def is_set_up(settings: Settings) -> bool:
    """Are Withings' notifications taken here, at an address that Withings can reach."""
    return bool(settings.webhook_withings and settings.webhook_url)


def notify_all(system: System, address: str, *, dry_run: bool = False) -> Made:
    """Have Withings tell `address` of every account that is linked."""
    return _of_each(system, lambda one: notify(system, one, address, dry_run=dry_run))


def hush_all(system: System, address: str, *, dry_run: bool = False) -> Made:
    """Have Withings tell `address` nothing more."""
    return _of_each(system, lambda one: _hush(system, one, address, dry_run=dry_run))


def notify(system: System, connection: Connection, address: str, *,
           dry_run: bool = False) -> Made:
    """Have Withings tell of one account whatever the patient granted."""

    def make(client: "WithingsClient", made: Made) -> None:
        from providers.withings import NOTIFIED

        held, granted = client.notified(address), connection.scopes_granted
        for appli, (kind, scope) in NOTIFIED.items():
            if appli in held:
                made[kind, "good"] += 1
            elif not granted or scope in granted:
                if not dry_run:
                    client.notify(address, appli)
                made[kind, "missing" if dry_run else "made"] += 1

    return _asked(system, connection, make)


def _hush(system: System, connection: Connection, address: str, *, dry_run: bool) -> Made:
    def end(client: "WithingsClient", made: Made) -> None:
        from providers.withings import NOTIFIED

        for appli in sorted(client.notified(address)):
            if not dry_run:
                client.hush(address, appli)
            made[NOTIFIED.get(appli, (ANY_KIND, ""))[0], "ending" if dry_run else "ended"] += 1

    return _asked(system, connection, end)


def _of_each(system: System, ask: Callable[[Connection], Made]) -> Made:
    with transaction(system.engine) as conn:
        connections = active_connections(conn, Provider.WITHINGS)
    return sum(map(ask, connections), start=Counter())


def _asked(system: System, connection: Connection,
           ask: "Callable[[WithingsClient, Made], None]") -> Made:
    from providers.errors import ProviderError

    made: Made = Counter()
    try:
        with closing(cast("WithingsClient", system.client(connection))) as client:
            ask(client, made)
    except ProviderError as error:
        made[ANY_KIND, "failed"] += 1
        _tell(system, connection, error.reason, error.connection_status)
    except (RegistryError, UserError):              # its tokens cannot be read, for one
        made[ANY_KIND, "failed"] += 1
        _tell(system, connection, OTHER, None)
    return made


def _tell(system: System, connection: Connection, reason: str, status: str | None) -> None:
    with transaction(system.engine) as conn:
        if status is not None:
            conclude(conn, connection, status)
        record(conn, [Event(
            kind="subscription.failed", provider=connection.provider, reason=known(reason),
            series=(connection.connection_id,), once=datetime.now(UTC).date().isoformat())])
