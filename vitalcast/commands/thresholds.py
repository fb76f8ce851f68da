"""`vitalcast thresholds`: how often thresholds of the forecast risk would have been passed."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from clinical.words import percent
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.jobs.thresholds import HOLD_HOURS, replayed

Tried = Annotated[list[float] | None, typer.Option(
    "--at", help="a threshold of P(NEWS2 ≥ 5), repeatable; default: 0.1, 0.2, … 0.9",
    min=0.01, max=0.99)]
Days = Annotated[int, typer.Option(help="how far back", min=1, max=90)]


def thresholds(at: Tried = None, days: Days = 7, as_json: AsJson = False) -> None:
    """The alerts a day that thresholds would have given over the last week, before one is set.

    Nobody is told of anything: stored risks are played again, each patient's highest
    P(NEWS2 ≥ 5) of an hour. An alert begins at the threshold and ends after three hours below two
    thirds of it. The threshold is alert_threshold of the model configuration.

    Example: vitalcast thresholds --at 0.3 --at 0.5 --json
    """
    with open_here() as system:
        found = replayed(system, sorted(at or [tenth / 10 for tenth in range(1, 10)]),
                         until=datetime.now(UTC), days=days)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
        return
    if not found["patients"]:
        typer.echo(f"No patient was scored for a day of the last {days}: wait for more cycles.")
        return
    table = Table("P(NEWS2 ≥ 5)", "alerts a day", "by 100 patients", box=box.SIMPLE)
    for one in found["thresholds"]:
        table.add_row(percent(one["threshold"]), f"{one['alerts_a_day']:.1f}",
                      f"{100 * one['alerts_a_day'] / found['patients']:.1f}")
    Console(file=sys.stdout).print(table)
    typer.echo(f"{found['patients']} patients, the last {days} days; an alert ends after "
               f"{HOLD_HOURS} hours below two thirds of its threshold.")
