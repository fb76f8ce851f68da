"""The command line. Rooms above add their commands through the entry points `vitalcast.commands`.

Exit codes: 0 done, 1 a job failed, 2 what was asked cannot be done (the message says what to do).
"""

import sys
from importlib.metadata import entry_points

import typer
from rich.console import Console

from providers.errors import ProviderError
from registry.database import RegistryError
from vitalcast.commands import backtest, cycle, importing, kernels, local, score
from vitalcast.embedded import EmbeddedPostgresError
from vitalcast.errors import UserError

app = typer.Typer(
    name="vitalcast", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Forecasts and self-explaining severity scores from wearable vitals.\n\n"
         "Start with [bold]vitalcast demo[/bold]: the whole cycle on generated patients. The demo "
         "has a database of its own; the jobs (ingest, train, ...) work on VITALCAST_DATABASE_URL "
         "or, without it, on the embedded database `vitalcast`.",
)

app.command()(local.demo)
app.command()(local.up)
app.command()(cycle.ingest)
app.command()(cycle.train)
app.command()(cycle.forecast)
app.command()(cycle.evaluate)
app.command()(cycle.retain)
app.command()(cycle.migrate)
app.command("config")(cycle.config)
app.command("compile")(kernels.compile_kernels)
app.command("import")(importing.import_file)
app.command()(backtest.backtest)
app.command()(score.score)


def _add_commands_from_above() -> None:
    """Each entry point is a function that is given the app: `vitalcast` never imports upwards."""
    for point in entry_points(group="vitalcast.commands"):
        point.load()(app)


def main() -> None:
    """Run the command line; errors a person can act on are told without a traceback."""
    _add_commands_from_above()
    try:
        app()
    except (UserError, RegistryError, EmbeddedPostgresError, ProviderError) as error:
        Console(stderr=True).print("error:", str(error), style="red", markup=False,
                                   highlight=False, soft_wrap=True)
        sys.exit(2)
