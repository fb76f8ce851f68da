"""`vitalcast coverage`: why hours have no reading, judged without forecasting."""

from typing import Annotated

import typer

from vitalcast.commands.cycle import AsJson, Hour, OneShard, run_job


def coverage(
    hour: Hour = None, shard: OneShard = "1/1",
    patient: Annotated[str | None, typer.Option(
        "--patient", help="judge this one alone, and print what is said of each vital")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge why hours have no reading. Example: vitalcast coverage --patient demo-08 --json"""
    from vitalcast.jobs.coverage import coverage as job

    run_job("coverage", hour, as_json, lambda system, cycle: job(
        system, cycle=cycle, shard=shard, patient=patient))
