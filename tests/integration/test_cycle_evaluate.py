"""Stored forecasts are scored as their hours are observed, on real vendors and real Postgres."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import requests
from sqlalchemy import Engine, text

from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, assert_same, dump, vendors
from vitalcast.cycle import HOUR

PATIENT = "demo-01"

_EVALUATION = """
SELECT * FROM evaluations WHERE patient_id = :patient AND vital = 'heart_rate' AND cutoff = :cutoff
"""
_FORECAST = """
SELECT point, lower_80, upper_80, members FROM forecasts
WHERE patient_id = :patient AND vital = 'heart_rate' AND cutoff = :cutoff"""
_HOURLY = """
SELECT date_trunc('hour', effective_start) AS hour, avg(CAST(value AS double precision)) AS mean
FROM observations
WHERE patient_id = :patient AND vital = 'heart_rate' AND quality = 'ok'
  AND granularity IN ('sample', 'interval') AND effective_start >= :cutoff
GROUP BY 1"""


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    """One patient, whose vitals have been forecast at `CYCLE`."""
    with vendors(patients=(PATIENT,)) as root:
        one = Installation.on(engine, database_url, root, LIGHT)
        one.ingest()
        one.train()
        one.forecast()
        yield one


def ask(place: Installation, query: str) -> list[Any]:
    with transaction(place.system.engine) as conn:
        return list(conn.execute(text(query), {"patient": PATIENT, "cutoff": CYCLE}))


def score_at(place: Installation, hour: datetime) -> Any:
    """The heart rate's evaluation after ingest and evaluation at an hour."""
    place.clock(hour)
    place.ingest(hour)
    place.evaluate(hour)
    (row,) = ask(place, _EVALUATION)
    return row


def test_at_its_own_hour_a_forecast_is_not_scored(place: Installation) -> None:
    place.evaluate()
    assert ask(place, _EVALUATION) == []


def test_six_hours_later_six_hours_are_scored_as_the_readings_say(place: Installation) -> None:
    row = score_at(place, CYCLE + 6 * HOUR)
    means = {one.hour: one.mean for one in ask(place, _HOURLY)}
    (said,) = ask(place, _FORECAST)
    hours = [CYCLE + lead * HOUR for lead in range(24)]
    actual = [means.get(hour) for hour in hours[:6]] + [None] * 18
    known = [lead for lead in range(24) if actual[lead] is not None]
    assert 0 < len(known) <= 6
    assert (row.observed, row.final) == (len(known), False)
    assert row.actual == [None if one is None else pytest.approx(one) for one in actual]
    paths = {"ensemble": said.point, **{name: one["path"] for name, one in said.members.items()}}
    assert set(row.mae) == set(paths)
    for name, path in paths.items():
        assert row.mae[name] == pytest.approx(np.mean([
            abs(float(actual[lead] or 0) - path[lead]) for lead in known]))
    assert [row.covered["80"][lead] for lead in known] == [
        said.lower_80[lead] <= float(actual[lead] or 0) <= said.upper_80[lead] for lead in known]


def test_the_same_evaluation_again_leaves_the_same_rows(place: Installation) -> None:
    score_at(place, CYCLE + 6 * HOUR)
    once = dump(place.system.engine)
    place.evaluate(CYCLE + 6 * HOUR)
    assert_same(once, dump(place.system.engine))


def test_late_readings_are_scored_when_they_come(place: Installation) -> None:
    late = {"kind": "late_data", "subject_id": PATIENT, "seconds": 5 * 3600,
            "since": (CYCLE + 2 * HOUR).isoformat(), "until": (CYCLE + 4 * HOUR).isoformat()}
    requests.post(f"{place.sandbox_url}/sandbox/faults", json=late, timeout=20).raise_for_status()
    before = score_at(place, CYCLE + 6 * HOUR)
    assert before.actual[2:4] == [None, None]
    after = score_at(place, CYCLE + 10 * HOUR)
    assert None not in after.actual[2:4]
    assert after.observed > before.observed
    assert after.actual[:2] == before.actual[:2]


def test_a_score_is_final_when_the_horizon_has_passed(place: Installation) -> None:
    assert not score_at(place, CYCLE + 23 * HOUR).final
    row = score_at(place, CYCLE + 24 * HOUR)
    assert row.final
    assert row.observed > 18
    later = score_at(place, CYCLE + 30 * HOUR)
    assert (later.actual, later.mae) == (row.actual, row.mae)


def test_an_older_cycle_run_again_takes_no_score_back(place: Installation) -> None:
    newest = score_at(place, CYCLE + 10 * HOUR)
    place.evaluate(CYCLE + 6 * HOUR)
    assert ask(place, _EVALUATION) == [newest]
