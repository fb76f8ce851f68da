"""From rows to the severity room's arguments: ages, quantiles, nights, civil days."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from clinical.current import Entry
from clinical.distributions import QUANTILE_LEVELS
from clinical.severity import MINIMUM_NIGHTS
from clinical.vitals import Vital
from registry.forecasts import ForecastRow
from registry.readings import DailyReading
from vitalcast.jobs.severity import (
    PROTOCOL_WINDOW,
    age_years,
    civil_offset,
    last_night,
    protocol_days,
    quantiles,
)

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)


def reading(time: datetime, value: float = 80, *, offset_h: float | None = 0,
            vital: Vital = Vital.HEART_RATE) -> DailyReading:
    offset = None if offset_h is None else timedelta(hours=offset_h)
    return DailyReading(
        vital=vital, value=value, time=time, civil_date=(time + (offset or timedelta())).date(),
        utc_offset=offset, context="unknown", granularity="sample", statistic="instant")


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


def test_quantiles_rise_with_their_levels() -> None:
    row = ForecastRow(
        patient_id="p", vital="spo2", cutoff=HOUR, horizon=2, document_id="d", state_hash="s",
        reason=None, point=[97, 96], members={}, absent={},
        bounds={50: ([96, 95], [98, 97]), 80: ([95, 94], [99, 98]), 95: ([94, 93], [100, 99])})
    found = quantiles(row)
    assert found.shape == (2, len(QUANTILE_LEVELS))
    assert found[0].tolist() == [94, 95, 96, 97, 98, 99, 100]
    assert (np.diff(found) > 0).all()


def test_the_newest_night_is_compared_with_those_before_it() -> None:
    nights = [reading(HOUR - timedelta(days=back), 60) for back in range(MINIMUM_NIGHTS, 0, -1)]
    (found,) = last_night([*nights, reading(HOUR, 75)])
    assert (found.value, found.usual, found.nights) == (75, 60, MINIMUM_NIGHTS)
    assert found.z is not None and found.z > 3


def test_no_nights_are_no_deviation() -> None:
    assert last_night([]) == ()


def test_days_are_consecutive_and_end_with_the_one_that_the_hour_closes() -> None:
    days = [day.date for day in protocol_days([], [], HOUR)]
    assert days == [date(2026, 11, 14) + timedelta(days=n) for n in range(PROTOCOL_WINDOW.days)]


def test_midnight_closes_the_day_before() -> None:
    assert protocol_days([], [], datetime(2026, 11, 21, tzinfo=UTC))[-1].date == date(2026, 11, 20)


@pytest.mark.parametrize(("offset_h", "today"), [(-8, date(2026, 11, 20)), (5.5, HOUR.date()),
                                                 (None, HOUR.date())])
def test_the_last_day_is_the_patients_own(offset_h: float | None, today: date) -> None:
    daily = [reading(HOUR - timedelta(hours=1), offset_h=offset_h)]
    day = protocol_days(daily, [], HOUR)[-1]
    assert day.date == today
    assert list(day.readings["heart_rate"]) == [80]


def test_the_newest_reading_that_tells_sets_the_calendar() -> None:
    daily = [reading(HOUR - timedelta(hours=3), offset_h=1),
             reading(HOUR - timedelta(hours=2), offset_h=2),
             reading(HOUR - timedelta(hours=1), offset_h=None)]
    assert civil_offset(daily) == timedelta(hours=2)
    assert civil_offset([]) == timedelta()


def test_an_entry_belongs_to_the_patients_day() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)      # half past midnight where the patient is
    days = protocol_days([reading(late, offset_h=1)], [
        Entry(item="chest_pain", value="yes", time=late),
        Entry(item="shortness_of_breath", value="false", time=late),
        Entry(item="assessed_condition", value="orange", time=late)], HOUR)
    by_date = {day.date: day for day in days}
    assert by_date[date(2026, 11, 21)].answers == {"chest_pain": True,
                                                   "shortness_of_breath": False}
    assert by_date[date(2026, 11, 21)].assessed == "orange"
    assert by_date[date(2026, 11, 20)].answers == {}
