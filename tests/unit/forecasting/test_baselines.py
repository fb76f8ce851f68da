"""One-line members against their one line, gaps included."""

import numpy as np
import pytest

from forecasting.types import Fitted, FloatArray
from tests.reference import baselines, profile, series

DAYS = np.arange(96.0)          # value = hour since the start


def continued(fitted: Fitted, state: dict[str, object]) -> Fitted:
    return Fitted(structure=fitted.structure, parameters=fitted.parameters, state=state, sigma2=0)


def test_last_value_and_mean_of_last_day() -> None:
    y = np.append(DAYS, np.nan)
    assert baselines.path_last_value(baselines.fit_last_value(y, 24), 3).tolist() == [95.0] * 3
    mean = baselines.path_mean_of_last_day(baselines.fit_mean_of_last_day(y, 24), 2)
    assert mean.tolist() == [np.arange(73, 96).mean()] * 2


def test_mean_of_an_unobserved_day_is_the_last_value() -> None:
    y = np.concatenate((DAYS, np.full(30, np.nan)))
    assert baselines.path_mean_of_last_day(baselines.fit_mean_of_last_day(y, 24), 1)[0] == 95.0


def test_seasonal_naive_repeats_the_last_seen_day_hour_by_hour() -> None:
    y = DAYS.copy()
    y[-2] = np.nan
    path = baselines.path_seasonal_naive(baselines.fit_seasonal_naive(y, 24), 26)
    assert path[:22].tolist() == list(range(72, 94)) and path[22] == 70 and path[23] == 95
    assert path[24] == path[0]


def test_seasonal_naive_falls_back_to_the_last_value() -> None:
    path = baselines.path_seasonal_naive(baselines.fit_seasonal_naive(np.array([3.0, 4.0]), 24), 24)
    assert path.tolist() == [4.0] * 22 + [3.0, 4.0]


def test_hour_of_day_is_the_mean_of_that_hour_over_a_week() -> None:
    y = np.arange(240.0)
    path = baselines.path_hour_of_day(baselines.fit_hour_of_day(y, 24), 25)
    assert path[0] == np.mean([240 - 24 * k for k in range(1, 8)]) and path[24] == path[0]


def test_hour_of_day_of_an_hour_never_seen_is_the_common_mean() -> None:
    path = baselines.path_hour_of_day(baselines.fit_hour_of_day(np.array([1.0, 5.0]), 24), 24)
    assert path[0] == 3.0 and path[22:].tolist() == [1.0, 5.0]


def test_revert_goes_from_the_last_value_to_the_days_mean() -> None:
    y = np.append(np.full(95, 60.0), 84.0)
    fitted = baselines.fit_revert(y, 24)
    path = baselines.path_revert(fitted, 200)
    assert (np.diff(path) <= 0).all() and 61 < path[0] < 84
    assert path[-1] == pytest.approx(61.0)
    later = baselines.path_revert(
        continued(fitted, baselines.advance_revert(fitted, np.full(3, np.nan))), 1)[0]
    ring_mean = (60.0 * 20 + 84) / 21
    assert later == pytest.approx(ring_mean + (84 - ring_mean) * fitted.parameters["rate"] ** 4)


def test_lag_one_is_shrunk_by_few_pairs() -> None:
    falling = np.array([0.5 ** hour for hour in range(10)])
    assert baselines.shrunk_lag_one(falling, 0.9, 0.0) == pytest.approx(0.5)
    assert baselines.shrunk_lag_one(falling, 0.9, 9.0) == pytest.approx(0.7)
    assert baselines.shrunk_lag_one(np.full(5, np.nan), 0.9, 9.0) == 0.9


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_the_profile_finds_the_rhythm_under_noise_and_gaps(gaps: float) -> None:
    pattern, kept = profile.daily_pattern(series.rhythm(n=340, gaps=gaps), 24)
    truth = 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert np.abs(pattern - truth).max() < 2.0 and kept > 0.9


def test_the_profile_is_not_fooled_by_days_that_lack_their_nights() -> None:
    y = series.rhythm(n=336)
    for day in range(7, 14):
        y[24 * day + 12:24 * day + 24] = np.nan      # the low half of the later days
    pattern, _ = profile.daily_pattern(y, 24)
    assert np.abs(pattern - 8 * np.sin(2 * np.pi * np.arange(24) / 24)).max() < 2.0


@pytest.mark.parametrize("y", [series.walk(n=336), series.noise(n=336)])
def test_what_has_no_rhythm_keeps_little_of_one(y: FloatArray) -> None:
    assert profile.rhythm_strength(y, 24) < 0.5


def test_profile_forecasts_the_phase_that_comes_next() -> None:
    y = series.rhythm(n=343)
    fitted = profile.fit(y, 24)
    truth = 70 + 8 * np.sin(2 * np.pi * np.arange(343, 367) / 24)
    assert np.abs(profile.path(fitted, 24) - truth).mean() < 1.5
    moved = continued(fitted, profile.advance(fitted, np.full(5, np.nan)))
    np.testing.assert_allclose(profile.path(moved, 19), profile.path(fitted, 24)[5:])
