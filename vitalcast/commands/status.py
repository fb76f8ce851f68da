"""`vitalcast status`: on one screen, whether the installation is well and what to do if not."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from providers.catalogue import CATALOGUE
from registry.health import read_health
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.health import checks, worst
from vitalcast.wiring import has_client

_STYLES = {"ok": "green", "look": "yellow", "wrong": "red"}


def status(as_json: AsJson = False) -> None:
    """Whether the installation is well: database, newest cycle, failed runs, links, quarantine.

    Ends with 1 when something is wrong, so that a timer can tell somebody.

    Example: vitalcast status --json
    """
    with open_here() as system:
        health = read_health(system.engine)
        unknown = frozenset(one for one in CATALOGUE if not has_client(system.settings, one))
        delivering = bool(system.settings.elasticsearch_url)
    found = checks(health, datetime.now(UTC), unknown_vendors=unknown, delivering=delivering)
    state = worst(found)
    if as_json:
        typer.echo(orjson.dumps({"state": state, "checks": [asdict(one) for one in found],
                                 "figures": health}).decode())
    else:
        table = Table("", "", "", "what to do", box=box.SIMPLE, padding=(0, 1, 0, 0))
        for one in found:
            table.add_row(one.name, Text(one.state, style=_STYLES[one.state]), one.told, one.todo)
        Console(file=sys.stdout).print(table)
    if state == "wrong":
        raise typer.Exit(1)
