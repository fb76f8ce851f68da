"""What the DAGs share: the assets that chain them, two tasks, schedules, pools, retries.

    ingest_vitals ─► OBSERVATIONS ─┬─► train_models ─► MODELS (when something was fitted)
                                   └─► forecast_vitals ◄─┘ ─► FORECASTS ─► evaluate_models

Forecasts follow every ingest at once, from the stored models, and again when training has brought
new ones: a training longer than an hour holds no forecast up.

Nothing heavy is imported here or at the top of a DAG file: the dag-processor parses these files
over and over (a test asserts that parsing imports neither numba nor pandas).
"""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    PartitionedAtRuntime,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)

OBSERVATIONS = Asset("vitalcast://observations")
MODELS = Asset("vitalcast://models")
FORECASTS = Asset("vitalcast://forecasts")

_REGISTRY = "postgresql://registry:5432/vitalcast/public/"
"""The database as lineage names it, wherever it stands; nothing is scheduled by its tables."""

INGEST_POOL = "ingest"
TRAINING_POOL = "training"
CONFIG_VARIABLE = "vitalcast_model_config"

# A person has to mend a wrong configuration or setting: asking again does not help.
_FAIL_AT_ONCE = ExceptionRetryPolicy(rules=[
    RetryRule(exception="vitalcast.errors.ConfigInvalid", action=RetryAction.FAIL,
              reason="the model configuration is not valid: correct the Variable"),
    RetryRule(exception="vitalcast.errors.UserError", action=RetryAction.FAIL,
              reason="a setting has to be corrected first"),
])

DEFAULTS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": _FAIL_AT_ONCE,
}
COMMON: dict[str, Any] = {
    "catchup": False, "max_active_runs": 1, "default_args": DEFAULTS, "tags": ["vitalcast"],
}


def stored(*tables: str) -> list[Asset]:
    """Tables of the registry as inlets or outlets: OpenLineage makes datasets of them."""
    return [Asset(name=f"registry.{table}", uri=_REGISTRY + table) for table in tables]


def scheduled(cron: str) -> CronPartitionTimetable | PartitionedAtRuntime:
    """Runs at `cron`, each with its full UTC hour as partition key.

    With VITALCAST_SCHEDULE=manual (the demo) nothing starts by itself.
    """
    if os.environ.get("VITALCAST_SCHEDULE") == "manual":
        return PartitionedAtRuntime()
    return CronPartitionTimetable(cron, timezone="UTC", key_format="%Y-%m-%dT%H:00:00")


def cycle_hour() -> str:
    """The hour that the run of this task is for: its partition key.

    A run triggered by hand without one is for the last full hour at its logical date or, without
    that, when it was triggered: the same in all of its tasks, however long they take.
    """
    from vitalcast.cycle import last_full_hour, partition_key

    context = get_current_context()
    run = context["dag_run"]
    return context["partition_key"] or partition_key(
        last_full_hour(run.logical_date or run.run_after))


def announce(asset: Asset) -> None:
    """Tell the DAGs that wait for `asset` that it is there for this run's hour."""
    get_current_context()["outlet_events"][asset].add_partitions(cycle_hour())


@task
def list_shards() -> list[str]:
    """The parts of the patients that the mapped tasks work on; few, however many patients."""
    from vitalcast.wiring import open_system

    return open_system().shards()


@task
def load_config() -> str:
    """Check the model configuration, keep this version of it, and name it by its hash.

    A task, so that a mistake fails the run at once and with its reason.
    """
    from airflow.sdk import Variable

    from vitalcast.jobs.configure import use_config
    from vitalcast.wiring import open_system

    return use_config(open_system(), Variable.get(CONFIG_VARIABLE, default="{}"))
