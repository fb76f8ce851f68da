"""Rate limits on a clock that only sleeping moves."""

import threading

import pytest

from providers.catalogue import CATALOGUE, make_limiter
from providers.limits import InProcessLimiter, RateLimit
from providers.observation import Provider


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def limiter(limit: RateLimit) -> tuple[InProcessLimiter, FakeClock]:
    clock = FakeClock()
    return InProcessLimiter(limit, now_s=clock, sleep=clock.sleep), clock


def test_withings_own_limit_holds_back_the_121st_request_of_the_application() -> None:
    one, clock = limiter(CATALOGUE[Provider.WITHINGS].limit)
    for request in range(120):
        one.acquire(f"patient {request}")
    assert clock.now_s == 1000
    one.acquire("patient 120")
    assert 60 <= clock.now_s - 1000 < 61


def test_no_window_of_the_period_ever_holds_more_than_the_limit() -> None:
    one, clock = limiter(RateLimit(calls=5, period_s=10))
    sent = []
    for request in range(40):
        clock.now_s += 0.7 * (request % 4)
        one.acquire("")
        sent.append(clock.now_s)
    assert all(later - sooner >= 10 for sooner, later in zip(sent, sent[5:], strict=False))


def test_a_limit_per_account_lets_another_account_pass() -> None:
    one, clock = limiter(RateLimit(calls=1, period_s=60, per="account"))
    one.acquire("a")
    one.acquire("b")
    assert clock.now_s == 1000
    one.acquire("a")
    assert clock.now_s >= 1060


def test_threads_share_one_limit() -> None:
    one = InProcessLimiter(RateLimit(calls=1000, period_s=60))

    def worker() -> None:
        for _ in range(100):
            one.acquire("")

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(("calls", "period_s"), [(0, 60), (1, 0)])
def test_a_limit_that_allows_nothing_is_refused(calls: int, period_s: float) -> None:
    with pytest.raises(ValueError, match="at least 1 call"):
        RateLimit(calls=calls, period_s=period_s)


def test_the_vendors_own_limits_are_the_default() -> None:
    limits = {name: entry.limit for name, entry in CATALOGUE.items()}
    assert (limits[Provider.GOOGLE_HEALTH].calls, limits[Provider.GOOGLE_HEALTH].per) == (
        300, "account")
    assert (limits[Provider.OURA].calls, limits[Provider.OURA].period_s) == (5000, 300)
    assert isinstance(make_limiter(Provider.OURA), InProcessLimiter)
