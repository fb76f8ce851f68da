"""A loopback HTTP server that keeps data streams as Elasticsearch does, and fails as it is told to.

Ids are unique within one backing index alone, as in Elasticsearch: after a rollover the same id can
be written again. Search sees what was refreshed.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came; `body` is parsed, that of a bulk as a list."""

    method: str
    path: str
    body: Any
    authorization: str


@dataclass(kw_only=True)
class Cluster:
    """What the server holds, and what it is to do wrong.

    faults  for the next bulk requests, one each: a status; "partial" (every second document 429);
            "cut" (nothing done, no answer), "lost" (all done, no answer), "slow" (all done, the
            answer too late), "halves" (half an answer)
    down    nothing is answered at all: 503
    poison  ids that are refused for ever
    most_bytes, unfit   a bulk request that is longer, or holds one of these ids, is refused whole
    """

    version: str = "9.1.2"
    product: bool = True
    api_key: str = ""
    slow_s: float = 0.5
    down: bool = False
    faults: list[int | str] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    most_bytes: int = 1 << 20
    unfit: set[str] = field(default_factory=set)
    indices: list[dict[str, Body]] = field(default_factory=lambda: [{}])
    searchable: list[str] = field(default_factory=list)
    put: dict[str, Body] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def rollover(self) -> None:
        """Begin a new backing index."""
        self.indices.append({})

    def stored(self) -> list[tuple[str, Body]]:
        """Every document with its id, as often as it is there."""
        return [one for index in self.indices for one in index.items()]

    def bulk(self, lines: list[Body], busy: bool) -> Body:
        """Create documents in the newest index."""
        items = []
        for number, (action, body) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            name = action["create"]["_id"]
            status, kind = self._create(name, body, busy and number % 2 == 0)
            item: Body = {"_id": name, "_index": "backing", "status": status}
            if kind:
                item["error"] = {"type": kind, "reason": f"of {json.dumps(body)}"}
            items.append({"create": item})
        return {"took": 1, "errors": any("error" in one["create"] for one in items),
                "items": items}

    def _create(self, name: str, body: Body, busy: bool) -> tuple[int, str]:
        if busy:
            return 429, "es_rejected_execution_exception"
        if name in self.poison:
            return 400, "document_parsing_exception"
        if name in self.indices[-1]:
            return 409, "version_conflict_engine_exception"
        self.indices[-1][name] = body
        return 201, ""

    def search(self, body: Body) -> Body:
        """Hits by id, of all indices."""
        wanted = body["query"]["ids"]["values"]
        hits = [{"_id": name, "_index": "backing"} for name in self.searchable if name in wanted]
        return {"took": 1, "timed_out": False, "hits": {"hits": hits[:body["size"]]}}

    def refresh(self) -> Body:
        """Let searches see everything."""
        self.searchable = [name for name, _ in self.stored()]
        return {"_shards": {"failed": 0}}


@contextmanager
def elasticsearch(**of_cluster: Any) -> Iterator[tuple[str, Cluster]]:
    """The server's address and what it holds."""
    cluster = Cluster(**of_cluster)

    class Handler(_Handler):
        held = cluster

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    held: Cluster
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        body: Any = None
        if raw:
            body = [json.loads(line) for line in raw.splitlines()] if path.endswith("_bulk") \
                else json.loads(raw)
        self.held.requests.append(Request(
            method=self.command, path=self.path, body=body,
            authorization=self.headers.get("authorization", "")))
        with self.held.lock:
            self._route(path, body, raw)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 -- names of the standard library

    def _refusal(self) -> tuple[int, str] | None:
        """Why nothing at all is done, if so."""
        held = self.held
        if held.down:
            return 503, "unavailable"
        if held.api_key and self.headers.get("authorization") != f"ApiKey {held.api_key}":
            return 401, "security_exception"
        if held.version.startswith("8") and "compatible-with=9" in self.headers["accept"]:
            return 400, "media_type_header_exception"
        return None

    def _route(self, path: str, body: Any, raw: bytes) -> None:
        held, refusal = self.held, self._refusal()
        if refusal:
            self._send(refusal[0], {"error": {"type": refusal[1]}})
        elif path == "/":
            self._send(200, {"version": {"number": held.version}})
        elif path.endswith("/_bulk"):
            self._bulk(body, len(raw))
        elif path.endswith("/_search"):
            self._send(200, held.search(body))
        elif path.endswith("/_refresh"):
            self._send(200, held.refresh())
        elif path in held.put and path.startswith("/_data_stream/") and path.count("/") == 2:
            self._send(400, {"error": {"type": "resource_already_exists_exception"}})
        else:
            held.put[path] = body
            self._send(200, {"acknowledged": True})

    def _bulk(self, lines: list[Body], size: int) -> None:
        held = self.held
        if size > held.most_bytes:            # the words of a proxy, which knows no JSON
            return self._send(413, "<html>Request Entity Too Large</html>")
        if held.unfit & {action["create"]["_id"] for action in lines[::2]}:
            return self._send(400, {"error": {"type": "x_content_parse_exception"}})
        fault = held.faults.pop(0) if held.faults else 200
        if fault == "cut":
            return self._cut()
        if isinstance(fault, int) and fault != 200:
            return self._send(fault, {"error": {"type": "told_to"}, "status": fault})
        answer = held.bulk(lines, busy=fault == "partial")
        if fault == "lost":
            return self._cut()
        if fault == "slow":
            time.sleep(held.slow_s)
        return self._send(200, answer, whole=fault != "halves")

    def _send(self, status: int, body: Body | str, whole: bool = True) -> None:
        html = isinstance(body, str)
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
        try:
            self.send_response(status)
            for name, value in (PRODUCT if self.held.product and not html else {}).items():
                self.send_header(name, value)
            self.send_header("content-type", "text/html" if html else
                             "application/vnd.elasticsearch+json;compatible-with=9")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw if whole else raw[:len(raw) // 2])
        except OSError:                       # the client did not wait for it
            self.close_connection = True
        if not whole:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is its own."""
