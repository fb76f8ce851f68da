"""When a vendor is left alone, and when it is tried again."""

import pytest

from providers.breaker import FAILED_CALLS, OPEN_S, Breaker
from providers.errors import CircuitOpen, RateLimited, ScopeMissing, VendorUnavailable

from .conftest import Desk, Reply


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(now_s=clock)


def call(breaker: Breaker, account: str = "p1", error: Exception | None = None) -> None:
    """One call that fails with `error`, or succeeds."""
    with breaker.watching(account):
        if error is not None:
            raise error


def fail(breaker: Breaker, *accounts: str) -> None:
    for account in accounts:
        with pytest.raises(VendorUnavailable):
            call(breaker, account, VendorUnavailable())


def opened(breaker: Breaker) -> Breaker:
    fail(breaker, *["p1"] * (FAILED_CALLS - 1), "p2")
    return breaker


def test_failures_of_several_accounts_in_a_row_open_the_circuit(breaker: Breaker) -> None:
    with pytest.raises(CircuitOpen, match="not asked"):
        call(opened(breaker), "p3")


def test_one_accounts_failures_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker, *["p1"] * 3 * FAILED_CALLS)
    call(breaker)


@pytest.mark.parametrize("refusal", [RateLimited(), ScopeMissing(), None])
def test_an_answer_in_between_shows_that_the_vendor_is_there(
        breaker: Breaker, refusal: Exception | None) -> None:
    fail(breaker, *["p1", "p2"] * 2)
    if refusal is None:
        call(breaker)
    else:
        with pytest.raises(type(refusal)):
            call(breaker, error=refusal)
    fail(breaker, *["p1", "p2"] * 2)
    call(breaker)


def test_after_a_while_one_call_is_let_through(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now_s = OPEN_S
    with breaker.watching("p1"), pytest.raises(CircuitOpen):
        call(breaker, "p2")                       # one is on its way
    call(breaker, "p2")                           # it succeeded


def test_a_trial_that_fails_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now_s = OPEN_S
    fail(breaker, "p1")
    clock.now_s = 2 * OPEN_S - 1
    with pytest.raises(CircuitOpen):
        call(breaker)


def test_a_trial_that_came_to_no_answer_leaves_room_for_another(
        breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now_s = OPEN_S
    with pytest.raises(KeyError):
        call(breaker, error=KeyError())
    call(breaker)


def test_an_open_circuit_sends_nothing(desk: Desk, breaker: Breaker) -> None:
    desk.vendor.replies = [Reply({}, status=500)]
    for account in ("p1", "p2", "p1", "p2", "p1"):
        with desk.session(account=account, breaker=breaker) as session, \
                pytest.raises(VendorUnavailable):
            session.get("/x", {})
    sent = len(desk.vendor.asked)
    with desk.session(account="p3", breaker=breaker) as session, pytest.raises(CircuitOpen):
        session.get("/x", {})
    assert len(desk.vendor.asked) == sent
