import random
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.grid import data_hash, describe, hourly_grid
from forecasting.types import GridError

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
START_S = int(START.timestamp())


def test_hours_are_means_and_gaps_stay_gaps() -> None:
    times = np.array([START_S + 7200, START_S, START_S + 3599, START_S, START_S + 3 * 3600])
    grid = hourly_grid(times, np.array([5.0, 1.0, 4.0, 1.0, 9.0]), START, 3)
    assert grid.values[0] == 2.0 and np.isnan(grid.values[1]) and grid.values[2] == 5.0
    assert grid.counts.tolist() == [3, 0, 1]


def test_readings_outside_the_window_and_not_finite_are_left_out() -> None:
    times = np.array([START_S - 1, START_S, START_S + 1, START_S + 3600])
    grid = hourly_grid(times, np.array([1.0, np.nan, np.inf, 2.0]), START, 1)
    assert np.isnan(grid.values).all() and grid.counts.tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 5 * 3600 - 1), st.floats(-1e6, 1e6)), max_size=30),
       st.integers(0, 99))
def test_order_of_arrival_does_not_change_a_bit(
    readings: list[tuple[int, float]], seed: int
) -> None:
    shuffled = random.Random(seed).sample(readings, len(readings))
    grids = [
        hourly_grid(np.array([START_S + t for t, _ in each], dtype=np.int64),
                    np.array([v for _, v in each]), START, 5)
        for each in (readings, shuffled)
    ]
    assert grids[0].values.tobytes() == grids[1].values.tobytes()


@pytest.mark.parametrize("start", [datetime(2026, 1, 1),  # noqa: DTZ001 - naive on purpose
                                   datetime(2026, 1, 1, 0, 30, tzinfo=UTC)])
def test_a_start_that_is_no_utc_hour_is_refused(start: datetime) -> None:
    with pytest.raises(GridError, match=r"UTC|full hour"):
        hourly_grid(np.zeros(0, dtype=np.int64), np.zeros(0), start, 1)


def test_description_counts_readings_and_gaps() -> None:
    times = np.array([START_S + 3600, START_S, START_S + 2 * 3600])
    grid = hourly_grid(times, np.array([3.0, 1.0, 2.0]), START, 4)
    said = describe(times, np.array([3.0, 1.0, 2.0]), grid)
    assert (said.entries, said.hours, said.missing) == (3, 4, 1)
    assert (said.minimum, said.maximum, said.mean) == (1.0, 3.0, 2.0)
    assert said.first_time == START and said.mean_gap_s == 3600.0
    assert said.std == pytest.approx(np.std([1, 2, 3]))


def test_description_of_nothing_is_undefined_not_nan() -> None:
    empty = np.zeros(0, dtype=np.int64)
    said = describe(empty, np.zeros(0), hourly_grid(empty, np.zeros(0), START, 2))
    assert said.entries == 0 and said.mean is None and said.mean_gap_s is None


def test_data_hash_knows_gaps_from_numbers_but_not_one_nan_from_another() -> None:
    odd = np.array([1.0, -np.nan])
    assert data_hash(odd) == data_hash(np.array([1.0, np.nan]))
    assert data_hash(odd) != data_hash(np.array([1.0, 0.0]))
