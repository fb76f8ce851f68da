"""A patient's standing, from what is stored and from what is not."""

from datetime import UTC, datetime
from typing import Any

from api.standing import NO_CYCLE, NOTHING_CURRENT, UNKNOWN, standing
from clinical.news2 import PARAMETERS
from clinical.words import TOO_LITTLE
from registry.views import Patient

CYCLE = datetime(2026, 11, 20, 14, tzinfo=UTC)


def patient(current: dict[str, Any] | None, outlook: dict[str, Any] | None = None,
            band: str | None = "low") -> Patient:
    known = current is not None
    return Patient(patient_id="p", spo2_scale=1, newest_reading=None, rank=0.0,
                   cutoff=CYCLE if known else None, band=band if known else None,
                   current=current, outlook=outlook)


def score(**points: int) -> dict[str, Any]:
    total = sum(points.values())
    return {"applicable": True, "reason": None, "explanation": ["headline", "most points", "less"],
            "score": {"total": total, "max": total + 3, "complete": False, "band": "low",
                      "band_max": "medium", "points": points}}


def test_before_the_first_cycle_nothing_is_claimed() -> None:
    found = standing(patient(None))
    assert (found.band, found.total, found.main_reason) == (UNKNOWN, None, NO_CYCLE)
    assert not found.applicable


def test_the_main_reason_is_the_input_with_the_most_points() -> None:
    assert standing(patient(score(spo2=3, heart_rate=1))).main_reason == "most points"


def test_where_nothing_scores_the_missing_inputs_are_told() -> None:
    found = standing(patient(score(spo2=0)))
    assert found.main_reason == "Known inputs, 1 of 7, score no point; the others are missing."


def test_without_a_current_reading_that_is_the_reason() -> None:
    assert standing(patient(score())).main_reason == NOTHING_CURRENT


def test_a_score_that_does_not_apply_tells_why() -> None:
    found = standing(patient({"applicable": False, "reason": "in pregnancy", "score": None},
                             band="not applicable"))
    assert (found.band, found.total, found.main_reason) == ("not applicable", None, "in pregnancy")


def test_the_outlook_is_optional() -> None:
    ahead = {"peak_probability": 0.4, "peak_lead": 3, "first_alert_lead": 2}
    assert standing(patient(score(spo2=1), ahead)).peak_probability == 0.4
    assert standing(patient(score(spo2=1), {})).peak_probability is None


def test_a_low_chance_from_few_inputs_is_not_told() -> None:
    hour = {"lead": 1, "p_medium_or_more": 0.0, "p_high": 0.0, "most_likely_band": "low",
            "band_probabilities": {"low": 1.0}}
    ahead = {"hours": [hour], "peak_probability": 0.0, "peak_lead": 1, "threshold": 0.3,
             "first_alert_lead": None, "missing": list(PARAMETERS[1:])}
    found = standing(patient(score(), ahead))
    assert (found.peak_told, found.inputs_ahead) == (TOO_LITTLE, 1)


def test_unusual_nights_are_told_and_usual_ones_not() -> None:
    nights = [{"z": 5.1, "sentence": "heart rate 76"}, {"z": -3.0, "sentence": "temperature"},
              {"z": 2.9, "sentence": "respiratory rate"}, {"z": None, "sentence": "too few nights"}]
    found = standing(patient(score() | {"baseline": nights}))
    assert found.unusual_nights == ("heart rate 76", "temperature")
