"""Readings that reach the vendor late: each is found, and the next forecast reckons with it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from vitalcast.cycle import HOUR
from vitalcast.sandbox_admin import arm, disarm

PATIENTS = ("demo-01", "demo-04", "demo-07")
DAY = timedelta(days=1)


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=PATIENTS) as root:
        yield Installation.on(engine, database_url, root, LIGHT)


@pytest.fixture
def ring(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=("demo-07",)) as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def late(place: Installation, *, measured: timedelta, for_: timedelta, known: timedelta) -> None:
    """Readings from `measured` before the cycle on are known only from `known` after it on."""
    since = CYCLE - measured
    arm(place.sandbox_url, "late_data", since=since.isoformat(), until=(since + for_).isoformat(),
        seconds=(measured + known).total_seconds())


def heart_rates(place: Installation, measured: timedelta, for_: timedelta) -> dict[str, int]:
    """How many there are of each patient in that stretch."""
    with transaction(place.system.engine) as conn:
        rows = conn.execute(text(
            "SELECT patient_id, count(*) AS found FROM observations WHERE vital = 'heart_rate'"
            " AND granularity = 'sample' AND effective_start >= :start AND effective_start < :end"
            " GROUP BY patient_id"),
            {"start": CYCLE - measured, "end": CYCLE - measured + for_})
        return {row.patient_id: row.found for row in rows}


def forecasts(place: Installation) -> list[str]:
    """What is forecast from the third hour on."""
    with transaction(place.system.engine) as conn:
        return sorted(conn.execute(text(
            "SELECT CAST((patient_id, vital, point) AS text) FROM forecasts"
            " WHERE cutoff = :cutoff AND vital = 'heart_rate'"),
            {"cutoff": CYCLE + 3 * HOUR}).scalars())


def hours(place: Installation) -> None:
    """The cycle, and three hours that follow."""
    place.clock(CYCLE)
    place.cycle()
    for hour in (1, 2, 3):
        place.clock(CYCLE + hour * HOUR)
        place.ingest(CYCLE + hour * HOUR)
        place.forecast(CYCLE + hour * HOUR)


def emptied(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE observations, fetches, raw_payloads, model_documents,"
                          " forecasts, series_statistics CASCADE"))
    disarm(place.sandbox_url)


def test_the_next_forecast_uses_what_came_late(ring: Installation) -> None:
    late(ring, measured=4 * HOUR, for_=3 * HOUR, known=timedelta(minutes=30))
    hours(ring)
    (told,) = forecasts(ring)
    assert set(heart_rates(ring, 4 * HOUR, 3 * HOUR)) == {"demo-07"}
    emptied(ring)
    late(ring, measured=4 * HOUR, for_=3 * HOUR, known=30 * DAY)       # it never comes
    hours(ring)
    assert heart_rates(ring, 4 * HOUR, 3 * HOUR) == {}
    (without,) = forecasts(ring)
    assert told != without


def test_the_trailing_days_are_read_again_and_withings_has_no_limit(place: Installation) -> None:
    """As docs/providers.md says: Google and Oura up to 72 hours, Withings whatever was changed."""
    for measured, found in ((2 * DAY, set(PATIENTS)), (6 * DAY, {"demo-01"})):
        emptied(place)
        late(place, measured=measured, for_=2 * HOUR, known=timedelta(minutes=30))
        place.clock(CYCLE)
        place.ingest(CYCLE)
        assert heart_rates(place, measured, 2 * HOUR) == {}
        place.clock(CYCLE + HOUR)
        place.ingest(CYCLE + HOUR)
        assert set(heart_rates(place, measured, 2 * HOUR)) == found
