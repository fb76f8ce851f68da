"""Stored bodies read again by today's parse functions: what a fetch, a push or a file brought.

Besides the body a parse function needs the resource, which names it, and for a file of local times
the zone. A fetch withholds what was not over by the end of its cycle, so that is needed too.
"""

from datetime import datetime
from functools import partial
from io import BytesIO
from zoneinfo import ZoneInfo

from providers.checks import Payload
from providers.errors import SchemaError
from providers.fetching import Page, read_page
from providers.imports import FORMATS, FileRefused
from providers.observation import Observation, Parsed, Provider, Refusal
from providers.vendor import vendors

PUSHED = "webhook"
"""The resource of what a vendor pushed."""

FILE = "file "
"""How the resource of an imported file begins; its format follows."""

def read_stored(provider: Provider, resource: str, body: bytes, *, end: datetime,
                zone: str | None = None) -> Page:
    """The page of a stored body, as a fetch that ended at `end` would have it.

    Pushes and files withhold nothing.
    """
    if not is_fetched(resource):
        name = provider.value if resource == PUSHED else resource.removeprefix(FILE)
        return read_page(body, body, partial(_imported, name=name, zone=zone), None)
    vendor = vendors().get(provider)
    parse = vendor.parsers.get(resource, _unread) if vendor else _unread
    return read_page(body, body, parse, end)


def is_fetched(resource: str) -> bool:
    """Whether it came by a fetch, and not by a push or a file."""
    return resource != PUSHED and not resource.startswith(FILE)


def _unread(_: Payload) -> Parsed:
    raise SchemaError("nothing here reads this resource any more")


def _imported(body: bytes, *, name: str, zone: str | None) -> Parsed:
    """What a format's importer makes of a body. SchemaError."""
    if name not in FORMATS:
        raise SchemaError("there is no such format any more")
    try:
        items = list(FORMATS[name].read(BytesIO(body), ZoneInfo(zone) if zone else None))
    except FileRefused as refused:
        raise SchemaError(str(refused)) from None
    observations = [one for one in items if isinstance(one, Observation)]
    refusals = [one for one in items if isinstance(one, Refusal)]
    return Parsed(observations=observations, refused=refusals,
                  received=len(observations) + len(refusals))
