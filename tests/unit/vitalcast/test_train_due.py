"""When the training of a series is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.models import Trained
from vitalcast.jobs.train import is_due

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)


def trained(hours_ago: int, config: str = "a", *, ensemble: bool = True) -> Trained:
    cutoff = HOUR - timedelta(hours=hours_ago)
    return Trained(cutoff=cutoff, config_hash=config, ensemble=cutoff if ensemble else None)


def test_a_series_that_was_never_trained_is_due() -> None:
    assert is_due(None, HOUR, "a", 24)


@pytest.mark.parametrize(("hours_ago", "due"), [(0, False), (1, False), (23, False), (24, True),
                                                (25, True)])
def test_training_is_due_so_many_hours_after_the_last(hours_ago: int, due: bool) -> None:
    assert is_due(trained(hours_ago), HOUR, "a", 24) is due


@pytest.mark.parametrize(("hours_ago", "due"), [(-1, False), (0, False), (1, True)])
def test_a_series_without_an_ensemble_is_due_at_every_new_cycle(
    hours_ago: int, due: bool,
) -> None:
    assert is_due(trained(hours_ago, ensemble=False), HOUR, "a", 24) is due


@pytest.mark.parametrize(("hours_ago", "due"), [(-1, False), (0, True), (1, True)])
def test_a_changed_configuration_is_due_at_once(hours_ago: int, due: bool) -> None:
    assert is_due(trained(hours_ago), HOUR, "b", 24) is due


@given(st.integers(1, 744), st.booleans())
def test_a_cycle_run_again_trains_nothing_twice(every_hours: int, ensemble: bool) -> None:
    assert not is_due(trained(0, ensemble=ensemble), HOUR, "a", every_hours)


@given(st.integers(1, 400), st.integers(1, 744), st.booleans(), st.booleans())
def test_an_earlier_cycle_run_again_does_not_train_behind_a_later_one(
    hours: int, every_hours: int, ensemble: bool, same: bool,
) -> None:
    last = trained(-hours, "a" if same else "b", ensemble=ensemble)
    assert not is_due(last, HOUR, "a", every_hours)
