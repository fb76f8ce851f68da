"""When a cycle is done, on runs as Airflow tells of them."""

from pathlib import Path
from typing import Any, cast

import pytest

from vitalcast.airflow import AirflowClient
from vitalcast.follow import CHAIN, Cycle, CycleFailed, _done, follow, start_cycle
from vitalcast.processes import Supervisor

INGEST, TRAIN, FORECAST, EVALUATE = CHAIN
KEY = "2026-11-21T06:00:00"


class Airflow:
    """Runs and their tasks, held in memory; times are minutes after six."""

    def __init__(self) -> None:
        self.known: list[dict[str, Any]] = []
        self.published: dict[str, tuple[str, str]] = {}

    def ran(self, dag: str, start: int, *, published: int | None = None, state: str = "success",
            publish: str = "success") -> None:
        run_id = f"{dag}-{start}"
        self.known.append({"dag_id": dag, "dag_run_id": run_id, "state": state,
                           "start_date": at(start)})
        if published is not None:
            self.published[run_id] = (publish, at(published))

    def runs(self, dag: str, key: str) -> list[dict[str, Any]]:
        return [run for run in self.known if run["dag_id"] == dag and key == KEY]

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        state, start = self.published.get(run_id, ("none", at(0)))
        return [{"task_id": f"{dag}-work", "state": "failed", "start_date": at(0)},
                {"task_id": "publish", "state": state, "start_date": start}]

    def trigger(self, dag: str, key: str) -> str:
        assert key == KEY
        self.ran(dag, 0, state="queued")
        return f"{dag}-0"


def at(minute: int) -> str:
    return f"2026-11-21T06:{minute:02d}:00Z"


@pytest.fixture
def airflow() -> Airflow:
    """A whole cycle: trained, and forecast both before and after."""
    one = Airflow()
    one.ran(INGEST, 0, published=2)
    one.ran(TRAIN, 3, published=9)
    one.ran(FORECAST, 3, published=4)
    one.ran(EVALUATE, 5)
    one.ran(FORECAST, 10, published=11)
    one.ran(EVALUATE, 12)
    return one


def done(airflow: Airflow, earlier: frozenset[str] = frozenset()) -> bool:
    cycle = Cycle(client=cast(AirflowClient, airflow), key=KEY, earlier=earlier)
    return _done(cycle, cycle.runs())


def without(airflow: Airflow, *run_ids: str) -> Airflow:
    airflow.known = [run for run in airflow.known if run["dag_run_id"] not in run_ids]
    return airflow


def test_a_cycle_is_done_when_its_newest_forecasts_are_evaluated(airflow: Airflow) -> None:
    assert done(airflow)


def test_forecasts_from_before_the_training_are_not_the_last(airflow: Airflow) -> None:
    assert not done(without(airflow, f"{FORECAST}-10", f"{EVALUATE}-12"))


def test_forecasts_that_are_not_evaluated_yet_are_waited_for(airflow: Airflow) -> None:
    assert not done(without(airflow, f"{EVALUATE}-12"))


@pytest.mark.parametrize("dag", CHAIN)
def test_every_dag_of_the_chain_has_to_run(airflow: Airflow, dag: str) -> None:
    airflow.known = [run for run in airflow.known if run["dag_id"] != dag]
    assert not done(airflow)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_is_not_over_is_waited_for(airflow: Airflow, state: str) -> None:
    airflow.ran(EVALUATE, 13, state=state)
    assert not done(airflow)


def test_where_no_training_was_due_the_first_forecasts_are_the_last() -> None:
    one = Airflow()
    one.ran(INGEST, 0, published=2)
    one.ran(TRAIN, 3, published=4, publish="skipped")
    one.ran(FORECAST, 3, published=5)
    one.ran(EVALUATE, 6)
    assert done(one)


def test_runs_of_an_earlier_time_do_not_count(airflow: Airflow) -> None:
    earlier = frozenset(run["dag_run_id"] for run in airflow.known)
    assert not done(airflow, earlier)


def test_a_started_cycle_knows_the_runs_from_before(airflow: Airflow) -> None:
    before = {run["dag_run_id"] for run in airflow.known} - {f"{INGEST}-0"}
    cycle = start_cycle(cast(AirflowClient, without(airflow, f"{INGEST}-0")), KEY)
    assert cycle.earlier == before
    assert [run["state"] for run in cycle.runs()[INGEST]] == ["queued"]


def test_a_failed_run_ends_the_waiting_and_names_its_task(
    airflow: Airflow, tmp_path: Path,
) -> None:
    airflow.ran(TRAIN, 20, state="failed")
    cycle = Cycle(client=cast(AirflowClient, airflow), key=KEY)
    with Supervisor(tmp_path) as supervisor, \
            pytest.raises(CycleFailed, match="failed at train_models-work: read the log"):
        follow(cycle, supervisor, lambda _: None, timeout_s=60)


def test_a_cycle_that_takes_too_long_tells_where_it_stands(
    airflow: Airflow, tmp_path: Path,
) -> None:
    cycle = Cycle(client=cast(AirflowClient, without(airflow, f"{EVALUATE}-5", f"{EVALUATE}-12")),
                  key=KEY)
    told: list[str] = []
    with Supervisor(tmp_path) as supervisor, \
            pytest.raises(CycleFailed, match="forecast success, evaluate waits"):
        follow(cycle, supervisor, told.append, timeout_s=-1)
    assert told == ["ingest success, train success, forecast success, evaluate waits"]
