"""Events that only say that there is something: what they name is fetched, once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import text

from providers.observation import Provider
from registry.database import Engine, transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from tests.reference.inbox import add, fates, readings, rows
from vitalcast.jobs import webhooks
from vitalcast.jobs.webhooks import process_webhooks

NOW = CYCLE + timedelta(minutes=20)


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors() as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def account(place: Installation, provider: Provider) -> str:
    [(name,)] = rows(place.system, "SELECT provider_user_id FROM connections "
                                   f"WHERE provider = '{provider}'")
    return str(name)


def hints(place: Installation) -> dict[Provider, bytes]:
    """A hint of each vendor at its account here."""
    return {
        Provider.WITHINGS: f"userid={account(place, Provider.WITHINGS)}&appli=4".encode(),
        Provider.OURA: json.dumps({"user_id": account(place, Provider.OURA),
                                   "data_type": "sleep", "event_type": "create"}).encode(),
        Provider.GOOGLE_HEALTH: json.dumps({"data": {
            "healthUserId": account(place, Provider.GOOGLE_HEALTH), "dataType": "heart-rate",
            "intervals": [{"physicalTimeInterval": {
                "startTime": (CYCLE - timedelta(hours=2)).isoformat()}}]}}).encode()}


def fetched(place: Installation) -> list[tuple[Any, ...]]:
    return rows(place.system, "SELECT provider, resource, outcome, cursor_after IS NULL "
                              "FROM fetches JOIN connections USING (connection_id) ORDER BY 1, 2")


def test_a_hint_fetches_what_it_names_and_nothing_else(place: Installation) -> None:
    for provider, body in hints(place).items():
        add(place.system, provider, body, body + b" " if provider is Provider.OURA else body)
    figures = process_webhooks(place.system, now=NOW)
    assert (figures["events"], figures["done"], figures["fetches"]) == (4, 4, 3)
    assert fetched(place) == [
        ("google_health", "heart-rate", "complete", False), ("oura", "sleep", "complete", False),
        ("withings", "getmeas", "complete", False)]
    assert readings(place.system)


def test_a_hint_leaves_what_the_hourly_ingest_leaves(place: Installation) -> None:
    place.ingest()
    before = readings(place.system)
    for provider, body in hints(place).items():
        add(place.system, provider, body)
    figures = process_webhooks(place.system, now=NOW)
    assert (figures["fetches"], figures["inserted"], figures["revised"]) == (3, 0, 0)
    assert readings(place.system) == before


def test_a_late_hint_reads_back_to_where_it_points(place: Installation) -> None:
    place.ingest()
    google = account(place, Provider.GOOGLE_HEALTH)
    since = CYCLE - timedelta(days=6)
    with transaction(place.system.engine) as conn:     # as if the device had not been there
        conn.execute(text("DELETE FROM observations WHERE provider = 'google_health' AND "
                          "vital = 'heart_rate' AND effective_start < :until"),
                     {"until": CYCLE - timedelta(days=5)})
    kept = readings(place.system)
    add(place.system, Provider.GOOGLE_HEALTH, {"data": {
        "healthUserId": google, "dataType": "heart-rate", "intervals": [
            {"physicalTimeInterval": {"startTime": since.isoformat()}}]}})
    assert process_webhooks(place.system, now=NOW)["inserted"] > 0
    back = min(one[3] for one in readings(place.system) if one not in kept)
    assert since <= back < since + timedelta(hours=1)
    assert ("google_health", "heart-rate", "complete", False) in fetched(place)     # ingest's


def test_a_hint_waits_while_the_vendor_fails_and_is_given_up_after_a_day(
        place: Installation) -> None:
    requests.post(f"{place.sandbox_url}/sandbox/faults", timeout=20, json={
        "kind": "http_429", "retry_after": 3600, "provider": "oura"}).raise_for_status()
    now = datetime.now(UTC)
    add(place.system, Provider.OURA, hints(place)[Provider.OURA])
    assert process_webhooks(place.system, now=now)["waiting"] == 1
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20).raise_for_status()
    assert process_webhooks(place.system, now=now)["done"] == 1
    requests.post(f"{place.sandbox_url}/sandbox/faults", timeout=20, json={
        "kind": "http_429", "retry_after": 3600, "provider": "oura"}).raise_for_status()
    add(place.system, Provider.OURA, hints(place)[Provider.OURA] + b"\n")
    later = now + webhooks.GIVE_UP + timedelta(minutes=5)
    assert process_webhooks(place.system, now=later)["failed"] == 1


def test_a_hint_at_a_link_that_cannot_be_read_asks_nobody(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE connections SET status = 'reauth_required'"))
    add(place.system, Provider.OURA, hints(place)[Provider.OURA])
    assert process_webhooks(place.system, now=NOW)["fetches"] == 0
    assert fates(place.system) == [("done", "the link is reauth_required: nobody was asked")]


def test_a_hint_at_what_holds_no_vital_asks_nobody(place: Installation) -> None:
    user = account(place, Provider.WITHINGS)
    add(place.system, Provider.WITHINGS, f"userid={user}&appli=1".encode(), b"userid=9&appli=4")
    figures = process_webhooks(place.system, now=NOW)
    assert (figures["fetches"], figures["done"], figures["unknown_account"]) == (0, 1, 1)
