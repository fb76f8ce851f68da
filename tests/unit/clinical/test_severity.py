"""Severity now: what the reader is told, the own baseline, the work list's order."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from clinical.current import Current
from clinical.news2 import PARAMETERS, Consciousness, Inputs, score
from clinical.severity import (
    AGE_UNKNOWN_CAVEAT,
    INTENDED_USE,
    OXIMETER_CAVEAT,
    baseline_deviation,
    severity_now,
    work_list_rank,
)

INPUTS = Inputs(respiratory_rate=22.4, spo2=95, supplemental_oxygen=False, heart_rate=70,
                consciousness=Consciousness.ALERT)
CURRENT = Current(
    inputs=INPUTS,
    ages_minutes={"respiratory_rate": 35, "spo2": 70, "supplemental_oxygen": 300,
                  "heart_rate": 2, "consciousness": 300},
    reasons={"systolic_bp": "last known 30 h ago, expires after 24 h",
             "body_temperature": "never measured"})


def test_the_sentences_tell_result_inputs_ages_and_what_is_missing() -> None:
    told = severity_now(CURRENT, age_years=70, pregnant=False).sentences
    assert told[0] == ("NEWS2 is at least 3 and at most 9: band at least low, at most high "
                       "(5 of 7 inputs known).")
    assert told[1] == "Respiratory rate 22 /min (21–24): 2 points, 35 min old."
    assert told[2] == "Oxygen saturation 95 % (94–95): 1 point, 1 h 10 min old."
    assert "Systolic blood pressure is missing: last known 30 h ago, expires after 24 h." in told
    assert len(told) == 1 + len(PARAMETERS)


def test_not_applicable_gives_the_reason_and_no_number() -> None:
    now = severity_now(CURRENT, age_years=12, pregnant=False)
    assert (now.score, now.band) == (None, "not applicable")
    assert now.sentences == (now.reason,)
    assert "16" in (now.reason or "")


def test_caveats_name_the_oximeter_and_an_unknown_age() -> None:
    assert severity_now(CURRENT, age_years=70, pregnant=False).caveats == (OXIMETER_CAVEAT,)
    nothing = Current(inputs=Inputs(), ages_minutes={}, reasons={})
    assert severity_now(nothing, age_years=None, pregnant=False).caveats == (AGE_UNKNOWN_CAVEAT,)


def test_scale_2_and_a_complete_score_are_told() -> None:
    inputs = Inputs(respiratory_rate=16, spo2=95, spo2_scale=2, supplemental_oxygen=True,
                    systolic_bp=120, heart_rate=70, body_temperature=36.8,
                    consciousness=Consciousness.ALERT)
    told = severity_now(Current(inputs=inputs, ages_minutes={}, reasons={}), age_years=70,
                        pregnant=False).sentences
    assert told[0] == "NEWS2 is 4: band low."
    assert "Oxygen saturation 95 % (95–96, scale 2): 2 points." in told
    assert "Supplemental oxygen yes: 2 points." in told


def test_a_severity_is_plain_json() -> None:
    deviations = baseline_deviation({"heart_rate": 60}, {"heart_rate": [50] * 9})
    now = severity_now(CURRENT, age_years=70, pregnant=False, deviations=deviations)
    assert json.loads(json.dumps(asdict(now)))["score"]["total"] == 3


def test_the_work_list_goes_by_band_then_total_then_forecast() -> None:
    three = score(Inputs(respiratory_rate=25))
    four = score(Inputs(respiratory_rate=22, heart_rate=120))
    ranks = [work_list_rank(None), work_list_rank(score(Inputs())), work_list_rank(four),
             work_list_rank(four, 0.9), work_list_rank(three, 0.1), work_list_rank(three, 0.2),
             work_list_rank(score(Inputs(respiratory_rate=25, spo2=90)))]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_an_unusual_night_counts_as_a_forecast_at_the_threshold() -> None:
    nothing = score(Inputs())
    unusual = baseline_deviation({"heart_rate": 76.0}, {"heart_rate": [62.0, 63, 64] * 3})
    usual = baseline_deviation({"heart_rate": 64.0}, {"heart_rate": [62.0, 63, 64] * 3})
    ranks = [work_list_rank(nothing, 0.0, usual), work_list_rank(nothing, 0.29),
             work_list_rank(nothing, 0.0, unusual), work_list_rank(nothing, 0.31, unusual),
             work_list_rank(score(Inputs(spo2=95)), 0.0, usual)]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert work_list_rank(None) < work_list_rank(None, 0.0, unusual) < 0


def test_a_night_is_compared_with_the_usual_ones_robustly() -> None:
    usual = [50, 52, 54, 56, 58, 60, 200]
    one, = baseline_deviation({"heart_rate": 68}, {"heart_rate": usual})
    assert (one.usual, one.nights) == (56, 7)
    assert one.spread == pytest.approx(4 * 1.4826)
    assert one.z == pytest.approx(12 / (4 * 1.4826))
    assert "above" in one.sentence


def test_a_constant_baseline_has_the_resolution_as_its_spread() -> None:
    one, = baseline_deviation({"skin_temperature": 34.8}, {"skin_temperature": [35.0] * 8})
    assert one.spread == pytest.approx(0.1)
    assert one.z == pytest.approx(-2)
    assert "below" in one.sentence


def test_too_few_nights_give_no_deviation() -> None:
    one, two = baseline_deviation({"heart_rate": 68, "respiratory_rate": 15},
                                  {"heart_rate": [60] * 6})
    assert (one.z, one.usual, one.spread, one.nights) == (None, None, None, 6)
    assert two.nights == 0
    assert "7 are needed" in one.sentence


def test_the_documented_intended_use_is_the_one_on_the_reports() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "intended-use.md"
    assert INTENDED_USE in " ".join(page.read_text(encoding="utf-8").replace("> ", "").split())


def test_a_night_is_told_without_a_negative_nothing() -> None:
    (one,) = baseline_deviation({"skin_temperature_deviation": -0.04},
                                {"skin_temperature_deviation": [-0.01, 0.0, -0.02] * 3})
    assert "-0.0" not in one.sentence and "deviation 0.0 °C, usually 0.0 ±" in one.sentence
