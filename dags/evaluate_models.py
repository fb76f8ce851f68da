"""After each forecast: score every stored forecast on the hours that have been observed since.

Then the cycle is rolled up for the boards; one whose scoring failed is caught up by the next.
"""

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

    @task
    def rollup(partition_key: str | None = None) -> dict[str, Any]:
        from vitalcast.jobs.rollup import rollup
        from vitalcast.wiring import open_system

        return rollup(open_system(), cycle=partition_key)

    evaluate.expand(shard=list_shards()) >> rollup()


evaluate_models()
