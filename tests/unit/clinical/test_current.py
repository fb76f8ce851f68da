"""Which reading stands for the moment, and why one does not."""

from datetime import UTC, datetime, timedelta

import pytest

from clinical.current import DEFAULT_EXPIRY, Entry, Reading, age_text, current_inputs
from clinical.errors import InputError
from clinical.news2 import MEASURED, PARAMETERS, Consciousness
from clinical.vitals import Vital

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def reading(value: float, hours_ago: float, vital: Vital = Vital.HEART_RATE,
            context: str = "unknown", granularity: str = "sample") -> Reading:
    return Reading(vital=vital, value=value, time=NOW - timedelta(hours=hours_ago),
                   context=context, granularity=granularity)


def test_the_latest_resting_reading_is_used_with_its_age() -> None:
    current = current_inputs([
        reading(70, 3), reading(62, 1.5, context="rest"), reading(140, 0.2, context="active"),
        reading(55, 0.1, granularity="night"), reading(58, 0.1, granularity="day"),
        reading(10, 0.1), reading(66, -1)], NOW)
    assert current.inputs.heart_rate == 62
    assert current.ages_minutes == {"heart_rate": 90}


@pytest.mark.parametrize("name", MEASURED)
def test_readings_expire_after_their_own_time(name: str) -> None:
    hours = DEFAULT_EXPIRY[name] / timedelta(hours=1)
    value = {"body_temperature": 37.0, "respiratory_rate": 15.0}.get(name, 95.0)
    kept = current_inputs([reading(value, hours, Vital(name))], NOW)
    gone = current_inputs([reading(value, hours + 0.1, Vital(name))], NOW)
    assert getattr(kept.inputs, name) == value
    assert getattr(gone.inputs, name) is None
    assert "expires after" in gone.reasons[name]


def test_what_is_missing_has_a_reason() -> None:
    current = current_inputs([reading(15, 1, Vital.RESPIRATORY_RATE, granularity="night")], NOW)
    assert "nightly" in current.reasons["respiratory_rate"]
    assert current.reasons["spo2"] == "never measured"
    assert current.reasons["consciousness"] == "never entered"
    assert set(current.reasons) == set(PARAMETERS)


def test_entries_supply_oxygen_and_consciousness() -> None:
    entries = [
        Entry(item="supplemental_oxygen", value="false", time=NOW - timedelta(hours=9)),
        Entry(item="supplemental_oxygen", value="true", time=NOW - timedelta(hours=1)),
        Entry(item="consciousness", value="alert", time=NOW - timedelta(hours=25)),
        Entry(item="consciousness", value=" ", time=NOW),
        Entry(item="chest_pain", value="yes", time=NOW),
    ]
    current = current_inputs([], NOW, entries=entries, spo2_scale=2)
    assert current.inputs.supplemental_oxygen is True
    assert current.inputs.spo2_scale == 2
    assert current.inputs.consciousness is None
    assert current.reasons["consciousness"] == "last known 25 h ago, expires after 24 h"
    fresh = current_inputs([], NOW - timedelta(hours=2), entries=entries)
    assert fresh.inputs.supplemental_oxygen is False
    assert fresh.inputs.consciousness is Consciousness.ALERT


def test_expiry_can_be_set() -> None:
    expiry = {**DEFAULT_EXPIRY, "heart_rate": timedelta(minutes=30)}
    assert current_inputs([reading(70, 1)], NOW, expiry).inputs.heart_rate is None


def test_times_without_a_zone_are_refused() -> None:
    naive = datetime(2026, 11, 20)  # noqa: DTZ001
    with pytest.raises(InputError, match="zone"):
        Reading(vital=Vital.SPO2, value=97, time=naive)
    with pytest.raises(InputError, match="zone"):
        Entry(item="consciousness", value="alert", time=naive)
    with pytest.raises(InputError, match="zone"):
        current_inputs([], naive)


@pytest.mark.parametrize(("minutes", "text"), [
    (0, "0 min"), (35, "35 min"), (60, "1 h"), (370, "6 h 10 min"), (4320, "3 days")])
def test_ages_are_told_as_people_say_them(minutes: int, text: str) -> None:
    assert age_text(timedelta(minutes=minutes)) == text
