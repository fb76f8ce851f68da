"""Subscriptions to Oura's webhooks, sandbox and API included: made once, renewed, ended."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.app import create_app
from providers.errors import ClientRefused, RequestRejected
from providers.webhooks import WebhookSecrets
from registry.connections import TokenCipher
from registry.database import transaction
from tests.answers import settings as api_settings
from tests.reference.cycles import CYCLE, KEYS, settings, vendors
from tests.serving import served
from vitalcast.cli import app
from vitalcast.errors import UserError
from vitalcast.jobs.subscribe import figures_of, subscribe, unsubscribe
from vitalcast.sandbox_admin import set_clock
from vitalcast.wiring import System

SECRETS = WebhookSecrets(oura="sandbox-secret", oura_token="t0ken")
ALL_SIX = {("sleep", "create"), ("sleep", "update"), ("daily_spo2", "create"),
           ("daily_spo2", "update"), ("daily_readiness", "create"), ("daily_readiness", "update")}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with vendors() as root:
        yield root


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[str]:
    with served(create_app(api_settings(
            database_url, webhook_secrets=lambda: SECRETS))) as root:
        yield root


@pytest.fixture
def system(engine: Engine, database_url: str, sandbox: str, api: str) -> Iterator[System]:
    """An installation whose webhooks are set up, and no subscription."""
    set_clock(sandbox, CYCLE)
    one = System(engine=engine, cipher=TokenCipher([KEYS.token_key]), settings=settings(
        database_url, sandbox).model_copy(update={
            "webhook_url": api, "webhook_oura": SECRETS.oura,
            "webhook_oura_token": SECRETS.oura_token}))
    yield one
    unsubscribe(one)


def changed(system: System, **given: str) -> System:
    return replace(system, settings=system.settings.model_copy(update=given))


def test_what_is_missing_is_made_once(system: System) -> None:
    planned = subscribe(system, now=CYCLE, dry_run=True)
    assert {line.state for line in planned} == {"missing"}
    assert subscribe(system, now=CYCLE, dry_run=True) == planned, "a dry run changes nothing"
    made = subscribe(system, now=CYCLE)
    assert {(line.data_type, line.event_type) for line in made} == ALL_SIX
    assert figures_of(made) == {"good": 0, "made": 6, "renewed": 0, "other": 0}
    assert figures_of(subscribe(system, now=CYCLE)) == {
        "good": 6, "made": 0, "renewed": 0, "other": 0}
    with transaction(system.engine) as conn:
        assert conn.execute(text("SELECT count(*) FROM runs WHERE job = 'subscribe' AND "
                                 "status = 'done'")).scalar_one() == 2


def test_what_lapses_soon_is_renewed(system: System, sandbox: str) -> None:
    first = subscribe(system, now=CYCLE)[0].expires_at
    assert first is not None
    late = first - timedelta(days=5)
    set_clock(sandbox, late)
    renewed = subscribe(system, now=late)
    assert figures_of(renewed)["renewed"] == 6
    assert all(line.expires_at and line.expires_at > first for line in renewed)
    assert figures_of(subscribe(system, now=late))["good"] == 6


def test_a_run_that_died_half_way_is_made_whole(
        system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    from providers.webhooks.subscriptions import OuraSubscriptions

    genuine, calls = OuraSubscriptions.subscribe, []

    def dying(*given: str) -> object:
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return genuine(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(OuraSubscriptions, "subscribe", dying)
    with pytest.raises(KeyboardInterrupt):
        subscribe(system, now=CYCLE)
    monkeypatch.undo()
    assert figures_of(subscribe(system, now=CYCLE)) == {
        "good": 3, "made": 3, "renewed": 0, "other": 0}


def test_an_address_that_does_not_answer_the_challenge_is_refused(system: System) -> None:
    with pytest.raises(RequestRejected):
        subscribe(changed(system, webhook_oura_token="another"), now=CYCLE)
    assert {line.state for line in subscribe(system, now=CYCLE, dry_run=True)} == {"missing"}


def test_another_applications_secret_is_refused(system: System) -> None:
    with pytest.raises(ClientRefused):
        subscribe(changed(system, client_secret="another"), now=CYCLE)


def test_ours_are_ended_alone(system: System, api: str) -> None:
    subscribe(system, now=CYCLE)
    elsewhere = changed(system, webhook_url=api.replace("127.0.0.1", "localhost"))
    assert figures_of(subscribe(elsewhere, now=CYCLE)) == {
        "good": 0, "made": 6, "renewed": 0, "other": 6}
    assert {line.state for line in unsubscribe(system, dry_run=True)} == {"ending"}
    assert len(unsubscribe(system)) == 6
    assert unsubscribe(system) == []
    assert len(unsubscribe(elsewhere)) == 6


@pytest.mark.parametrize("given", [
    {"webhook_url": ""}, {"webhook_oura_token": ""},
    {"webhook_url": "http://vitals.example", "sandbox_url": ""}])
def test_what_is_not_set_up_is_told(system: System, given: dict[str, str]) -> None:
    with pytest.raises(UserError, match="VITALCAST_WEBHOOK_URL"):
        subscribe(changed(system, **given), now=CYCLE)


def test_the_sandbox_asks_no_address_but_loopback(sandbox: str) -> None:
    answer = requests.post(
        f"{sandbox}/oura/v2/webhook/subscription", timeout=10,
        headers={"x-client-id": "vitalcast", "x-client-secret": "sandbox-secret"},
        json={"callback_url": "http://192.0.2.1/", "verification_token": "t",
              "event_type": "create", "data_type": "sleep"})
    assert answer.status_code == 422


def test_the_command_lists_them(
        system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    one = system.settings
    for name in ("database_url", "sandbox_url", "token_keys", "webhook_url", "webhook_oura",
                 "webhook_oura_token"):
        monkeypatch.setenv(f"VITALCAST_{name.upper()}", getattr(one, name))
    told = CliRunner().invoke(app, ["webhooks", "subscribe", "--dry-run", "--json"])
    assert told.exit_code == 0, told.output
    assert len(json.loads(told.stdout)["subscriptions"]) == 6
    shown = CliRunner().invoke(app, ["webhooks", "subscribe"])
    assert shown.stdout.count("made") == 6
    ended = CliRunner().invoke(app, ["webhooks", "subscribe", "--end"])
    assert ended.stdout.count("ended") == 6
