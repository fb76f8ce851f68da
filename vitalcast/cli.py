"""The command line. Rooms above add their commands through the entry points `vitalcast.commands`.

Exit codes: 0 done, 1 a job failed, 2 what was asked cannot be done (the message says what to do).
"""

import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "demo": "local.demo", "up": "local.up", "ingest": "cycle.ingest", "train": "cycle.train",
    "forecast": "cycle.forecast", "evaluate": "cycle.evaluate", "retain": "cycle.retain",
    "watch": "cycle.watch", "rollup": "cycle.rollup", "migrate": "cycle.migrate",
    "config": "cycle.config", "compile": "kernels.compile_kernels",
    "import": "importing.import_file", "backtest": "backtest.backtest", "score": "score.score",
    "patients": "patients.patients", "quality": "quality.quality", "keys": "keys.keys",
    "webhooks": "webhooks.webhooks", "events": "events.events",
    "thresholds": "thresholds.thresholds",
    "status": "status.status", "explain": "explain.explain_run",
    "quarantine": "quarantine.quarantine", "coverage": "coverage.coverage",
    "sandbox": "sandbox.sandbox",
}
"""Commands of this room, and where in `vitalcast.commands` they stand."""


class Commands(TyperGroup):
    """Imports a command when it is asked for: all of them together take seconds."""

    def list_commands(self, ctx: Any) -> list[str]:
        """This room's commands, then those of the rooms above."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name].split(".")
        found = getattr(import_module(f"vitalcast.commands.{module}"), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
            alone.command(cmd_name)(found)
            return get_command(alone)
        group = get_command(found)
        group.name = cmd_name
        return group


app = typer.Typer(
    name="vitalcast", cls=Commands, no_args_is_help=True, add_completion=False,
    rich_markup_mode="rich", pretty_exceptions_enable=False,
    help="Forecasts and self-explaining severity scores from wearable vitals.\n\n"
         "Start with [bold]vitalcast demo[/bold]: the whole cycle on generated patients. The demo "
         "has a database of its own; the jobs (ingest, train, ...) work on VITALCAST_DATABASE_URL "
         "or, without it, on the embedded database `vitalcast`.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vitalcast {version('vitalcast')}")
        raise typer.Exit


@app.callback()
def _group(
    show_version: Annotated[bool, typer.Option(
        "--version", is_eager=True, callback=_print_version,
        help="print the version and exit")] = False,
) -> None:
    """Without it typer makes no group where no command is imported yet."""


def _add_commands_from_above() -> None:
    """Each entry point is a function that is given the app: `vitalcast` never imports upwards."""
    for point in entry_points(group="vitalcast.commands"):
        point.load()(app)


def _told() -> tuple[type[Exception], ...]:
    """Errors whose message says what to do; imported when something went wrong."""
    from providers.errors import ProviderError
    from registry.database import RegistryError
    from vitalcast.embedded import EmbeddedPostgresError
    from vitalcast.errors import UserError

    return UserError, RegistryError, EmbeddedPostgresError, ProviderError


def main() -> None:
    """Run the command line; errors a person can act on are told without a traceback."""
    if not COMMANDS.keys() & sys.argv[1:2]:        # importing them takes a second
        _add_commands_from_above()
    try:
        app()
    except SystemExit:             # the usual end: nothing more to import
        raise
    except _told() as error:
        Console(stderr=True).print("error:", str(error), style="red", markup=False,
                                   highlight=False, soft_wrap=True)
        sys.exit(2)
