"""After each ingest and after new models: forecast every series and score severity."""

from typing import Any

from airflow.sdk import AssetAny, PartitionedAssetTimetable, dag, task
from vitals_assets import COMMON, CONFIG_VARIABLE, FORECASTS, MODELS, OBSERVATIONS

NEWS = PartitionedAssetTimetable(assets=AssetAny(OBSERVATIONS, MODELS))


@dag(schedule=NEWS, doc_md=__doc__, **COMMON)
def forecast_vitals() -> None:
    @task
    def load_config() -> str:
        from airflow.sdk import Variable

        from vitalcast.jobs.configure import use_config
        from vitalcast.wiring import open_system

        return use_config(open_system(), Variable.get(CONFIG_VARIABLE, default="{}"))

    @task
    def list_shards() -> list[str]:
        from vitalcast.wiring import open_system

        return open_system().shards()

    @task(priority_weight=5)
    def forecast(shard: str, config_hash: str, partition_key: str | None = None) -> dict[str, Any]:
        from vitalcast.jobs.forecast import forecast
        from vitalcast.wiring import open_system

        return forecast(open_system(), cycle=partition_key, shard=shard, config_hash=config_hash)

    @task(outlets=[FORECASTS])
    def publish(figures: list[dict[str, Any]]) -> None:
        """All shards are forecast: the hour's forecasts are there for whoever waits for them."""

    publish(forecast.partial(config_hash=load_config()).expand(shard=list_shards()))  # type: ignore[arg-type]


forecast_vitals()
