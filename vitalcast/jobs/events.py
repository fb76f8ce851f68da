"""Deliver events to the log store. Nothing waits for it, and what is not delivered is kept.

No row in `runs`, unlike the other jobs: each row is told by events, so that there would never be
nothing left to deliver. What becomes of the store is told by `delivery.stopped` and `.resumed`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from registry.event_log import Delivery, deliver, waiting
from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.wiring import System

if TYPE_CHECKING:
    from registry.elastic import Elastic

Clock = Callable[[], datetime]

_FOR_A_PERSON = ("unauthorised", "unsupported", "refused")


def deliver_events(system: System, *, clock: Clock = lambda: datetime.now(UTC)) -> dict[str, Any]:
    """Deliver what waits; figures. Nothing is done where no store is set.

    A store that is down or busy is no failure; UserError where a person has to do something.
    """
    if not system.settings.elasticsearch_url:
        return {"delivered": 0, "waiting": waiting(system.engine), "store": "none"}
    told = try_delivery(system, clock=clock)
    if told.error is not None and told.error.fault in _FOR_A_PERSON:
        raise UserError(str(told.error))
    return figures(told)


def try_delivery(system: System, *, clock: Clock = lambda: datetime.now(UTC),
                 force: bool = False) -> Delivery:
    """One delivery to the store of the settings; `force`: even where the breaker says to wait."""
    elastic = open_elastic(system.settings)
    try:
        return deliver(system.engine, elastic, clock=clock, force=force)
    finally:
        elastic.close()


def open_elastic(settings: Settings) -> "Elastic":
    """The store of the settings. UserError where none is set."""
    from registry.elastic import Elastic

    if not settings.elasticsearch_url:
        raise UserError("no log store: set VITALCAST_ELASTICSEARCH_URL; `vitalcast events tail` "
                        "and `search` need none")
    return Elastic(settings.elasticsearch_url, api_key=settings.elasticsearch_api_key,
                   ca_file=settings.elasticsearch_ca_file)


def figures(told: Delivery) -> dict[str, Any]:
    """A delivery as a task's result."""
    store = "busy" if told.busy else told.error.fault if told.error else (
        "left alone" if told.retry_at else "answers")
    return {"delivered": told.delivered, "refused": told.refused, "waiting": told.waiting,
            "store": store, "retry_at": told.retry_at and told.retry_at.isoformat()}
