"""Withings' notifications, sandbox and API included: made of each account, made again, ended."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

from api.app import create_app
from providers.errors import RequestRejected
from providers.observation import Provider
from providers.webhooks import WebhookSecrets
from registry.connections import active_connections
from registry.database import transaction
from tests.answers import settings as api_settings
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from tests.serving import served
from vitalcast.errors import UserError
from vitalcast.jobs import notify
from vitalcast.jobs.subscribe import address_of, figures_of, subscribe, unsubscribe
from vitalcast.sandbox_admin import SandboxError, arm, disarm, ping
from vitalcast.wiring import System

SECRET = "w" * 20
PATIENTS = ("demo-01", "demo-02")
KINDS = {"temperature", "pressure, pulse, SpO2", "activity", "sleep"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with vendors(patients=PATIENTS) as root:
        yield root


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[str]:
    secrets = WebhookSecrets(withings=SECRET, oura="sandbox-secret", oura_token="t0ken")
    with served(create_app(api_settings(database_url, webhook_secrets=lambda: secrets))) as root:
        yield root


@pytest.fixture
def system(engine: Engine, database_url: str, sandbox: str, api: str) -> Iterator[System]:
    """Two linked accounts, of which nobody is told."""
    disarm(sandbox)
    one = Installation.on(engine, database_url, sandbox, LIGHT).system
    one = replace(one, settings=one.settings.model_copy(update={
        "webhook_url": api, "webhook_withings": SECRET, "vendor_wait_s": 0.01}))
    yield one
    disarm(sandbox)
    unsubscribe(one)


@pytest.fixture
def both(system: System) -> Iterator[System]:
    """Oura's webhooks are set up beside them."""
    one = replace(system, settings=system.settings.model_copy(update={
        "webhook_oura": "sandbox-secret", "webhook_oura_token": "t0ken"}))
    yield one
    unsubscribe(one)


def states(lines: list[Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        found.setdefault(line.state, {})[line.data_type] = line.count
    return found


def failures(engine: Engine) -> list[tuple[str, str, str]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(
            "SELECT provider, reason, message FROM events WHERE kind = 'subscription.failed'"))]


def test_each_account_is_told_of_once(system: System, sandbox: str) -> None:
    planned = subscribe(system, now=CYCLE, dry_run=True)
    assert states(planned) == {"missing": dict.fromkeys(KINDS, 2)}
    assert subscribe(system, now=CYCLE, dry_run=True) == planned, "a dry run changes nothing"
    with pytest.raises(SandboxError, match="nobody is to be told"):
        ping(sandbox, "withings", "demo-01")
    assert states(subscribe(system, now=CYCLE)) == {"made": dict.fromkeys(KINDS, 2)}
    assert states(subscribe(system, now=CYCLE)) == {"good": dict.fromkeys(KINDS, 2)}
    assert ping(sandbox, "withings", "demo-01") == [204] * 4
    assert states(unsubscribe(system, dry_run=True)) == {"ending": dict.fromkeys(KINDS, 2)}
    assert states(unsubscribe(system)) == {"ended": dict.fromkeys(KINDS, 2)}
    assert unsubscribe(system) == []


def test_what_lapsed_is_made_again_and_another_address_stays(
        system: System, sandbox: str, api: str) -> None:
    subscribe(system, now=CYCLE)
    moved = replace(system, settings=system.settings.model_copy(update={
        "webhook_url": api.replace("127.0.0.1", "localhost")}))
    assert states(subscribe(moved, now=CYCLE)) == {"made": dict.fromkeys(KINDS, 2)}
    with transaction(system.engine) as conn:
        (first, _) = active_connections(conn, Provider.WITHINGS)
    client: Any = system.client(first)
    client.hush(address_of(system.settings, Provider.WITHINGS), 44)
    client.close()
    assert figures_of(subscribe(system, now=CYCLE)) == {
        "good": 7, "made": 1, "renewed": 0, "other": 0}
    assert states(unsubscribe(moved)) == {"ended": dict.fromkeys(KINDS, 2)}
    assert states(subscribe(system, now=CYCLE)) == {"good": dict.fromkeys(KINDS, 2)}


def test_what_was_not_granted_is_not_asked_for(system: System) -> None:
    with transaction(system.engine) as conn:
        conn.execute(text("UPDATE connections SET scopes_granted = '{user.metrics}' "
                          "WHERE patient_id = 'demo-01'"))
        conn.execute(text("UPDATE connections SET status = 'reauth_required' "
                          "WHERE patient_id = 'demo-02'"))
    assert states(subscribe(system, now=CYCLE)) == {
        "made": {"temperature": 1, "pressure, pulse, SpO2": 1}}


@pytest.mark.parametrize(("fault", "reason", "status"), [
    ({"kind": "vendor_error", "status": 293}, "request_rejected", "active"),
    ({"kind": "http_500"}, "vendor_unavailable", "active"),
    ({"kind": "consent_death"}, "reauth_required", "reauth_required")])
def test_a_failure_is_an_event_and_the_other_account_goes_on(
        system: System, sandbox: str, fault: dict[str, Any], reason: str,
        status: str) -> None:
    given = dict(fault)
    arm(sandbox, given.pop("kind"), subject_id="demo-01", **given)
    told = states(subscribe(system, now=CYCLE))
    assert told == {"failed": {"any": 1}, "made": dict.fromkeys(KINDS, 1)}
    ((provider, why, message),) = failures(system.engine)
    assert (provider, why, "demo" in message) == ("withings", reason, False)
    with transaction(system.engine) as conn:
        assert conn.execute(text("SELECT status FROM connections WHERE patient_id = 'demo-01'")
                            ).scalar_one() == status


def test_an_address_that_does_not_answer_is_refused(system: System) -> None:
    elsewhere = replace(system, settings=system.settings.model_copy(update={
        "webhook_withings": "another" * 3}))
    assert states(subscribe(elsewhere, now=CYCLE)) == {"failed": {"any": 2}}
    assert states(subscribe(system, now=CYCLE, dry_run=True)) == {
        "missing": dict.fromkeys(KINDS, 2)}


def test_the_sandbox_wants_address_and_kind(sandbox: str, system: System) -> None:
    with transaction(system.engine) as conn:
        (first, _) = active_connections(conn, Provider.WITHINGS)
    client: Any = system.client(first)
    token = client._session._tokens.access_token()
    client.close()
    for form in ({}, {"callbackurl": "http://127.0.0.1:1/"}, {"callbackurl": "x", "appli": "many"},
                 {"callbackurl": "http://192.0.2.1/", "appli": "4"}):
        answer = requests.post(f"{sandbox}/withings/notify", timeout=20,
                               data={"action": "subscribe", **form},
                               headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["status"] == 503


def test_a_list_of_another_shape_is_a_failure(system: System, sandbox: str) -> None:
    arm(sandbox, "empty_page", resource="/notify", subject_id="demo-01")
    assert states(subscribe(system, now=CYCLE)) == {
        "failed": {"any": 1}, "made": dict.fromkeys(KINDS, 1)}
    ((_, why, _),) = failures(system.engine)
    assert why == "schema"


def test_an_account_whose_tokens_cannot_be_read_ends_not_the_others(system: System) -> None:
    with transaction(system.engine) as conn:
        conn.execute(text("UPDATE connections SET access_enc = 'no token' "
                          "WHERE patient_id = 'demo-01'"))
    assert states(subscribe(system, now=CYCLE)) == {
        "failed": {"any": 1}, "made": dict.fromkeys(KINDS, 1)}
    ((_, why, _),) = failures(system.engine)
    assert why == "other"


def test_a_death_among_the_accounts_costs_oura_nothing(
        both: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(notify, "notify_all", dying)
    with pytest.raises(KeyboardInterrupt):
        subscribe(both, now=CYCLE)
    monkeypatch.undo()
    found = subscribe(both, now=CYCLE, dry_run=True)
    assert {(line.provider, line.state) for line in found} == {
        (Provider.OURA, "good"), (Provider.WITHINGS, "missing")}


@pytest.mark.parametrize(("given", "refusal"), [
    ({"webhook_oura_token": "another"}, RequestRejected),
    ({"clients": {"oura": "no secret"}}, UserError)])
def test_what_oura_refuses_costs_the_accounts_nothing(
        both: System, given: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        subscribe(replace(both, settings=both.settings.model_copy(update=given)), now=CYCLE)
    found = subscribe(both, now=CYCLE, dry_run=True)
    assert {(line.provider, line.state) for line in found} == {
        (Provider.OURA, "missing"), (Provider.WITHINGS, "good")}
