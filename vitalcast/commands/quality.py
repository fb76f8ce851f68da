"""`vitalcast quality`: the quality report of a day, by hand."""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from clinical.quality import LABELS, Flag
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.errors import UserError
from vitalcast.jobs.quality import check_quality


def quality(
    day: Annotated[str | None, typer.Option(
        "--day", help="UTC day, e.g. 2026-11-20; default: yesterday")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare clocks, bring the profiles up to a day, and report on that day.

    Example: vitalcast quality --day 2026-11-20 --json
    """
    asked = _day(day)
    with open_here() as system:
        report = check_quality(system, day=asked)
    if as_json:
        typer.echo(orjson.dumps(report).decode())
    else:
        for table in tables(report):
            Console(file=sys.stdout).print(table)


def _day(text: str | None) -> date:
    if text is None:
        return (datetime.now(UTC) - timedelta(days=1)).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not a day: write 2026-11-20") from None


def tables(report: dict[str, Any]) -> list[Table]:
    """The report to read: readings and flags by provider and vital, then what was refused."""
    totals = ", ".join(f"{count} {name.replace('_', ' ')}"
                       for name, count in report["totals"].items())
    series = Table("provider", "vital", "patients", "readings", "late", "flags",
                   title=f"Quality of {report['day']}: {totals}")
    for one in report["series"]:
        flags = ", ".join(f"{LABELS[Flag(flag)]} {count}" for flag, count in one["flags"].items())
        series.add_row(one["provider"], one["vital"], str(one["patients"]), str(one["readings"]),
                       str(one["late"]), flags or "–")
    refused = Table("provider", "refused because", "records")
    for one in report["refused"]:
        refused.add_row(one["provider"], one["reason"], str(one["records"]))
    return [series, refused] if report["refused"] else [series]
