"""`vitalcast patients add | list`: who is cared for, and which accounts of theirs are linked."""

import re
import sys
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from registry.connections import list_connections
from registry.database import transaction
from registry.patients import Patient, add_patient, load_patients, patient_ids, save_patients
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.errors import UserError
from vitalcast.wiring import System

_ID = re.compile(r"[^\s/]{1,100}")


patients = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Enrol patients, or list them with their links.")


@patients.command()
def add(
    ids: Annotated[list[str] | None, typer.Argument(help="ids of your own choice")] = None,
    born: Annotated[datetime | None, typer.Option(
        formats=["%Y-%m-%d"], help="birth date of the one patient, also of one who is there; "
        "NEWS2 is for those of 16 and older")] = None,
    as_json: AsJson = False,
) -> None:
    """Enrol patients. Adding one again changes nothing.

    Example: vitalcast patients add p-17 --born 1948-05-02
    """
    with open_here() as system:
        added = _add(system, ids or (), born.date() if born else None)
    typer.echo(orjson.dumps({"added": added}).decode() if as_json
               else f"{added} added, {len(set(ids or ())) - added} were there")


@patients.command("list")
def list_patients(
    link: Annotated[str, typer.Option(
        help="those with a link of this status, e.g. reauth_required")] = "",
    as_json: AsJson = False,
) -> None:
    """Every patient, and the vendors that are linked.

    Example: vitalcast patients list --link reauth_required
    """
    with open_here() as system:
        _show(_listed(system, link), as_json)


def _add(system: System, ids: Sequence[str], born: date | None) -> int:
    """How many of the patients are new; all of them are stored, or none."""
    if not ids:
        raise UserError("say whom: vitalcast patients add p-17")
    if wrong := [one for one in ids if not _ID.fullmatch(one)]:
        raise UserError(f"{wrong[0]!r} is no patient's id: write up to 100 characters without "
                        "spaces and slashes")
    if born and len(ids) > 1:
        raise UserError("a birth date is one patient's: add the others by themselves")
    with transaction(system.engine) as conn:
        known = load_patients(conn, ids)
        for one in ids:
            add_patient(conn, one)
        if born:
            save_patients(conn, [Patient(patient_id=ids[0], birth_date=born)])
    return len(set(ids) - known.keys())


def _listed(system: System, link: str) -> list[dict[str, Any]]:
    with transaction(system.engine) as conn:
        found = load_patients(conn, patient_ids(conn))
        links: dict[str, dict[str, str]] = {name: {} for name in found}
        for one in list_connections(conn, list(found)):
            links[one.patient_id][one.provider] = one.status
    return [{"patient_id": name, "birth_date": one.birth_date, "links": links[name]}
            for name, one in sorted(found.items()) if not link or link in links[name].values()]


def _show(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"patients": found}).decode())
        return
    table = Table("patient", "born", "links")
    for one in found:
        table.add_row(escape(one["patient_id"]), str(one["birth_date"] or "–"), ", ".join(
            f"{provider} {status}" for provider, status in one["links"].items()) or "–")
    Console(file=sys.stdout).print(table)
