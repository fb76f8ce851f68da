"""Light members against their one line, gaps included."""

from collections.abc import Sequence

import numpy as np
import pytest

from forecasting.native_light import daily_pattern
from forecasting.recursions import MEMBERS, at_state
from forecasting.types import FloatArray
from tests.reference import baselines, series
from tests.reference.fits import fitted

DAYS = np.arange(96.0)          # value = hour since the start


def path(member: str, y: FloatArray | Sequence[float], horizon: int) -> FloatArray:
    return MEMBERS[member].path(fitted(member, np.array(y), 24), horizon)


def test_last_value_and_mean_of_last_day() -> None:
    y = np.append(DAYS, np.nan)
    assert path("last_value", y, 3).tolist() == [95.0] * 3
    assert path("mean_of_last_day", y, 2).tolist() == [np.arange(73, 96).mean()] * 2


def test_mean_of_an_unobserved_day_is_the_last_value() -> None:
    assert path("mean_of_last_day", np.concatenate((DAYS, np.full(30, np.nan))), 1)[0] == 95.0


def test_seasonal_naive_repeats_the_last_seen_day_hour_by_hour() -> None:
    y = DAYS.copy()
    y[-2] = np.nan
    ahead = path("seasonal_naive", y, 26)
    assert ahead[:22].tolist() == list(range(72, 94)) and ahead[22] == 70 and ahead[23] == 95
    assert ahead[24] == ahead[0]


def test_seasonal_naive_falls_back_to_the_last_value() -> None:
    assert path("seasonal_naive", [3.0, 4.0], 24).tolist() == [4.0] * 22 + [3.0, 4.0]


def test_hour_of_day_is_the_mean_of_that_hour_over_a_week() -> None:
    ahead = path("hour_of_day", np.arange(240.0), 25)
    assert ahead[0] == np.mean([240 - 24 * k for k in range(1, 8)]) and ahead[24] == ahead[0]


def test_hour_of_day_of_an_hour_never_seen_is_the_common_mean() -> None:
    ahead = path("hour_of_day", [1.0, 5.0], 24)
    assert ahead[0] == 3.0 and ahead[22:].tolist() == [1.0, 5.0]


def test_revert_goes_from_the_last_value_to_the_days_mean() -> None:
    model = fitted("revert", np.append(np.full(95, 60.0), 84.0), 24)
    ahead = MEMBERS["revert"].path(model, 200)
    assert (np.diff(ahead) <= 0).all() and 61 < ahead[0] < 84
    assert ahead[-1] == pytest.approx(61.0)
    moved = at_state(model, MEMBERS["revert"].advance(model, np.full(3, np.nan)))
    ring_mean = (60.0 * 20 + 84) / 21
    assert MEMBERS["revert"].path(moved, 1)[0] == pytest.approx(
        ring_mean + (84 - ring_mean) * model.parameters["rate"] ** 4)


def test_lag_one_is_shrunk_by_few_pairs() -> None:
    falling = np.array([0.5 ** hour for hour in range(10)])
    assert baselines.shrunk_lag_one(falling, 0.9, 0.0) == pytest.approx(0.5)
    assert baselines.shrunk_lag_one(falling, 0.9, 9.0) == pytest.approx(0.7)
    assert baselines.shrunk_lag_one(np.full(5, np.nan), 0.9, 9.0) == 0.9


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_the_profile_finds_the_rhythm_under_noise_and_gaps(gaps: float) -> None:
    patterns, kept = daily_pattern(series.rhythm(n=340, gaps=gaps)[None], 24)
    truth = 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert np.abs(patterns[0] - truth).max() < 2.0 and kept[0] > 0.9


def test_the_profile_is_not_fooled_by_days_that_lack_their_nights() -> None:
    y = series.rhythm(n=336)
    for day in range(7, 14):
        y[24 * day + 12:24 * day + 24] = np.nan      # the low half of the later days
    patterns, _ = daily_pattern(y[None], 24)
    assert np.abs(patterns[0] - 8 * np.sin(2 * np.pi * np.arange(24) / 24)).max() < 2.0


def test_what_has_no_rhythm_keeps_little_of_one() -> None:
    _, kept = daily_pattern(np.array([series.walk(n=336), series.noise(n=336)]), 24)
    assert (kept ** 2 < 0.5).all()


def test_profile_forecasts_the_phase_that_comes_next() -> None:
    model = fitted("profile", series.rhythm(n=343), 24)
    ahead = MEMBERS["profile"].path(model, 24)
    truth = 70 + 8 * np.sin(2 * np.pi * np.arange(343, 367) / 24)
    assert np.abs(ahead - truth).mean() < 1.5
    moved = at_state(model, MEMBERS["profile"].advance(model, np.full(5, np.nan)))
    np.testing.assert_allclose(MEMBERS["profile"].path(moved, 19), ahead[5:])
