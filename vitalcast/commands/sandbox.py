"""`vitalcast sandbox faults | arm | mend | ping`: what the sandbox vendors do on request."""

from enum import StrEnum
from typing import Annotated

import orjson
import typer

from vitalcast.commands.cycle import AsJson
from vitalcast.errors import UserError
from vitalcast.settings import load_settings


class Action(StrEnum):
    """What can be done."""

    FAULTS = "faults"
    ARM = "arm"
    MEND = "mend"
    PING = "ping"


def sandbox(
    action: Annotated[Action, typer.Argument(
        help="faults: those active; arm: one more; mend: remove one or all; ping: send a webhook")],
    kind: Annotated[str | None, typer.Argument(
        help="arm: its name in docs/sandbox.md; ping: the vendor")] = None,
    who: Annotated[str | None, typer.Argument(help="ping: the patient")] = None,
    at: Annotated[str, typer.Option(
        help="the sandbox's address; default: VITALCAST_SANDBOX_URL")] = "",
    provider: Annotated[str | None, typer.Option(help="arm: this vendor alone")] = None,
    patient: Annotated[str | None, typer.Option(help="arm: this patient alone")] = None,
    resource: Annotated[str | None, typer.Option(
        help="arm: requests whose vendor's own path begins so, e.g. /v2/sleep")] = None,
    times: Annotated[int | None, typer.Option(
        help="arm: so many requests; default: until mended")] = None,
    after: Annotated[int | None, typer.Option(
        help="arm: so many requests pass first; default: none")] = None,
    seconds: Annotated[float | None, typer.Option(
        help="arm: how long a hang or a delay lasts, or how far a clock is ahead")] = None,
    retry_after: Annotated[int | None, typer.Option(help="arm: of http_429")] = None,
    fault: Annotated[int | None, typer.Option(help="mend: this one alone")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the sandbox vendors fail on purpose, or send webhooks, to see what the system makes of
    it.

    Examples: vitalcast sandbox arm http_429 --at http://127.0.0.1:8099 --provider oura --times 2;
    vitalcast sandbox ping withings demo-01 --at http://127.0.0.1:8099
    """
    from vitalcast.sandbox_admin import arm, disarm

    root = (at or load_settings().sandbox_url).rstrip("/")
    if not root:
        raise UserError("which sandbox? Give --at http://127.0.0.1:PORT, or set "
                        "VITALCAST_SANDBOX_URL")
    if action is Action.MEND:
        _print({"removed": disarm(root, fault)}, as_json)
        return
    if action is Action.PING:
        _ping(root, kind, who, as_json)
        return
    if action is Action.ARM:
        if kind is None:
            raise UserError("name the fault: vitalcast sandbox arm http_500; docs/sandbox.md lists "
                            "them all")
        arm(root, kind, provider=provider, subject_id=patient, resource=resource, times=times,
            after=after, seconds=seconds, retry_after=retry_after)
    _active(root, as_json)


def _ping(root: str, vendor: str | None, patient: str | None, as_json: bool) -> None:
    from vitalcast.sandbox_admin import ping

    if vendor is None or patient is None:
        raise UserError("say whose vendor tells: vitalcast sandbox ping withings PATIENT")
    _print({"answers": ping(root, vendor, patient)}, as_json)


def _active(root: str, as_json: bool) -> None:
    from vitalcast.sandbox_admin import armed

    active = armed(root)
    if as_json:
        typer.echo(orjson.dumps(active).decode())
        return
    for one in active:
        _print(one, as_json=False)


def _print(told: dict[str, object], as_json: bool) -> None:
    typer.echo(orjson.dumps(told).decode() if as_json else ", ".join(
        f"{name.replace('_', ' ')}: {value}" for name, value in told.items()))
