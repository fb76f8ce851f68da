"""Ingest: for every connection, fetch each resource from where its last whole fetch ended.

Payload, observations, refusals, quarantine and ledger row are one transaction: a run that dies
anywhere asks again for the same window and ends with the same rows. A vendor's failure is a ledger
row, not an exception; the next cycle starts where the last whole fetch ended. Every run asks the
vendors anew, whatever an earlier one of the same process found. One fetch is stored while the next
one is on its way.
"""

import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from providers.fetching import Client, FetchRequest, FetchResult, Outcome, midnight
from providers.observation import Provider
from providers.signals import Signals
from providers.versions import PARSER_VERSIONS
from registry.connections import Connection, conclude, due_connections
from registry.coverage import save_signals
from registry.database import transaction
from registry.events import record
from registry.fetch_ledger import read_before, troubled_fetches
from registry.observations import Prepared, prepared, save_fetch
from registry.patients import patient_ids
from registry.quality import check_saved
from registry.quarantine import hold_fetch
from registry.runs import run
from vitalcast.cycle import Shard, parse_cycle
from vitalcast.jobs.happened import fetch_events, incomplete_counts
from vitalcast.memory import collector_paused
from vitalcast.storing import Storing
from vitalcast.wiring import System

Figures = dict[str, Any]


def ingest(system: System, *, cycle: str | datetime, shard: str) -> Figures:
    """Fetch this shard's patients up to `cycle`; figures: fetches by outcome, rows by fate.

    `incomplete` counts the fetches that were not complete, by vendor and reason.
    """
    hour = parse_cycle(cycle)
    system.breakers.clear()
    with run(system.engine, job="ingest", cycle=hour, shard=shard) as figures:
        figures.update(connections=0, inserted=0, revised=0, unchanged=0, refused=0, flagged=0,
                       signals_unknown=0, **{outcome.value: 0 for outcome in Outcome})
        with Storing(partial(_count, figures)) as storing:
            for connection in _connections(system, Shard.parse(shard), hour):
                figures["connections"] += 1
                with collector_paused():
                    _ingest_connection(system, connection, hour, storing)
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
            troubled = troubled_fetches(conn, patients, hour)
            record(conn, fetch_events(troubled))
        figures["incomplete"] = incomplete_counts(troubled)
    return dict(figures)


def _connections(system: System, shard: Shard, hour: datetime) -> list[Connection]:
    with transaction(system.engine) as conn:
        return due_connections(conn, shard.pick(patient_ids(conn)), hour)


def _count(figures: Figures, counts: Counter[str]) -> None:
    for name, count in counts.items():
        figures[name] += count


def _ingest_connection(system: System, connection: Connection, hour: datetime,
                       storing: Storing[Counter[str]]) -> None:
    client = system.client(connection)
    complete, told = False, False
    try:
        for resource in client.resources:
            fetched = _fetch(system, connection, client, resource, hour)
            storing.add(partial(_save, system, connection, hour, fetched))
            if fetched.result.status is not None:
                storing.finish()                # the link has it before anybody is asked again
                told = True
            complete = complete or fetched.result.outcome is Outcome.COMPLETE
        if complete:
            storing.add(partial(_keep_signals, system, connection, client.signals(hour)))
    finally:
        client.close()
    if complete and not told:
        with transaction(system.engine) as conn:
            conclude(conn, connection, "active")


def _keep_signals(system: System, connection: Connection, signals: Signals) -> Counter[str]:
    """Store what the vendor tells of syncs and wear; how much of it could not be had."""
    with transaction(system.engine) as conn:
        save_signals(conn, connection.connection_id, signals)
    return Counter(signals_unknown=len(signals.unknown))


def ingest_resource(
    system: System, connection: Connection, client: Client, resource: str, hour: datetime, *,
    since: datetime | None = None,
) -> tuple[str | None, Counter[str]]:
    """What the fetch says of the link's status, if anything, and its figures.

    With `since`, everything from then on is read, wherever the last whole fetch ended; such a
    fetch leaves no watermark, for it may have passed over what came before.
    """
    with collector_paused():
        fetched = _fetch(system, connection, client, resource, hour, since)
        return fetched.result.status, _save(system, connection, hour, fetched)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """What a fetch brought, from when on it was asked for, and how long that took."""

    result: FetchResult
    ready: Prepared
    start: datetime
    duration_s: float


def _fetch(system: System, connection: Connection, client: Client, resource: str, hour: datetime,
           since: datetime | None = None) -> _Fetched:
    start = midnight(hour - timedelta(days=system.settings.history_days))
    with transaction(system.engine) as conn:
        before = read_before(conn, connection.connection_id, resource, hour)
    if since is not None:
        start = max(start, since)
    request = FetchRequest(resource=resource, start=start, end=hour, synced=before.synced,
                           cursor=before.cursor if since is None else None)
    began = time.monotonic()
    result = client.fetch(request)
    if since is not None:
        result = replace(result, cursor_after=None)
    duration_s = time.monotonic() - began
    ready = prepared(result.pages, patient_id=connection.patient_id,
                     provider=Provider(connection.provider),
                     connection_id=connection.connection_id,
                     parser_version=_version(connection))
    return _Fetched(result=result, ready=ready, start=start, duration_s=duration_s)


def _version(connection: Connection) -> int:
    return PARSER_VERSIONS[Provider(connection.provider)]


def _save(system: System, connection: Connection, hour: datetime,
          fetched: _Fetched) -> Counter[str]:
    result = fetched.result
    with transaction(system.engine) as conn:
        saved = save_fetch(
            conn, fetched.ready, resource=result.resource, cycle=hour, window_start=fetched.start,
            result=result, duration_s=fetched.duration_s)
        hold_fetch(conn, result, connection_id=connection.connection_id, cycle=hour,
                   parser_version=_version(connection))
        if result.status is not None:
            conclude(conn, connection, result.status)
        flagged = check_saved(conn, saved.written).raised if saved.written else 0
    return Counter({
        result.outcome.value: 1, "inserted": saved.inserted, "revised": saved.revised,
        "unchanged": saved.unchanged, "refused": result.refused, "flagged": flagged})
