"""One forecast beside what was observed, against sums that can be done by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.forecasts import ForecastRow
from vitalcast.jobs.evaluate import REACH, score_forecast

CUTOFF = datetime(2026, 11, 21, 6, tzinfo=UTC)
REACHED = int(REACH / timedelta(hours=1))
NAN = float("nan")


def forecast(horizon: int = 4) -> ForecastRow:
    """Says 10, 11, …; ± 1 at 50, ± 2 at 80, ± 3 at 95; its member `flat` says 10 throughout."""
    point = [10.0 + lead for lead in range(horizon)]
    return ForecastRow(
        patient_id="p", vital="heart_rate", cutoff=CUTOFF, horizon=horizon, document_id="d",
        state_hash="s", reason=None, point=point,
        bounds={level: ([one - room for one in point], [one + room for one in point])
                for level, room in ((50, 1), (80, 2), (95, 3))},
        members={"flat": {"weights": {}, "path": [10.0] * horizon}}, absent={})


def observed(*newest: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What the job reads: the hours of its reach, the newest at the end."""
    return np.array([NAN] * (REACHED - len(newest)) + list(newest))


def after(hours: int) -> datetime:
    return CUTOFF + timedelta(hours=hours)


def test_the_first_hour_is_compared_with_the_first_lead() -> None:
    row = score_forecast(forecast(), observed(99.0, 12.0), after(1))
    assert list(row.actual) == [12.0, None, None, None]
    assert row.errors == {"ensemble": [2.0, None, None, None], "flat": [2.0, None, None, None]}
    assert row.covered == {"50": [False, None, None, None], "80": [True, None, None, None],
                           "95": [True, None, None, None]}
    assert (row.observed, row.final) == (1, False)


def test_the_mean_error_is_that_of_the_observed_hours() -> None:
    row = score_forecast(forecast(), observed(11.0, NAN, 9.0), after(3))
    assert row.mae == {"ensemble": pytest.approx((1 + 3) / 2), "flat": pytest.approx(1.0)}
    assert (row.observed, row.final) == (2, False)


def test_hours_without_a_reading_are_none_and_not_zero() -> None:
    row = score_forecast(forecast(), observed(NAN, NAN), after(2))
    assert list(row.actual) == [None] * 4
    assert row.mae == {"ensemble": None, "flat": None}
    assert row.observed == 0


@pytest.mark.parametrize(("hours", "final"), [(3, False), (4, True), (5, True), (70, True)])
def test_a_score_is_final_once_the_horizon_has_passed(hours: int, final: bool) -> None:
    assert score_forecast(forecast(), observed(), after(hours)).final is final


def test_hours_after_the_horizon_do_not_count() -> None:
    row = score_forecast(forecast(), observed(10.0, 11.0, 12.0, 13.0, 500.0, 500.0), after(6))
    assert list(row.actual) == [10.0, 11.0, 12.0, 13.0]
    assert row.mae["ensemble"] == 0


def test_a_bound_itself_is_covered() -> None:
    row = score_forecast(forecast(1), observed(11.0), after(1))
    assert row.covered["50"] == [True]


@given(st.integers(1, REACHED), st.lists(st.one_of(st.just(NAN), st.floats(0, 300)),
                                         min_size=REACHED, max_size=REACHED))
def test_any_hours_are_scored_as_the_slow_formula_says(
    hours: int, values: Sequence[float],
) -> None:
    one = forecast(24)
    row = score_forecast(one, np.array(values), after(hours))
    for lead in range(24):
        at = REACHED - hours + lead
        known = lead < hours and not np.isnan(values[at])
        assert row.actual[lead] == (values[at] if known else None)
        assert row.errors["ensemble"][lead] == (values[at] - one.point[lead] if known else None)
    assert row.observed == sum(value is not None for value in row.actual)
