"""What the jobs' figures are: which cycle is the newest, and how often the database is asked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from registry.database import transaction
from registry.metrics import FRESH_S, Metrics

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)
LAST_CYCLE = "vitalcast_job_last_cycle_timestamp_seconds"


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(engine: Engine, clock: Clock) -> Iterator[Metrics]:
    found = Metrics(engine.url.render_as_string(hide_password=False), clock=clock)
    yield found
    found.close()


def happened(engine: Engine, cycle: datetime, **status_of_shard: str) -> None:
    """Runs of the forecast: `_1_4="done"` is shard 1/4, done."""
    with transaction(engine) as conn:
        for shard, status in status_of_shard.items():
            conn.execute(text("""
                INSERT INTO runs (job, cycle, shard, status, ended_at)
                VALUES ('forecast', :cycle, :shard, :status, now())"""),
                {"cycle": cycle, "shard": shard[1:].replace("_", "/"), "status": status})


def last_cycle(metrics: Metrics) -> list[float]:
    return [one.value for one in metrics.told().samples if one.figure.name == LAST_CYCLE]


def test_a_cycle_counts_when_each_of_its_shards_is_done(
        engine: Engine, metrics: Metrics, clock: Clock) -> None:
    happened(engine, HOUR, _1_2="done", _2_2="done")
    happened(engine, HOUR + timedelta(hours=1), _1_4="done", _2_4="running", _3_4="failed",
             _4_4="running")
    assert last_cycle(metrics) == [HOUR.timestamp()]
    happened(engine, HOUR + timedelta(hours=1), _2_4="done", _3_4="done", _4_4="done")
    clock.now += FRESH_S
    assert last_cycle(metrics) == [(HOUR + timedelta(hours=1)).timestamp()]


def test_an_installation_that_stopped_long_ago_still_says_when(
        engine: Engine, metrics: Metrics) -> None:
    stopped = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=60)
    happened(engine, stopped, _1_1="done")
    assert last_cycle(metrics) == [stopped.timestamp()]


def test_a_cycle_that_forecasts_twice_took_the_time_of_both_and_not_what_lies_between(
        engine: Engine, metrics: Metrics) -> None:
    with transaction(engine) as conn:
        conn.execute(text("""
            INSERT INTO runs (job, cycle, shard, status, started_at, ended_at)
            SELECT 'forecast', :hour, shard, 'done', :hour + began, :hour + began + took
            FROM (VALUES ('1/2', interval '6 min', interval '2 min'), ('1/2', '55 min', '2 min'),
                         ('2/2', '6 min', '1 min'), ('2/2', '55 min', '1 min'))
                AS runs (shard, began, took)"""), {"hour": HOUR})
    assert [one.value for one in metrics.told().samples
            if one.figure.name == "vitalcast_job_last_duration_seconds"] == [240]


def test_nothing_is_told_of_a_job_that_was_never_done(engine: Engine, metrics: Metrics) -> None:
    happened(engine, HOUR, _1_1="failed")
    assert last_cycle(metrics) == []
    assert metrics.told().up and not metrics.told().missing


def test_an_answer_is_given_again_for_some_seconds(
        engine: Engine, metrics: Metrics, clock: Clock) -> None:
    first = metrics.told()
    happened(engine, HOUR, _1_1="done")
    clock.now += FRESH_S - 1
    assert metrics.told() is first
    clock.now += 1
    assert last_cycle(metrics) == [HOUR.timestamp()]
