"""Every night: compare clocks, bring the profiles up to date, report on the day that is over."""

from typing import Any

from airflow.sdk import dag, task
from cycle_parts import COMMON, cycle_hour, scheduled


@dag(schedule=scheduled("0 2 * * *"), doc_md=__doc__, **COMMON)
def check_quality() -> None:
    @task
    def check() -> dict[str, Any]:
        from vitalcast.jobs.quality import check_quality, day_before
        from vitalcast.wiring import open_system

        report = check_quality(open_system(), day=day_before(cycle_hour()))
        totals: dict[str, Any] = report["totals"]
        return totals

    check()


check_quality()
