"""Every hour: fetch what the vendors have, patient by patient, into observations."""

from typing import Any

from airflow.sdk import dag, task
from cycle_parts import (
    COMMON,
    INGEST_POOL,
    OBSERVATIONS,
    announce,
    cycle_hour,
    list_shards,
    scheduled,
    stored,
)


# Five past, so that devices that sync on the hour are in.
@dag(schedule=scheduled("5 * * * *"), doc_md=__doc__, **COMMON)
def ingest_vitals() -> None:
    @task(pool=INGEST_POOL, priority_weight=10)
    def ingest(shard: str) -> dict[str, Any]:
        from vitalcast.jobs.ingest import ingest
        from vitalcast.wiring import open_system

        return ingest(open_system(), cycle=cycle_hour(), shard=shard)

    @task(inlets=stored("connections"),
          outlets=[OBSERVATIONS, *stored("fetches", "raw_payloads", "observations")])
    def publish() -> None:
        """All shards are in: the hour's observations are there for whoever waits for them."""
        announce(OBSERVATIONS)

    ingest.expand(shard=list_shards()) >> publish()


ingest_vitals()
