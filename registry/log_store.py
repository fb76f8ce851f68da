"""What the outbox needs of a log store, and what can go wrong with one.

    LogStoreError
    ├── Unreachable    no answer, or half of one: VITALCAST_ELASTICSEARCH_URL
    ├── Overloaded     429 or 5xx: it comes back by itself
    ├── Unauthorised   401 or 403: VITALCAST_ELASTICSEARCH_API_KEY
    ├── Unsupported    another version, or no Elasticsearch: VITALCAST_ELASTICSEARCH_URL
    └── Refused        the request itself: `vitalcast events setup`
        └── Unfit      for what is in it, or for how much that is: fewer documents may pass

`registry.elastic` is the one there is; it takes a second to import, this does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from registry.database import RegistryError
from registry.event_documents import Document


class LogStoreError(RegistryError):
    """The log store cannot be used."""

    fault: ClassVar[str] = "unreachable"


class Unreachable(LogStoreError):
    """Elasticsearch does not answer; start it or correct VITALCAST_ELASTICSEARCH_URL."""


class Overloaded(LogStoreError):
    """Elasticsearch has too much to do; it is asked again later."""

    fault = "overloaded"


class Unauthorised(LogStoreError):
    """Elasticsearch refuses the login; look at VITALCAST_ELASTICSEARCH_API_KEY."""

    fault = "unauthorised"


class Unsupported(LogStoreError):
    """What answers is not supported; VITALCAST_ELASTICSEARCH_URL must name Elasticsearch 9."""

    fault = "unsupported"


class Refused(LogStoreError):
    """Elasticsearch refuses the request; run: vitalcast events setup"""

    fault = "refused"


class Unfit(Refused):
    """Elasticsearch refuses the documents as a whole, for `reason`."""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a bulk: ids that are there, ids to send again, and why others never will."""

    there: frozenset[str]
    again: frozenset[str]
    refused: Mapping[str, str]


class LogStore(Protocol):
    """Takes documents by id. Every method raises LogStoreError."""

    def check(self) -> str: ...
    def send(self, documents: Mapping[str, Document]) -> Sent: ...
    def present(self, ids: Sequence[str]) -> frozenset[str]: ...
