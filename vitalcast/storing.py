"""What is stored while the next thing is fetched: the database works meanwhile, and so do we."""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Generic, TypeVar

Found = TypeVar("Found")

_TURN_S = 0.0005
"""How long a thread that reads answers may let the other one wait, which mostly waits itself, for
the database, and has little to do between its statements. Python's own is ten times as long."""


class Storing(Generic[Found]):
    """Calls one after the other in a thread of their own; each result goes to `done`, in order.

    Only one is under way: whoever adds another waits for it, so that memory holds two at most.
    Its error comes out of the next call here, and of the end; where the caller fails first, the
    caller's error has a note of its class. A call belongs to the run that was under way when it was
    added (`registry.events.running`).
    """

    def __init__(self, done: Callable[[Found], None]) -> None:
        self._done = done
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storing")
        self._last: Future[Found] | None = None

    def add(self, call: Callable[[], Found]) -> None:
        """Begin with `call` as soon as the one before it has ended well."""
        self.finish()
        self._last = self._thread.submit(copy_context().run, call)

    def finish(self) -> None:
        """Wait until everything is stored."""
        last, self._last = self._last, None
        if last is not None:
            self._done(last.result())

    def __enter__(self) -> "Storing[Found]":
        self._turn_s = sys.getswitchinterval()
        sys.setswitchinterval(_TURN_S)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None,
                 __: TracebackType | None) -> None:
        try:
            if error is None:
                self.finish()
            elif self._last and (unstored := self._last.exception()):
                error.add_note(f"storing failed too: {type(unstored).__name__}")
        finally:
            self._thread.shutdown()
            sys.setswitchinterval(self._turn_s)
