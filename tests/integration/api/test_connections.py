"""Vendor accounts, linked over HTTP at the sandbox: by a program and in a browser."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api import link_schemas
from api.app import create_app
from api.security import COOKIE, Principal, Role
from providers.catalogue import CATALOGUE
from providers.observation import Provider
from providers.webhooks import WebhookSecrets
from registry.database import transaction
from tests.answers import SignIn, held_to, is_problem, settings
from tests.clinic import USERS
from tests.reference.cycles import await_that
from tests.reference.sandbox_user import SandboxUser, sandbox_user
from tests.serving import Client, served
from vitalcast.sandbox_admin import SandboxError, ping
from vitalcast.settings import Settings

SUBJECTS = {Provider.WITHINGS: "demo-01", Provider.GOOGLE_HEALTH: "demo-04",
            Provider.OURA: "demo-07"}
VENDORS = list(CATALOGUE)
SECRET = "w" * 20
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxUser]:
    with sandbox_user() as user:
        yield user


@pytest.fixture(scope="module")
def app(ward: Engine, database_url: str, sandbox: SandboxUser) -> FastAPI:
    vendors = Settings(database_url=database_url, token_keys=Fernet.generate_key().decode(),
                       sandbox_url=sandbox.root,
                       redirect_uri="http://127.0.0.1:1/v1/connections/{provider}/callback")
    return create_app(settings(database_url, vendors=vendors))


@pytest.fixture(autouse=True)
def unlinked(ward: Engine, sandbox: SandboxUser) -> None:
    with transaction(ward) as conn:
        conn.execute(text("UPDATE connections SET status = 'revoked', access_enc = NULL,"
                          " refresh_enc = NULL, provider_user_id = NULL"))
        conn.execute(text("DELETE FROM connections WHERE provider <> 'withings'"))
        conn.execute(text("TRUNCATE consents"))
    sandbox.session.delete(f"{sandbox.root}/sandbox/faults", timeout=20)


def authorised(client: Client, provider: str, patient: str = "ill") -> str:
    """The consent page that a program is told of."""
    answer = client.get(f"/v1/connections/{provider}/authorize", params={"patient_id": patient})
    return str(held_to(link_schemas.AuthoriseOut, answer)["url"])


def consent(url: str, subject: str, **choice: str) -> dict[str, str]:
    """What the vendor sends the patient back with."""
    answer = requests.get(url, params={"login_hint": subject, **choice}, allow_redirects=False,
                          timeout=20)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    provider = urlsplit(url).path.split("/")[1]
    assert back.path == f"/v1/connections/{provider}/callback"
    return {name: value for name, (value,) in parse_qs(back.query).items()}


def returned(client: Client, provider: str, sent: dict[str, str]) -> requests.Response:
    return client.get(f"/v1/connections/{provider}/callback", params=sent)


def linked(client: Client, provider: Provider, patient: str = "ill", subject: str = "",
           **choice: str) -> requests.Response:
    """The whole way, by a program."""
    url = authorised(client, provider, patient)
    return returned(client, provider, consent(url, subject or SUBJECTS[provider], **choice))


def links(client: Client, patient: str = "ill") -> dict[str, dict[str, object]]:
    answer = client.get("/v1/connections", params={"patient_id": patient})
    body = held_to(link_schemas.LinksOut, answer)
    return {one["provider"]: one for one in body["connections"]}


# --- linking ------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", VENDORS)
def test_an_account_is_linked_and_its_tokens_are_never_told(
        ward: Engine, doctor: Client, provider: Provider) -> None:
    answer = linked(doctor, provider)
    assert held_to(link_schemas.LinkedOut, answer) == {
        "patient_id": "ill", "connection_id": f"{provider}:ill"}
    one = links(doctor)[provider]
    assert (one["status"], one["account_known"], one["scopes_missing"]) == ("active", True, [])
    assert set(one["scopes_granted"]) == set(CATALOGUE[provider].scopes)  # type: ignore[call-overload]
    with transaction(ward) as conn:
        row = conn.execute(text(
            "SELECT access_enc, provider_legacy_id FROM connections WHERE connection_id = :id"),
            {"id": f"{provider}:ill"}).one()
    assert bytes(row.access_enc).startswith(b"gAAAA")
    assert (row.provider_legacy_id is not None) == (provider is Provider.GOOGLE_HEALTH)


@pytest.mark.parametrize("provider", VENDORS)
def test_pkce_is_used_where_the_vendor_has_it(doctor: Client, provider: Provider) -> None:
    asked = parse_qs(urlsplit(authorised(doctor, provider)).query)
    assert ("code_challenge" in asked) == (provider is Provider.GOOGLE_HEALTH)
    assert len(asked["state"][0]) >= 32


def test_a_browser_goes_to_the_vendor_and_comes_back(app: FastAPI, root: str) -> None:
    with Client(root) as browser:
        browser.headers.update(PAGE)
        token = app.state.tokens.issue(Principal(username="doctor", role=Role.DOCTOR))
        browser.cookies.set(COOKIE, token)
        page = browser.get("/patients/well/connections")
        (path,) = re.findall(r'href="(/v1/connections/oura/authorize[^"]*)"', page.text)
        leaves = browser.get(path)
        assert leaves.status_code == 303
        back = returned(browser, "oura", consent(leaves.headers["Location"], "demo-08"))
        assert (back.status_code, back.headers["Location"]) == (
            303, "/patients/well/connections?linked=oura")
        page = browser.get(back.headers["Location"])
        assert "Oura is connected" in page.text and "End the link with Oura" in page.text
        ended = browser.post("/patients/well/connections/oura:well/end", headers={"Origin": root})
        assert ended.headers["Location"].endswith("?ended=vendor")
        foreign = browser.post("/patients/well/connections/oura:well/end")
        assert foreign.status_code == 403


def test_what_was_not_granted_is_told_with_its_vitals(doctor: Client) -> None:
    linked(doctor, Provider.OURA, granted="daily,personal")
    missing = links(doctor)["oura"]["scopes_missing"]
    assert missing == [{"scope": "heartrate", "lost": ["heart_rate"], "fewer": []},
                       {"scope": "spo2", "lost": ["spo2"], "fewer": []}]


def test_without_the_scope_for_it_the_account_stays_unknown(doctor: Client) -> None:
    linked(doctor, Provider.OURA, granted="daily")
    assert links(doctor)["oura"]["account_known"] is False


def test_a_renewed_consent_makes_a_link_active_again(ward: Engine, doctor: Client) -> None:
    linked(doctor, Provider.OURA)
    with transaction(ward) as conn:
        conn.execute(text("UPDATE connections SET status = 'reauth_required'"))
    linked(doctor, Provider.OURA)
    assert links(doctor)["oura"]["status"] == "active"


@pytest.mark.parametrize("taken", [False, True])
def test_withings_is_told_to_send_webhooks_of_an_account_that_is_linked(
        ward: Engine, database_url: str, sandbox: SandboxUser, taken: bool) -> None:
    """After the answer; that it would not, where nobody answers it, is an event."""
    secrets = WebhookSecrets(withings=SECRET if taken else "")
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM events"))
    principal = Principal(username="doctor", role=Role.DOCTOR)

    def told() -> bool:
        if not taken:
            with transaction(ward) as conn:
                return bool(conn.execute(text(
                    "SELECT 1 FROM events WHERE kind = 'subscription.failed' "
                    "AND provider = 'withings' AND reason = 'request_rejected'")).first())
        try:
            return ping(sandbox.root, "withings", "demo-01") == [204] * 4
        except SandboxError:
            return False

    with served(create_app(settings(database_url, webhook_secrets=lambda: secrets))) as webhooks:
        app = create_app(settings(database_url, vendors=Settings(
            database_url=database_url, token_keys=Fernet.generate_key().decode(),
            sandbox_url=sandbox.root, webhook_url=webhooks, webhook_withings=SECRET,
            redirect_uri="http://127.0.0.1:1/v1/connections/{provider}/callback")))
        with served(app) as root, Client(root, app.state.tokens.issue(principal)) as client:
            assert linked(client, Provider.WITHINGS).ok
            assert links(client)["withings"]["status"] == "active"
            await_that("the vendor sends, or the event", told)


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("provider", VENDORS)
def test_an_account_of_another_patient_is_refused(doctor: Client, provider: Provider) -> None:
    linked(doctor, provider, "ill")
    body = is_problem(linked(doctor, provider, "well"), 409, "account-taken")
    assert "ill" not in body["detail"].split()
    assert links(doctor, "well").get(provider, {"status": "revoked"})["status"] == "revoked"


@pytest.mark.parametrize("provider", VENDORS)
def test_a_patient_may_refuse(doctor: Client, provider: Provider) -> None:
    answer = linked(doctor, provider, decision="deny")
    assert "did not allow" in is_problem(answer, 403, "consent-refused")["detail"]


def test_a_refusal_is_a_page_in_a_browser(app: FastAPI, root: str) -> None:
    with Client(root) as browser:
        browser.headers.update(PAGE)
        token = app.state.tokens.issue(Principal(username="doctor", role=Role.DOCTOR))
        browser.cookies.set(COOKIE, token)
        leaves = browser.get("/v1/connections/oura/authorize", params={"patient_id": "ill"})
        sent = consent(leaves.headers["Location"], "demo-07", decision="deny")
        answer = returned(browser, "oura", sent)
    assert answer.headers["content-type"].startswith("text/html")
    assert (answer.status_code, "did not allow" in answer.text) == (403, True)


@pytest.mark.parametrize("provider", VENDORS)
def test_a_code_that_is_no_good_is_told(doctor: Client, provider: Provider) -> None:
    state = consent(authorised(doctor, provider), SUBJECTS[provider])["state"]
    answer = returned(doctor, provider, {"state": state, "code": "guess"})
    is_problem(answer, 400, "code-refused")


def test_a_state_is_good_once(doctor: Client) -> None:
    sent = consent(authorised(doctor, "oura"), "demo-07")
    assert returned(doctor, "oura", sent).ok
    is_problem(returned(doctor, "oura", sent), 400, "consent-over")
    is_problem(returned(doctor, "oura", {}), 400, "consent-over")


def test_a_state_is_for_the_login_it_was_given_to(sign_in: SignIn, app: FastAPI,
                                                  root: str) -> None:
    for other in (sign_in("operator"), sign_in("colleague")):
        sent = consent(authorised(sign_in("doctor"), "oura"), "demo-07")
        is_problem(returned(other, "oura", sent), 400, "consent-over")
        is_problem(returned(sign_in("doctor"), "oura", sent), 400, "consent-over")   # spent


def test_a_state_is_for_its_vendor_and_short_lived(ward: Engine, doctor: Client) -> None:
    sent = consent(authorised(doctor, "oura"), "demo-07")
    is_problem(returned(doctor, "withings", sent), 400, "consent-over")
    sent = consent(authorised(doctor, "oura"), "demo-07")
    with transaction(ward) as conn:
        conn.execute(text("UPDATE consents SET expires_at = now()"))
    is_problem(returned(doctor, "oura", sent), 400, "consent-over")


def test_a_state_is_stored_as_a_hash_alone(ward: Engine, doctor: Client) -> None:
    asked = parse_qs(urlsplit(authorised(doctor, "google_health")).query)
    with transaction(ward) as conn:
        (row,) = conn.execute(text("SELECT CAST(c AS text) AS row FROM consents c")).scalars()
    assert asked["state"][0] not in row


def test_a_patient_who_left_care_meanwhile_is_not_linked(ward: Engine, doctor: Client) -> None:
    sent = consent(authorised(doctor, "oura", "well"), "demo-07")
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM care WHERE patient_id = 'well'"))
    try:
        is_problem(returned(doctor, "oura", sent), 400, "consent-over")
    finally:
        with transaction(ward) as conn:
            conn.execute(text("INSERT INTO care VALUES ('doctor', 'well')"))


def test_an_account_without_a_wearable_is_told(doctor: Client, sandbox: SandboxUser) -> None:
    sandbox.post("/sandbox/faults", {"kind": "vendor_error", "provider": "google_health"})
    answer = linked(doctor, Provider.GOOGLE_HEALTH)
    assert "right account" in is_problem(answer, 409, "account-without-wearable")["detail"]


def test_a_vendor_that_fails_is_told(doctor: Client, sandbox: SandboxUser) -> None:
    sandbox.post("/sandbox/faults", {"kind": "http_500", "resource": "/oauth/token"})
    is_problem(linked(doctor, Provider.OURA), 502, "vendor-failed")


# --- who may ------------------------------------------------------------------------------


def test_doctors_link_their_own_patients_operators_all(doctor: Client, operator: Client,
                                                       service: Client) -> None:
    path = "/v1/connections/oura/authorize"
    for patient in ("other", "absent", "nul\0"):
        answer = doctor.get(path, params={"patient_id": patient})
        is_problem(answer, 404, "patient-not-found")
        listed = doctor.get("/v1/connections", params={"patient_id": patient})
        is_problem(listed, 404, "patient-not-found")
    assert linked(operator, Provider.OURA, "other").ok
    assert links(operator, "other")["oura"]["status"] == "active"
    is_problem(doctor.delete("/v1/connections/oura:other"), 404, "connection-not-found")
    is_problem(doctor.delete("/v1/connections/oura:absent"), 404, "connection-not-found")
    is_problem(service.get(path, params={"patient_id": "ill"}), 403, "not-allowed")
    is_problem(service.delete("/v1/connections/oura:other"), 403, "not-allowed")
    assert links(service, "other")["oura"]["status"] == "active"


def test_a_login_that_ended_leads_to_the_login_page(anonymous: Client) -> None:
    answer = anonymous.get("/v1/connections/oura/authorize", params={"patient_id": "ill"},
                           headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=/v1/connections/oura/authorize%3F")


# --- ending -------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", VENDORS)
def test_a_link_is_ended_at_the_vendor_and_here(
        ward: Engine, doctor: Client, provider: Provider) -> None:
    linked(doctor, provider)
    answer = doctor.delete(f"/v1/connections/{provider}:ill")
    told = held_to(link_schemas.EndedOut, answer)["ended_at_vendor"]
    assert told is True
    assert links(doctor)[provider]["status"] == "revoked"
    with transaction(ward) as conn:
        assert conn.execute(text("SELECT count(*) FROM connections WHERE access_enc IS NOT NULL"
                                 " OR refresh_enc IS NOT NULL")).scalar() == 0
    assert linked(doctor, provider, "well").ok                # the account is free again


def test_tokens_go_although_the_vendor_does_not_answer(
        doctor: Client, database_url: str, ward: Engine, app: FastAPI) -> None:
    linked(doctor, Provider.OURA)
    system = app.state.linking._system
    gone = system.settings.model_copy(update={"sandbox_url": "http://127.0.0.1:9"})
    object.__setattr__(system, "settings", gone)
    try:
        answer = doctor.delete("/v1/connections/oura:ill")
    finally:
        object.__setattr__(system, "settings", app.state.settings.vendors)
    assert held_to(link_schemas.EndedOut, answer)["ended_at_vendor"] is False
    assert links(doctor)["oura"]["status"] == "revoked"


def test_an_api_without_keys_says_what_is_missing(ward: Engine, database_url: str) -> None:
    plain = create_app(settings(database_url))
    token = plain.state.tokens.issue(Principal(username="doctor", role=Role(USERS["doctor"])))
    with served(plain) as root, Client(root, token) as client:
        answer = client.get("/v1/connections", params={"patient_id": "ill"})
    assert "VITALCAST_TOKEN_KEYS" in is_problem(answer, 503, "linking-not-set-up")["detail"]


def test_a_vendor_that_knows_no_client_of_ours_is_not_asked(
        ward: Engine, database_url: str) -> None:
    plain = create_app(settings(database_url, vendors=Settings(
        database_url=database_url, token_keys=Fernet.generate_key().decode())))
    token = plain.state.tokens.issue(Principal(username="doctor", role=Role(USERS["doctor"])))
    with served(plain) as root, Client(root, token) as client:
        answer = client.get("/v1/connections/oura/authorize", params={"patient_id": "ill"})
    told = is_problem(answer, 503, "linking-not-set-up")["detail"]
    assert "not registered at oura" in told and "VITALCAST_CLIENTS" in told
