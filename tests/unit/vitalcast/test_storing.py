"""One thing is stored while the next is fetched; nothing is lost, not even an error."""

import sys
import threading
from contextvars import ContextVar
from functools import partial

import pytest

from vitalcast.storing import Storing


def test_the_caller_goes_on_while_something_is_stored() -> None:
    fetched = threading.Event()
    stored: list[bool] = []
    with Storing(stored.append) as storing:
        storing.add(partial(fetched.wait, 60))
        fetched.set()
    assert stored == [True]


def test_results_come_in_order_and_one_call_waits_for_the_other() -> None:
    under_way: list[int] = []
    most: list[int] = []

    def store(number: int) -> int:
        under_way.append(number)
        most.append(len(under_way))
        under_way.remove(number)
        return number

    stored: list[int] = []
    with Storing(stored.append) as storing:
        for number in range(20):
            storing.add(partial(store, number))
            assert stored == list(range(number))
        storing.finish()
        assert stored == list(range(20))
    assert set(most) == {1}


def test_an_error_comes_out_of_the_next_call_and_of_the_end() -> None:
    def fail() -> int:
        raise OSError("the disk is full")

    stored: list[int] = []
    with Storing(stored.append) as storing:
        storing.add(fail)
        with pytest.raises(OSError, match="full"):
            storing.add(lambda: 1)
    assert stored == []                     # what came after it was not begun
    with pytest.raises(OSError, match="full"), Storing(stored.append) as storing:
        storing.add(fail)


def test_threads_take_turns_as_before_at_the_end() -> None:
    before = sys.getswitchinterval()
    with Storing(print):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_an_error_of_the_caller_is_the_one_that_is_told() -> None:
    def fail() -> int:
        raise OSError("the disk is full")

    def fetch(storing: Storing[int]) -> None:
        with storing:
            storing.add(fail)
            raise KeyError

    with pytest.raises(KeyError) as caught:
        fetch(Storing(print))
    assert caught.value.__notes__ == ["storing failed too: OSError"]


def test_what_is_stored_belongs_to_what_ran_when_it_was_added() -> None:
    runs: ContextVar[int] = ContextVar("runs", default=0)
    runs.set(7)
    stored: list[int] = []
    with Storing(stored.append) as storing:
        storing.add(runs.get)
    assert stored == [7]
