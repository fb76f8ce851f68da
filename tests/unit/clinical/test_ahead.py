"""Many patients scored at once: as one by one, whoever else is there."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical import distributions
from clinical.ahead import certain_points, score_ahead
from clinical.distributions import QUANTILE_LEVELS, FloatArray
from clinical.errors import OutlookError
from clinical.news2 import MEASURED, Consciousness, Inputs
from clinical.outlook import forecast_severities, forecast_severity

LEADS = 3
SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])
MIDDLES = {"respiratory_rate": (17.0, 4.0), "spo2": (95.0, 3.0), "systolic_bp": (118.0, 20.0),
           "heart_rate": (85.0, 25.0), "body_temperature": (37.2, 1.0)}
KNOWN = st.builds(
    Inputs, supplemental_oxygen=st.sampled_from([None, False, True]),
    spo2_scale=st.sampled_from([1, 2]),
    consciousness=st.sampled_from([None, Consciousness.ALERT, Consciousness.VOICE]))


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[dict[str, FloatArray], list[Inputs]]:
    """Up to seven patients, each with some of the vitals, others of every patient missing."""
    known = draw(st.lists(KNOWN, min_size=1, max_size=7))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    absent = draw(st.sampled_from([0.0, 0.3, 0.9]))
    quantiles = {}
    for name, (middle, spread) in MIDDLES.items():
        means = middle + spread * random.standard_normal((len(known), LEADS, 1))
        widths = spread * random.exponential(0.5, (len(known), 1, 1))
        quantiles[name] = np.round(means + widths * SCORES, draw(st.sampled_from([0, 9])))
        quantiles[name][random.random(len(known)) < absent] = np.nan
    return quantiles, known


def of_one(quantiles: dict[str, FloatArray], row: int) -> dict[str, FloatArray]:
    return {name: one[row] for name, one in quantiles.items() if not np.isnan(one[row]).any()}


@settings(max_examples=40, deadline=None)
@given(cohort=cohorts(), loading=st.sampled_from([0.0, 0.3, 0.8]))
def test_a_cohort_is_scored_as_its_patients_are(
    cohort: tuple[dict[str, FloatArray], list[Inputs]], loading: float,
) -> None:
    quantiles, known = cohort
    found = list(forecast_severities(quantiles, known, loading=loading, alert_threshold=0.2))
    assert len(found) == len(known)
    for row, (inputs, outlook) in enumerate(zip(known, found, strict=True)):
        alone = of_one(quantiles, row)
        assert outlook == (forecast_severity(alone, inputs, loading=loading, alert_threshold=0.2)
                           if alone else None)


@settings(max_examples=20, deadline=None)
@given(cohort=cohorts(), seed=st.integers(0, 99))
def test_order_does_not_matter(
    cohort: tuple[dict[str, FloatArray], list[Inputs]], seed: int,
) -> None:
    quantiles, known = cohort
    order = np.random.default_rng(seed).permutation(len(known))
    straight = list(forecast_severities(quantiles, known))
    mixed = forecast_severities({name: one[order] for name, one in quantiles.items()},
                                [known[row] for row in order])
    assert list(mixed) == [straight[row] for row in order]


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_size_of_the_chunks_does_not_matter(
    chunk: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(1)
    quantiles = {name: middle + spread * (random.standard_normal((11, LEADS, 1)) + 0.3 * SCORES)
                 for name, (middle, spread) in MIDDLES.items()}
    usual = score_ahead(quantiles, [Inputs()] * 11)
    monkeypatch.setattr(distributions, "_CHUNK_PATIENTS", chunk)
    other = score_ahead(quantiles, [Inputs()] * 11)
    np.testing.assert_array_equal(usual.totals, other.totals)
    np.testing.assert_array_equal(usual.bands, other.bands)


@pytest.mark.parametrize(("known", "points", "three"), [
    (Inputs(), 0, False), (Inputs(supplemental_oxygen=True), 2, False),
    (Inputs(consciousness=Consciousness.PAIN), 3, True),
    (Inputs(supplemental_oxygen=True, consciousness=Consciousness.VOICE), 5, True)])
def test_oxygen_and_consciousness_move_the_total_for_sure(
    known: Inputs, points: int, three: bool,
) -> None:
    assert certain_points(known) == (points, three)
    calm = {name: np.full((1, 1, 7), middle) for name, (middle, _) in MIDDLES.items()}
    calm["spo2"][:] = 97
    ahead = score_ahead(calm, [known])
    assert np.argmax(ahead.totals[0, 0]) == points
    assert ahead.totals[0, 0, points] == pytest.approx(1)
    assert np.argmax(ahead.bands[0, 0]) == (2 if points >= 5 else int(three))


def test_who_has_which_vital_is_told() -> None:
    quantiles = {"heart_rate": np.full((2, LEADS, 7), 120.0), "spo2": np.full((2, LEADS, 7), 97.0)}
    quantiles["spo2"][1] = np.nan
    ahead = score_ahead(quantiles, [Inputs()] * 2)
    assert ahead.present[:, MEASURED.index("spo2")].tolist() == [True, False]
    assert ahead.expected[:, MEASURED.index("heart_rate")] == pytest.approx(2)
    assert ahead.expected[1, MEASURED.index("spo2")] == pytest.approx(0)


@pytest.mark.parametrize(("shape", "word"), [
    ((3, LEADS, 7), "3 patients"), ((2, LEADS, 5), "give"), ((2, 0, 7), "give")])
def test_arrays_that_do_not_fit_are_refused(shape: tuple[int, ...], word: str) -> None:
    with pytest.raises(OutlookError, match=word):
        score_ahead({"spo2": np.full(shape, 97.0)}, [Inputs()] * 2)


def test_half_a_forecast_is_refused() -> None:
    half = np.full((1, LEADS, 7), 97.0)
    half[0, 1] = np.nan
    with pytest.raises(OutlookError, match="finite"):
        score_ahead({"spo2": half}, [Inputs()])
