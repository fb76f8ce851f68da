"""The past that a demo begins with: real, once, and dated back to its hours."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from registry.patients import add_patient
from tests.reference.cycles import CYCLE, Installation, assert_same, dump, vendors
from tests.watched import HOURS
from vitalcast.cycle import HOUR
from vitalcast.errors import UserError
from vitalcast.past import PAST, Hour, live_past


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


OUTSIDE = """
SELECT 'runs', cycle FROM runs WHERE started_at NOT BETWEEN cycle AND cycle + interval '1 hour'
                                  OR ended_at NOT BETWEEN cycle AND cycle + interval '1 hour'
UNION ALL SELECT kind, cycle FROM events
WHERE recorded_at NOT BETWEEN cycle AND cycle + interval '1 hour'
UNION ALL SELECT 'fetches', cycle FROM fetches
WHERE finished_at NOT BETWEEN cycle AND cycle + interval '1 hour'
UNION ALL SELECT 'fits', cutoff FROM fits
WHERE finished_at NOT BETWEEN cutoff AND cutoff + interval '1 hour'"""


def test_every_stamp_lies_in_its_hour(watched: Installation) -> None:
    engine = watched.system.engine
    assert rows(engine, OUTSIDE) == []
    assert rows(engine, "SELECT DISTINCT date_trunc('hour', fetched_at) FROM observations "
                        "WHERE date_trunc('hour', fetched_at) NOT IN (SELECT cycle FROM runs)"
                ) == []


def test_a_killed_worker_left_a_failed_run_and_another_did_its_work(watched: Installation) -> None:
    (hung,) = (one for one in PAST if one.hangs)
    found = rows(watched.system.engine, "SELECT cycle, status, exception FROM runs "
                 "WHERE job = 'ingest' ORDER BY run_id")
    assert found == [
        (CYCLE - one.ago * HOUR, status, "killed: it left no end" if status == "failed" else None)
        for one in HOURS for status in (("failed", "done") if one is hung else ("done",))]


def test_a_past_is_lived_through_once(watched: Installation) -> None:
    engine = watched.system.engine
    told: list[str] = []
    before, runs = dump(engine), rows(engine, "SELECT * FROM runs ORDER BY run_id")
    live_past(watched.system, CYCLE, told.append, hours=HOURS)
    assert told == []
    assert_same(before, dump(engine))
    assert rows(engine, "SELECT * FROM runs ORDER BY run_id") == runs


def test_a_past_that_was_killed_goes_on(engine: Engine, database_url: str) -> None:
    ago = Hour(ago=6, told="a quiet hour")
    with vendors() as root:
        place = Installation.on(engine, database_url, root)
        place.clock(CYCLE - 6 * HOUR)
        place.ingest(CYCLE - 6 * HOUR)               # killed before it was dated back
        live_past(place.system, CYCLE, lambda _: None, hours=[ago])
    assert rows(engine, OUTSIDE) == []
    assert rows(engine, "SELECT job, count(*) FROM runs WHERE status = 'done' "
                        "GROUP BY job ORDER BY job") == [
        ("evaluate", 1), ("forecast", 1), ("ingest", 2), ("rollup", 1), ("train", 1), ("watch", 1)]
    assert rows(engine, "SELECT min(fetched_at) >= max(cycle) AND max(fetched_at) < max(ended_at) "
                        "FROM observations, runs") == [(True,)]


def test_a_database_with_a_patient_of_another_place_is_left_alone(
        engine: Engine, database_url: str) -> None:
    ago = Hour(ago=6, told="a quiet hour")
    with vendors() as root:
        place = Installation.on(engine, database_url, root)
        place.clock(CYCLE - 6 * HOUR)
        place.ingest(CYCLE - 6 * HOUR)
        with transaction(engine) as conn:
            add_patient(conn, "somebody")
        stamps = "SELECT job, started_at, ended_at FROM runs"
        before = rows(engine, stamps)
        with pytest.raises(UserError, match="--past 0"):
            live_past(place.system, CYCLE, lambda _: None, hours=[ago])
        assert rows(engine, stamps) == before
        live_past(place.system, CYCLE, lambda _: None, hours=[])
