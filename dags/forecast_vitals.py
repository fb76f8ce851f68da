"""After each ingest and after new models: forecast every series and score severity."""

from typing import Any

from airflow.sdk import AssetAny, PartitionedAssetTimetable, dag, task
from cycle_parts import (
    COMMON,
    FORECASTS,
    MODELS,
    OBSERVATIONS,
    announce,
    cycle_hour,
    list_shards,
    load_config,
    stored,
)

NEWS = PartitionedAssetTimetable(assets=AssetAny(OBSERVATIONS, MODELS))


@dag(schedule=NEWS, doc_md=__doc__, **COMMON)
def forecast_vitals() -> None:
    @task(priority_weight=5)
    def forecast(shard: str, config_hash: str) -> dict[str, Any]:
        from vitalcast.jobs.forecast import forecast
        from vitalcast.wiring import open_system

        return forecast(open_system(), cycle=cycle_hour(), shard=shard, config_hash=config_hash)

    @task(inlets=stored("observations", "model_documents", "clinical_entries"),
          outlets=[FORECASTS, *stored("forecasts", "severities", "coverage")])
    def publish() -> None:
        """All shards are forecast: the hour's forecasts are there for whoever waits for them."""
        announce(FORECASTS)

    forecast.partial(config_hash=load_config()).expand(shard=list_shards()) >> publish()


forecast_vitals()
