"""From quantiles to points to totals, against enumeration, Monte Carlo and the Gaussian."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.distributions import (
    QUANTILE_LEVELS,
    FloatArray,
    normal_cdf,
    normal_score,
    points_of,
    points_probabilities,
    probability_below,
    quantiles_of,
    total_probabilities,
)
from clinical.errors import OutlookError
from clinical.news2 import TABLE
from tests.reference import news2_distribution

HEART = TABLE["heart_rate"]


def gaussian(mean: float, sd: float) -> FloatArray:
    return np.array([[NormalDist(mean, sd).inv_cdf(level) for level in QUANTILE_LEVELS]])


def test_a_gaussian_forecast_is_recovered_exactly_tails_included() -> None:
    cuts = np.linspace(40, 120, 33)
    expected = [NormalDist(80, 9).cdf(cut) for cut in cuts]
    below = probability_below(gaussian(80, 9), cuts, 20, 300)
    np.testing.assert_allclose(below[0], expected, atol=1e-12)


def test_mass_outside_the_plausible_range_lies_on_its_ends() -> None:
    below = probability_below(gaussian(99, 3), np.array([50.0, 99.5, 100.0, 100.5]), 50, 100)
    assert below[0, 0] == 0
    assert below[0, 2] == pytest.approx(NormalDist(99, 3).cdf(100))
    assert below[0, 3] == 1


def test_quantiles_that_touch_are_a_step() -> None:
    clipped = np.array([[96.0, 97, 98, 100, 100, 100, 100], [97.0] * 7])
    below = probability_below(clipped, np.array([96.5, 97.0, 97.5, 99.9]), 50, 100)
    assert 0.025 < below[0, 0] < 0.1
    assert below[0, 1] == pytest.approx(0.1)
    assert 0.25 < below[0, 3] < 0.5
    assert below[1, [0, 2, 3]].tolist() == [0, 1, 1]


def test_crossing_quantiles_are_sorted() -> None:
    right = gaussian(80, 9)
    crossed = right[:, [1, 0, 2, 3, 4, 6, 5]]
    cuts = np.array([60.0, 80, 100])
    np.testing.assert_array_equal(probability_below(right, cuts, 20, 300),
                                  probability_below(crossed, cuts, 20, 300))


def test_points_follow_the_chart_at_its_precision() -> None:
    law = NormalDist(100, 15)
    expected_1 = law.cdf(110.5) - law.cdf(90.5) + law.cdf(50.5) - law.cdf(40.5)
    expected_2 = law.cdf(130.5) - law.cdf(110.5)
    points = points_probabilities(gaussian(100, 15), HEART, 20, 300)
    assert points[0, 1] == pytest.approx(expected_1, abs=1e-12)
    assert points[0, 2] == pytest.approx(expected_2, abs=1e-12)
    assert points.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", list(TABLE))
def test_values_score_as_one_by_one(name: str) -> None:
    values = np.concatenate([np.arange(20, 240, 0.5), np.arange(33, 42, 0.05)])
    expected = [TABLE[name].score(value) for value in values]
    assert points_of(values, TABLE[name]).tolist() == expected


def test_quantiles_are_stacked_from_the_bounds() -> None:
    stacked = quantiles_of([4.0], {50: [3], 80: [2], 95: [1]}, {50: [5], 80: [6], 95: [7]})
    assert stacked.tolist() == [[1, 2, 3, 4, 5, 6, 7]]


def test_quantiles_of_many_patients_are_stacked_as_of_one() -> None:
    point = np.arange(6.0).reshape(2, 3)
    bounds = [{level: point + side * level for level in (50, 80, 95)} for side in (-1, 1)]
    both = quantiles_of(point, *bounds)
    assert both.shape == (2, 3, 7)
    np.testing.assert_array_equal(both[1], quantiles_of(
        point[1], *({level: one[1] for level, one in side.items()} for side in bounds)))


def test_normal_functions_are_inverse_and_reach_the_ends() -> None:
    z = np.array([[-8.0, -1.0], [0.0, 3.0]])
    np.testing.assert_allclose(normal_score(normal_cdf(z)), z, atol=1e-9)
    assert normal_score(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
    assert normal_cdf(np.array([-np.inf, np.inf])).tolist() == [0, 1]


@given(p=st.floats(1e-300, 1, exclude_max=True))
def test_normal_scores_are_those_of_the_standard_library(p: float) -> None:
    assert normal_score(np.array([p]))[0] == pytest.approx(NormalDist().inv_cdf(p), rel=1e-14,
                                                           abs=1e-15)


POINTS = st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any).map(
    lambda counts: [count / sum(counts) for count in counts])


def totals(points: list[list[float]], loading: float = 0.0) -> FloatArray:
    """One patient, one lead: (21, 2) of P(points = 0..3) of each vital."""
    joint = total_probabilities(np.array(points)[None, :, None, :], loading=loading)
    return np.asarray(joint[0, 0])


@settings(max_examples=40, deadline=None)
@given(points=st.lists(POINTS, min_size=1, max_size=4))
def test_independence_equals_enumeration(points: list[list[float]]) -> None:
    np.testing.assert_allclose(totals(points), news2_distribution.independent(points), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(points=st.lists(POINTS, min_size=1, max_size=5), loading=st.floats(0, 0.9))
def test_the_copula_equals_its_quadrature(points: list[list[float]], loading: float) -> None:
    np.testing.assert_allclose(totals(points, loading),
                               news2_distribution.joined(points, loading), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(points=st.lists(POINTS, min_size=1, max_size=5), loading=st.floats(0, 0.9))
def test_probabilities_sum_to_1_and_marginals_stay(
    points: list[list[float]], loading: float,
) -> None:
    joint = totals(points, loading)
    mean = sum(worth * p for one in points for worth, p in enumerate(one))
    assert joint.min() >= 0
    assert joint.sum() == pytest.approx(1, abs=1e-9)
    assert np.arange(21) @ joint.sum(axis=1) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("loading", [0.3, 0.8])
def test_the_copula_equals_monte_carlo(loading: float) -> None:
    points = [[0.7, 0.2, 0.06, 0.04], [0.5, 0.3, 0.0, 0.2], [0.8, 0.0, 0.15, 0.05]]
    np.testing.assert_allclose(totals(points, loading),
                               news2_distribution.sampled(points, loading, 400_000, 7), atol=3e-3)


def test_dependence_fattens_the_tail() -> None:
    points = [[0.8, 0.1, 0.05, 0.05]] * 4
    tails = [totals(points, loading)[7:].sum() for loading in (0.0, 0.3, 0.6, 0.9)]
    assert tails == sorted(tails)
    assert tails[-1] > 2 * tails[0]


def test_leads_do_not_mix() -> None:
    points = np.array([[[[1.0, 0, 0, 0], [0, 0, 0, 1.0]]] * 2])
    joint = total_probabilities(points, loading=0.5)
    assert joint[0, 0, 0, 0] == pytest.approx(1)
    assert joint[0, 1, 6, 1] == pytest.approx(1)


def test_a_vital_that_scores_0_for_sure_changes_nothing() -> None:
    points = [[0.7, 0.2, 0.06, 0.04], [0.5, 0.3, 0.0, 0.2]]
    np.testing.assert_allclose(totals([*points, [1.0, 0, 0, 0]], 0.3), totals(points, 0.3),
                               atol=1e-15)


def test_more_vitals_than_the_chart_has_are_refused() -> None:
    with pytest.raises(OutlookError, match="7 vitals"):
        totals([[0.25] * 4] * 7)


@pytest.mark.parametrize("loading", [-0.1, 0.96, 1.0, float("nan")])
def test_a_loading_outside_its_range_is_refused(loading: float) -> None:
    with pytest.raises(OutlookError, match="loading"):
        totals([[1.0, 0, 0, 0]], loading)
