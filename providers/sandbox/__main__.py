"""`python -m providers.sandbox`: start the sandbox from the command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from providers.observation import Provider
from providers.sandbox import SandboxError
from providers.sandbox.cohort import cohort
from providers.sandbox.replay import replay
from providers.sandbox.server import HOST, create_app, serve
from providers.sandbox.world import (
    ACCESS_LIFETIME_S,
    RateLimit,
    SandboxSettings,
    World,
    epoch,
)

_EXAMPLE = """\
example:
  python -m providers.sandbox --port 8099 --seed 7 --now 2026-11-21T06:00:00Z
  curl -X POST http://127.0.0.1:8099/sandbox/clock -H 'content-type: application/json' \\
       -d '{"now": "2026-11-21T07:00:00Z"}'
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    known = SandboxSettings()
    options = argparse.ArgumentParser(
        prog="python -m providers.sandbox", epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A loopback server that speaks the APIs of Withings, Google Health and Oura.")
    add = options.add_argument
    add("--host", type=_host, default=HOST, help=f"only {HOST} is allowed (default)")
    add("--port", type=int, default=0, help="port; 0, the default, takes a free one")
    add("--port-file", type=Path, help="write the port to this file when listening")
    add("--data", type=Path, metavar="DIR",
        help="replay readings.parquet and subjects.csv of this folder; default: generated cohort")
    add("--seed", type=int, default=7, help="seed of the generated cohort (default 7)")
    add("--now", type=_moment, metavar="ISO",
        help="the clock, UTC; default: the machine's last full hour, when first needed")
    add("--anchor", type=_moment, metavar="ISO",
        help="where the histories end; default: the first time the clock was set to")
    add("--state", type=Path, metavar="FILE",
        help="keep the anchor and the tokens in this file, so that a restart goes on")
    add("--client-id", default=known.client_id, help=f"default {known.client_id}")
    add("--client-secret", default=known.client_secret, help=f"default {known.client_secret}")
    add("--rate-limit", type=_limit, action="append", default=[], metavar="VENDOR=N/SECONDS",
        help="refuse more requests than this, such as withings=120/60; default: no limit")
    add("--access-lifetime", type=int, metavar="SECONDS",
        help="lifetime of access tokens; default: the vendor's own")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted; exit code 2 when told something impossible."""
    options = parser().parse_args(argv)
    try:
        source = replay(options.data) if options.data else cohort(options.seed)
        world = World(source, now=options.now, anchor=options.anchor, state=options.state,
                      settings=_settings(options))
        serve(create_app(world), port=options.port, port_file=options.port_file)
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


def _settings(options: argparse.Namespace) -> SandboxSettings:
    lifetimes = ACCESS_LIFETIME_S if options.access_lifetime is None else dict.fromkeys(
        Provider, options.access_lifetime)
    return SandboxSettings(client_id=options.client_id, client_secret=options.client_secret,
                           access_lifetime_s=lifetimes, rate_limits=dict(options.rate_limit))


def _host(text: str) -> str:
    if text not in (HOST, "localhost"):
        raise argparse.ArgumentTypeError(
            f"{text} is refused: the sandbox knows no real authentication and binds {HOST} only")
    return HOST


def _moment(text: str) -> int:
    try:
        return epoch(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _limit(text: str) -> tuple[Provider, RateLimit]:
    try:
        vendor, _, limit = text.partition("=")
        requests, _, seconds = limit.partition("/")
        return Provider(vendor), RateLimit(requests=int(requests), seconds=float(seconds))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text} is not VENDOR=N/SECONDS, such as withings=120/60") from error


if __name__ == "__main__":
    sys.exit(main())
