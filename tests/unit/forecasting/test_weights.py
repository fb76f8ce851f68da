"""Weights of many series at once: shares per bucket, and lines between their centres."""

import numpy as np
import pytest

from forecasting import weights
from forecasting.config import BUCKETS, DEFAULT_MEMBERS
from forecasting.types import FloatArray

NAMES = ("profile", "last_value", "revert")
ALL = np.ones((1, 3), dtype=np.bool_)
FORTNIGHT = np.array([336])


def weighed(errors: FloatArray, origins: int = 30, rhythm: float = 0.0) -> FloatArray:
    """Weights (members, buckets) of one series."""
    prior = weights.prior_weights(np.array([rhythm]), FORTNIGHT, NAMES)
    return np.asarray(weights.weigh(errors[None], prior, ALL, np.array([origins]), 30.0)[0])


def test_bucket_of_every_lead() -> None:
    leads = np.array([1, 2, 6, 7, 12, 13, 24, 25, 200])
    assert weights.buckets_of(leads).tolist() == [0, 1, 1, 2, 2, 3, 3, 3, 3]


def test_weights_change_on_lines_between_the_centres_of_the_buckets() -> None:
    along = weights.along_leads(np.array([7.0, 3.0, 14.0, 32.0]), 30)
    assert along[[0, 1, 2, 3, 4]].tolist() == [7.0, 3.0, 3.0, 3.0, 5.0]
    assert along[[8, 9]].tolist() == [13.0, 15.0]                # leads 9 and 10, around 9.5
    assert (along[18:] == 32.0).all() and (np.abs(np.diff(along[1:])) < 2.1).all()


def test_weights_along_leads_still_sum_to_one() -> None:
    shares = weights.prior_weights(np.array([0.3]), FORTNIGHT, DEFAULT_MEMBERS)
    assert weights.along_leads(shares, 48).sum(axis=1) == pytest.approx(np.ones((1, 48)))


def test_smaller_errors_weigh_more_as_origins_grow() -> None:
    errors = np.repeat([[1.0], [2.0], [2.0]], len(BUCKETS), axis=1)
    first = [weighed(errors, origins)[0].mean() for origins in (0, 3, 30, 300)]
    assert first == sorted(first) and first[-1] > 1.5 * first[0]
    assert weighed(errors).sum(axis=0) == pytest.approx(np.ones(4))


def test_long_windows_trust_fitted_seasons() -> None:
    hours = np.array([100, 336, 504, 672, 2000])
    shares = weights.prior_weights(np.zeros(5), hours, DEFAULT_MEMBERS)
    arima = shares[:, DEFAULT_MEMBERS.index("arima"), 3]
    assert arima[0] == arima[1] < arima[2] < arima[3] == arima[4]
    assert shares.sum(axis=1) == pytest.approx(np.ones((5, 4)))


def test_a_bucket_without_errors_keeps_the_prior() -> None:
    errors = np.repeat([[1.0], [2.0], [3.0]], len(BUCKETS), axis=1)
    errors[:, 3] = np.nan
    prior = weights.prior_weights(np.array([0.0]), FORTNIGHT, NAMES)[0]
    assert weighed(errors)[:, 3] == pytest.approx(prior[:, 3])


def test_members_far_beyond_the_median_are_left_out() -> None:
    nan = float("nan")
    of_day = np.array([[1.0, 1.1, 1.7], [nan, nan, nan], [1.0, nan, 4.0]])
    many = np.full(3, weights.LEFT_OUT_ORIGINS)
    assert weights.left_out(of_day, many).tolist() == [[False, False, True], [False] * 3,
                                                       [False, False, True]]
    assert not weights.left_out(of_day, many - 1).any()
    assert "above 1.5 x" in weights.left_out_reason(1.7)


def test_mean_over_the_day_counts_hours() -> None:
    assert weights.mean_over_day(np.array([1.0, 2.0, 3.0, np.nan])) == (1 + 10 + 18) / 12
    assert np.isnan(weights.mean_over_day(np.full(4, np.nan)))


def test_members_that_are_not_there_weigh_nothing() -> None:
    some = np.array([[True, False, True], [False, False, False]])
    shares = weights.renormalised(np.zeros((2, 3, 4)), some)
    assert shares[0].tolist() == [[0.5] * 4, [0.0] * 4, [0.5] * 4] and not shares[1].any()
