"""What is fixed about one vendor; every vendor's module declares it as `ENTRY`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

from clinical.vitals import Vital
from providers.checks import Payload
from providers.fetching import VendorClient
from providers.http import Judge, Session, judge_status
from providers.limits import RateLimit
from providers.observation import Parsed, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Base address of the API, the page of consent, where tokens are handed out, where they end.

    Without `revoke` a consent can be ended at the vendor by the patient alone.
    """

    api: str
    authorise: str
    token: str
    revoke: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is fixed about one vendor. `parsers` hold every resource, `resources` the usual ones."""

    endpoints: Endpoints
    limit: RateLimit
    scopes: Mapping[str, tuple[Vital, ...]]
    """What is asked for, and the vitals read with it; none: identity, last sync, wear."""
    client: Callable[[Session, tuple[str, ...]], VendorClient]
    parsers: Mapping[str, Callable[[Payload], Parsed]]
    resources: tuple[str, ...]
    judge: Judge = field(default=lambda status, _: judge_status(status))
    pkce: bool = False
    sandbox_token_path: str = "/token"
    sandbox_revoke_path: str | None = None


@cache
def vendors() -> Mapping[Provider, Entry]:
    """The vendors that can be asked: those providers that have a module of their name here."""
    room = Path(__file__).parent
    return {one: import_module(f"providers.{one}").ENTRY for one in Provider
            if (room / f"{one}.py").is_file()}
