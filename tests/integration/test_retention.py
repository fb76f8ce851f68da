"""What goes when its time is past, and what stays however old it is."""

from datetime import timedelta

from sqlalchemy import text

from registry.database import Engine, transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, dump, vendors
from vitalcast.jobs.retain import retain

DAY = timedelta(days=1)
PAST = ("forecasts", "severities", "evaluations", "coverage_revisions", "drift_figures")
KEPT = ("observations", "observation_revisions", "raw_payloads", "fetches", "coverage", "patients",
        "connections", "rollup_cycles")

_OLD = """
INSERT INTO coverage_revisions (patient_id, vital, day, version, states, reasons, computed_cycle,
                                replaced_at)
SELECT patient_id, vital, day, version, states, reasons, computed_cycle, CAST(:at AS timestamptz)
FROM coverage;
INSERT INTO quarantine (entry_id, raw_sha256, connection_id, resource, kind, reason, records,
                        first_cycle, last_cycle, parser_version, status, decided_at)
SELECT 'e' || number, sha256, 'withings:demo-01', 'heart', 'page', 'a test', 1, :at, :at, 1,
       (ARRAY['held', 'dismissed'])[1 + number % 2], CASE number % 2 WHEN 1 THEN
       CAST(:at AS timestamptz) END
FROM (SELECT sha256, row_number() OVER () AS number FROM raw_payloads LIMIT 4) one"""


def counts(engine: Engine) -> dict[str, int]:
    with transaction(engine) as conn:
        return {table: conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in (*PAST, *KEPT)}


def test_what_is_past_its_days_goes_and_readings_stay(engine: Engine, database_url: str) -> None:
    with vendors(patients=("demo-01",)) as root:
        place = Installation.on(engine, database_url, root, LIGHT)
        place.cycle()
    with transaction(engine) as conn:
        for statement in _OLD.split(";"):
            conn.execute(text(statement), {"at": CYCLE})
    before = counts(engine)
    days = place.system.settings.forecast_days
    kept = retain(place.system, cycle=CYCLE + (days - 1) * DAY)
    assert kept["forecasts"] == kept["history"] == kept["payloads"] == 0
    assert counts(engine) == before
    gone = retain(place.system, cycle=CYCLE + (days + 1) * DAY)
    after = counts(engine)
    assert gone["forecasts"] == before["forecasts"] + before["severities"] + before["evaluations"]
    assert gone["forecasts"] > 0 and gone["history"] == before["coverage_revisions"] + 2
    assert {table: after[table] for table in PAST} == dict.fromkeys(PAST, 0)
    assert {table: after[table] for table in KEPT} == {table: before[table] for table in KEPT}
    with transaction(engine) as conn:
        left = conn.execute(text("SELECT DISTINCT status FROM quarantine")).scalars().all()
    assert left == ["held"]
    settled = dump(engine)
    retain(place.system, cycle=CYCLE + (days + 1) * DAY)
    assert dump(engine) == settled
