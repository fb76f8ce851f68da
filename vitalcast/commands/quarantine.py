"""`vitalcast quarantine list | show | replay | dismiss`: payloads that were not understood."""

import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Column, Table

from providers.observation import Provider
from registry.database import transaction
from registry.file_imports import MOST_RAW_BYTES
from registry.quarantine import HELD, OF_WEIGHT, RECORDS, Entry, entries, groups
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.errors import UserError
from vitalcast.wiring import System

MOST = 1000
"""Entries that are listed; --summary tells of all."""

STATUSES = ("held", "replayed", "dismissed")

_TOO_LARGE = f"a file larger than {MOST_RAW_BYTES >> 20} MB; import it again"


class Action(StrEnum):
    """What can be done."""

    LIST = "list"
    SHOW = "show"
    REPLAY = "replay"
    DISMISS = "dismiss"


def quarantine(
    action: Annotated[Action, typer.Argument(
        help="list: what is held; show: one entry, without readings; replay: read it again with "
             "today's parser; dismiss: let it go")],
    ids: Annotated[list[str] | None, typer.Argument(
        help="ids of entries, or how they begin")] = None,
    provider: Annotated[Provider | None, typer.Option(
        help="list, replay: entries of this vendor alone")] = None,
    since: Annotated[datetime | None, typer.Option(
        help="list: seen in a cycle from then on, UTC, e.g. 2026-11-20")] = None,
    refused: Annotated[bool, typer.Option(
        "--refused", help="list: also payloads of which only single records were refused")] = False,
    every: Annotated[bool, typer.Option(
        "--all", help="list: replayed and dismissed ones, too; replay: everything held")] = False,
    summary: Annotated[bool, typer.Option(
        "--summary", help="list: how many payloads and links by resource and reason")] = False,
    raw: Annotated[bool, typer.Option(
        "--raw", help="show: the payload itself, which is patient data")] = False,
    why: Annotated[str, typer.Option(help="dismiss: the reason, kept with the entry")] = "",
    by: Annotated[str, typer.Option(
        help="who decides, kept with the entry; default: the login name")] = "",
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="replay: say what would come of it, change nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Payloads that were not understood: see them, read them again after a fix, or let them go.

    Nothing shown names a patient or holds a reading, but with --raw.

    Example: vitalcast quarantine replay --provider oura --dry-run
    """
    from vitalcast.jobs.quarantine import dismiss_entries, raw_body, replay, show

    given = ids or []
    with open_here() as system:
        if action is Action.LIST and summary:
            _groups(system, provider, _utc(since), as_json)
        elif action is Action.LIST:
            _list(_found(system, provider, _utc(since), refused=refused, every=every), as_json)
        elif action is Action.SHOW and raw:
            Console(stderr=True).print("this is patient data: do not pass it on", style="red")
            sys.stdout.buffer.write(raw_body(system, _only(given)))
        elif action is Action.SHOW:
            _show(asdict(show(system, _only(given))), as_json)
        elif action is Action.REPLAY:
            if not (given or every or provider):
                raise UserError("say what to read again: ids, --provider oura, or --all")
            told = replay(system, ids=given, provider=provider, by=by or getpass.getuser(),
                          dry_run=dry_run)
            _figures(told, as_json)
            _limits(told, dry_run=dry_run)
        else:
            if not given:
                raise UserError("say which: vitalcast quarantine dismiss ID --why '…'")
            _figures({"dismissed": dismiss_entries(
                system, given, by=by or getpass.getuser(), why=why)}, as_json)


def _only(ids: list[str]) -> str:
    if len(ids) != 1:
        raise UserError("name one entry: vitalcast quarantine show ID")
    return ids[0]


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
        _json({"groups": found})
        return
    table = Table(Column("one of them", no_wrap=True), "vendor", "resource", "kind", "payloads",
                  "links", "first cycle", "last cycle", "reason", title="held, by reason")
    for one in found:
        table.add_row(one.latest, one.provider, one.resource, one.kind, str(one.payloads),
                      str(one.connections), f"{one.first_cycle:%Y-%m-%d %H:%M}",
                      f"{one.last_cycle:%Y-%m-%d %H:%M}", one.reason)
    Console(file=sys.stdout).print(table)


def _list(found: list[Entry], as_json: bool) -> None:
    if as_json:
        _json({"entries": found})
        return
    table = Table(Column("id", no_wrap=True), "vendor", "resource", "kind", "records", "cycles",
                  "last cycle", "status", "reason",
                  title=f"the latest {MOST}" if len(found) == MOST else f"{len(found)} payloads")
    for one in found:
        table.add_row(one.entry_id, one.provider, one.resource, one.kind, str(one.records),
                      str(one.cycles), f"{one.last_cycle:%Y-%m-%d %H:%M}", one.status, one.reason)
    Console(file=sys.stdout).print(table)


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _json(told)
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


def _figures(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _json(told)
    else:
        typer.echo(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told.items()))


def _limits(told: dict[str, Any], *, dry_run: bool) -> None:
    """Say what a replay could not do, beside the figures."""
    if told["not_kept"]:
        typer.echo(f"not kept: {_TOO_LARGE}", err=True)
    if dry_run and told["events"]:
        typer.echo("events: a dry run does not try webhook events; a replay processes them at once",
                   err=True)


def _json(told: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(told).decode())
