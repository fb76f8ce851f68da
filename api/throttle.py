"""Failed logins are counted per name and per address; past the limit both have to wait."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from api.errors import TooManyLoginsError

MOST_KEYS = 10_000


class LoginThrottle:
    """In memory, for one process; the oldest counts go first when there are too many."""

    def __init__(self, *, attempts: int, window_s: int, clock: Callable[[], datetime]) -> None:
        self._attempts = attempts
        self._window = timedelta(seconds=window_s)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """TooManyLoginsError while one of `keys` has used its attempts up."""
        with self._lock:
            waits = [self._wait(key) for key in keys]
        if max(waits) > timedelta(0):
            raise TooManyLoginsError(int(max(waits).total_seconds()) + 1)

    def failed(self, *keys: str) -> None:
        """Count one failed login for each of `keys`."""
        now = self._clock()
        with self._lock:
            for key in keys:
                count, since = self._failures.pop(key, (0, now))
                expired = now - since >= self._window
                self._failures[key] = (1, now) if expired else (count + 1, since)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def passed(self, *keys: str) -> None:
        """Forget the failures of `keys`."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _wait(self, key: str) -> timedelta:
        count, since = self._failures.get(key, (0, self._clock()))
        if count < self._attempts:
            return timedelta(0)
        return self._window - (self._clock() - since)
