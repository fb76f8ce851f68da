"""Alerts: raised at once, cleared late, stale when readings stop."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.alerts import Alert, Step, Thresholds, advance, expected_alerts_per_day, replay
from clinical.errors import ClinicalError

START = datetime(2026, 11, 20, tzinfo=UTC)
LADDER = Thresholds()
RISKS = st.lists(st.none() | st.floats(0, 1), max_size=60)


def hourly(*risks: float | None) -> list[tuple[datetime, float | None]]:
    return [(START + timedelta(hours=hour), risk) for hour, risk in enumerate(risks)]


def statuses(*risks: float | None, thresholds: Thresholds = LADDER) -> list[str]:
    return [alert.status(thresholds) for alert in replay(hourly(*risks), thresholds)]


def test_an_alert_is_raised_at_its_threshold() -> None:
    assert statuses(0.29, 0.3, 0.6) == ["none", "watch", "urgent"]


def test_it_stays_between_the_thresholds_however_long() -> None:
    assert statuses(0.3, *[0.2] * 30)[-1] == "watch"


def test_it_clears_only_after_the_hold() -> None:
    assert statuses(0.3, 0.1, 0.1, 0.1, 0.1) == ["watch"] * 4 + ["none"]


def test_a_flare_starts_the_hold_anew() -> None:
    assert statuses(0.3, 0.1, 0.1, 0.25, 0.1, 0.1, 0.1, 0.1) == ["watch"] * 7 + ["none"]


def test_it_comes_down_one_step_at_a_time() -> None:
    down = statuses(0.9, *[0.0] * 8)
    assert down == ["urgent"] * 4 + ["watch"] * 4 + ["none"]


def test_an_escalation_is_not_delayed_by_a_hold() -> None:
    assert statuses(0.3, 0.1, 0.7) == ["watch", "watch", "urgent"]


def test_a_patient_whose_readings_stop_is_stale_and_never_cleared() -> None:
    assert statuses(0.5, *[None] * 50)[-1] == "stale watch"
    assert statuses(None) == ["stale none"]
    assert statuses(0.5, 0.1, 0.1, None, 0.1, 0.1, 0.1, 0.1) == [
        "watch", "watch", "watch", "stale watch", "watch", "watch", "watch", "none"]


def test_losing_the_vital_behind_an_alert_makes_it_stale() -> None:
    raised = advance(Alert(), START, 0.4, LADDER)
    later = START + timedelta(hours=9)
    assert advance(raised, later, 0.0, LADDER, lost=True).status(LADDER) == "stale watch"
    assert advance(raised, later, 0.9, LADDER, lost=True).status(LADDER) == "stale urgent"


def test_without_a_hold_it_clears_within_the_hour() -> None:
    quick = Thresholds(steps=LADDER.steps, hold_hours=0)
    assert statuses(0.5, 0.1, thresholds=quick) == ["watch", "none"]


def test_alerts_a_day_count_every_escalation() -> None:
    week = [0.0] * 168
    week[10] = week[100] = 0.4
    week[101] = 0.7
    assert expected_alerts_per_day(hourly(*week), LADDER) == pytest.approx(3 / 7)
    assert expected_alerts_per_day([], LADDER) == 0


@pytest.mark.parametrize("bad", [
    {"steps": ()}, {"hold_hours": -1},
    {"steps": (Step(name="a", raise_at=0.3, clear_at=0.3),)},
    {"steps": (Step(name="a", raise_at=1.3, clear_at=0.3),)},
    {"steps": (Step(name="a", raise_at=0.6, clear_at=0.3),
               Step(name="b", raise_at=0.5, clear_at=0.4))},
])
def test_thresholds_that_contradict_each_other_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ClinicalError, match="contradict"):
        Thresholds(**bad)


@given(risks=RISKS)
def test_the_level_is_never_below_what_the_risk_calls_for(risks: list[float | None]) -> None:
    for (_, risk), alert in zip(hourly(*risks), replay(hourly(*risks), LADDER), strict=True):
        assert alert.stale == (risk is None)
        if risk is not None:
            assert alert.level >= sum(risk >= step.raise_at for step in LADDER.steps)


@given(risks=RISKS)
def test_a_level_never_falls_on_missing_readings(risks: list[float | None]) -> None:
    levels = [0, *(alert.level for alert in replay(hourly(*risks), LADDER))]
    for risk, before, after in zip(risks, levels, levels[1:], strict=False):
        if risk is None:
            assert after == before
