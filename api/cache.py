"""Answers remembered for a moment, so that a busy reader does not ask the database each time.

A forecast changes once an hour; an answer that is two seconds old is as good as a new one, and a
reader whose access ends keeps it for those two seconds at the most. In memory, for one process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BriefCache(Generic[Value]):
    """Values by key for `seconds`, at most `size` of them; the oldest goes first."""

    def __init__(self, *, seconds: float, size: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """The value, None when there is none or it is too old."""
        found = self._values.get(key)
        if found is None or self._clock() >= found[0]:
            return None
        return found[1]

    def put(self, key: Hashable, value: Value) -> None:
        """Remember `value` from now on."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = (self._clock() + self._seconds, value)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
