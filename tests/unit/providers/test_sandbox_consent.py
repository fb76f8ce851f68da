"""What a patient grants at the sandbox's page, and what comes without it."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from providers.catalogue import CATALOGUE
from providers.observation import Provider
from tests.reference.sandbox_user import REDIRECT, SandboxUser, sandbox_user

SUBJECTS = {Provider.WITHINGS: "demo-01", Provider.GOOGLE_HEALTH: "demo-04",
            Provider.OURA: "demo-07"}
GOOGLE = "https://www.googleapis.com/auth/googlehealth.{}.readonly"
ASKED = {Provider.WITHINGS: "user.info,user.metrics", Provider.OURA: "daily heartrate",
         Provider.GOOGLE_HEALTH: f"{GOOGLE.format('sleep')} {GOOGLE.format('profile')}"}
GRANTED = {Provider.WITHINGS: "user.info", Provider.OURA: "heartrate",
           Provider.GOOGLE_HEALTH: GOOGLE.format("profile")}


@pytest.fixture
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


def connect(user: SandboxUser, provider: Provider, **consent: str) -> dict[str, str]:
    """Consent as told; what the token request was answered."""
    code = user.code(provider, SUBJECTS[provider], **consent)
    document = user.exchanged(provider, code).json()
    token: dict[str, str] = document.get("body", document)
    user.use(token["access_token"])
    return token


def authorise(user: SandboxUser, provider: Provider, **params: str) -> requests.Response:
    asked = {"response_type": "code", "client_id": user.settings.client_id, "state": "s1",
             "redirect_uri": REDIRECT, "scope": ASKED[provider]}
    return user.session.get(f"{user.root}/{provider}/authorize", params=asked | params,
                            allow_redirects=False, timeout=60)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_only_what_was_ticked_is_granted(user: SandboxUser, provider: Provider) -> None:
    token = connect(user, provider, scope=ASKED[provider], granted=GRANTED[provider])
    assert token["scope"] == GRANTED[provider]


def test_withings_refuses_what_was_not_granted_inside_http_200(user: SandboxUser) -> None:
    connect(user, Provider.WITHINGS, scope="user.info")
    assert user.withings("/v2/user", "getdevice")["status"] == 0
    refused = user.withings("/measure", "getmeas")
    assert refused["status"] == 403
    assert "insufficient_scope" in refused["error"]


def test_google_refuses_what_was_not_granted(user: SandboxUser) -> None:
    connect(user, Provider.GOOGLE_HEALTH, scope=GOOGLE.format("profile"))
    me = "/google_health/v4/users/me"
    assert user.asked(f"{me}/identity").ok
    for path in ("/pairedDevices", "/dataTypes/heart-rate/dataPoints"):
        answer = user.asked(me + path)
        assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


def test_oura_refuses_what_was_not_granted(user: SandboxUser) -> None:
    connect(user, Provider.OURA, scope="heartrate")
    assert user.asked("/oura/v2/usercollection/heartrate").ok
    answer = user.asked("/oura/v2/usercollection/sleep")
    assert answer.status_code == 403
    assert "scope" in answer.json()["detail"]


def test_a_fault_is_met_before_a_scope(user: SandboxUser) -> None:
    connect(user, Provider.OURA, scope="heartrate")
    user.post("/sandbox/faults", {"kind": "http_500", "times": 1})
    assert user.asked("/oura/v2/usercollection/sleep").status_code == 500


@pytest.mark.parametrize("refusal", [{"decision": "deny"}, {"granted": ""}])
@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_refusal_leads_back_with_its_reason(
        user: SandboxUser, provider: Provider, refusal: dict[str, str]) -> None:
    answer = authorise(user, provider, login_hint=SUBJECTS[provider], **refusal)
    found = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert found == {"error": ["access_denied"], "state": ["s1"]}


def test_a_browser_is_asked_who_it_is(user: SandboxUser) -> None:
    user.session.headers["Accept"] = "text/html"
    page = authorise(user, Provider.OURA, state='"><script>')
    assert page.ok
    assert "demo-07" in page.text and "demo-01" not in page.text
    assert 'value="heartrate" checked' in page.text
    assert "<script>" not in page.text


def test_oura_tells_an_account_apart(user: SandboxUser) -> None:
    path = "/oura/v2/usercollection/personal_info"
    connect(user, Provider.OURA)
    one = user.get(path)["id"]
    connect(user, Provider.OURA)
    assert user.get(path)["id"] == one
    user.connect(Provider.OURA, "demo-08")
    assert user.get(path)["id"] != one


@pytest.mark.parametrize(("provider", "path", "field"), [
    (Provider.GOOGLE_HEALTH, "/google_health/revoke", "token"),
    (Provider.OURA, "/oura/oauth/revoke", "access_token")])
def test_a_revoked_consent_is_over(
        user: SandboxUser, provider: Provider, path: str, field: str) -> None:
    token = connect(user, provider, access_type="offline")
    form = {field: token["access_token"]}
    answers = [user.session.post(user.root + path, data=form, timeout=60) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert user.refreshed(provider, token["refresh_token"]).json()["error"] == "invalid_grant"
