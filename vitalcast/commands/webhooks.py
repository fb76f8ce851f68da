"""`vitalcast webhooks process | link`: what vendors sent by themselves, by hand."""

from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from providers.observation import Provider
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.errors import UserError


class Action(StrEnum):
    """What can be done."""

    PROCESS = "process"
    LINK = "link"


def webhooks(
    action: Annotated[Action, typer.Argument(
        help="process: fetch and store what events tell; link: whose account it is that pushes")],
    provider: Annotated[Provider | None, typer.Argument(help="link: garmin or terra")] = None,
    account: Annotated[str | None, typer.Argument(help="link: the vendor's user id")] = None,
    patient: Annotated[str | None, typer.Option(help="link: the patient's id")] = None,
    again: Annotated[bool, typer.Option(
        "--again", help="process: those that were refused or failed, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Process webhook events that wait, or link an account of a vendor that pushes.

    Example: vitalcast webhooks link garmin 3f1c9a --patient p-17
    """
    from vitalcast.jobs.webhooks import link_account, process_webhooks

    with open_here() as system:
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
