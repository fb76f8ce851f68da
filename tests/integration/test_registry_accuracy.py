"""How earlier forecasts did: one question over the evaluations, beside sums done slowly here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from registry.database import transaction
from registry.forecasts import EvaluationRow, save_evaluations
from registry.patients import Patient, save_patients
from registry.reading import PatientNotFound, Reading
from registry.views import LOCAL, Access, Accuracy

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
VITALS = ("heart_rate", "spo2")


def evaluation(
    hours_ago: int, errors: Mapping[str, Sequence[float | None]], *, vital: str = "heart_rate",
) -> EvaluationRow:
    """As `evaluate` stores it: intervals hold within 2 (80 %) and 4 (95 %) of the forecast."""
    known = {name: [abs(one) for one in path if one is not None] for name, path in errors.items()}

    def held(reach: float) -> list[bool | None]:
        return [None if one is None else abs(one) <= reach for one in errors["ensemble"]]

    return EvaluationRow(
        patient_id="p1", vital=vital, cutoff=NOON - hours_ago * HOUR,
        observed=len(known["ensemble"]), final=True,
        actual=[None if one is None else 70 + one for one in errors["ensemble"]],
        errors=errors, covered={"50": held(1), "80": held(2), "95": held(4)},
        mae={name: float(np.mean(path)) if path else None for name, path in known.items()})


@pytest.fixture
def reading(engine: Engine) -> Reading:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1")])
    return Reading(engine, {})


def ask(reading: Reading, *rows: EvaluationRow) -> tuple[Accuracy, ...]:
    with transaction(reading._engine) as conn:
        save_evaluations(conn, rows)
    return reading.accuracy(LOCAL, "p1", VITALS, WEEK)


def test_every_scored_hour_counts_the_same(reading: Reading) -> None:
    rng = np.random.default_rng(4)
    rows = []
    for hours_ago in range(40):
        gone = rng.random(24) < rng.random()
        errors: dict[str, Any] = {
            name: [None if gap else float(one) for gap, one in zip(
                gone, rng.normal(0, scale, 24), strict=True)]
            for name, scale in (("ensemble", 2), ("last_value", 4), ("hour_of_day", 3))}
        rows.append(evaluation(hours_ago, errors))
    (found,) = ask(reading, *rows)
    pooled = {name: np.abs([one for row in rows for one in row.errors[name] if one is not None])
              for name in rows[0].errors}
    assert found.hours == pooled["ensemble"].size
    assert found.forecasts == sum(row.observed > 0 for row in rows)
    assert found.mae == pytest.approx(pooled["ensemble"].mean())
    assert found.baseline == "hour_of_day"
    assert found.baseline_mae == pytest.approx(pooled["hour_of_day"].mean())
    assert found.coverage_80 == pytest.approx((pooled["ensemble"] <= 2).mean())
    assert found.coverage_95 == pytest.approx((pooled["ensemble"] <= 4).mean())


def test_a_baseline_that_missed_an_hour_is_no_measure(reading: Reading) -> None:
    """It would be compared on other hours, perhaps the easier ones."""
    (found,) = ask(reading,
                   evaluation(1, {"ensemble": [3.0], "last_value": [4.0], "hour_of_day": [1.0]}),
                   evaluation(2, {"ensemble": [1.0], "last_value": [2.0]}))
    assert (found.baseline, found.baseline_mae) == ("last_value", 3.0)


def test_members_that_are_no_baselines_are_not_named(reading: Reading) -> None:
    (found,) = ask(reading, evaluation(1, {"ensemble": [3.0], "profile": [0.5]}))
    assert (found.mae, found.baseline, found.baseline_mae) == (3.0, None, None)


def test_the_week_ends_with_the_newest_scored_forecast_of_any_vital(reading: Reading) -> None:
    old = {"ensemble": [9.0]}
    found = ask(reading,
                evaluation(10, {"ensemble": [1.0]}), evaluation(9 + 7 * 24, {"ensemble": [2.0]}),
                evaluation(10 + 7 * 24, old), evaluation(200, old, vital="spo2"),
                evaluation(1, {"ensemble": [None]}))
    (heart,) = found
    assert (heart.vital, heart.forecasts, heart.hours, heart.mae) == ("heart_rate", 2, 2, 1.5)
    assert (heart.since, heart.until) == (NOON - (9 + 7 * 24) * HOUR, NOON - 10 * HOUR)


def test_vitals_come_in_the_order_asked(reading: Reading) -> None:
    row = evaluation(1, {"ensemble": [1.0]})
    found = ask(reading, replace(row, vital="spo2"), row)
    assert [one.vital for one in found] == list(VITALS)


def test_none_is_scored_yet(reading: Reading) -> None:
    assert ask(reading, evaluation(1, {"ensemble": [None, None]})) == ()


def test_a_patient_out_of_care_is_not_found(reading: Reading) -> None:
    ask(reading, evaluation(1, {"ensemble": [1.0]}))
    for access, name in ((Access(username="stranger"), "p1"), (LOCAL, "absent")):
        with pytest.raises(PatientNotFound):
            reading.accuracy(access, name, VITALS, WEEK)
