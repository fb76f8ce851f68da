"""`vitalcast events tail | search | deliver | setup | status`: what happened, with or without
Elasticsearch."""

import re
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from enum import StrEnum
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
from vitalcast.commands.cycle import open_here
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


class Action(StrEnum):
    """What can be done."""

    TAIL = "tail"
    SEARCH = "search"
    DELIVER = "deliver"
    SETUP = "setup"
    STATUS = "status"


def events(
    action: Annotated[Action, typer.Argument(
        help="tail: the newest; search: those that hold every word; deliver: send to "
             "Elasticsearch; setup: put its templates; status: how delivery stands")],
    words: Annotated[list[str] | None, typer.Argument(help="search: words, any case")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="tail: wait for more")] = False,
    kind: Annotated[list[str] | None, typer.Option(
        help="of this kind, such as job.failed, or all of job")] = None,
    level: Annotated[list[str] | None, typer.Option(help="info, warning or error")] = None,
    since: Annotated[str | None, typer.Option(
        help="30m, 2h, 7d ago, or a UTC time such as 2026-11-21T09:00")] = None,
    series: Annotated[str | None, typer.Option(
        help="of one series, as PATIENT:heart_rate; its hash is made here")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 50,
    once: Annotated[bool, typer.Option(
        "--once", help="deliver: now and once, whatever the breaker says")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="setup: print, put nothing")] = False,
    as_json: Annotated[bool, typer.Option(
        "--json", help="print JSON; tail and search: an object a line")] = False,
) -> None:
    """What happened: read it here, or deliver it to Elasticsearch. No event names a patient.

    Example: vitalcast events tail -f --kind job
    """
    if action is Action.SETUP:
        _set_up(dry_run)
        return
    if action is Action.SEARCH and not (words or series):
        raise UserError("say what to look for: vitalcast events search arima timeout")
    with open_here() as system:
        if action is Action.DELIVER:
            _deliver(system, once, as_json)
        elif action is Action.STATUS:
            _status(system, as_json)
        else:
            wanted = Wanted(
                kinds=tuple(kind or ()), severities=_levels(level), since=_moment(since),
                words=(*(words or ()), *_hash_of(system.engine, series)), limit=limit)
            _show(system.engine, wanted, follow, as_json)


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
            shown = figures(told)
            typer.echo(orjson.dumps(shown).decode() if as_json else ", ".join(
                f"{name.replace('_', ' ')}: {value}" for name, value in shown.items()
                if value is not None))
        if told.error is not None:
            Console(stderr=True).print(
                f"{told.error}; {told.waiting} events wait, none is lost", style="yellow",
                markup=False, highlight=False, soft_wrap=True)
        if once:
            raise typer.Exit(1 if told.error else 0)
        time.sleep(DELIVER_EVERY_S)


def _set_up(dry_run: bool) -> None:
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


def _status(system: System, as_json: bool) -> None:
    breaker = read_breaker(system.engine)
    told = {"waiting": waiting(system.engine), "failures": breaker.failures,
            "fault": breaker.fault, "retry_at": breaker.retry_at,
            "elasticsearch": bool(system.settings.elasticsearch_url)}
    typer.echo(orjson.dumps(told).decode() if as_json else ", ".join(
        f"{name.replace('_', ' ')}: {value}" for name, value in told.items() if value is not None))
