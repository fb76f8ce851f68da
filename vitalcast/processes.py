"""Local processes: started in a group of their own, watched, and all stopped at the end.

The kernel tells them to stop when this process is killed, so that none is left behind.

ProcessFailed  a process ended, or did not answer, before it was ready; names its log file.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from vitalcast.errors import UserError

STOP_TIMEOUT_S = 15.0
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1   # prctl(2)


class ProcessFailed(UserError):
    """A process ended, or did not answer, before it was ready; its log tells why."""


def free_port() -> int:
    """A TCP port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start: `name` for people, `ready` says when it may be used (None: at once)."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    timeout_s: float = 120.0


class Supervisor:
    """Starts commands and stops every one of them, last first, when its block is left."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, command: Command) -> None:
        """Start one command. ProcessFailed when it dies or stays unready for its `timeout_s`."""
        log = self._logs / f"{command.name}.log"
        file = self._files.enter_context(log.open("wb"))
        child = subprocess.Popen(
            list(command.argv), env={**os.environ, **command.env}, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=_stop_with_parent,
        )
        self._children.append((command.name, child))
        if command.ready is not None:
            self._await(command, child, log)

    def _await(self, command: Command, child: subprocess.Popen[bytes], log: Path) -> None:
        assert command.ready is not None
        deadline = time.monotonic() + command.timeout_s
        while not command.ready():
            if child.poll() is not None:
                raise ProcessFailed(
                    f"{command.name} ended with code {child.returncode} before it was ready; "
                    f"read {log}")
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"{command.name} was not ready within {command.timeout_s:.0f} s; read {log}")
            time.sleep(0.2)

    def check(self) -> None:
        """ProcessFailed when one of the started processes has ended."""
        for name, child in self._children:
            if child.poll() is not None:
                raise ProcessFailed(
                    f"{name} ended with code {child.returncode}; read {self._logs / name}.log")

    def stop(self) -> None:
        """Stop all, last started first, politely, then by force; another Ctrl-C hinders nothing."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._stop_all()
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop_all(self) -> None:
        for _, child in reversed(self._children):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for _, child in reversed(self._children):
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            _signal(child, signal.SIGKILL)   # the group, also where its leader has gone
            child.wait()
        self._children.clear()
        self._files.close()


def _stop_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def run_to_end(command: Command, logs: Path) -> None:
    """Run a command that ends by itself. ProcessFailed when it ends with an error."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{command.name}.log"
    with log.open("wb") as file:
        code = subprocess.run(
            list(command.argv), env={**os.environ, **command.env}, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT, check=False,
        ).returncode
    if code:
        raise ProcessFailed(f"{command.name} failed with code {code}; read {log}")


def script(name: str) -> str:
    """Path of a console script installed beside this Python."""
    return str(Path(sys.executable).with_name(name))
