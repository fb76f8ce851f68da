"""The three readings of a day that are read give the protocol's table that all of them give."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from clinical import protocols
from clinical.vitals import FORECAST_VITALS
from registry.database import Connection, transaction
from registry.readings import civil_offsets, daily_readings
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from vitalcast.cycle import HOUR
from vitalcast.jobs.severity import PROTOCOL_WINDOW, protocol_days

PATIENTS = tuple(f"demo-{number:02}" for number in range(1, 9))
VITALS = [vital.value for vital in FORECAST_VITALS]
USUAL = {"heart_rate": 62.0, "respiratory_rate": 13.0, "systolic_bp": 120.0, "spo2": 97.0}
PROTOCOL = protocols.load(protocols.DEFAULT_PROTOCOL)

_EVERY = """
SELECT vital, CAST(value AS double precision) AS value, effective_start, civil_date, utc_offset_s,
       context
FROM observations
WHERE patient_id = :patient AND vital = ANY(:vitals) AND quality = 'ok' AND context <> 'active'
  AND effective_start >= :since AND effective_start < :until
ORDER BY vital, effective_start, value"""


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=PATIENTS) as root:
        one = Installation.on(engine, database_url, root, LIGHT)
        one.ingest()
        yield one


def every_reading(conn: Connection, patient: str,
                  hour: datetime) -> dict[date, dict[str, list[float]]]:
    """All readings at rest of the protocol's window by civil date and vital, dated here."""
    found: dict[date, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in conn.execute(text(_EVERY), {
            "patient": patient, "vitals": VITALS, "since": hour - PROTOCOL_WINDOW, "until": hour}):
        offset = timedelta(seconds=row.utc_offset_s or 0)
        found[row.civil_date or (row.effective_start + offset).date()][row.vital].append(row.value)
    return found


def report(days: Sequence[protocols.Day]) -> protocols.Report:
    return protocols.assess(PROTOCOL, days, USUAL)


@pytest.mark.parametrize("back", [0, 7, 31])
def test_three_readings_a_day_say_what_all_of_them_say(place: Installation, back: int) -> None:
    hour = CYCLE - back * HOUR
    window = (PATIENTS, VITALS, hour - PROTOCOL_WINDOW, hour)
    with transaction(place.system.engine) as conn:
        few, offsets = daily_readings(conn, *window), civil_offsets(conn, *window)
        every = {patient: every_reading(conn, patient, hour) for patient in PATIENTS}
    for patient in PATIENTS:
        days = protocol_days(few[patient], [], hour, offsets.get(patient, timedelta()))
        assert report(days) == report([replace(day, readings=every[patient][day.date])
                                       for day in days])
    counts = [len(values) for one in every.values() for day in one.values()
              for values in day.values()]
    assert len(counts) == sum(map(len, few.values())) > 100
    assert sum(counts) > 10 * len(counts)
