"""Rate limits that all workers share: a sliding window in Postgres, by the server's clock.

A call takes the next free moment and waits for it: the moment of the call that was `calls` places
before it, plus the period. So nobody is ever sent before a window has room, whoever asks first is
served first, and taking a place is one question to the server, however long the window.
"""

import time
from collections.abc import Callable
from threading import Lock

from providers.limits import RateLimit
from registry.database import Engine, raw_cursor, translated

# The lock comes in a statement of its own: the next one then sees what its last holder wrote. The
# server takes both as one transaction, since they are sent together.
_TAKE = """
SELECT pg_advisory_xact_lock(hashtextextended(%(provider)s || ' ' || %(account)s, 6));
WITH last AS (
    SELECT number, called_at FROM rate_calls
    WHERE provider = %(provider)s AND account = %(account)s ORDER BY number DESC LIMIT 1
), gone AS (
    DELETE FROM rate_calls
    WHERE provider = %(provider)s AND account = %(account)s
      AND number <= (SELECT number FROM last) + 1 - %(calls)s
)
INSERT INTO rate_calls (provider, account, number, called_at)
SELECT %(provider)s, %(account)s, coalesce((SELECT number FROM last), 0) + 1, greatest(
    clock_timestamp(), (SELECT called_at FROM last), (
        SELECT called_at + %(period_s)s * interval '1 second' FROM rate_calls
        WHERE provider = %(provider)s AND account = %(account)s
          AND number = (SELECT number FROM last) + 1 - %(calls)s))
RETURNING CAST(extract(epoch FROM called_at - clock_timestamp()) AS double precision)"""

_SWEEP = """
DELETE FROM rate_calls WHERE provider = %(provider)s
    AND called_at < clock_timestamp() - %(period_s)s * interval '1 second'"""


class SharedLimiter:
    """A `providers.limits.Limiter` over every process that works on this database."""

    def __init__(self, engine: Engine, provider: str, limit: RateLimit, *,
                 now_s: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], object] = time.sleep) -> None:
        self.limit = limit
        self._engine = engine
        self._provider = provider
        self._now_s = now_s
        self._sleep = sleep
        self._lock = Lock()
        self._swept_s = now_s()

    def acquire(self, account: str) -> None:
        """Take the next free moment and wait for it. RegistryError when the database is gone."""
        wait_s = self._take(account if self.limit.per == "account" else "")
        if wait_s > 0:
            self._sleep(wait_s)

    def _take(self, account: str) -> float:
        window = {"provider": str(self._provider), "account": account,
                  "calls": self.limit.calls, "period_s": self.limit.period_s}
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with translated(autocommit), autocommit.connect() as conn, raw_cursor(conn) as cursor:
            if self._sweep_due():
                cursor.execute(_SWEEP, window)
            cursor.execute(_TAKE, window)
            return float(cursor.fetchone()[0])

    def _sweep_due(self) -> bool:
        """Once a period and process: accounts that are not asked any more leave no rows behind."""
        with self._lock:
            due = self._now_s() - self._swept_s >= self.limit.period_s
            if due:
                self._swept_s = self._now_s()
            return due
