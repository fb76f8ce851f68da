"""The application behind a real server on loopback, and a client that knows its address."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests
import uvicorn
from fastapi import FastAPI

START_TIMEOUT_S = 60


@contextmanager
def served(app: FastAPI, **config: Any) -> Iterator[str]:
    """Serve `app` from a thread; the value is its root address. `config` is uvicorn's."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **{"log_level": "critical", **config}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the application did not start")
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


class Client(requests.Session):
    """A session with a root address; redirects are answers, not followed."""

    def __init__(self, root: str, token: str | None = None) -> None:
        super().__init__()
        self.root = root
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"

    def request(  # type: ignore[override]
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        """As the session's, for a path below the root."""
        options["allow_redirects"] = False
        return super().request(method, urljoin(self.root, url), timeout=60, **options)
