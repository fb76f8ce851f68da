"""A vendor on loopback that answers what a test scripts, and remembers what it was asked."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.errors import ReauthorisationRequired
from providers.http import Judge, Patience, Session, Timeouts, judge_status


@dataclass
class Reply:
    """What comes back. `cut` closes in mid-body; `hang_s` holds the answer back."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: bool = False
    hang: threading.Event | None = None

    def content(self) -> bytes:
        return json.dumps(self.document).encode() if self.body is None else self.body


@dataclass
class Asked:
    method: str
    path: str
    fields: dict[str, str]
    authorization: str | None
    cookie: str | None


class Vendor:
    """Replies in order; the last one repeats. Or a function of what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[Reply] | Callable[[Asked], Reply] = []
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                vendor._serve(self)

            def do_POST(self) -> None:
                vendor._serve(self)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        split = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        text = handler.rfile.read(length).decode() if length else split.query
        asked = Asked(handler.command, split.path, {k: v[0] for k, v in parse_qs(text).items()},
                      handler.headers.get("Authorization"), handler.headers.get("Cookie"))
        self.asked.append(asked)
        reply = self._reply(asked)
        if reply.hang:
            reply.hang.wait(20)
        content = reply.content()
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content) + (100 if reply.cut else 0)))
        with contextlib.suppress(ConnectionError):  # a client that gave up is what is tested
            handler.end_headers()
            handler.wfile.write(content)

    def _reply(self, asked: Asked) -> Reply:
        if callable(self.replies):
            return self.replies(asked)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Tokens:
    """An account's tokens: refreshing gives "fresh", until the patient must consent again."""

    def __init__(self, *, dead: bool = False) -> None:
        self.token = "old"
        self.refreshed = 0
        self._dead = dead

    def access_token(self) -> str:
        return self.token

    def refresh(self, stale: str) -> str:
        assert stale == self.token
        if self._dead:
            raise ReauthorisationRequired
        self.refreshed += 1
        self.token = "fresh"
        return self.token


class Unlimited:
    def acquire(self, account: str) -> None:  # noqa: ARG002
        return


@dataclass
class Desk:
    """Everything one conversation needs, on a clock that sleeps at once."""

    vendor: Vendor
    tokens: Tokens = field(default_factory=Tokens)
    slept: list[float] = field(default_factory=list)

    def session(self, judge: Judge | None = None, **changes: Any) -> Session:
        arguments: dict[str, Any] = {
            "base_url": self.vendor.url, "tokens": self.tokens, "limiter": Unlimited(),
            "judge": judge or (lambda status, _: judge_status(status)),
            "timeouts": Timeouts(connect_s=1, read_s=0.3), "patience": Patience(attempts=3),
            "sleep": self.slept.append,
        }
        return Session(**arguments | changes)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    one = Vendor()
    yield one
    one.close()


@pytest.fixture
def desk(vendor: Vendor) -> Desk:
    return Desk(vendor=vendor)
