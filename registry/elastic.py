"""Elasticsearch as the log store: its own client, its errors said in our words (`log_store`).

Messages name the place without its login, and never quote what was sent or answered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import SerializationError, TlsError, TransportError
from elasticsearch import (
    ApiError,
    BadRequestError,
    Elasticsearch,
    NotFoundError,
    UnsupportedProductError,
)

from registry.event_documents import DATA_STREAM, INDEX_TEMPLATE, Document, lifecycle, templates
from registry.log_store import (
    LogStoreError,
    Overloaded,
    Refused,
    Sent,
    Unauthorised,
    Unfit,
    Unreachable,
    Unsupported,
)

MAJOR = 9
"""The major version that the client speaks."""

TIMEOUT_S = 30.0
_TYPE = re.compile(r"[a-z_]{1,80}")


class Elastic:
    """One Elasticsearch, as the outbox and the set-up need it."""

    def __init__(self, url: str, *, api_key: str = "", ca_file: str = "",
                 timeout_s: float = TIMEOUT_S) -> None:
        try:
            self.place = _place(url)
            options: dict[str, Any] = {"ca_certs": ca_file} if ca_file else {}
            # Who sends again, and when, is decided in one place: the outbox.
            self._client = Elasticsearch(
                url, api_key=api_key or None, request_timeout=timeout_s, max_retries=0,
                retry_on_timeout=False, **options)
        except (ValueError, OSError):
            raise Unreachable(
                "VITALCAST_ELASTICSEARCH_URL cannot be used: write https://host:9200; "
                "VITALCAST_ELASTICSEARCH_CA_FILE, if set, must be a readable file") from None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def check(self) -> str:
        """The server's version. Unsupported when the client cannot speak to it."""
        with self._translated():
            version = str(self._client.info()["version"]["number"])
        if version.split(".")[0] != str(MAJOR):
            raise Unsupported(f"{self.place} is Elasticsearch {version}; "
                              f"VITALCAST_ELASTICSEARCH_URL must name version {MAJOR}")
        return version

    def send(self, documents: Mapping[str, Document]) -> Sent:
        """Create documents by id; one that is there already is there."""
        operations: list[Document] = []
        for name, body in documents.items():
            operations += [{"create": {"_id": name}}, body]
        with self._translated():
            answer = self._client.bulk(operations=operations, index=DATA_STREAM,
                                       require_data_stream=True)
        return self._sorted([item["create"] for item in answer["items"]])

    def present(self, ids: Sequence[str]) -> frozenset[str]:
        """Which of these ids are in the data stream, in whichever of its indices.

        `create` alone would write one twice that was rolled over between sending and its answer.
        """
        with self._translated():
            try:
                self._client.indices.refresh(index=DATA_STREAM)
                found = self._client.search(
                    index=DATA_STREAM, query={"ids": {"values": list(ids)}}, size=len(ids),
                    source=False, allow_partial_search_results=False)
            except NotFoundError:                  # nothing was ever sent
                return frozenset()
        return frozenset(hit["_id"] for hit in found["hits"]["hits"])

    def set_up(self, retention_days: int) -> None:
        """Put templates and lifecycle and make the data stream; the same when done again."""
        with self._translated():
            for name, body in templates(retention_days).items():
                if name == INDEX_TEMPLATE:
                    self._client.indices.put_index_template(name=name, **_arguments(body))
                else:
                    self._client.cluster.put_component_template(name=name, **_arguments(body))
            try:
                self._client.indices.create_data_stream(name=DATA_STREAM)
            except BadRequestError as error:
                if _error_type(error.body) != "resource_already_exists_exception":
                    raise
            self._client.indices.put_data_lifecycle(
                name=DATA_STREAM, **lifecycle(retention_days))

    def _sorted(self, items: Sequence[Mapping[str, Any]]) -> Sent:
        there, again, refused = set(), set(), dict[str, str]()
        for item in items:
            name, status = item["_id"], item["status"]
            if status in (200, 201, 409):
                there.add(name)
            elif status in (401, 403, 404, 429) or status >= 500:
                again.add(name)
            else:
                refused[name] = _type_of(item)
        blocked = {item["status"] for item in items} & {401, 403, 404}
        if blocked and not there:
            raise self._meaning(blocked.pop())
        return Sent(there=frozenset(there), again=frozenset(again), refused=refused)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The client's errors as ours."""
        try:
            yield
        except UnsupportedProductError:
            raise Unsupported(f"{self.place} answers, but is no Elasticsearch; correct "
                              "VITALCAST_ELASTICSEARCH_URL") from None
        except ApiError as error:
            raise self._meaning(error.meta.status, _error_type(error.body)) from None
        except TlsError:
            raise Unreachable(
                f"{self.place} has a certificate that nobody here trusts; set "
                "VITALCAST_ELASTICSEARCH_CA_FILE or correct VITALCAST_ELASTICSEARCH_URL",
                ) from None
        except (TransportError, SerializationError) as error:
            raise Unreachable(
                f"Elasticsearch at {self.place} gives no whole answer ({type(error).__name__}); "
                "start it or correct VITALCAST_ELASTICSEARCH_URL") from None
        except (KeyError, TypeError, ValueError):
            raise Unreachable(f"{self.place} gives an answer that is none of Elasticsearch's; "
                              "correct VITALCAST_ELASTICSEARCH_URL") from None

    def _meaning(self, status: int, kind: str = "") -> LogStoreError:
        if status == 429 or status >= 500:
            return Overloaded(f"Elasticsearch at {self.place} answers {status}; it is asked again "
                              "later")
        if status in (401, 403):
            return Unauthorised(
                f"Elasticsearch at {self.place} refuses the login ({status}); look at "
                "VITALCAST_ELASTICSEARCH_API_KEY and the privileges in docs/events.md")
        if kind == "media_type_header_exception":
            return Unsupported(f"{self.place} is an older Elasticsearch; "
                               f"VITALCAST_ELASTICSEARCH_URL must name version {MAJOR}")
        reason = f"{status} {kind}".strip()
        told = (f"Elasticsearch at {self.place} refuses a request ({reason}); run "
                "`vitalcast events setup` and see docs/events.md")
        return Unfit(told, reason=reason) if status in (400, 413) else Refused(told)


def _arguments(body: Document) -> Document:
    """A body as the client's arguments, which name `_meta` otherwise."""
    return {"meta" if name == "_meta" else name: value for name, value in body.items()}


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or 443}"


def _type_of(item: Mapping[str, Any]) -> str:
    """The kind of refusal of one document, a word of Elasticsearch's; never its text."""
    return f"{item['status']} {_error_type(item)}".strip()


def _error_type(body: Any) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else ""
