"""Failed logins wait, by name and by address."""

from datetime import UTC, datetime, timedelta

import pytest

from api.errors import TooManyLoginsError
from api.throttle import MOST_KEYS, LoginThrottle

START = datetime(2026, 11, 20, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    return LoginThrottle(attempts=3, window_s=60, clock=clock)


def test_the_last_attempt_is_still_allowed(throttle: LoginThrottle) -> None:
    throttle.failed("name:a")
    throttle.failed("name:a")
    throttle.check("name:a")


def test_past_the_limit_one_waits_for_the_rest_of_the_window(
    throttle: LoginThrottle, clock: Clock
) -> None:
    for _ in range(3):
        throttle.failed("name:a")
    clock.time += timedelta(seconds=20)
    with pytest.raises(TooManyLoginsError) as refused:
        throttle.check("name:a", "address:b")
    assert refused.value.retry_after_s == 41
    throttle.check("name:other", "address:b")


def test_after_the_window_counting_begins_anew(throttle: LoginThrottle, clock: Clock) -> None:
    for _ in range(3):
        throttle.failed("name:a")
    clock.time += timedelta(seconds=60)
    throttle.check("name:a")
    throttle.failed("name:a")
    throttle.check("name:a")


def test_a_right_login_forgets_the_failures(throttle: LoginThrottle) -> None:
    for _ in range(3):
        throttle.failed("name:a")
    throttle.passed("name:a")
    throttle.check("name:a")


def test_memory_is_bounded(throttle: LoginThrottle) -> None:
    for number in range(MOST_KEYS + 10):
        throttle.failed(f"address:{number}")
    assert len(throttle._failures) == MOST_KEYS
