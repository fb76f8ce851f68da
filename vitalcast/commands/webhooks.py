"""`vitalcast webhooks process | link | subscribe`: what vendors send by themselves, by hand."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from providers.observation import Provider
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.commands.telling import show

if TYPE_CHECKING:
    from vitalcast.jobs.subscribe import Line

webhooks = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Process webhook events that wait, link an account of a vendor that pushes, or subscribe.")


@webhooks.command()
def process(
    again: Annotated[bool, typer.Option(
        "--again", help="those that were refused or failed, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch and store what events tell.

    Example: vitalcast webhooks process --again
    """
    from vitalcast.jobs.webhooks import process_webhooks

    with open_here() as system:
        show(process_webhooks(system, again=again), as_json)


@webhooks.command()
def link(
    provider: Annotated[Provider, typer.Argument(help="garmin or terra")],
    account: Annotated[str, typer.Argument(help="the vendor's user id")],
    patient: Annotated[str, typer.Option(help="the patient's id")],
    as_json: AsJson = False,
) -> None:
    """Say whose account it is that pushes.

    Example: vitalcast webhooks link garmin 3f1c9a --patient p-17
    """
    from vitalcast.jobs.webhooks import link_account

    with open_here() as system:
        show({"connection": link_account(
            system, provider=provider, account=account, patient_id=patient)}, as_json)


@webhooks.command()
def subscribe(
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="tell what would be done")] = False,
    end: Annotated[bool, typer.Option("--end", help="end ours instead")] = False,
    as_json: AsJson = False,
) -> None:
    """Have Oura and Withings tell, and go on telling.

    Example: vitalcast webhooks subscribe --dry-run
    """
    from vitalcast.jobs.subscribe import subscribe, unsubscribe

    with open_here() as system:
        _subscriptions((unsubscribe if end else subscribe)(system, dry_run=dry_run), as_json)


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
