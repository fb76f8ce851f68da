"""The API's commands: `vitalcast serve`, `vitalcast report` and `vitalcast user …`.

They join the command line by the entry points `vitalcast.commands`, each a function of the app.
"""

import ipaddress
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from api.app import from_environment
from api.pages import render
from api.pages.report import report_view
from api.settings import utc_now
from registry.people import ROLES, People
from registry.reading import open_reading
from registry.views import LOCAL
from vitalcast.errors import UserError
from vitalcast.local_database import database_server
from vitalcast.settings import load_settings

ALL = "all"

users = typer.Typer(no_args_is_help=True, help="Logins of the API and the doctor's pages.")

Patients = Annotated[str, typer.Option(
    "--patients", help="patient ids, comma-separated, or 'all' for those there are now")]
PasswordStdin = Annotated[bool, typer.Option(
    "--password-stdin", help="read the password from standard input instead of asking")]


def add_to(app: typer.Typer) -> None:
    """The entry point: add every command of this room to `app`."""
    app.command()(serve)
    app.command()(report)
    app.add_typer(users, name="user")


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    allow_remote: Annotated[bool, typer.Option(
        "--allow-remote", help="listen beyond this machine; put TLS in front")] = False,
) -> None:
    """Serve the API and the doctor's pages.

    Example: vitalcast serve --port 8000
    """
    if not allow_remote and not is_loopback(host):
        raise UserError(f"{host} can be reached from other machines: add --allow-remote if that "
                        "is meant, with TLS in front of it, or listen on 127.0.0.1")
    uvicorn.run(from_environment(), host=host, port=port, log_level="info")


def report(
    patient: Annotated[str, typer.Argument(help="patient id")],
    out: Annotated[Path, typer.Option("--out", help="file to write")],
) -> None:
    """Write a patient's report as one HTML file that opens without a network.

    Example: vitalcast report p03 --out p03.html
    """
    with _database() as url:
        reading = open_reading(url)
        try:
            view = report_view(reading, LOCAL, patient, utc_now())
        finally:
            reading.close()
    text = render.html("report.html", standalone=True, view=view, username=None)
    try:
        out.touch(mode=0o600)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}): give another --out") from None
    typer.echo(str(out))


@users.command("add")
def add_user(
    name: str,
    role: Annotated[str, typer.Option("--role", help=", ".join(ROLES))],
    patients: Patients = "",
    password_stdin: PasswordStdin = False,
) -> None:
    """Add a login; a doctor sees the patients named, nobody else's.

    Example: vitalcast user add miller --role doctor --patients p01,p02
    """
    if patients and role != "doctor":
        raise UserError("only doctors have patients in care: leave --patients out, or use "
                        "--role doctor")
    password = _password(password_stdin)
    with _people() as people:
        given = people.add_user(name, password, role, _listed(patients))
    typer.echo(f"{role} {name} added, {len(given)} patients in care")


@users.command("care")
def give_care(name: str, patients: Patients) -> None:
    """Put patients into a doctor's care.

    Example: vitalcast user care miller --patients all
    """
    with _people() as people:
        given = people.give_care(name, _listed(patients))
    typer.echo(f"{len(given)} patients in the care of {name}")


@users.command("password")
def change_password(name: str, password_stdin: PasswordStdin = False) -> None:
    """Give a login another password; its sessions end.

    Example: vitalcast user password miller
    """
    password = _password(password_stdin)
    with _people() as people:
        if not people.set_password(name, password):
            raise UserError(f"there is no login '{name}': add it with `vitalcast user add`")
    typer.echo(f"password of {name} changed")


@users.command("remove")
def remove_user(name: str) -> None:
    """End a login, its sessions too; what it entered about patients stays.

    Example: vitalcast user remove miller
    """
    with _people() as people:
        if not people.remove_user(name):
            raise UserError(f"there is no login '{name}': `vitalcast user list` shows them")
    typer.echo(f"{name} removed")


@users.command("list")
def list_users(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON list")] = False,
) -> None:
    """Every login, its role and how many patients it cares for.

    Example: vitalcast user list --json
    """
    with _people() as people:
        found = people.users()
    if as_json:
        typer.echo(json.dumps(found, default=datetime.isoformat))
        return
    for user in found:
        cares = f"  {user['patients']} patients in care" if user["role"] == "doctor" else ""
        typer.echo(f"{user['role']:9} {user['username']}{cares}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listed(patients: str) -> list[str] | None:
    return None if patients == ALL else [name.strip() for name in patients.split(",") if name]


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@contextmanager
def _database() -> Iterator[str]:
    with database_server(load_settings()) as url:
        yield url


@contextmanager
def _people() -> Iterator[People]:
    with _database() as url:
        people = People(url)
        try:
            yield people
        finally:
            people.close()
