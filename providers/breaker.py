"""A circuit breaker: a vendor that is down is left alone for a while, instead of waited for.

closed      calls go out; failures in a row are counted
open        nothing goes out until `open_s` have passed
half-open   one call goes out: the circuit closes when it succeeds, and opens again when it fails

Only failures of the vendor or of the way to it count. An answer that refuses (a token, a scope, a
rate) shows that the vendor is there. Failures of one account alone never open the circuit: its
data may be what the vendor stumbles over.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from providers.errors import CircuitOpen, ProviderError, TransportError, VendorUnavailable

FAILED_CALLS = 5
FAILED_ACCOUNTS = 2
OPEN_S = 60.0


class Breaker:
    """One vendor's circuit; share one among the clients of a process."""

    def __init__(self, *, open_s: float = OPEN_S,
                 now_s: Callable[[], float] = time.monotonic) -> None:
        self._open_s = open_s
        self._now_s = now_s
        self._lock = Lock()
        self._failed: list[str] = []
        self._opened_s: float | None = None
        self._trying = False

    @contextmanager
    def watching(self, account: str) -> Iterator[None]:
        """Around a call on behalf of `account`, all its attempts. Raises CircuitOpen before it."""
        self._begin()
        try:
            yield
        except (TransportError, VendorUnavailable):
            self._failed_for(account)
            raise
        except ProviderError:
            self._answered()
            raise
        except BaseException:      # it came to no answer, for reasons of our own
            self._trying = False
            raise
        self._answered()

    def _begin(self) -> None:
        with self._lock:
            if self._opened_s is None:
                return
            if self._trying or self._now_s() < self._opened_s + self._open_s:
                raise CircuitOpen
            self._trying = True

    def _answered(self) -> None:
        with self._lock:
            self._failed.clear()
            self._opened_s = None
            self._trying = False

    def _failed_for(self, account: str) -> None:
        with self._lock:
            self._failed.append(account)
            if self._trying or (len(self._failed) >= FAILED_CALLS
                                and len(set(self._failed)) >= FAILED_ACCOUNTS):
                self._opened_s = self._now_s()
            self._trying = False
