"""Rate limits over several processes, counted by the server's clock."""

import subprocess
import sys
import time
from collections import Counter

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from providers.limits import RateLimit
from registry.database import DatabaseUnreachable, transaction
from registry.limits import SharedLimiter

CALLS, PERIOD_S = 20, 600
WORKER = f"""
import sys
from providers.limits import RateLimit
from registry.database import open_engine
from registry.limits import SharedLimiter

limiter = SharedLimiter(open_engine(sys.argv[1]), "withings",
                        RateLimit(calls={CALLS}, period_s={PERIOD_S}), sleep=print)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3 * {CALLS} // 2):
    limiter.acquire("anybody")
"""


def moments(engine: Engine, provider: str = "withings") -> list[float]:
    """When the calls that are still on record were allowed, by the server's clock."""
    with transaction(engine) as conn:
        return list(conn.execute(text(
            "SELECT CAST(extract(epoch FROM called_at) AS double precision) FROM rate_calls"
            " WHERE provider = :provider ORDER BY number"), {"provider": provider}).scalars())


@pytest.fixture
def slept() -> list[float]:
    return []


def limiter(engine: Engine, slept: list[float], limit: RateLimit,
            provider: str = "withings") -> SharedLimiter:
    return SharedLimiter(engine, provider, limit, sleep=slept.append)


def test_two_processes_together_stay_within_the_limit_and_use_it_up(
        database_url: str, engine: Engine) -> None:
    """Of sixty calls at once twenty go now, twenty a period later, twenty after two."""
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, database_url], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    for worker in workers:
        assert worker.stdout and worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        print("go", file=worker.stdin, flush=True)
    slept = [float(line) for worker in workers
             for line in worker.communicate(timeout=60)[0].split()]
    periods = Counter(round(wait_s / PERIOD_S) for wait_s in slept)
    assert periods == {1: CALLS, 2: CALLS}


def test_a_call_waits_for_the_one_that_many_places_before(
        engine: Engine, slept: list[float]) -> None:
    shared = limiter(engine, slept, RateLimit(calls=3, period_s=60))
    for _ in range(7):
        shared.acquire("p1")
    assert slept == pytest.approx([60, 60, 60, 120], abs=5)


def test_no_more_rows_are_kept_than_the_limit_needs(engine: Engine, slept: list[float]) -> None:
    shared = limiter(engine, slept, RateLimit(calls=5, period_s=60))
    for _ in range(23):
        shared.acquire("p1")
    assert len(moments(engine)) == 5


def test_accounts_and_providers_do_not_wait_for_each_other(
        engine: Engine, slept: list[float]) -> None:
    limit = RateLimit(calls=1, period_s=60, per="account")
    for account in ("p1", "p2"):
        for provider in ("google_health", "oura"):
            limiter(engine, slept, limit, provider).acquire(account)
    assert slept == []
    limiter(engine, slept, limit, "oura").acquire("p1")
    assert len(slept) == 1


def test_an_applications_limit_counts_all_accounts(engine: Engine, slept: list[float]) -> None:
    shared = limiter(engine, slept, RateLimit(calls=1, period_s=60))
    shared.acquire("p1")
    shared.acquire("p2")
    assert len(slept) == 1


def test_rows_older_than_the_period_are_swept(engine: Engine, slept: list[float]) -> None:
    now_s = [0.0]
    limit = RateLimit(calls=3, period_s=0.05, per="account")
    shared = SharedLimiter(engine, "oura", limit, now_s=lambda: now_s[0], sleep=slept.append)
    for account in ("p1", "p2"):
        shared.acquire(account)
    time.sleep(0.1)
    now_s[0] = 0.06
    shared.acquire("p3")
    assert len(moments(engine, "oura")) == 1
    assert slept == []


def test_a_database_that_is_gone_is_told(database_url: str, slept: list[float]) -> None:
    gone = make_url(database_url).set(port=1)
    shared = limiter(create_engine(gone), slept, RateLimit(calls=1, period_s=60))
    with pytest.raises(DatabaseUnreachable):
        shared.acquire("p1")
