"""The sandbox as a server on 127.0.0.1, and nowhere else."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from providers.sandbox import (
    SandboxError,
    admin,
    google_health,
    notices,
    oura,
    subscriptions,
    withings,
)
from providers.sandbox.world import World

HOST = "127.0.0.1"
STARTS_WITHIN_S = 20.0


def create_app(world: World) -> FastAPI:
    """The vendors' APIs under `/withings`, `/google_health`, `/oura`; its own under `/sandbox`."""
    app = FastAPI(title="vitalcast sandbox", description=__doc__)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    board = notices.Switchboard()
    app.router.routes.extend(withings.routes(world, board.told))
    for vendor in (google_health, oura):
        app.router.routes.extend(vendor.routes(world))
    app.router.routes.extend(subscriptions.routes(world, board.subscriptions))
    app.include_router(admin.router(world))
    app.include_router(notices.router(world, board))
    return app


class _Server(uvicorn.Server):
    """A server that says where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off",
                          timeout_graceful_shutdown=1)


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"port {port} of {HOST} is not free ({error.strerror}); use --port 0") from error
    return listener


def _address(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def serve(app: FastAPI, *, port: int, port_file: Path | None = None) -> None:
    """Serve until interrupted; prints one line with the address when it listens."""
    listener = _bound(port)
    address = _address(listener)
    if port_file is not None:
        port_file.unlink(missing_ok=True)  # whoever waits for it must not read an old one

    def listening() -> None:
        if port_file is not None:
            port_file.write_text(f"{listener.getsockname()[1]}\n")
        sys.stdout.write(f"sandbox listens on {address}\n")
        sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt):
        _Server(_config(app), listening).run(sockets=[listener])


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve in a thread on a free port; gives the address. For tests.

    Whoever changes the world meanwhile should do so by `/sandbox/…`, so that one thread owns it.
    """
    listener, ready = _bound(0), threading.Event()
    server = _Server(_config(app), ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    address = _address(listener)
    thread.start()
    try:
        if not ready.wait(STARTS_WITHIN_S):
            raise SandboxError(f"the sandbox did not start within {STARTS_WITHIN_S:.0f} s")
        yield address
    finally:
        server.should_exit = True
        deadline = time.monotonic() + STARTS_WITHIN_S
        while thread.is_alive() and time.monotonic() < deadline:
            thread.join(0.05)
