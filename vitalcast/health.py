"""Whether an installation is well: each figure judged, and what to do about it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.health import Health

LATE = timedelta(hours=2)
STALE = timedelta(hours=3)
"""As the alerts: docs/runbook.md, “The cycle is late”, “Boards are stale”."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line: `state` is ok, look (somebody should, nothing stands still) or wrong.

    todo  what to do; empty where it is ok
    """

    name: str
    state: str
    told: str
    todo: str = ""


def checks(health: Health, now: datetime, *, unknown_vendors: frozenset[str],
           delivering: bool) -> list[Check]:
    """Every check.

    unknown_vendors  those that this installation has no OAuth client of
    delivering       whether events go to Elasticsearch
    """
    return [
        Check(name="database", state="ok", told=f"PostgreSQL {health.server}, version "
              f"{health.revision}, {health.size_bytes / 2**20:,.0f} MiB"),
        Check(name="patients", state="ok" if health.patients else "look",
              told=f"{health.patients:,} enrolled, {sum(health.links.values()):,} active links",
              todo="" if health.patients else "vitalcast patients add ID"),
        *_cycles(health, now),
        _failed(health.failed),
        *_links(health, unknown_vendors),
        _count("quarantine", health.quarantined, "payloads were not understood",
               "vitalcast quarantine list"),
        Check(name="drift", state="ok", told=f"{health.drifting:,} changes of series stand; their "
              "structures are searched anew"),
        *([_delivery(health)] if delivering else []),
    ]


def worst(found: list[Check]) -> str:
    """The state of the whole."""
    return next((state for state in ("wrong", "look") if any(one.state == state for one in found)),
                "ok")


def _cycles(health: Health, now: datetime) -> Iterator[Check]:
    for name, newest, most, todo in (
            ("forecasts", health.forecast, LATE, "vitalcast explain latest"),
            ("boards", health.rolled, STALE, "vitalcast rollup")):
        if newest is None:
            yield Check(name=name, state="wrong" if health.patients else "ok", told="none yet",
                        todo="do the DAGs run? Look at Airflow" if health.patients else "")
            continue
        late = bool(health.patients) and now - newest > most
        yield Check(name=name, state="wrong" if late else "ok", todo=todo if late else "",
                    told=f"of {newest:%Y-%m-%d %H:%M} UTC, {_hours(now - newest)} ago")


def _failed(failed: Mapping[str, int]) -> Check:
    return Check(
        name="runs", state="wrong" if failed else "ok",
        told=f"failed in a day and not done since: {_listed(failed)}" if failed
        else "none failed in a day, or each was done since",
        todo="vitalcast events tail --level error --since 24h" if failed else "")


def _links(health: Health, unknown_vendors: frozenset[str]) -> Iterator[Check]:
    dead = health.to_reauthorise
    yield Check(name="consents", state="look" if dead else "ok",
                told=f"to be renewed: {_listed(dead)}" if dead else "none to be renewed",
                todo="they connect again: vitalcast patients list --link reauth_required"
                if dead else "")
    if asked := sorted(unknown_vendors & health.links.keys()):
        yield Check(name="vendors", state="wrong", told=f"no OAuth client of {', '.join(asked)}",
                    todo="set VITALCAST_CLIENTS")


def _delivery(health: Health) -> Check:
    fault = health.delivery_fault
    return Check(name="events", state="look" if fault else "ok",
                 told=f"Elasticsearch: {fault}; {health.events_waiting:,} wait" if fault
                 else f"Elasticsearch takes them; {health.events_waiting:,} wait",
                 todo="vitalcast events deliver --once" if fault else "")


def _count(name: str, count: int, what: str, todo: str) -> Check:
    return Check(name=name, state="look" if count else "ok", told=f"{count:,} {what}",
                 todo=todo if count else "")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _hours(age: timedelta) -> str:
    return f"{max(age, timedelta()) / timedelta(hours=1):.1f} h"
