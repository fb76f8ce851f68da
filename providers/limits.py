"""Rate limits: how often a vendor may be asked, and who waits.

`InProcessLimiter` counts within one process. A limit that several workers share is kept by another
`Limiter` (`registry.limits`, over Postgres), which is why it is injected.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol

from pyrate_limiter import InMemoryBucket, Rate, RateItem


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `calls` in any `period_s` seconds, for the whole application or for each account."""

    calls: int
    period_s: float
    per: Literal["application", "account"] = "application"

    def __post_init__(self) -> None:
        if self.calls < 1 or self.period_s <= 0:
            raise ValueError("a rate limit needs at least 1 call and a period above 0 s")


class Limiter(Protocol):
    """Holds a caller back until the vendor may be asked again."""

    def acquire(self, account: str) -> None:
        """Return when one more request on behalf of `account` is allowed."""


class InProcessLimiter:
    """A sliding window over the requests of this process; share one among a vendor's clients."""

    def __init__(self, limit: RateLimit, *, now_s: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], object] = time.sleep) -> None:
        self.limit = limit
        self._now_s = now_s
        self._sleep = sleep
        self._buckets: dict[str, InMemoryBucket] = {}
        self._lock = Lock()

    def acquire(self, account: str) -> None:
        """Wait as long as the limit asks, then count one request."""
        name = account if self.limit.per == "account" else ""
        while (wait_ms := self._take(name)) > 0:
            self._sleep(wait_ms / 1000)

    def _take(self, name: str) -> int:
        """0 when a request was counted, else how many milliseconds to wait before asking again."""
        with self._lock:
            bucket = self._buckets.setdefault(name, self._bucket())
            now_ms = int(self._now_s() * 1000)
            bucket.leak(now_ms)
            item = RateItem(name, now_ms)
            if bucket.put(item):
                return 0
            waiting = bucket.waiting(item)
            assert isinstance(waiting, int)  # the in-memory bucket is not asynchronous
            return max(1, waiting)

    def _bucket(self) -> InMemoryBucket:
        return InMemoryBucket([Rate(self.limit.calls, round(self.limit.period_s * 1000))])
