"""Severity of a forecast: figures, bounds, explanation, refusals."""

import json
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.distributions import QUANTILE_LEVELS, FloatArray
from clinical.errors import OutlookError
from clinical.news2 import Consciousness, Inputs, score
from clinical.outlook import forecast_severity, within_bounds, within_from_paths

KNOWN = Inputs(supplemental_oxygen=False, consciousness=Consciousness.ALERT)
NORMAL = {"respiratory_rate": (16.0, 1.0), "spo2": (98.0, 0.6), "systolic_bp": (125.0, 5.0),
          "heart_rate": (70.0, 5.0), "body_temperature": (36.8, 0.1)}
SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])


def forecast(horizon: int = 3, **changes: tuple[float, float]) -> dict[str, FloatArray]:
    return {name: np.tile(mean + sd * SCORES, (horizon, 1))
            for name, (mean, sd) in {**NORMAL, **changes}.items()}


def test_a_calm_forecast_is_low_for_sure() -> None:
    outlook = forecast_severity(forecast(), KNOWN)
    assert outlook.missing == ()
    assert outlook.alert_lead is None
    assert all(lead.most_likely_band == "low" for lead in outlook.leads)
    assert outlook.peak_p_at_least_5 < 0.001


def test_certain_forecasts_score_as_readings_do() -> None:
    values = {"respiratory_rate": 22.0, "spo2": 94.0, "systolic_bp": 105.0, "heart_rate": 115.0,
              "body_temperature": 38.5}
    quantiles = {name: np.full((1, 7), value) for name, value in values.items()}
    known = Inputs(supplemental_oxygen=True, consciousness=Consciousness.VOICE)
    lead = forecast_severity(quantiles, known).leads[0]
    whole = score(Inputs(**values, supplemental_oxygen=True,  # type: ignore[arg-type]
                         consciousness=Consciousness.VOICE))
    assert lead.totals[whole.total] == pytest.approx(1)
    assert lead.bands[whole.band.value] == pytest.approx(1)


def test_a_single_3_makes_the_band_low_medium() -> None:
    lead = forecast_severity(forecast(respiratory_rate=(28.0, 0.5)), KNOWN).leads[0]
    assert lead.most_likely_band == "low-medium"
    assert lead.p_at_least_5 < 0.01


def test_the_first_hour_over_the_threshold_is_told() -> None:
    quantiles = forecast(horizon=6)
    quantiles["respiratory_rate"][3:] += 9
    quantiles["heart_rate"][3:] += 50
    outlook = forecast_severity(quantiles, KNOWN, alert_threshold=0.5)
    assert outlook.alert_lead == 4
    assert outlook.peak_lead in (4, 5, 6)
    assert [one.vital for one in outlook.drivers[:2]] == ["respiratory_rate", "heart_rate"]
    assert "hour 4" in outlook.sentences[1]


def test_missing_vitals_give_an_at_least_reading() -> None:
    quantiles = forecast()
    del quantiles["systolic_bp"]
    outlook = forecast_severity(quantiles, Inputs())
    assert outlook.missing == ("supplemental_oxygen", "systolic_bp", "consciousness")
    assert outlook.missing_points == 8
    assert "≥" in outlook.sentences[0].partition("is ")[2]
    assert any("systolic blood pressure" in one for one in outlook.sentences)
    assert not any("100" in one for one in outlook.sentences)


def test_scale_2_without_known_oxygen_is_read_on_air() -> None:
    quantiles = forecast(spo2=(97.0, 0.2))
    unknown = Inputs(spo2_scale=2, consciousness=Consciousness.ALERT)
    on_oxygen = Inputs(spo2_scale=2, consciousness=Consciousness.ALERT, supplemental_oxygen=True)
    at_least = forecast_severity(quantiles, unknown)
    assert at_least.leads[0].expected_points["spo2"] == pytest.approx(0)
    assert at_least.missing_points == 5
    whole = forecast_severity(quantiles, on_oxygen).leads[0]
    assert whole.expected_points["spo2"] > 2.9
    assert whole.p_at_least_5 > 0.9


def test_vitals_that_news2_does_not_score_are_passed_over() -> None:
    quantiles = {**forecast(), "diastolic_bp": np.full((9, 7), 80.0)}
    assert forecast_severity(quantiles, KNOWN) == forecast_severity(forecast(), KNOWN)


def test_dependence_is_told_and_moves_the_tail() -> None:
    sick = forecast(respiratory_rate=(20.0, 2.0), heart_rate=(100.0, 15.0), spo2=(95.0, 2.0))
    apart = forecast_severity(sick, KNOWN, loading=0)
    joined = forecast_severity(sick, KNOWN, loading=0.6)
    assert "independent" in apart.dependence
    assert "assumption" in forecast_severity(sick, KNOWN).dependence
    assert joined.leads[0].p_at_least_7 > apart.leads[0].p_at_least_7


def test_without_paths_the_event_within_hours_is_bounded() -> None:
    within = within_bounds([0.1, 0.3, 0.2, 0.9], hours=3)
    assert within.probability is None
    assert (within.lower, within.upper) == pytest.approx((0.3, 0.6))
    assert within_bounds([0.9, 0.8], hours=12).upper == 1
    assert within_bounds([0.9, 0.8], hours=12).hours == 2


def test_joint_paths_give_the_event_itself_between_its_bounds() -> None:
    random = np.random.default_rng(5)
    paths = {"respiratory_rate": 20 + 3 * random.standard_normal((500, 6)),
             "heart_rate": 100 + 20 * random.standard_normal((500, 6))}
    hourly = [within_from_paths({name: one[:, [hour]] for name, one in paths.items()}, KNOWN, 1)
              for hour in range(4)]
    probabilities = [one.probability or 0.0 for one in hourly]
    bounds = within_bounds(probabilities, 4)
    within = within_from_paths(paths, KNOWN, 4)
    assert within.probability is not None
    assert bounds.lower <= within.probability <= bounds.upper
    assert "500" in within.method


def test_of_hours_with_the_same_risk_the_first_is_told() -> None:
    sick = forecast(horizon=4, respiratory_rate=(40.0, 1.0), heart_rate=(180.0, 2.0))
    sick["heart_rate"][1:] += 1e-9        # what is left is rounding
    assert forecast_severity(sick, KNOWN).peak_lead == 1


def test_a_path_counts_once_however_long_it_is_high() -> None:
    high = {"respiratory_rate": np.array([[30.0, 30, 30], [15, 15, 15], [15, 15, 30],
                                           [15, 30, 15]]),
            "heart_rate": np.array([[120.0] * 3] * 4)}
    assert within_from_paths(high, KNOWN, 2).probability == 0.5
    outlook = forecast_severity(forecast(), KNOWN, paths=high, within_hours=3)
    assert outlook.within.probability == 0.75


def test_an_outlook_is_plain_json() -> None:
    text = json.dumps(asdict(forecast_severity(forecast(), KNOWN)), allow_nan=False)
    assert len(json.loads(text)["leads"]) == 3


@pytest.mark.parametrize(("quantiles", "options", "word"), [
    ({}, {}, "no|none"),
    ({"diastolic_bp": np.full((2, 7), 80.0)}, {}, "none"),
    ({"spo2": np.full((2, 5), 97.0)}, {}, "spo2"),
    ({"spo2": np.empty((0, 7))}, {}, "spo2"),
    ({"spo2": np.full((2, 7), np.nan)}, {}, "spo2"),
    ({"spo2": np.full((2, 7), 97.0), "heart_rate": np.full((3, 7), 70.0)}, {}, "horizons"),
    ({"spo2": np.full((2, 7), 97.0)}, {"loading": 1.0}, "loading"),
    ({"spo2": np.full((2, 7), 97.0)}, {"alert_threshold": 0.0}, "threshold"),
    ({"spo2": np.full((2, 7), 97.0)}, {"within_hours": 0}, "within"),
    ({"spo2": np.full((2, 7), 97.0)}, {"paths": {"diastolic_bp": np.ones((2, 2))}}, "paths"),
    ({"spo2": np.full((2, 7), 97.0)},
     {"paths": {"spo2": np.ones((2, 2)), "heart_rate": np.ones((2, 3))}}, "paths"),
])
def test_forecasts_that_cannot_be_scored_are_refused(
    quantiles: dict[str, FloatArray], options: dict[str, Any], word: str,
) -> None:
    with pytest.raises(OutlookError, match=word):
        forecast_severity(quantiles, KNOWN, **options)


@settings(max_examples=30, deadline=None)
@given(means=st.tuples(st.floats(6, 30), st.floats(80, 100), st.floats(80, 230),
                       st.floats(35, 140), st.floats(34, 41)),
       spread=st.floats(0, 8), loading=st.sampled_from([0.0, 0.3, 0.8]))
def test_every_lead_is_a_distribution(
    means: tuple[float, ...], spread: float, loading: float,
) -> None:
    changes = {name: (mean, spread) for name, mean in zip(NORMAL, means, strict=True)}
    for lead in forecast_severity(forecast(2, **changes), Inputs(), loading=loading).leads:
        assert sum(lead.totals) == pytest.approx(1)
        assert sum(lead.bands.values()) == pytest.approx(1)
        assert min(lead.totals) >= 0
        assert lead.p_at_least_7 <= lead.p_at_least_5 <= 1 + 1e-9
        assert lead.bands["high"] == pytest.approx(lead.p_at_least_7)
