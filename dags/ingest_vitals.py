"""Every hour: fetch what the vendors have, patient by patient, into observations."""

from typing import Any

from airflow.sdk import dag, task
from cycle_parts import COMMON, INGEST_POOL, OBSERVATIONS, list_shards, scheduled, stored


# Five past, so that devices that sync on the hour are in.
@dag(schedule=scheduled("5 * * * *"), doc_md=__doc__, **COMMON)
def ingest_vitals() -> None:
    @task(pool=INGEST_POOL, priority_weight=10)
    def ingest(shard: str, partition_key: str | None = None) -> dict[str, Any]:
        from vitalcast.jobs.ingest import ingest
        from vitalcast.wiring import open_system

        return ingest(open_system(), cycle=partition_key, shard=shard)

    @task(inlets=stored("connections"),
          outlets=[OBSERVATIONS, *stored("fetches", "raw_payloads", "observations")])
    def publish(figures: list[dict[str, Any]]) -> None:
        """All shards are in: the hour's observations are there for whoever waits for them."""

    publish(ingest.expand(shard=list_shards()))  # type: ignore[arg-type]


ingest_vitals()
