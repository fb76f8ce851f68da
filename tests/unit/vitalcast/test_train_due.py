"""When the training of a series is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalcast.jobs.train import is_due

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)


def test_a_series_that_was_never_trained_is_due() -> None:
    assert is_due(None, HOUR, 24)


@pytest.mark.parametrize(("hours_ago", "due"), [(0, False), (1, False), (23, False), (24, True),
                                                (25, True)])
def test_training_is_due_so_many_hours_after_the_last(hours_ago: int, due: bool) -> None:
    assert is_due(HOUR - timedelta(hours=hours_ago), HOUR, 24) is due


@given(st.integers(1, 744))
def test_a_cycle_run_again_trains_nothing_twice(every_hours: int) -> None:
    assert not is_due(HOUR, HOUR, every_hours)


@given(st.integers(1, 400), st.integers(1, 744))
def test_an_earlier_cycle_run_again_does_not_train_behind_a_later_one(
    hours: int, every_hours: int,
) -> None:
    assert not is_due(HOUR + timedelta(hours=hours), HOUR, every_hours)
