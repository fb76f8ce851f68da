import math

import numpy as np
import pytest

from forecasting import accuracy

GAP = float("nan")


def test_errors_count_only_observed_hours() -> None:
    actual, forecast = np.array([1.0, GAP, 4.0]), np.array([2.0, 9.0, 2.0])
    assert accuracy.mae(actual, forecast) == 1.5
    assert accuracy.smape(actual, forecast) == pytest.approx(100 * (2 * 1 / 3 + 2 * 2 / 6) / 2)
    assert accuracy.coverage(actual, np.array([0.0, 0, 0]), np.array([3.0, 3, 3])) == 0.5


def test_nothing_observed_is_undefined() -> None:
    nothing, some = np.array([GAP, GAP]), np.array([1.0, 2.0])
    values = [accuracy.mae(nothing, some), accuracy.smape(nothing, some),
              accuracy.coverage(nothing, some, some),
              accuracy.interval_score(nothing, some, some, 80),
              accuracy.mase(nothing, some, np.arange(9.0), 1)]
    assert all(math.isnan(value) for value in values)


def test_smape_of_two_zeros_is_no_error() -> None:
    assert accuracy.smape(np.array([0.0]), np.array([0.0])) == 0.0


def test_scale_interpolates_and_has_the_vitals_resolution_as_floor() -> None:
    assert accuracy.scale(np.array([0.0, GAP, 4.0, 6.0]), 1) == 2.0
    assert accuracy.scale(np.array([5.0, 5.0, 5.0]), 1, resolution=0.1) == 0.1
    assert math.isnan(accuracy.scale(np.array([5.0, 6.0]), 2))
    assert math.isnan(accuracy.scale(np.array([GAP, GAP, GAP]), 1))


def test_mase_is_undefined_where_the_naive_forecast_is_perfect() -> None:
    assert math.isnan(accuracy.mase(np.array([1.0]), np.array([2.0]), np.ones(10), 3))
    assert accuracy.mase(np.array([1.0]), np.array([3.0]), np.arange(10.0), 1) == 2.0


def test_interval_score_is_width_plus_penalty() -> None:
    score = accuracy.interval_score(np.array([0.0, 5.0, 11.0]), np.full(3, 1.0), np.full(3, 10.0),
                                    80)
    assert score == pytest.approx(9 + (1 + 0 + 1) * 2 / 0.2 / 3)
