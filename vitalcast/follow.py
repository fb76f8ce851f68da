"""Follow one cycle through Airflow: what runs, how far, and when all of it is done.

CycleFailed  a run failed; the message names the DAG, the task and where its log lies.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vitalcast.airflow import AirflowClient
from vitalcast.errors import UserError
from vitalcast.processes import Supervisor

CHAIN = ("ingest_vitals", "train_models", "forecast_vitals", "evaluate_models")
_POLL_S = 1.0

Run = dict[str, Any]


class CycleFailed(UserError):
    """A run of the cycle failed or took too long; the message says which and where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The runs of one partition key that began after this one was triggered."""

    client: AirflowClient
    key: str
    earlier: frozenset[str] = field(default_factory=frozenset)

    def runs(self) -> dict[str, list[Run]]:
        """New runs of each DAG of the chain."""
        return {
            dag: [run for run in self.client.runs(dag, self.key)
                  if run["dag_run_id"] not in self.earlier]
            for dag in CHAIN
        }


def start_cycle(client: AirflowClient, key: str) -> Cycle:
    """Trigger ingest with the key; the rest of the chain follows by its assets."""
    earlier = frozenset(
        run["dag_run_id"] for dag in CHAIN for run in client.runs(dag, key))
    client.trigger(CHAIN[0], key)
    return Cycle(client=client, key=key, earlier=earlier)


def follow(
    cycle: Cycle, supervisor: Supervisor, tell: Callable[[str], None], *, timeout_s: float,
) -> None:
    """Wait until the cycle's forecasts, from its newest models, are made and evaluated."""
    deadline = time.monotonic() + timeout_s
    while True:
        supervisor.check()
        runs = cycle.runs()
        _raise_failed(cycle, runs)
        tell(_state(runs))
        if _done(cycle, runs):
            return
        if time.monotonic() > deadline:
            raise CycleFailed(f"the cycle was not done after {timeout_s / 60:.0f} minutes; it "
                              f"stands at: {_state(runs)}")
        time.sleep(_POLL_S)


def _done(cycle: Cycle, runs: dict[str, list[Run]]) -> bool:
    """The last step has run on what the step before it left: nothing newer is still to come."""
    if any(run["state"] != "success" for found in runs.values() for run in found):
        return False
    if not all(runs.values()):
        return False
    forecast, evaluated = runs["forecast_vitals"][-1], runs["evaluate_models"][-1]
    source = _published(cycle, runs["train_models"][-1]) \
        or _published(cycle, runs["ingest_vitals"][-1])
    made = _published(cycle, forecast)
    return bool(source and made and source <= forecast["start_date"]
                and made <= evaluated["start_date"])


def _published(cycle: Cycle, run: Run) -> str | None:
    """When a run began to tell those who wait for it; None when it had nothing to tell."""
    for task in cycle.client.tasks(run["dag_id"], run["dag_run_id"]):
        if task["task_id"] == "publish" and task["state"] == "success":
            return str(task["start_date"])
    return None


def _state(runs: dict[str, list[Run]]) -> str:
    return ", ".join(
        f"{dag.split('_')[0]} {found[-1]['state'] if found else 'waits'}"
        for dag, found in runs.items())


def _raise_failed(cycle: Cycle, runs: dict[str, list[Run]]) -> None:
    for dag, found in runs.items():
        for run in found:
            if run["state"] == "failed":
                tasks = cycle.client.tasks(dag, run["dag_run_id"])
                failed = sorted({one["task_id"] for one in tasks if one["state"] == "failed"})
                raise CycleFailed(
                    f"{dag} failed at {', '.join(failed)}: read the log of that task in Airflow, "
                    f"run {run['dag_run_id']}, or in the folder airflow/logs of VITALCAST_HOME")
