"""Every day: make and renew subscriptions to Oura's and Withings' webhooks, where set up."""

from typing import Any

from airflow.sdk import dag, task
from cycle_parts import COMMON, INGEST_POOL, scheduled


@dag(schedule=scheduled("20 4 * * *"), doc_md=__doc__, **COMMON)
def subscribe_webhooks() -> None:
    @task(pool=INGEST_POOL)
    def subscribe() -> dict[str, Any]:
        from vitalcast.jobs.subscribe import figures_of, is_set_up, subscribe
        from vitalcast.wiring import open_system

        system = open_system()
        return figures_of(subscribe(system)) if is_set_up(system.settings) else {}

    subscribe()


subscribe_webhooks()
