"""From rows to the severity room's arguments: ages, quantiles, nights, civil days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from clinical.current import Entry
from clinical.distributions import QUANTILE_LEVELS
from clinical.severity import MINIMUM_NIGHTS
from registry.forecasts import ForecastRow
from registry.readings import DailyReading
from vitalcast.jobs.severity import (
    PROTOCOL_WINDOW,
    age_years,
    forecast_quantiles,
    last_night,
    protocol_days,
    usual_values,
)

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.mark.parametrize(("born", "today", "years"), [
    (date(2010, 11, 21), date(2026, 11, 21), 16),
    (date(2010, 11, 22), date(2026, 11, 21), 15),
    (date(2008, 2, 29), date(2026, 2, 28), 17),
    (date(2008, 2, 29), date(2026, 3, 1), 18),
    (date(2026, 11, 21), date(2026, 11, 21), 0),
])
def test_an_age_is_in_completed_years(born: date, today: date, years: int) -> None:
    assert age_years(born, today) == years


def test_an_unknown_birth_date_is_an_unknown_age() -> None:
    assert age_years(None, HOUR.date()) is None


def forecast(patient: str, vital: str = "spo2", reason: str | None = None) -> ForecastRow:
    row = ForecastRow(patient_id=patient, vital=vital, cutoff=HOUR, horizon=2, reason=reason,
                      bounds={}, members={}, absent={})
    return row if reason else replace(row, point=[97, 96], bounds={
        50: ([96, 95], [98, 97]), 80: ([95, 94], [99, 98]), 95: ([94, 93], [100, 99])})


def test_quantiles_rise_with_their_levels() -> None:
    found = forecast_quantiles(["p"], [forecast("p")])["spo2"][0]
    assert found.shape == (2, len(QUANTILE_LEVELS))
    assert found[0].tolist() == [94, 95, 96, 97, 98, 99, 100]
    assert (np.diff(found) > 0).all()


def test_patients_without_a_forecast_have_no_quantiles() -> None:
    found = forecast_quantiles(["a", "b", "c"], [
        forecast("c"), forecast("b", reason="silent"), forecast("a", "diastolic_bp")])
    assert list(found) == ["spo2"]
    assert np.isnan(found["spo2"]).all(axis=(1, 2)).tolist() == [True, True, False]


def test_the_usual_value_is_the_median_before_the_last_day() -> None:
    hours = np.full((4, 48), np.nan)
    hours[0, :24], hours[0, 24:] = np.arange(24.0), 1000
    hours[1, 3:6] = 120, 150, 130
    hours[2, 30] = 120
    np.testing.assert_array_equal(usual_values(hours), [11.5, 130, np.nan, np.nan])


def nights(*values: float, ago_h: int = 14) -> list[tuple[datetime, float]]:
    """One night after the other, the newest of which began so many hours ago."""
    return [(HOUR - timedelta(hours=ago_h + 24 * back), value)
            for back, value in reversed(list(enumerate(reversed(values))))]


def test_the_newest_night_is_compared_with_those_before_it() -> None:
    (found,) = last_night({"heart_rate": nights(*[60.0] * MINIMUM_NIGHTS, 75.0)}, HOUR)
    assert (found.value, found.usual, found.nights) == (75, 60, MINIMUM_NIGHTS)
    assert found.z is not None and found.z > 3


def test_a_night_of_days_ago_says_nothing_of_now() -> None:
    old = nights(*[60.0] * MINIMUM_NIGHTS, 75.0, ago_h=49)
    assert last_night({"heart_rate": old}, HOUR) == ()


def test_no_nights_are_no_deviation() -> None:
    assert last_night({}, HOUR) == ()


def test_days_are_consecutive_and_end_with_the_one_that_the_hour_closes() -> None:
    days = [day.date for day in protocol_days([], [], HOUR)]
    assert days == [date(2026, 11, 14) + timedelta(days=n) for n in range(PROTOCOL_WINDOW.days)]


def test_midnight_closes_the_day_before() -> None:
    assert protocol_days([], [], datetime(2026, 11, 21, tzinfo=UTC))[-1].date == date(2026, 11, 20)


@pytest.mark.parametrize(("offset_h", "today"), [(-8, date(2026, 11, 20)), (5.5, HOUR.date()),
                                                 (0, HOUR.date())])
def test_the_last_day_is_the_patients_own(offset_h: float, today: date) -> None:
    daily = [DailyReading("heart_rate", today, 70, 90, 80)]
    day = protocol_days(daily, [], HOUR, timedelta(hours=offset_h))[-1]
    assert day.date == today
    assert list(day.readings["heart_rate"]) == [70, 90, 80]


def test_an_entry_belongs_to_the_patients_day() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)      # half past midnight where the patient is
    days = protocol_days([], [
        Entry(item="chest_pain", value="yes", time=late),
        Entry(item="shortness_of_breath", value="false", time=late),
        Entry(item="assessed_condition", value="orange", time=late)], HOUR, timedelta(hours=1))
    by_date = {day.date: day for day in days}
    assert by_date[date(2026, 11, 21)].answers == {"chest_pain": True,
                                                   "shortness_of_breath": False}
    assert by_date[date(2026, 11, 21)].assessed == "orange"
    assert by_date[date(2026, 11, 20)].answers == {}
