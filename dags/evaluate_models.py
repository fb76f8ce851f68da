"""After each forecast: score every stored forecast on the hours that have been observed since.

Then the cycle is rolled up for the boards; one whose scoring failed is caught up by the next. And
series are watched for drift.
"""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag, task
from cycle_parts import COMMON, FORECASTS, cycle_hour, list_shards, load_config, stored


@dag(schedule=PartitionedAssetTimetable(assets=FORECASTS), doc_md=__doc__, **COMMON)
def evaluate_models() -> None:
    @task
    def evaluate(shard: str) -> dict[str, Any]:
        from vitalcast.jobs.evaluate import evaluate
        from vitalcast.wiring import open_system

        return evaluate(open_system(), cycle=cycle_hour(), shard=shard)

    @task(inlets=stored("observations", "forecasts"),
          outlets=stored("evaluations", "rollup_cycles"))
    def rollup() -> dict[str, Any]:
        from vitalcast.jobs.rollup import rollup
        from vitalcast.wiring import open_system

        return rollup(open_system(), cycle=cycle_hour())

    @task
    def watch(shard: str, config_hash: str) -> dict[str, Any]:
        from vitalcast.jobs.watch import watch
        from vitalcast.wiring import open_system

        return watch(open_system(), cycle=cycle_hour(), shard=shard, config_hash=config_hash)

    shards = list_shards()
    scored = evaluate.expand(shard=shards)
    scored >> rollup()
    scored >> watch.partial(config_hash=load_config()).expand(shard=shards)


evaluate_models()
