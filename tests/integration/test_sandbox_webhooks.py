"""A vendor tells of something new, and the reading is there: sandbox, API, job, database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.app import create_app
from registry.database import transaction
from tests.answers import settings as api_settings
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from tests.serving import served
from vitalcast.cli import app
from vitalcast.jobs.subscribe import subscribe
from vitalcast.jobs.webhooks import process_webhooks
from vitalcast.sandbox_admin import SandboxError, google_keyset, ping, send_webhooks_to
from vitalcast.settings import Settings
from vitalcast.webhook_secrets import SecretsOf

LATER = CYCLE + timedelta(hours=4)                 # the ring's night is known by then
VENDORS = {"withings": "demo-01", "google_health": "demo-04", "oura": "demo-07"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with vendors() as root:
        yield root


@pytest.fixture(scope="module")
def heard(sandbox: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
          ) -> Iterator[Settings]:
    """What is set up on both sides; an API that takes webhooks listens."""
    file = tmp_path_factory.mktemp("keys") / "keyset.json"
    file.write_bytes(google_keyset(sandbox))
    secrets = Settings(webhook_withings="w" * 20, webhook_oura="sandbox-secret",
                       webhook_oura_token="t0ken", webhook_google_health="Goo",
                       webhook_google_health_keyset=str(file))
    with served(create_app(api_settings(
            database_url, webhook_secrets=SecretsOf(secrets)))) as root:
        yield secrets.model_copy(update={"webhook_url": root})


@pytest.fixture
def place(engine: Engine, database_url: str, sandbox: str, heard: Settings) -> Installation:
    one = Installation.on(engine, database_url, sandbox, LIGHT)
    told = {name: getattr(heard, name) for name in Settings.model_fields if "webhook" in name}
    return replace(one, system=replace(
        one.system, settings=one.system.settings.model_copy(update=told)))


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_nobody_is_told_who_did_not_ask(sandbox: str) -> None:
    with pytest.raises(SandboxError, match="nobody is to be told"):
        ping(sandbox, "oura", "demo-07")
    with pytest.raises(SandboxError, match="no subject demo-07 of withings"):
        ping(sandbox, "withings", "demo-07")
    with pytest.raises(SandboxError, match="loopback"):
        send_webhooks_to(sandbox, Settings(webhook_google_health="Goo",
                                           webhook_url="http://192.0.2.1"))


def test_what_vendors_tell_of_is_read(place: Installation, sandbox: str) -> None:
    send_webhooks_to(sandbox, place.system.settings)
    subscribe(place.system, now=CYCLE)
    place.ingest(CYCLE)
    place.clock(LATER)
    known = dict(rows(place.system.engine,
                      "SELECT patient_id, max(effective_end) FROM observations GROUP BY 1"))
    for vendor, patient in VENDORS.items():
        assert set(ping(sandbox, vendor, patient)) == {204}
        assert set(ping(sandbox, vendor, patient)) == {204}, "told again, as vendors do"
    sent = dict(rows(place.system.engine, "SELECT provider, count(*) FROM webhook_events "
                                          "WHERE status = 'received' GROUP BY 1"))
    assert sent == {"withings": 4, "google_health": 4, "oura": 6}
    told = process_webhooks(place.system, now=LATER + timedelta(minutes=5))
    assert (told["done"], told["unknown_account"], told["failed"]) == (14, 0, 0)
    newest = dict(rows(place.system.engine,
                       "SELECT patient_id, max(effective_end) FROM observations GROUP BY 1"))
    assert newest.keys() == set(VENDORS.values())
    assert all(known[patient] < newest[patient] <= LATER for patient in newest)


def test_the_command_tells_what_was_answered(place: Installation, sandbox: str) -> None:
    subscribe(place.system, now=CYCLE)
    told = CliRunner().invoke(app, ["sandbox", "ping", "withings", "demo-01", "--at", sandbox])
    assert told.stdout.strip() == "answers: [204, 204, 204, 204]"
