"""`vitalcast dashboards check | plan | apply | draw | role | views`."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dashboards.alerts import RULES
from dashboards.boards import BOARDS
from dashboards.check import (
    Checked,
    check_board,
    check_rules,
    panel_answers,
    refuse_empty,
    refuse_faults,
)
from dashboards.draw import board_svg
from dashboards.errors import DashboardError
from dashboards.grafana import open_grafana
from dashboards.provision import Action, Change, Wanted
from dashboards.provision import apply as bring
from dashboards.provision import plan as compare
from dashboards.sources import sources
from dashboards.views_page import views_page
from registry.database import Engine, open_engine
from registry.readers import describe_views, make_reader
from vitalcast.errors import UserError
from vitalcast.local_database import database_server
from vitalcast.settings import Settings, load_settings

dashboards = typer.Typer(no_args_is_help=True,
                         help="Grafana boards and alert rules, and who reads the database.")

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
Days = Annotated[float, typer.Option("--days", min=0.1, max=3660, help="days to look at")]
Until = Annotated[datetime | None, typer.Option("--until", help="UTC; default: now")]
Overwrite = Annotated[list[str] | None, typer.Option(
    "--overwrite", help="uid of a board or rule that was edited by hand and is to go")]

LEAST_PASSWORD = 16


def add_to(app: typer.Typer) -> None:
    """The entry point: add every command of this room to `app`."""
    app.add_typer(dashboards, name="dashboards")


@dashboards.command()
def check(
    days: Days = 7, until: Until = None,
    require_rows: Annotated[bool, typer.Option(
        "--require-rows", help="fail where a query of a board finds none; rules may")] = False,
    as_json: AsJson = False,
) -> None:
    """Run every query of boards and rules on the database, as their reader; tell their rows.

    Exits with 2 when one fails or answers with other columns than it declares.

    Example: vitalcast dashboards check --days 30 --require-rows
    """
    with _engine(load_settings()) as engine:
        found = _checked(engine, days, until)
    if as_json:
        typer.echo(json.dumps({"queries": [asdict(one) for one in found]}))
    else:
        Console(file=sys.stdout).print(_table(
            "queries", ("board", "query", "rows", "ms", "fault"),
            [(one.board, one.title, str(one.rows), f"{one.seconds * 1000:.0f}", one.fault)
             for one in found]))
    refuse_faults(found)
    if require_rows:
        refuse_empty(found)


@dashboards.command()
def plan(overwrite: Overwrite = None, as_json: AsJson = False) -> None:
    """Tell what `apply` would change in Grafana.

    Example: vitalcast dashboards plan --json
    """
    settings = load_settings()
    wanted = _wanted(settings)
    with open_grafana(settings.grafana_url, settings.grafana_token) as grafana:
        changes = compare(grafana, wanted, overwrite=overwrite or ())
    _print(changes, as_json)


@dashboards.command()
def apply(
    overwrite: Overwrite = None,
    passwords: Annotated[bool, typer.Option(
        "--passwords", help="send the data sources' passwords again, once one changed")] = False,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="check and compare, send nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every query, then bring boards, rules and data sources to Grafana.

    What is as it should be stays; what was edited by hand is told and stays too.

    Example: vitalcast dashboards apply --overwrite vitalcast-quality
    """
    settings = load_settings()
    wanted = _wanted(settings)
    with _engine(settings) as engine:
        refuse_faults(_checked(engine, 7, None))
    with open_grafana(settings.grafana_url, settings.grafana_token) as grafana:
        changes = compare(grafana, wanted, overwrite=overwrite or ())
        if not dry_run:
            bring(grafana, wanted, changes, passwords=passwords)
    _print(changes, as_json)


@dashboards.command()
def draw(
    out: Annotated[Path, typer.Argument(help="folder for one SVG a board")],
    days: Days = 7, until: Until = None,
    patient: Annotated[str, typer.Option(
        "--patient", help="whose board is drawn; default: the first")] = "",
    vital: Annotated[str, typer.Option("--vital", help="where a board shows one")] = "heart_rate",
) -> None:
    """Draw every board from its own queries, without Grafana.

    Example: vitalcast dashboards draw pictures --days 3
    """
    chosen = {"vital": [vital], **({"patient": [patient]} if patient else {})}
    since, end = _span(days, until)
    with _engine(load_settings()) as engine:
        for board in BOARDS:
            picked = {one.name: chosen[one.name] for one in board.variables
                      if not one.several and one.name in chosen}
            ahead = end + timedelta(hours=24) if board.until == "now+24h" else end
            answers = list(panel_answers(engine, board, since, ahead, picked))
            _write(out / f"{board.uid}.svg", board_svg(board, answers, since, ahead, picked))


@dashboards.command()
def role(
    login: Annotated[str, typer.Argument(help="name of the login to make or change")],
    patients: Annotated[bool, typer.Option(
        "--patients", help="may read the views that name patients")] = False,
    password_stdin: Annotated[bool, typer.Option(
        "--password-stdin", help="read the password from standard input")] = False,
) -> None:
    """Make a database login that reads the views bi_… and nothing else, and cannot write.

    Example: vitalcast dashboards role grafana --password-stdin < password
    """
    password = sys.stdin.readline().rstrip("\n") if password_stdin else str(typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True))
    if len(password) < LEAST_PASSWORD:
        raise UserError(f"the password needs at least {LEAST_PASSWORD} characters: nobody has to "
                        "remember it")
    with _engine(load_settings()) as engine:
        make_reader(engine, login, password, clinical=patients)
    typer.echo(f"{login} reads the views bi_…" + (", those of patients too" if patients else ""))


@dashboards.command()
def views() -> None:
    """Print what the views bi_… hold, as docs/bi-views.md.

    Example: vitalcast dashboards views > docs/bi-views.md
    """
    with _engine(load_settings()) as engine:
        typer.echo(views_page(describe_views(engine)), nl=False)


def _wanted(settings: Settings) -> Wanted:
    return Wanted(sources=sources(settings), runbook=settings.runbook_url)


def _checked(engine: Engine, days: float, until: datetime | None) -> list[Checked]:
    since, end = _span(days, until)
    return [*(one for board in BOARDS for one in check_board(engine, board, since, end)),
            *check_rules(engine, RULES, end)]


def _span(days: float, until: datetime | None) -> tuple[datetime, datetime]:
    end = (until or datetime.now(UTC)).replace(tzinfo=UTC)
    return end - timedelta(days=days), end


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    with database_server(settings) as url:
        engine = open_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DashboardError(f"{path} cannot be written ({error.strerror}): give another folder"
                             ) from None
    typer.echo(str(path))


def _print(changes: Sequence[Change], as_json: bool) -> None:
    told = [{"kind": one.kind, "uid": one.uid, "title": one.title, "action": one.action}
            for one in changes]
    if as_json:
        typer.echo(json.dumps({"changes": told}))
        return
    console = Console(file=sys.stdout)
    console.print(_table("Grafana", ("what", "uid", "title", "action"),
                         [tuple(map(str, one.values())) for one in told]))
    for one in changes:
        if one.action == Action.EDITED:
            console.print(f"{one.uid} was edited by hand and is left as it is: take the change "
                          f"into dashboards/, or give it up with --overwrite {one.uid}")


def _table(title: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Table:
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    return table
