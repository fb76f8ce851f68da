"""`vitalcast webhooks process | link | subscribe`: what vendors send by themselves, by hand."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from providers.observation import Provider
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.errors import UserError

if TYPE_CHECKING:
    from vitalcast.jobs.subscribe import Line


class Action(StrEnum):
    """What can be done."""

    PROCESS = "process"
    LINK = "link"
    SUBSCRIBE = "subscribe"


def webhooks(
    action: Annotated[Action, typer.Argument(
        help="process: fetch and store what events tell; link: whose account it is that pushes; "
             "subscribe: have Oura and Withings tell, and go on telling")],
    provider: Annotated[Provider | None, typer.Argument(help="link: garmin or terra")] = None,
    account: Annotated[str | None, typer.Argument(help="link: the vendor's user id")] = None,
    patient: Annotated[str | None, typer.Option(help="link: the patient's id")] = None,
    again: Annotated[bool, typer.Option(
        "--again", help="process: those that were refused or failed, too")] = False,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="subscribe: tell what would be done")] = False,
    end: Annotated[bool, typer.Option("--end", help="subscribe: end ours instead")] = False,
    as_json: AsJson = False,
) -> None:
    """Process webhook events that wait, link an account of a vendor that pushes, or subscribe.

    Examples: vitalcast webhooks link garmin 3f1c9a --patient p-17;
    vitalcast webhooks subscribe --dry-run
    """
    from vitalcast.jobs.subscribe import subscribe, unsubscribe
    from vitalcast.jobs.webhooks import link_account, process_webhooks

    with open_here() as system:
        if action is Action.SUBSCRIBE:
            _subscriptions((unsubscribe if end else subscribe)(system, dry_run=dry_run), as_json)
            return
        if action is Action.PROCESS:
            _print(process_webhooks(system, again=again), as_json)
            return
        if provider is None or not account or not patient:
            raise UserError("say whose account it is: vitalcast webhooks link garmin ACCOUNT "
                            "--patient ID")
        _print({"connection": link_account(
            system, provider=provider, account=account, patient_id=patient)}, as_json)


def _print(told: dict[str, Any], as_json: bool) -> None:
    typer.echo(orjson.dumps(told).decode() if as_json else ", ".join(
        f"{name.replace('_', ' ')}: {value}" for name, value in told.items()))


def _subscriptions(lines: "Sequence[Line]", as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"subscriptions": [asdict(one) for one in lines]}).decode())
        return
    table = Table("vendor", "data", "change", "state", "accounts", "lapses", "told at")
    for one in lines:
        lapses = "" if one.expires_at is None else f"{one.expires_at:%Y-%m-%d %H:%M}"
        accounts = str(one.count) if one.provider is Provider.WITHINGS else "all"
        table.add_row(one.provider, one.data_type, one.event_type, one.state, accounts, lapses,
                      one.host)
    Console(file=sys.stdout).print(table)
