"""From a request for one resource to a ledger row: pages, outcome, and where to go on.

A vendor's failure does not raise out of `fetch`: it becomes an outcome with a reason. Pages read
before it are kept, they may be stored; the cursor moves only when every page was read and
understood. The same request gives the same result as long as the vendor holds the same data:
observations that are not over by `end` are withheld and come with the next cycle.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from providers.discrepancy import discrepancy
from providers.errors import (
    NotLinked,
    ProviderError,
    SchemaError,
    ScopeMissing,
    SubscriptionLapsed,
)
from providers.http import Answer, Session
from providers.observation import NaiveTimeError, Observation, Parsed, Provider, Refusal
from providers.signals import Signals, devices_of, moments_of

TRAILING_REREAD = timedelta(hours=72)
"""How far behind the cursor is read again, because wearables deliver late."""

DAY = timedelta(days=1)
_ANY_DEVICE = ""
_MOST_REPEATS = 20
_MOST_PAGES = 10_000
_NOT_ENTITLED = (ScopeMissing, SubscriptionLapsed, NotLinked)


class Outcome(StrEnum):
    """How a fetch ended, as the ledger says it."""

    COMPLETE = "complete"
    FETCH_FAILED = "fetch_failed"
    FORMAT_DISCREPANCY = "format_discrepancy"
    NOT_ENTITLED = "not_entitled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """One resource, from `start` (used while there is no cursor) to `end`, the cycle's hour.

    `cursor` is the `cursor_after` of the newest complete fetch, opaque to the caller; `synced` its
    `device_syncs`: what a device measured after its own was not there yet. `held_since` is set by
    the client: the earliest of them that a device has moved on from.
    Raises NaiveTimeError when a time is not in UTC.
    """

    resource: str
    start: datetime
    end: datetime
    cursor: str | None = None
    synced: Mapping[str, datetime] = field(default_factory=dict)
    held_since: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.utcoffset() != timedelta(0):
                raise NaiveTimeError(f"{moment.isoformat()} is not in UTC; convert it first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One body as it came, its hash, and what it says.

    `withheld` are observations at or after the request's end; `problem` is set when the page as a
    whole was not understood.
    """

    body: bytes
    sha256: str
    parsed: Parsed
    withheld: Sequence[Observation] = ()
    problem: SchemaError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What one fetch brought. `status` is what the connection's status must become, if anything.

    `reason` is "<word>: <what happened>"; on a complete fetch it is set only when the last sync
    could not be read.
    """

    resource: str
    outcome: Outcome
    reason: str | None = None
    status: str | None = None
    http_status: int | None = None
    pages: tuple[Page, ...] = ()
    cursor_after: str | None = None
    last_sync: datetime | None = None
    device_syncs: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Vendor records in all pages, understood or not."""
        return sum(page.parsed.received for page in self.pages)

    @property
    def parsed(self) -> int:
        """Observations in all pages, without the withheld ones."""
        return sum(len(page.parsed.observations) for page in self.pages)

    @property
    def refused(self) -> int:
        """Records that were not understood."""
        return sum(len(page.parsed.refused) for page in self.pages)


class Client(Protocol):
    """One account at one vendor."""

    @property
    def provider(self) -> Provider:
        """Whose account it is."""

    @property
    def resources(self) -> tuple[str, ...]:
        """What an ordinary cycle fetches."""

    def fetch(self, request: FetchRequest) -> FetchResult:
        """Read one resource. Raises ValueError for a resource that the vendor does not have."""

    def last_sync(self, as_of: datetime) -> datetime | None:
        """When a device of the account last delivered, None when the vendor does not tell.

        Raises ProviderError.
        """

    def signals(self, as_of: datetime) -> Signals:
        """Syncs and wear up to `as_of`; what the vendor does not tell is named in `unknown`."""

    def close(self) -> None:
        """Give the connections back."""


class VendorClient(ABC):
    """What the clients have in common; a vendor adds its pages, its cursor and its sync times."""

    provider: ClassVar[Provider]
    known: ClassVar[tuple[str, ...]]

    def __init__(self, session: Session, resources: tuple[str, ...]) -> None:
        if unknown := set(resources) - set(self.known):
            raise ValueError(f"{self.provider} has no resource {', '.join(sorted(unknown))}; "
                             f"choose from {', '.join(self.known)}")
        self._session = session
        self.resources = resources
        self._syncs: dict[datetime, datetime | None] = {}
        self._devices: dict[datetime, list[Parsed]] = {}

    def fetch(self, request: FetchRequest) -> FetchResult:
        """See `Client.fetch`."""
        if request.resource not in self.known:
            raise ValueError(f"{self.provider} has no resource {request.resource!r}; "
                             f"choose from {', '.join(self.known)}")
        result = _collected(request, self._pages(self._reaching_back(request)))
        if result.outcome is not Outcome.COMPLETE:
            return result
        result = replace(result, cursor_after=self._cursor_after(request, result.pages))
        try:
            return replace(result, last_sync=self.last_sync(request.end),
                           device_syncs=self._device_syncs(request.end))
        except ProviderError as error:
            return replace(result, reason=f"last sync unknown: {error.reason}: {error}")

    def _reaching_back(self, request: FetchRequest) -> FetchRequest:
        """Where a device has synced since, what it held back is to be read, whatever others did.

        A device that never synced before may hold everything back. Without an answer nothing more
        than usual is read: the ledger keeps the syncs that it knows, and the next cycle asks again.
        """
        if request.cursor is None:
            return request
        try:
            now = self._device_syncs(request.end)
        except ProviderError:
            return request
        unnamed = request.synced.get(_ANY_DEVICE, request.start)
        moved = (before for device, sync in now.items()
                 if sync > (before := request.synced.get(device, unnamed)))
        return replace(request, held_since=min(moved, default=None))

    def last_sync(self, as_of: datetime) -> datetime | None:
        """See `Client.last_sync`; asked once per client and `as_of`."""
        if as_of not in self._syncs:
            self._syncs[as_of] = self._ask_last_sync(as_of)
        return self._syncs[as_of]

    def _device_syncs(self, as_of: datetime) -> dict[str, datetime]:
        """The last sync of each device that measures by itself, of the account where the vendor
        tells no devices apart. Raises ProviderError."""
        last = self.last_sync(as_of)
        told = dict(sorted(one for page in self._devices.get(as_of, [])
                           for one in page.figures.get("syncs", ())))
        return told or ({} if last is None else {_ANY_DEVICE: last})

    def signals(self, as_of: datetime) -> Signals:
        """See `Client.signals`; the devices' answer is that of `last_sync`."""
        pages: list[Parsed] = []
        unknown = []
        for what, ask in (("devices", self._told_devices), ("wear", self._ask_wear)):
            try:
                pages += ask(as_of)
            except ProviderError as error:
                unknown.append(f"{what}: {error.reason}")
        return Signals(devices=devices_of(pages), worn=moments_of(pages, "worn"),
                       charging=moments_of(pages, "charging"), unknown=tuple(unknown))

    def _told_devices(self, as_of: datetime) -> list[Parsed]:
        self.last_sync(as_of)
        return self._devices.get(as_of, [])

    def _ask_wear(self, as_of: datetime) -> Sequence[Parsed]:  # noqa: ARG002 -- where there is any
        """Pages whose `figures["worn"]` are moments of wear. Raises ProviderError."""
        return ()

    def close(self) -> None:
        """See `Client.close`."""
        self._session.close()

    def _cursor_after(self, request: FetchRequest,
                      pages: Sequence[Page]) -> str:  # noqa: ARG002 -- Withings needs them
        return request.end.isoformat()

    @abstractmethod
    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        """Every page of the request, oldest window first. Raises ProviderError."""

    @abstractmethod
    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        """The vendor's own word on the last sync; pages of single devices it keeps in `_devices`.

        Raises ProviderError.
        """


def walk(ask: Callable[[str | None], Answer], parse: Callable[[Any], Parsed],
         end: datetime) -> Iterator[Page]:
    """Ask for pages until the vendor names no further one, or one is not understood.

    A vendor may hold a page back and give its token again; only one that goes on so is given up.
    """
    token: str | None = None
    seen: set[str] = set()
    repeats = 0
    while True:
        answer = ask(token)
        page = read_page(answer.body, answer.document, parse, end)
        yield page
        token = page.parsed.next_page
        if page.problem or token is None:
            return
        repeats += token in seen
        if repeats > _MOST_REPEATS or len(seen) >= _MOST_PAGES:
            raise SchemaError("paging does not come to an end")
        seen.add(token)


def understood(pages: Sequence[Page]) -> list[Parsed]:
    """What pages hold. SchemaError when one was not understood."""
    if problem := pages[-1].problem:
        raise problem
    return [page.parsed for page in pages]


def read_page(body: bytes, document: Any, parse: Callable[[Any], Parsed],
              end: datetime | None) -> Page:
    """What a body says, given as the document that `parse` takes; no `end` withholds nothing."""
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        parsed = parse(document)
    except SchemaError as error:
        refusal = Refusal(record="page", reason=str(error))
        return Page(body=body, sha256=sha256, parsed=Parsed(refused=(refusal,)), problem=error)
    withheld = [] if end is None else [
        one for one in parsed.observations if not over_by(one, end)]
    if end is not None and withheld:
        kept = [one for one in parsed.observations if over_by(one, end)]
        parsed = replace(parsed, observations=kept)
    return Page(body=body, sha256=sha256, parsed=parsed, withheld=withheld)


def last_sync_of(pages: Sequence[Page]) -> datetime | None:
    """The latest sync that pages of devices tell of. SchemaError when one was not understood:
    a sync that cannot be read must not pass for none."""
    if problem := pages[-1].problem:
        raise problem
    for page in pages:
        if page.parsed.refused:
            first = page.parsed.refused[0]
            raise SchemaError(f"{first.record}, {first.reason}")
    syncs = [page.parsed.figures["last_sync"] for page in pages]
    return max((sync for sync in syncs if sync), default=None)


def reread_from(request: FetchRequest) -> datetime:
    """Where reading by time begins: the start, or some way behind the cursor, from midnight UTC.

    Behind the sync before, where that is earlier. From midnight, because a closed day asked for
    again is then the same body with the same hash.
    """
    if request.cursor is None:
        return request.start
    known = min(datetime.fromisoformat(request.cursor), request.held_since or request.end)
    return midnight(max(request.start, known - TRAILING_REREAD))


def midnight(moment: datetime) -> datetime:
    """The midnight UTC before, where days begin for every fetch."""
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def windows(start: datetime, end: datetime, *, days: int) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) cut at midnights UTC into pieces of at most `days` days."""
    while start < end:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        stop = min(end, midnight + days * DAY)
        yield start, stop
        start = stop


def over_by(observation: Observation, end: datetime) -> bool:
    """Whether a cycle that ends at `end` may know the observation."""
    return observation.effective_start < end and observation.effective_end <= end


def _collected(request: FetchRequest, pages: Iterator[Page]) -> FetchResult:
    read: list[Page] = []
    try:
        for page in pages:
            read.append(page)
        if problem := discrepancy(read):
            raise problem
    except ProviderError as error:
        return FetchResult(
            resource=request.resource, outcome=_outcome(error), pages=tuple(read),
            reason=f"{error.reason}: {error}", http_status=error.http_status,
            status=error.connection_status,
        )
    return FetchResult(resource=request.resource, outcome=Outcome.COMPLETE, pages=tuple(read),
                       http_status=200)


def _outcome(error: ProviderError) -> Outcome:
    if isinstance(error, SchemaError):
        return Outcome.FORMAT_DISCREPANCY
    return Outcome.NOT_ENTITLED if isinstance(error, _NOT_ENTITLED) else Outcome.FETCH_FAILED
