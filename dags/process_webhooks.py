"""Every five minutes: see whether webhook events wait; if so, an asset event has them processed.

`watch_webhooks` updates the asset only when there is something to do, `process_webhooks` runs on
the asset. The API needs no login at Airflow for this, and Airflow no triggerer.
"""

import os
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, dag, task
from cycle_parts import COMMON, INGEST_POOL

WEBHOOKS = Asset("vitalcast://webhooks")

EVERY_FIVE_MINUTES = None if os.environ.get("VITALCAST_SCHEDULE") == "manual" \
    else CronTriggerTimetable("*/5 * * * *", timezone="UTC")


@dag(schedule=EVERY_FIVE_MINUTES, doc_md=__doc__, **COMMON)
def watch_webhooks() -> None:
    @task(outlets=[WEBHOOKS])
    def watch() -> None:
        from airflow.sdk.exceptions import AirflowSkipException

        from vitalcast.jobs.webhooks import any_waiting
        from vitalcast.wiring import open_system

        if not any_waiting(open_system()):
            raise AirflowSkipException("no webhook event waits")

    watch()


@dag(schedule=[WEBHOOKS], doc_md=__doc__, **COMMON)
def process_webhooks() -> None:
    @task(pool=INGEST_POOL)
    def process() -> dict[str, Any]:
        from vitalcast.jobs.webhooks import process_webhooks
        from vitalcast.wiring import open_system

        return process_webhooks(open_system())

    process()


watch_webhooks()
process_webhooks()
