"""`vitalcast ingest | train | forecast | evaluate | watch | rollup | retain | migrate | config`.

Jobs by hand: the same that Airflow calls, on the same database; what one of them did is printed as
a table or as JSON.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from vitalcast.cycle import last_full_hour, parse_cycle, partition_key
from vitalcast.errors import UserError
from vitalcast.jobs.configure import use_config
from vitalcast.keys import load_keys
from vitalcast.local_database import database_server
from vitalcast.model_config import ModelConfig, parse_config
from vitalcast.settings import load_settings
from vitalcast.wiring import System, open_system

Hour = Annotated[str | None, typer.Option(
    "--hour", help="the cycle's UTC hour, e.g. 2026-11-21T03:00; default: the last full hour")]
OneShard = Annotated[str, typer.Option("--shard", help="which part of the patients, e.g. 1/4")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
ConfigFile = Annotated[Path | None, typer.Option(
    "--config", help="model configuration (JSON); default: every setting's own default")]

Figures = dict[str, Any]


@contextmanager
def open_here() -> Iterator[System]:
    """The system of the settings; without a database of theirs, the embedded one is started."""
    settings = load_settings()
    token_keys = settings.token_keys or load_keys(settings.home).token_key
    with database_server(settings) as url:
        yield open_system(settings.model_copy(update={
            "database_url": url, "token_keys": token_keys}))


def _cycle(hour: str | None) -> datetime:
    return parse_cycle(hour) if hour else last_full_hour(datetime.now(UTC))


def _config_text(file: Path | None) -> str:
    if file is None:
        return "{}"
    try:
        return file.read_text()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): name a JSON file") from error
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text in UTF-8: name a JSON file") from None


def _print(job: str, cycle: datetime, figures: Figures, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"job": job, "cycle": partition_key(cycle), **figures}))  # noqa: T201
        return
    console = Console(file=sys.stdout)
    table = Table(title=f"{job} {cycle:%Y-%m-%d %H:%M} UTC", show_header=False)
    for name, value in figures.items():
        if not isinstance(value, dict):
            table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    for name, value in figures.items():
        if isinstance(value, dict) and value:
            for fitting in _fitting(console, name, value):
                console.print(fitting)


def _fitting(console: Console, title: str, figures: dict[str, Any]) -> list[Table]:
    """One table, or one for each thing where that one is wider than the terminal."""
    table = _by_name(title, figures)
    unbound = console.options.update(max_width=10_000)
    if Measurement.get(console, unbound, table).maximum <= console.width:
        return [table]
    return [_by_name(name, own) for name, own in figures.items()]


def _by_name(title: str, figures: dict[str, Any]) -> Table:
    """Of each of several things its figures or its one count; nothing where nothing was counted."""
    if not all(isinstance(own, dict) for own in figures.values()):
        table = Table(title=title, show_header=False)
        for name, own in figures.items():
            table.add_row(name.replace("_", " "), _told(own))
        return table
    columns = list(dict.fromkeys(name for own in figures.values() for name in own))
    table = Table("", *(name.replace("_", " ") for name in columns), title=title)
    for name, own in figures.items():
        table.add_row(name, *(str(own.get(column, "")) for column in columns))
    return table


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {own}" for name, own in value.items())
    return "–" if value is None else str(value)


def run_job(job: str, hour: str | None, as_json: bool,
            call: Callable[[System, datetime], Figures]) -> None:
    """Run a job of an hour on the system of the settings, and print what it did."""
    cycle = _cycle(hour)
    with open_here() as system:
        _print(job, cycle, call(system, cycle), as_json)


def ingest(hour: Hour = None, shard: OneShard = "1/1", as_json: AsJson = False) -> None:
    """Fetch what the vendors have up to an hour. Example: vitalcast ingest --json"""
    from vitalcast.jobs.ingest import ingest as job

    run_job("ingest", hour, as_json, lambda system, cycle: job(system, cycle=cycle, shard=shard))


def train(hour: Hour = None, shard: OneShard = "1/1", config: ConfigFile = None,
          as_json: AsJson = False) -> None:
    """Fit every series whose training is due. Example: vitalcast train --config models.json"""
    from vitalcast.jobs.train import train as job

    text = _config_text(config)
    run_job("train", hour, as_json, lambda system, cycle: job(
        system, cycle=cycle, shard=shard, config_hash=use_config(system, text)))


def forecast(hour: Hour = None, shard: OneShard = "1/1", config: ConfigFile = None,
             as_json: AsJson = False) -> None:
    """Forecast and score from stored models, without fitting. Example: vitalcast forecast"""
    from vitalcast.jobs.forecast import forecast as job

    text = _config_text(config)
    run_job("forecast", hour, as_json, lambda system, cycle: job(
        system, cycle=cycle, shard=shard, config_hash=use_config(system, text)))


def evaluate(hour: Hour = None, shard: OneShard = "1/1", as_json: AsJson = False) -> None:
    """Score stored forecasts on what was observed since. Example: vitalcast evaluate --json"""
    from vitalcast.jobs.evaluate import evaluate as job

    run_job("evaluate", hour, as_json, lambda system, cycle: job(system, cycle=cycle, shard=shard))


def retain(hour: Hour = None, as_json: AsJson = False) -> None:
    """Delete what is past its days (docs/settings.md). Example: vitalcast retain --json"""
    from vitalcast.jobs.retain import retain as job

    run_job("retain", hour, as_json, lambda system, cycle: job(system, cycle=cycle))


def watch(
    hour: Hour = None, shard: OneShard = "1/1", config: ConfigFile = None,
    everyone: Annotated[bool, typer.Option(
        "--all", help="look at all patients, not only at those whose turn it is")] = False,
    as_json: AsJson = False,
) -> None:
    """Look which series have drifted from their models. Example: vitalcast watch --all --json"""
    from vitalcast.jobs.watch import watch as job

    text = _config_text(config)
    run_job("watch", hour, as_json, lambda system, cycle: job(
        system, cycle=cycle, shard=shard, config_hash=use_config(system, text),
        everyone=everyone))


def rollup(
    hour: Hour = None,
    again_days: Annotated[int, typer.Option(
        "--again-days", min=0, max=3660, help="count the cycles of so many days once more")] = 0,
    as_json: AsJson = False,
) -> None:
    """Count a cycle for the boards and the bi_ views. Example: vitalcast rollup --again-days 60"""
    from vitalcast.jobs.rollup import rollup as job

    run_job("rollup", hour, as_json, lambda system, cycle: job(
        system, cycle=cycle, again_days=again_days))


def migrate(as_json: AsJson = False) -> None:
    """Make or update the tables; safe to run again. Example: vitalcast migrate"""
    from registry.migrate import current
    from registry.migrate import migrate as upgrade

    with database_server(load_settings(), migrated=False) as url:
        was = current(url)
        version = upgrade(url)
    if as_json:
        print(json.dumps({"version": version, "was": was}))  # noqa: T201
    else:
        Console().print(f"database is at version {version}, was at {was or 'none'}")


def config(
    file: Annotated[Path | None, typer.Argument(help="a configuration to check (JSON)")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="print its JSON Schema")] = False,
) -> None:
    """Check a model configuration and print it in full. Example: vitalcast config models.json

    The printed JSON is what Airflow's Variable `vitalcast_model_config` takes.
    """
    shown = ModelConfig.model_json_schema() if schema else json.loads(
        parse_config(_config_text(file)).text())
    print(json.dumps(shown, indent=2))  # noqa: T201


