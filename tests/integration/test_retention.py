"""What goes when its time is past, and what stays however old it is."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from registry import retention
from registry.database import Engine, transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, dump, vendors
from vitalcast.errors import UserError
from vitalcast.jobs.retain import retain
from vitalcast.jobs.rollup import rollup

DAY = timedelta(days=1)
FORECASTS = ("forecasts", "severities", "evaluations", "series_statistics")
PAST = (*FORECASTS, "runs", "coverage_revisions", "drift_figures")
KEPT = ("observations", "observation_revisions", "raw_payloads", "fetches", "fits", "coverage",
        "patients", "connections", "rollup_cycles")

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
FROM (SELECT sha256, row_number() OVER () AS number FROM raw_payloads LIMIT 4) one;
UPDATE runs SET started_at = CAST(:at AS timestamptz)"""


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
    assert counts(engine) == before | {"runs": before["runs"] + 1}
    gone = retain(place.system, cycle=CYCLE + (days + 1) * DAY)
    after = counts(engine)
    assert gone["forecasts"] == sum(before[table] for table in FORECASTS) > 0
    assert gone["history"] == before["coverage_revisions"] + 2 + before["runs"]
    assert {table: after[table] for table in PAST} == dict.fromkeys(PAST, 0) | {"runs": 2}
    assert {table: after[table] for table in KEPT} == {table: before[table] for table in KEPT}
    with transaction(engine) as conn:
        left = conn.execute(text("SELECT DISTINCT status FROM quarantine")).scalars().all()
    assert left == ["held"]
    settled = dump(engine)
    retain(place.system, cycle=CYCLE + (days + 1) * DAY)
    assert dump(engine) == settled


_LEDGER = """
INSERT INTO fetches (connection_id, resource, cycle, window_start, outcome, pages, received, parsed,
                     refused, cursor_after, last_sync)
SELECT connection_id, resource, cycle + CAST(hours * interval '1 hour' AS interval), window_start,
       CASE WHEN hours < 0 THEN 'complete' ELSE 'fetch_failed' END, 0, 0, 0, 0,
       CASE WHEN hours < 0 THEN cursor_after END, last_sync
FROM fetches CROSS JOIN unnest(ARRAY[-3, -2, -1, 1]) AS hours;
INSERT INTO fits (patient_id, vital, member, cutoff, outcome, config_hash)
SELECT patient_id, vital, member, cutoff - interval '1 day', 'failed', config_hash FROM fits;
UPDATE runs SET started_at = cycle"""

_LEFT = """
SELECT resource, array_agg(CAST(extract(epoch FROM cycle - :at) / 3600 AS int) ORDER BY cycle)
FROM fetches GROUP BY 1 ORDER BY 1"""


def rows(engine: Engine, query: str) -> list[Any]:
    with transaction(engine) as conn:
        return list(conn.execute(text(query), {"at": CYCLE} if ":at" in query else {}))


def test_of_fetches_and_fits_stays_what_the_next_ones_begin_from(
        engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few pages a transaction takes."""
    monkeypatch.setattr(retention, "PAGES", 1)
    with vendors(patients=("demo-01",)) as root:
        place = Installation.on(engine, database_url, root, LIGHT)
        place.cycle()
    fits = rows(engine, "SELECT * FROM fits ORDER BY 1, 2, 3")
    with transaction(engine) as conn:
        for statement in _LEDGER.split(";"):
            conn.execute(text(statement))
    assert {tuple(hours) for _, hours in rows(engine, _LEFT)} == {(-3, -2, -1, 0, 1)}
    gone = retain(place.system, cycle=CYCLE + 91 * DAY)
    assert {tuple(hours) for _, hours in rows(engine, _LEFT)} == {(-3, 0, 1)}
    assert rows(engine, "SELECT * FROM fits ORDER BY 1, 2, 3") == fits
    assert [row.job for row in rows(engine, "SELECT job FROM runs")] == ["retain"]
    assert gone["history"] > len(fits)
    assert retain(place.system, cycle=CYCLE + 91 * DAY)["history"] == 0


_YEAR = """
TRUNCATE runs;
INSERT INTO runs (job, cycle, shard, status, started_at, figures)
SELECT 'ingest', hour, '1/1', 'done', hour, '{}'
FROM generate_series(:at - interval '1 year', :at, interval '1 hour') hour"""


def test_pages_without_anything_past_its_days_are_left_alone(
        engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGES", 1)
    with transaction(engine) as conn:
        conn.execute(text(_YEAR), {"at": CYCLE})
    deletes = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        deletes.extend([statement] if "DELETE" in statement else [])

    event.listen(engine, "before_cursor_execute", note)
    try:
        gone = [retention.drop_history(engine, CYCLE - 364 * DAY) for _ in range(2)]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert gone == [24, 0]
    assert len(deletes) == 1


def test_counts_for_boards_stay_for_years(engine: Engine, database_url: str) -> None:
    with vendors(patients=("demo-01",)) as root:
        place = Installation.on(engine, database_url, root, LIGHT)
        place.cycle()
    rollup(place.system, cycle=CYCLE)
    tables = [row[0] for row in rows(
        engine, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'rollup%' ORDER BY 1")]
    counted = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables)
    before, days = rows(engine, counted), place.system.settings.rollup_days
    assert len(tables) == 12 and sum(count for _, count in before) > 20
    assert retain(place.system, cycle=CYCLE + (days - 10) * DAY)["rollups"] == 0
    assert rows(engine, counted) == before
    gone = retain(place.system, cycle=CYCLE + (days + 1) * DAY)["rollups"]
    assert gone == sum(count for _, count in before)
    assert {count for _, count in rows(engine, counted)} == {0}


def test_what_is_not_kept_is_not_counted_again(engine: Engine, database_url: str) -> None:
    with vendors(patients=()) as root:
        place = Installation.on(engine, database_url, root, LIGHT)
    with pytest.raises(UserError, match="say at most --again-days 86"):
        rollup(place.system, cycle=CYCLE, again_days=87)
    assert rollup(place.system, cycle=CYCLE, again_days=86)["cycles"] == 1
