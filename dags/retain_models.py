"""Every night: delete what is past its time: documents, forecasts, history, events."""

from typing import Any

from airflow.sdk import dag, task
from cycle_parts import COMMON, cycle_hour, scheduled


@dag(schedule=scheduled("30 3 * * *"), doc_md=__doc__, **COMMON)
def retain_models() -> None:
    @task
    def retain() -> dict[str, Any]:
        from vitalcast.jobs.retain import retain
        from vitalcast.wiring import open_system

        return retain(open_system(), cycle=cycle_hour())

    retain()


retain_models()
