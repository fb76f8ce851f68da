"""Events in the outbox: once each, by a closed vocabulary, whose they are as a keyed hash alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from registry.events import Event, EventRefused, event_key, record, series_hash
from registry.runs import run

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAILED = Event(kind="fit.ended", member="arima", vital="spo2", reason="constant",
               series=("p-17", "spo2"))


def rows(engine: Engine, kind: str = "%") -> list[Any]:
    with transaction(engine) as conn:
        return list(conn.execute(text(
            "SELECT * FROM events WHERE kind LIKE :kind ORDER BY number"), {"kind": kind}))


def fail(engine: Engine, message: str, shard: str = "1/1") -> None:
    with pytest.raises(ZeroDivisionError), run(engine, job="train", cycle=NOON, shard=shard):
        raise ZeroDivisionError(message)


def test_an_event_recorded_again_is_there_once(engine: Engine) -> None:
    for new in (1, 0):
        with transaction(engine) as conn:
            assert record(conn, [FAILED, FAILED]) == new
    assert len(rows(engine)) == 1


def test_what_once_says_tells_events_apart_and_is_not_stored(engine: Engine) -> None:
    with transaction(engine) as conn:
        record(conn, [Event(kind="link.changed", provider="oura", reason="active", once=name)
                      for name in ("mrs-secret", "mr-secret")])
    assert len(rows(engine)) == 2
    assert "secret" not in str(rows(engine))


def test_a_series_is_a_keyed_hash_of_this_installation(engine: Engine) -> None:
    with transaction(engine) as conn:
        record(conn, [FAILED])
        key = event_key(conn)
    assert rows(engine)[0].series_hash == series_hash(key, "p-17", "spo2")
    assert series_hash(b"another key", "p-17", "spo2") != rows(engine)[0].series_hash
    assert "p-17" not in str(rows(engine))


def test_the_key_is_made_once(engine: Engine) -> None:
    with transaction(engine) as conn:
        first = event_key(conn)
    with transaction(engine) as conn:
        assert event_key(conn) == first
    assert len(first) == 32


@pytest.mark.parametrize("event", [
    Event(kind="patient.seen"),
    Event(kind="fit.ended", member="p-17"),
    Event(kind="fit.ended", vital="mood"),
    Event(kind="fits.ended", member="arima", reason="Mrs Smith's readings"),
    Event(kind="link.changed", provider="smith"),
    Event(kind="fits.ended", data={"patient": 1}),
    Event(kind="fetches.ended", data={"outcome": "p-17"}),
    Event(kind="config.changed", data={"changed": ["members", "p-17"]}),
    Event(kind="job.done", data={"patient": "p-17"}),
], ids=lambda event: event.kind)
def test_what_the_vocabulary_does_not_hold_is_refused(engine: Engine, event: Event) -> None:
    with pytest.raises(EventRefused) as told, transaction(engine) as conn:
        record(conn, [event])
    assert "p-17" not in str(told.value) and "mith" not in str(told.value)
    assert rows(engine) == []


def test_a_job_leaves_its_start_its_end_and_what_it_did(engine: Engine) -> None:
    with run(engine, job="train", cycle=NOON, shard="1/2") as figures:
        figures.update(series=3, members={"arima": {"fitted": 3}})
        with transaction(engine) as conn:
            record(conn, [FAILED])
    started, fit, done = rows(engine)
    assert (started.kind, fit.kind, done.kind) == ("job.started", "fit.ended", "job.done")
    assert {(one.job, one.cycle, one.shard, one.run_id) for one in (started, fit, done)} == {
        ("train", NOON, "1/2", started.run_id)}
    assert done.data == {"series": 3}
    assert done.message == "train is done on shard 1/2"


def test_a_job_run_again_writes_what_it_did_once_and_that_it_ran_twice(engine: Engine) -> None:
    for _ in range(2):
        with run(engine, job="train", cycle=NOON, shard="1/2"), transaction(engine) as conn:
            record(conn, [FAILED])
    assert len(rows(engine, "fit.ended")) == 1
    assert len(rows(engine, "job.done")) == 2


def test_a_failure_is_recorded_without_its_message(engine: Engine) -> None:
    fail(engine, "temperature of p-17 is 39.2")
    row = rows(engine, "job.failed")[0]
    assert row.exception == "ZeroDivisionError"
    assert row.severity == "error"
    assert "in fail" in row.stack
    assert "p-17" not in str(row) and "39.2" not in str(row)


def test_the_same_fault_has_the_same_fingerprint_whatever_it_says(engine: Engine) -> None:
    fail(engine, "p-17")
    fail(engine, "p-18")
    with pytest.raises(KeyError), run(engine, job="train", cycle=NOON, shard="1/1"):
        raise KeyError("p-17")
    one, other, another = (row.fingerprint for row in rows(engine, "job.failed"))
    assert one == other != another


def test_a_killed_run_is_told_by_the_next(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text("INSERT INTO runs (job, cycle, shard, status) "
                          "VALUES ('train', :noon, '1/1', 'running')"), {"noon": NOON})
    with run(engine, job="train", cycle=NOON, shard="1/1"):
        pass
    killed = rows(engine, "job.killed")
    assert len(killed) == 1
    assert killed[0].run_id != rows(engine, "job.started")[0].run_id


def test_a_stage_is_done_with_its_last_shard_and_the_cycle_with_its_last_stage(
        engine: Engine) -> None:
    for job in ("forecast", "evaluate"):
        for shard in ("1/2", "2/2", "2/2"):
            with run(engine, job=job, cycle=NOON, shard=shard):
                assert bool(rows(engine, "cycle.done")) == (len(rows(engine, "job.done")) > 4)
        assert rows(engine, "stage.done")[-1].data["shards"] == 2
    assert [row.job for row in rows(engine, "stage.done")] == ["forecast", "evaluate"]
    assert [row.shard for row in rows(engine, "cycle.done")] == [None]


def test_a_stage_with_a_failed_shard_is_not_done(engine: Engine) -> None:
    fail(engine, "", "1/2")
    with run(engine, job="train", cycle=NOON, shard="2/2"):
        pass
    assert rows(engine, "stage.done") == []
