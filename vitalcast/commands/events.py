"""`vitalcast events tail | search | deliver | setup | status`: what happened, with or without
Elasticsearch."""

import re
import sys
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from registry.database import Engine, transaction
from registry.event_documents import StoredEvent, document, templates
from registry.event_log import read_breaker, waiting
from registry.event_reading import Wanted, newest_events
from registry.event_words import SEVERITIES
from registry.events import event_key, series_hash
from vitalcast.commands.cycle import AsJson, open_here
from vitalcast.commands.telling import show
from vitalcast.errors import UserError
from vitalcast.jobs.events import figures, open_elastic, try_delivery
from vitalcast.settings import load_settings
from vitalcast.wiring import System

POLL_S = 1.0
DELIVER_EVERY_S = 5.0
_LOOK_BACK = 200
"""Events this far behind the newest are looked at again: a long transaction's come late."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d{1,6})([mhd])")
_STYLES = {"error": "red", "warning": "yellow", "info": ""}


events = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    help="What happened: read it here, or deliver it to Elasticsearch. No event names a patient.")

Kinds = Annotated[list[str] | None, typer.Option(
    "--kind", help="of this kind, such as job.failed, or all of job")]
Levels = Annotated[list[str] | None, typer.Option("--level", help="info, warning or error")]
Since = Annotated[str | None, typer.Option(
    help="30m, 2h, 7d ago, or a UTC time such as 2026-11-21T09:00")]
Series = Annotated[str | None, typer.Option(
    help="of one series, as PATIENT:heart_rate; its hash is made here")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)]
AsLines = Annotated[bool, typer.Option("--json", help="print a JSON object a line")]


@events.command()
def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="wait for more")] = False,
    kind: Kinds = None, level: Levels = None, since: Since = None, series: Series = None,
    limit: Limit = 50, as_json: AsLines = False,
) -> None:
    """The newest events.

    Example: vitalcast events tail -f --kind job
    """
    with open_here() as system:
        _show(system.engine, _wanted(system, (), kind, level, since, series, limit), follow,
              as_json)


@events.command()
def search(
    words: Annotated[list[str] | None, typer.Argument(help="words, any case")] = None,
    kind: Kinds = None, level: Levels = None, since: Since = None, series: Series = None,
    limit: Limit = 50, as_json: AsLines = False,
) -> None:
    """Events that hold every word.

    Example: vitalcast events search arima timeout --since 7d
    """
    if not (words or series):
        raise UserError("say what to look for: vitalcast events search arima timeout")
    with open_here() as system:
        _show(system.engine, _wanted(system, words or (), kind, level, since, series, limit),
              False, as_json)


@events.command()
def deliver(
    once: Annotated[bool, typer.Option(
        "--once", help="now and once, whatever the breaker says")] = False,
    as_json: AsJson = False,
) -> None:
    """Send events to Elasticsearch, until interrupted.

    Example: vitalcast events deliver --once
    """
    with open_here() as system:
        _deliver(system, once, as_json)


@events.command()
def setup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print, put nothing")] = False,
) -> None:
    """Put the templates, the lifecycle and the data stream in Elasticsearch.

    Example: vitalcast events setup --dry-run
    """
    settings = load_settings()
    if dry_run:
        typer.echo(orjson.dumps(templates(settings.event_days), option=orjson.OPT_INDENT_2))
        return
    elastic = open_elastic(settings)
    try:
        version = elastic.check()
        elastic.set_up(settings.event_days)
        typer.echo(f"templates, lifecycle and data stream are put at {elastic.place} ({version})")
    finally:
        elastic.close()


@events.command()
def status(as_json: AsJson = False) -> None:
    """How the delivery to Elasticsearch stands.

    Example: vitalcast events status --json
    """
    with open_here() as system:
        breaker = read_breaker(system.engine)
        show({"waiting": waiting(system.engine), "failures": breaker.failures,
              "fault": breaker.fault, "retry_at": breaker.retry_at,
              "elasticsearch": bool(system.settings.elasticsearch_url)}, as_json)


def _wanted(system: System, words: Sequence[str], kind: list[str] | None, level: list[str] | None,
            since: str | None, series: str | None, limit: int) -> Wanted:
    return Wanted(kinds=tuple(kind or ()), severities=_levels(level), since=_moment(since),
                  words=(*words, *_hash_of(system.engine, series)), limit=limit)


def _levels(given: list[str] | None) -> tuple[str, ...]:
    if unknown := set(given or ()) - set(SEVERITIES):
        raise UserError(f"--level {min(unknown)}: there are {', '.join(SEVERITIES)}")
    return tuple(given or ())


def _moment(given: str | None) -> datetime | None:
    """A time, or an age before now."""
    if given is None:
        return None
    age = _AGE.fullmatch(given)
    if age:
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UserError(f"--since {given}: write 30m, 2h, 7d or 2026-11-21T09:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _hash_of(engine: Engine, series: str | None) -> tuple[str, ...]:
    if series is None:
        return ()
    patient, colon, vital = series.rpartition(":")
    if not colon:
        raise UserError("--series: write PATIENT:heart_rate")
    with transaction(engine) as conn:
        return (series_hash(event_key(conn), patient, vital),)


def _show(engine: Engine, wanted: Wanted, follow: bool, as_json: bool) -> None:
    console, seen = Console(file=sys.stdout), deque[int](maxlen=10 * _LOOK_BACK)
    newest = 0
    while True:
        for event in newest_events(engine, wanted):
            if event.number not in seen:
                seen.append(event.number)
                newest = max(newest, event.number)
                _print(console, event, as_json)
        if not follow:
            return
        wanted = Wanted(kinds=wanted.kinds, severities=wanted.severities, words=wanted.words,
                        since=wanted.since, after=max(0, newest - _LOOK_BACK), limit=10_000)
        time.sleep(POLL_S)


def _print(console: Console, event: StoredEvent, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(document(event)).decode())
        return
    line = Text(f"{event.recorded_at:%Y-%m-%d %H:%M:%S} {event.severity:<7} {event.kind:<16} ",
                style=_STYLES[event.severity])
    cycle = f"{event.cycle:%Y-%m-%dT%H} " if event.cycle else ""
    line.append(cycle + event.message + _more(event), style="default")
    console.print(line, soft_wrap=True)


def _more(event: StoredEvent) -> str:
    told = [f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {_plain(value)}"
            for name, value in event.data.items()]
    if event.exception:
        told.append(f"{event.exception} {event.fingerprint}")
    if event.series_hash:
        told.append(f"series {event.series_hash}")
    return f" ({', '.join(told)})" if told else ""


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(value)[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def _deliver(system: System, once: bool, as_json: bool) -> None:
    """Once, or until it is interrupted."""
    while True:
        told = try_delivery(system, force=once)
        if told.delivered or told.refused or once:
            show(figures(told), as_json)
        if told.error is not None:
            Console(stderr=True).print(
                f"{told.error}; {told.waiting} events wait, none is lost", style="yellow",
                markup=False, highlight=False, soft_wrap=True)
        if once:
            raise typer.Exit(1 if told.error else 0)
        time.sleep(DELIVER_EVERY_S)
