"""`vitalcast explain` on real rows: the newest, by hour, by run; against the last good cycle."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from providers.coverage import State
from registry import tables
from registry.cycles import CycleNotFound, Cycles
from registry.database import transaction
from registry.events import Event, Running, record
from registry.runs import run
from tests.reference import cycles as reference
from tests.reference.cycles import KEYS, LIGHT, Installation, settings, vendors
from vitalcast.cli import app
from vitalcast.errors import UserError
from vitalcast.explain import Explanation, explain
from vitalcast.jobs.configure import use_config
from vitalcast.wiring import open_system

GOOD = datetime(2026, 11, 21, 8, tzinfo=UTC)
CYCLE = GOOD + timedelta(hours=1)
OFFSETS = {"ingest": 5, "train": 8, "forecast": 14, "evaluate": 16}


def cycle(engine: Engine, hour: datetime, *, slow: str = "", failing: str = "") -> None:
    """A cycle of two shards a job, two minutes each; `slow` is a job whose second takes twenty."""
    with transaction(engine) as conn:
        for job, start in OFFSETS.items():
            for shard in ("1/2", "2/2"):
                began = hour + timedelta(minutes=start)
                minutes = 20 if job == slow and shard == "2/2" else 2
                run_id = conn.execute(insert(tables.runs).values(
                    job=job, cycle=hour, shard=shard, status="done", started_at=began,
                    ended_at=began + timedelta(minutes=minutes), cpu_seconds=30,
                    figures={"patients": 10}).returning(tables.runs.c.run_id)).scalar_one()
                if job == "train" and failing:
                    record(conn, [Event(kind="fits.ended", member=failing, reason="not_finite",
                                        data={"count": 12}, once=block) for block in "ab"],
                           of=Running(run_id=run_id, job=job, cycle=hour, shard=shard))


def explained(engine: Engine, hour: datetime = CYCLE) -> Explanation:
    return explain(Cycles(engine).compared(hour), hour + timedelta(hours=1))


def test_a_slow_shard_is_named_first(engine: Engine) -> None:
    cycle(engine, GOOD)
    cycle(engine, CYCLE, slow="train")
    found = explained(engine)
    assert found.findings[0].startswith("shard 2/2 of train was slow: 20 min 0 s")
    assert (found.good, found.patients) == (GOOD, 20)


def test_a_failing_member_is_named_first_counted_over_blocks_and_shards(engine: Engine) -> None:
    cycle(engine, GOOD)
    cycle(engine, CYCLE, slow="train", failing="tbats")
    assert explained(engine).findings[0] == (
        "48 fits failed, tbats: not finite (0 in the last good cycle)")


def test_a_change_of_configuration_is_named_first_with_its_values(
        engine: Engine, database_url: str) -> None:
    system = open_system(settings(database_url, ""))
    use_config(system, '{"train_every_hours": 24}')
    cycle(engine, GOOD)
    use_config(system, '{"train_every_hours": 1, "members": {"arima": false}}')
    cycle(engine, CYCLE, slow="train", failing="tbats")
    with transaction(engine) as conn:
        conn.execute(text(
            "UPDATE events SET recorded_at = CASE WHEN data ->> 'earlier_hash' IS NULL "
            "THEN :before ELSE :between END WHERE kind = 'config.changed'"),
            {"before": GOOD, "between": CYCLE})
    system.engine.dispose()
    changes = {(one.key, one.before, one.after) for one in explained(engine).changes}
    assert ("train_every_hours", "24", "1") in changes
    assert {key for key, _, _ in changes} == {"train_every_hours", "members"}
    assert "the configuration has changed" in explained(engine).findings[0]


def test_good_is_the_newest_cycle_before_that_was_done_in_time(engine: Engine) -> None:
    cycle(engine, GOOD - timedelta(hours=1))
    cycle(engine, GOOD)
    cycle(engine, CYCLE)
    with transaction(engine) as conn:
        conn.execute(text("UPDATE runs SET ended_at = ended_at + interval '2 h' "
                          "WHERE cycle = :good AND job = 'evaluate'"), {"good": GOOD})
    assert explained(engine).good == GOOD - timedelta(hours=1)
    with transaction(engine) as conn:
        conn.execute(text("UPDATE runs SET status = 'failed' "
                          "WHERE job = 'train' AND cycle < :good"), {"good": GOOD})
    assert explained(engine).good is None


@pytest.mark.parametrize("counts", [(5, 3), (5, 3, 5), (5, 0)])
def test_a_job_run_again_is_told_by_its_newest_count(
        engine: Engine, counts: tuple[int, ...]) -> None:
    cycle(engine, CYCLE)
    for count in counts:
        with run(engine, job="ingest", cycle=CYCLE, shard="1/2") as figures:
            figures["incomplete"] = {"oura: transport": count} if count else {}
    assert [line.count for line in explained(engine).fetches] == [
        count for count in counts[-1:] if count]


def test_series_that_lacked_a_model_before_the_training_are_not_told_as_lacking_a_forecast(
        engine: Engine, database_url: str) -> None:
    with vendors() as root:
        place = Installation.on(engine, database_url, root, LIGHT)
        place.ingest(reference.CYCLE)
        place.forecast(reference.CYCLE)
        before = explained(engine, reference.CYCLE).findings
        place.cycle(reference.CYCLE)
        place.system.engine.dispose()
    assert "series have no forecast, no model" in str(before)
    assert "no model" not in str(explained(engine, reference.CYCLE).findings)


def test_a_cycle_of_which_a_job_was_run_again_later_stays_good(engine: Engine) -> None:
    cycle(engine, GOOD)
    cycle(engine, CYCLE)
    before = Cycles(engine).lines(limit=2)
    with transaction(engine) as conn:
        conn.execute(text(
            "INSERT INTO runs (job, cycle, shard, status, started_at, ended_at) VALUES "
            "('ingest', :good, '1/2', 'done', :good + interval '5 h', :good + interval '6 h')"),
            {"good": GOOD})
    assert explained(engine).good == GOOD
    assert [(line.good, line.started_at, line.ended_at) for line in Cycles(engine).lines(limit=2)] \
        == [(True, line.started_at, line.ended_at) for line in before]


def test_gaps_are_those_of_the_last_hour(engine: Engine) -> None:
    cycle(engine, CYCLE)
    states = bytearray(24)
    states[7], states[8] = State.OK, State.NOT_WORN
    with transaction(engine) as conn:
        conn.execute(text("INSERT INTO patients (patient_id) VALUES ('p')"))
        conn.execute(insert(tables.coverage), [{
            "patient_id": "p", "vital": vital, "day": date(2026, 11, 21), "states": bytes(states),
            "reasons": [], "version": 1, "computed_cycle": CYCLE}
            for vital in ("spo2", "heart_rate")])
    assert [(line.name, line.count) for line in explained(engine).gaps] == [("not worn", 2)]


@pytest.mark.parametrize("hour", [CYCLE, datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_cycle_without_runs_is_not_found(engine: Engine, hour: datetime) -> None:
    with pytest.raises(CycleNotFound, match="latest"):
        Cycles(engine).compared(hour)


def test_the_command_takes_an_hour_a_run_or_latest(
        engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", KEYS.token_key)
    cycle(engine, GOOD)
    cycle(engine, CYCLE, slow="train", failing="tbats")
    with transaction(engine) as conn:
        of_good = conn.execute(text("SELECT min(run_id) FROM runs")).scalar()

    def asked(*arguments: str) -> str:
        said = CliRunner().invoke(app, ["explain", *arguments])
        if said.exception:
            raise said.exception
        return said.stdout

    for name in ("latest", "2026-11-21T09"):
        assert json.loads(asked(name, "--json"))["cycle"].startswith("2026-11-21T09:00")
    assert json.loads(asked(str(of_good), "--json"))["cycle"].startswith("2026-11-21T08:00")
    words = asked()
    assert "1. 48 fits failed, tbats: not finite" in words
    assert "2/2: 20 min 0 s" in words
    assert "12 CPU s a patient, 20 patients" in words
    with pytest.raises(UserError):
        asked("yesterday")
    with pytest.raises(CycleNotFound):
        asked("123456789")
