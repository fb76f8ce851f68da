"""What the tests of quarantine ask of an installation, and do to it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests
from sqlalchemy import text
from typer.testing import CliRunner

from providers.errors import SchemaError
from providers.fetching import FetchRequest, FetchResult, Outcome
from providers.observation import Parsed, Provider, Refusal
from registry.connections import Connection as Link
from registry.connections import due_connections
from registry.database import transaction
from registry.observations import prepared, save_fetch
from registry.quarantine import entries, hold_fetch
from tests.reference.cycles import CYCLE, HISTORY_DAYS, Installation
from vitalcast.cli import app
from vitalcast.jobs import quarantine as job

ALL = job.ALL_KINDS
STATUSES = ("held", "replayed", "dismissed")
READINGS = ("observations", "observation_revisions", "refusals")
PATIENT = "demo-07"                                      # an Oura ring
FEW = (PATIENT, "demo-01")
START = CYCLE.replace(hour=0) - timedelta(days=HISTORY_DAYS)


def fail(place: Installation, **fault: object) -> None:
    requests.post(f"{place.sandbox_url}/sandbox/faults", json=fault, timeout=20).raise_for_status()


def mend(place: Installation) -> None:
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20).raise_for_status()


def rows(place: Installation, query: str, **values: object) -> list[tuple[Any, ...]]:
    with transaction(place.system.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query), values)]


def held(place: Installation, **more: Any) -> list[Any]:
    with transaction(place.system.engine) as conn:
        return entries(conn, kinds=ALL, **more)


def readings(place: Installation, but: str = "") -> list[str]:
    """All that is stored of readings and refusals, whenever it was read, without one column."""
    passing = ["fetched_at", "replaced_at", but]
    return sorted(one for table in READINGS for (one,) in rows(
        place, f"SELECT CAST(to_jsonb(t) - CAST(:passing AS text[]) AS text) FROM {table} t",
        passing=passing))


def link_of(place: Installation, patient: str = PATIENT) -> Link:
    with transaction(place.system.engine) as conn:
        [link] = due_connections(conn, [patient], CYCLE)
    return link


def older(result: FetchResult) -> FetchResult:
    """What a parser would have made of it that did not know these pages."""
    problem = SchemaError("top-level key missing: data")
    pages = tuple(replace(page, problem=problem, withheld=(), parsed=Parsed(
        refused=(Refusal(record="page", reason=str(problem)),))) for page in result.pages)
    return replace(result, outcome=Outcome.FORMAT_DISCREPANCY, reason=f"schema: {problem}",
                   pages=pages, cursor_after=None)


def fetched(place: Installation, resource: str, hour: datetime = CYCLE) -> FetchResult:
    client = place.system.client(link_of(place))
    try:
        return client.fetch(FetchRequest(resource=resource, start=START, end=hour))
    finally:
        client.close()


def save(place: Installation, result: FetchResult, version: int, hour: datetime = CYCLE,
         patient: str = PATIENT) -> None:
    """As ingest does, with parse functions of some version."""
    link = link_of(place, patient)
    with transaction(place.system.engine) as conn:
        ready = prepared(result.pages, patient_id=link.patient_id,
                         provider=Provider(link.provider), connection_id=link.connection_id,
                         parser_version=version)
        save_fetch(conn, ready, resource=result.resource, cycle=hour, window_start=START,
                   result=result)
        hold_fetch(conn, result, connection_id=link.connection_id, cycle=hour,
                   parser_version=version)


def forget(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE observations, observation_revisions, raw_payloads, fetches "
                          "CASCADE"))


def command(place: Installation, *arguments: str) -> Any:
    """The command line's answer, on this installation."""
    given = place.system.settings
    result = CliRunner().invoke(app, ["quarantine", *arguments], env={
        "VITALCAST_DATABASE_URL": given.database_url, "VITALCAST_SECRET_KEY": given.secret_key,
        "VITALCAST_TOKEN_KEYS": given.token_keys, "USER": "op", "LOGNAME": "op"})
    assert result.exit_code == 0, result.output
    return result


# --- the vendor changes its schema ----------------------------------------------------------
