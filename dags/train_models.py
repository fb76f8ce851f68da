"""After each ingest: fit the members of every series whose training is due.

The model configuration is the Variable `vitalcast_model_config` (JSON); it is read and checked in
a task of its own, so that a mistake fails the run at once and with its reason.
"""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag, task
from cycle_parts import (
    COMMON,
    MODELS,
    OBSERVATIONS,
    TRAINING_POOL,
    announce,
    cycle_hour,
    list_shards,
    load_config,
    stored,
)


@dag(schedule=PartitionedAssetTimetable(assets=OBSERVATIONS), doc_md=__doc__, **COMMON)
def train_models() -> None:
    @task(pool=TRAINING_POOL)
    def train(shard: str, config_hash: str) -> dict[str, Any]:
        from vitalcast.jobs.train import train
        from vitalcast.wiring import open_system

        return train(open_system(), cycle=cycle_hour(), shard=shard, config_hash=config_hash)

    @task(inlets=stored("observations", "drift_events"),
          outlets=[MODELS, *stored("fits", "model_documents", "model_aliases")])
    def publish(figures: list[dict[str, Any]]) -> None:
        """Tell whoever waits that there are new models; skipped when training left none."""
        from airflow.sdk.exceptions import AirflowSkipException

        if not any(shard["ensembles"] for shard in figures):
            raise AirflowSkipException("training left no new models: stored ones stay in use")
        announce(MODELS)

    publish(train.partial(config_hash=load_config()).expand(shard=list_shards()))  # type: ignore[arg-type]


train_models()
