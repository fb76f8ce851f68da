"""A series that falls silent: its old forecast no longer passes for the latest."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, assert_same, dump, vendors
from vitalcast.cycle import HOUR

PATIENT = "demo-07"

_LATEST = """
SELECT cutoff, reason, document_id, cardinality(point) AS hours FROM forecasts
WHERE vital = 'heart_rate' ORDER BY cutoff DESC LIMIT 1"""
_OUTLOOK = "SELECT outlook FROM severities ORDER BY cutoff DESC LIMIT 1"


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    """One patient, whose vitals have been forecast at `CYCLE`, and who is read no more."""
    with vendors(patients=(PATIENT,)) as root:
        one = Installation.on(engine, database_url, root, LIGHT)
        one.cycle()
        yield one


def latest(place: Installation, query: str = _LATEST) -> Any:
    with transaction(place.system.engine) as conn:
        return conn.execute(text(query)).one()


SILENT = "no reading in the last 72 h: Oura has not been asked since 21 Nov 06:00 UTC"


@pytest.mark.parametrize(("hours", "reason"), [
    (60, None),
    (80, SILENT),          # readings in the window, all of them old
    (200, SILENT),         # none in the window of 168 h
])
def test_a_silent_series_gets_a_row_at_every_cycle(
    place: Installation, hours: int, reason: str | None,
) -> None:
    hour = CYCLE + hours * HOUR
    place.forecast(hour)
    found = latest(place)
    assert (found.cutoff, found.reason) == (hour, reason)
    assert (found.hours, found.document_id is None) == ((24, False) if reason is None
                                                        else (0, True))
    once = dump(place.system.engine)
    place.forecast(hour)
    assert_same(once, dump(place.system.engine))


def test_severity_knows_no_outlook_without_a_forecast(place: Installation) -> None:
    place.forecast(CYCLE + 200 * HOUR)
    (outlook,) = latest(place, _OUTLOOK)
    assert outlook["hours"] == []
