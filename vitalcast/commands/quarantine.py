"""`vitalcast quarantine list | show | replay | dismiss`: payloads that were not understood."""

import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding

from providers.observation import Provider
from registry.database import transaction
from registry.file_imports import MOST_RAW_BYTES
from registry.quarantine import HELD, OF_WEIGHT, RECORDS, Entry, entries, groups
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.commands.telling import show
from vitalcast.errors import UserError
from vitalcast.wiring import System

MOST = 1000
"""Entries that are listed; --summary tells of all."""

STATUSES = ("held", "replayed", "dismissed")

_TOO_LARGE = f"a file larger than {MOST_RAW_BYTES >> 20} MB; import it again"


quarantine = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Payloads that were not understood: see them, read them again after a fix, or let them "
         "go. Nothing shown names a patient or holds a reading, but with show --raw.")

Ids = Annotated[list[str] | None, typer.Argument(help="ids of entries, or how they begin")]
OfVendor = Annotated[Provider | None, typer.Option(
    "--provider", help="entries of this vendor alone")]
By = Annotated[str, typer.Option(
    help="who decides, kept with the entry; default: the login name")]


@quarantine.command("list")
def list_entries(
    provider: OfVendor = None,
    since: Annotated[datetime | None, typer.Option(
        help="seen in a cycle from then on, UTC, e.g. 2026-11-20")] = None,
    refused: Annotated[bool, typer.Option(
        "--refused", help="also payloads of which only single records were refused")] = False,
    every: Annotated[bool, typer.Option(
        "--all", help="replayed and dismissed ones, too")] = False,
    summary: Annotated[bool, typer.Option(
        "--summary", help="how many payloads and links by resource and reason")] = False,
    as_json: AsJson = False,
) -> None:
    """Payloads that are held.

    Example: vitalcast quarantine list --summary
    """
    if summary and (refused or every):
        raise UserError("--summary counts what is held: leave out --refused and --all")
    with open_here() as system:
        if summary:
            _groups(system, provider, _utc(since), as_json)
        else:
            _list(_found(system, provider, _utc(since), refused=refused, every=every), as_json)


@quarantine.command("show")
def show_entry(
    entry: Annotated[str, typer.Argument(help="its id, or how it begins")],
    raw: Annotated[bool, typer.Option(
        "--raw", help="the payload itself, which is patient data")] = False,
    as_json: AsJson = False,
) -> None:
    """One entry, without readings.

    Example: vitalcast quarantine show 3fa9
    """
    from vitalcast.jobs.quarantine import raw_body
    from vitalcast.jobs.quarantine import show as shown

    with open_here() as system:
        if raw:
            Console(stderr=True).print("this is patient data: do not pass it on", style="red")
            sys.stdout.buffer.write(raw_body(system, entry))
        else:
            _show(asdict(shown(system, entry)), as_json)


@quarantine.command()
def replay(
    ids: Ids = None, provider: OfVendor = None,
    every: Annotated[bool, typer.Option("--all", help="everything held")] = False,
    by: By = "",
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="say what would come of it, change nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Read entries again with today's parser.

    Example: vitalcast quarantine replay --provider oura --dry-run
    """
    from vitalcast.jobs.quarantine import replay

    if not (ids or every or provider):
        raise UserError("say what to read again: ids, --provider oura, or --all")
    with open_here() as system:
        told = replay(system, ids=ids or [], provider=provider, by=by or getpass.getuser(),
                      dry_run=dry_run)
    show(told, as_json)
    _limits(told, dry_run=dry_run)


@quarantine.command()
def dismiss(
    ids: Ids = None,
    why: Annotated[str, typer.Option(help="the reason, kept with the entry")] = "",
    by: By = "", as_json: AsJson = False,
) -> None:
    """Let entries go.

    Example: vitalcast quarantine dismiss 3fa9 --why 'a test account'
    """
    from vitalcast.jobs.quarantine import dismiss_entries

    if not ids:
        raise UserError("say which: vitalcast quarantine dismiss ID --why '…'")
    with open_here() as system:
        show({"dismissed": dismiss_entries(
            system, ids, by=by or getpass.getuser(), why=why)}, as_json)


def _found(system: System, provider: Provider | None, since: datetime | None, *, refused: bool,
           every: bool) -> list[Entry]:
    kinds = (*OF_WEIGHT, *((RECORDS,) if refused else ()))
    with transaction(system.engine) as conn:
        return entries(conn, provider=provider, since=since, kinds=kinds,
                       statuses=STATUSES if every else HELD, most=MOST)


def _utc(moment: datetime | None) -> datetime | None:
    return moment and (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def _groups(system: System, provider: Provider | None, since: datetime | None,
            as_json: bool) -> None:
    with transaction(system.engine) as conn:
        found = groups(conn, provider=provider, since=since)
    if as_json:
        show({"groups": found}, as_json)
        return
    typer.echo(f"held, by reason: {len(found)}, each with the id of one payload")
    for one in found:
        _entry(one.latest, f"{one.provider} {one.resource}, {one.kind}: {one.payloads} payloads of "
               f"{one.connections} links", f"cycles {_hour(one.first_cycle)} to "
               f"{_hour(one.last_cycle)}", one.reason)


def _list(found: list[Entry], as_json: bool) -> None:
    if as_json:
        show({"entries": found}, as_json)
        return
    typer.echo(f"payloads: {f'the latest {MOST}' if len(found) == MOST else len(found)}")
    for one in found:
        _entry(one.entry_id, f"{one.provider} {one.resource}, {one.kind}: {one.records} records",
               f"{one.status}, seen in {one.cycles} cycles, last {_hour(one.last_cycle)}",
               one.reason)


def _entry(entry_id: str, *lines: str | None) -> None:
    """A block of lines: ids and reasons are too long for columns of a terminal."""
    console = Console(file=sys.stdout, markup=False, highlight=False)
    console.print(f"\n{entry_id}")
    for line in filter(None, lines):
        console.print(Padding(line, (0, 0, 0, 2)))


def _hour(cycle: datetime) -> str:
    return f"{cycle:%Y-%m-%d %H:%M}"


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(told, as_json)
        return
    console = Console(file=sys.stdout, soft_wrap=True, markup=False, highlight=False)
    for name, value in told["entry"].items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {value}")
    for record, reason in told["refused"]:
        console.print(f"refused: {record}, {reason}")
    console.print(f"{told['size']} bytes, {'not JSON' if told['shape'] is None else 'JSON:'}"
                  if told["size"] else f"not kept: {_TOO_LARGE}")
    for path, kinds in (told["shape"] or {}).items():
        console.print(f"  {path}  " + ", ".join(f"{kind} x {n}" for kind, n in kinds.items()))


def _limits(told: dict[str, Any], *, dry_run: bool) -> None:
    """Say what a replay could not do, beside the figures."""
    if told["not_kept"]:
        typer.echo(f"not kept: {_TOO_LARGE}", err=True)
    if dry_run and told["events"]:
        typer.echo("events: a dry run does not try webhook events; a replay processes them at once",
                   err=True)
