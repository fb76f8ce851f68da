"""`vitalcast sandbox faults | arm | mend | ping`: what the sandbox vendors do on request."""

from typing import Annotated

import orjson
import typer

from vitalcast.commands.cycle import AsJson
from vitalcast.commands.telling import show
from vitalcast.errors import UserError
from vitalcast.settings import load_settings

sandbox = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="Make the sandbox vendors fail on purpose, or send webhooks, to see what the system makes "
         "of it.")

At = Annotated[str, typer.Option(
    help="the sandbox's address; default: VITALCAST_SANDBOX_URL")]


@sandbox.command()
def faults(at: At = "", as_json: AsJson = False) -> None:
    """The faults that are active.

    Example: vitalcast sandbox faults --at http://127.0.0.1:8099
    """
    _active(_root(at), as_json)


@sandbox.command()
def arm(
    kind: Annotated[str, typer.Argument(help="its name in docs/sandbox.md, e.g. http_500")],
    at: At = "",
    provider: Annotated[str | None, typer.Option(help="this vendor alone")] = None,
    patient: Annotated[str | None, typer.Option(help="this patient alone")] = None,
    resource: Annotated[str | None, typer.Option(
        help="requests whose vendor's own path begins so, e.g. /v2/sleep")] = None,
    times: Annotated[int | None, typer.Option(
        help="so many requests; default: until mended")] = None,
    after: Annotated[int | None, typer.Option(
        help="so many requests pass first; default: none")] = None,
    seconds: Annotated[float | None, typer.Option(
        help="how long a hang or a delay lasts, or how far a clock is ahead")] = None,
    retry_after: Annotated[int | None, typer.Option(help="of http_429")] = None,
    as_json: AsJson = False,
) -> None:
    """Arm one more fault.

    Example: vitalcast sandbox arm http_429 --at http://127.0.0.1:8099 --provider oura --times 2
    """
    from vitalcast.sandbox_admin import arm

    root = _root(at)
    arm(root, kind, provider=provider, subject_id=patient, resource=resource, times=times,
        after=after, seconds=seconds, retry_after=retry_after)
    _active(root, as_json)


@sandbox.command()
def mend(
    fault: Annotated[int | None, typer.Option(help="this one alone, by its number")] = None,
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Remove one fault, or all.

    Example: vitalcast sandbox mend --fault 2 --at http://127.0.0.1:8099
    """
    from vitalcast.sandbox_admin import disarm

    show({"removed": disarm(_root(at), fault)}, as_json)


@sandbox.command()
def ping(
    vendor: Annotated[str, typer.Argument(help="who tells, e.g. withings")],
    patient: Annotated[str, typer.Argument(help="of whom, e.g. demo-01")],
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Send a webhook.

    Example: vitalcast sandbox ping withings demo-01 --at http://127.0.0.1:8099
    """
    from vitalcast.sandbox_admin import ping

    show({"answers": ping(_root(at), vendor, patient)}, as_json)


def _root(at: str) -> str:
    root = (at or load_settings().sandbox_url).rstrip("/")
    if not root:
        raise UserError("which sandbox? Give --at http://127.0.0.1:PORT, or set "
                        "VITALCAST_SANDBOX_URL")
    return root


def _active(root: str, as_json: bool) -> None:
    from vitalcast.sandbox_admin import armed

    active = armed(root)
    if as_json:
        typer.echo(orjson.dumps(active).decode())
        return
    for one in active:
        show(one, as_json=False)
