"""Stored risks played again: what a threshold would have told, and of whom nothing is known."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, insert

from registry import tables
from registry.database import transaction
from registry.forecasts import SeverityRow, save_severities
from tests.clinic import CYCLE, HOUR
from vitalcast.jobs.thresholds import replayed

RISKS: dict[str, list[float | None]] = {
    "flaps": [0.1, 0.35, 0.25, 0.35, 0.25] * 10, "twice": [*[0.0] * 10, *[0.7] * 15] * 2,
    "silent": [*[0.7] * 10, *[None] * 40], "never": [None] * 50, "new": [0.9] * 10}


@pytest.fixture
def stored(engine: Engine) -> Engine:
    with transaction(engine) as conn:
        conn.execute(insert(tables.patients), [{"patient_id": name} for name in RISKS])
        save_severities(conn, [
            SeverityRow(patient_id=name, cutoff=CYCLE - (len(risks) - 1 - hour) * HOUR, rank=0.0,
                        band="low", current={}, protocol={},
                        outlook={} if risk is None else {"peak_probability": risk})
            for name, risks in RISKS.items() for hour, risk in enumerate(risks)])
    return engine


def test_a_threshold_is_told_with_the_alerts_that_it_would_have_given(stored: Engine) -> None:
    system = SimpleNamespace(engine=stored)
    found = replayed(system, [0.3, 0.6, 0.9], until=CYCLE, days=7)  # type: ignore[arg-type]
    days = timedelta(hours=50) / timedelta(days=1)
    assert found["patients"] == len(RISKS) - 1       # of the new one less than a day is known
    # Flapping is one alert, and a patient who falls silent neither ends nor begins another.
    assert [one["alerts_a_day"] for one in found["thresholds"]] == pytest.approx(
        [4 / days, 3 / days, 0])


def test_older_risks_are_left_out(stored: Engine) -> None:
    system = SimpleNamespace(engine=stored)
    later = CYCLE + timedelta(days=8)
    assert replayed(system, [0.3], until=later, days=7)["patients"] == 0  # type: ignore[arg-type]
