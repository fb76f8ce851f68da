"""The few readings of a day that are read give the protocol's table that all of them give."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from clinical import protocols
from clinical.vitals import FORECAST_VITALS, Vital
from registry.database import Connection, transaction
from registry.readings import DailyReading, daily_readings
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from vitalcast.cycle import HOUR
from vitalcast.jobs.severity import PROTOCOL_WINDOW, protocol_days

PATIENTS = tuple(f"demo-{number:02}" for number in range(1, 9))
VITALS = [vital.value for vital in FORECAST_VITALS]
USUAL = {"heart_rate": 62.0, "respiratory_rate": 13.0, "systolic_bp": 120.0, "spo2": 97.0}
PROTOCOL = protocols.load(protocols.DEFAULT_PROTOCOL)

_EVERY = """
SELECT vital, CAST(value AS double precision) AS value, effective_start, civil_date, utc_offset_s,
       context, granularity, statistic
FROM observations
WHERE patient_id = :patient AND vital = ANY(:vitals) AND quality = 'ok' AND context <> 'active'
  AND effective_start >= :since AND effective_start < :until
ORDER BY patient_id, vital, effective_start, key"""


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=PATIENTS) as root:
        one = Installation.on(engine, database_url, root, LIGHT)
        one.ingest()
        yield one


def every_reading(conn: Connection, patient: str, hour: datetime) -> list[DailyReading]:
    """All readings at rest of the protocol's window, dated here."""
    found = []
    for row in conn.execute(text(_EVERY), {
            "patient": patient, "vitals": VITALS, "since": hour - PROTOCOL_WINDOW, "until": hour}):
        told = row.utc_offset_s is not None
        offset = timedelta(seconds=row.utc_offset_s or 0)
        found.append(DailyReading(
            vital=Vital(row.vital), value=row.value, time=row.effective_start,
            civil_date=row.civil_date or (row.effective_start + offset).date(),
            utc_offset=offset if told else None, context=row.context,
            granularity=row.granularity, statistic=row.statistic))
    return found


def report(daily: list[DailyReading], hour: datetime) -> protocols.Report:
    return protocols.assess(PROTOCOL, protocol_days(daily, [], hour), USUAL)


@pytest.mark.parametrize("back", [0, 7, 31])
def test_three_readings_a_day_say_what_all_of_them_say(place: Installation, back: int) -> None:
    hour = CYCLE - back * HOUR
    with transaction(place.system.engine) as conn:
        few = daily_readings(conn, PATIENTS, VITALS, hour - PROTOCOL_WINDOW, hour)
        every = {patient: every_reading(conn, patient, hour) for patient in PATIENTS}
    for patient in PATIENTS:
        assert report(few[patient], hour) == report(every[patient], hour)
        counts = Counter((one.vital, one.civil_date) for one in few[patient])
        assert sum(max(0, count - 3) for count in counts.values()) <= 1
    assert sum(map(len, every.values())) > 10 * sum(map(len, few.values())) > 100
