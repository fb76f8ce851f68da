"""Every five minutes: deliver the events that wait to Elasticsearch, where one is set.

Nothing else waits for this: events stay in Postgres until Elasticsearch has them.
"""

import os
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from cycle_parts import COMMON

EVERY_FIVE_MINUTES = None if os.environ.get("VITALCAST_SCHEDULE") == "manual" \
    else CronTriggerTimetable("2-59/5 * * * *", timezone="UTC")


@dag(schedule=EVERY_FIVE_MINUTES, doc_md=__doc__, **COMMON)
def deliver_events() -> None:
    @task
    def deliver() -> dict[str, Any]:
        from vitalcast.jobs.events import deliver_events
        from vitalcast.wiring import open_system

        return deliver_events(open_system())

    deliver()


deliver_events()
