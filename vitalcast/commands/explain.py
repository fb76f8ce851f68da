"""`vitalcast explain RUN`: on one screen, why a cycle was late or wrong."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.cycles import Cycles
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.cycle import parse_cycle
from vitalcast.cycle_figures import Line
from vitalcast.explain import Explanation, explain
from vitalcast.findings import duration

MOST_LINES = 8

_STYLES = {"good": "green", "late": "yellow", "incomplete": "yellow", "failed": "red"}


def explain_run(
    run: Annotated[str, typer.Argument(
        help="a cycle's hour such as 2026-11-21T09, the number of a run, or latest")] = "latest",
    as_json: AsJson = False,
) -> None:
    """Why a cycle was late or wrong: what stands out against the last good one before it.

    Example: vitalcast explain latest
    """
    with open_here() as system:
        cycles = Cycles(system.engine)
        told = explain(cycles.compared(cycle_named(cycles, run)), datetime.now(UTC))
    if as_json:
        typer.echo(orjson.dumps(told).decode())
    else:
        _show(Console(file=sys.stdout), told)


def cycle_named(cycles: Cycles, name: str) -> datetime:
    """The cycle of an hour, of a run's number, or the newest. UserError, CycleNotFound."""
    if name == "latest":
        return cycles.newest()
    return cycles.of_run(int(name)) if name.isdecimal() else parse_cycle(name)


def _show(console: Console, told: Explanation) -> None:
    line = Text(f"cycle {told.cycle:%Y-%m-%d %H:%M} UTC ")
    line.append(told.state, style=f"bold {_STYLES[told.state]}")
    line.append(f", {duration(told.seconds)}")
    if told.good is not None and told.good_seconds is not None:
        line.append(f"; the last good one, {told.good:%Y-%m-%d %H:%M}, took "
                    f"{duration(told.good_seconds)}")
    console.print(line)
    for number, finding in enumerate(told.findings, 1):
        console.print(f"{number}. {finding}", markup=False, highlight=False)
    console.print(_stages(told))
    for title, lines in (("fits", told.fits), ("failed fits", told.failed_fits),
                         ("fetches that were not complete", told.fetches),
                         ("last hour, series by state", told.gaps)):
        if lines:
            console.print(_counts(title, lines))
    if told.cpu_per_patient is not None:
        console.print(f"{told.cpu_per_patient:.3g} CPU s a patient, {told.patients} patients"
                      + ("" if told.good_cpu_per_patient is None else
                         f"; {told.good_cpu_per_patient:.3g} in the last good cycle"))


def _stages(told: Explanation) -> Table:
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("job", "", "time", "last good", "ratio", "slowest shard", "CPU s"):
        table.add_column(name, no_wrap=True)
    for one in told.stages:
        table.add_row(
            one.job, one.status, duration(one.seconds),
            "–" if one.good_seconds is None else duration(one.good_seconds),
            "–" if one.ratio is None else f"{one.ratio:.2g}",
            f"{one.slowest}: {duration(one.slowest_seconds)}", f"{one.cpu_seconds:.3g}")
    return table


def _counts(title: str, lines: Sequence[Line]) -> Table:
    table = Table(title, "this cycle", "last good", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for one in lines[:MOST_LINES]:
        table.add_row(one.name, str(one.count), "–" if one.good is None else str(one.good))
    if len(lines) > MOST_LINES:
        table.add_row(f"… and {len(lines) - MOST_LINES} more", "", "")
    return table
