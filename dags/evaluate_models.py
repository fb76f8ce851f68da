"""After each forecast: score every stored forecast on the hours that have been observed since."""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag, task
from cycle_parts import COMMON, FORECASTS, list_shards


@dag(schedule=PartitionedAssetTimetable(assets=FORECASTS), doc_md=__doc__, **COMMON)
def evaluate_models() -> None:
    @task
    def evaluate(shard: str, partition_key: str | None = None) -> dict[str, Any]:
        from vitalcast.jobs.evaluate import evaluate
        from vitalcast.wiring import open_system

        return evaluate(open_system(), cycle=partition_key, shard=shard)

    evaluate.expand(shard=list_shards())


evaluate_models()
