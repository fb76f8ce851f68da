"""Consent, tokens and their rotation, by each vendor's rule."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.catalogue import CATALOGUE
from providers.observation import Provider
from providers.sandbox import SandboxStateError
from providers.sandbox.cohort import cohort
from providers.sandbox.world import SandboxSettings, World
from tests.reference.sandbox_user import NOW, REDIRECT, SandboxUser, sandbox_user

SUBJECTS = {Provider.WITHINGS: "demo-01", Provider.GOOGLE_HEALTH: "demo-04",
            Provider.OURA: "demo-07"}
ROTATING = (Provider.WITHINGS, Provider.OURA)


@pytest.fixture
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


def alive(user: SandboxUser, provider: Provider) -> bool:
    """Whether the vendor still takes the access token in use."""
    match provider:
        case Provider.WITHINGS:
            return bool(user.withings("/v2/user", "getdevice")["status"] == 0)
        case Provider.GOOGLE_HEALTH:
            return user.asked("/google_health/v4/users/me/identity").ok
        case _:
            return user.asked("/oura/v2/usercollection/heartrate").ok


def body(answer: dict[str, object]) -> dict[str, str]:
    inner = answer.get("body", answer)
    assert isinstance(inner, dict)
    return inner


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_consent_leads_to_the_patients_own_data(user: SandboxUser, provider: Provider) -> None:
    user.connect(provider, SUBJECTS[provider])
    assert user.token["expires_in"] == {"withings": 10800, "google_health": 3599,
                                        "oura": 86400}[provider]
    assert alive(user, provider)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_code_is_good_once(user: SandboxUser, provider: Provider) -> None:
    code = user.code(provider, SUBJECTS[provider])
    assert "access_token" in body(user.exchanged(provider, code).json())
    assert "access_token" not in body(user.exchanged(provider, code).json())


def test_a_code_is_short_lived() -> None:
    with sandbox_user(settings=SandboxSettings(code_lifetime_s=0)) as user:
        code = user.code(Provider.OURA, "demo-07")
        assert user.exchanged(Provider.OURA, code).json()["error"] == "invalid_grant"


def test_the_redirect_uri_must_be_the_one_authorised(user: SandboxUser) -> None:
    code = user.code(Provider.OURA, "demo-07")
    answer = user.exchanged(Provider.OURA, code, redirect_uri=REDIRECT + "2")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(("wrong", "told"), [
    ({"login_hint": "demo-07"}, "login_hint"), ({"login_hint": "nobody"}, "login_hint"),
    ({"client_id": "x"}, "client_id"), ({"response_type": "token"}, "response_type"),
    ({"redirect_uri": "javascript:1"}, "redirect_uri")])
def test_a_wrong_authorisation_is_refused(
        user: SandboxUser, wrong: dict[str, str], told: str) -> None:
    right = {"response_type": "code", "client_id": user.settings.client_id,
             "redirect_uri": REDIRECT, "login_hint": "demo-01"}
    answer = user.asked("/withings/authorize", **right | wrong)
    assert answer.status_code == 400
    assert told in answer.json()["error_description"]


def test_a_wrong_client_secret_is_refused(user: SandboxUser) -> None:
    code = user.code(Provider.OURA, "demo-07")
    answer = user.exchanged(Provider.OURA, code, client_secret="guess")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_client_credentials_may_come_by_http_basic(user: SandboxUser) -> None:
    user.session.auth = (user.settings.client_id, user.settings.client_secret)
    code = user.code(Provider.OURA, "demo-07")
    answer = user.exchanged(Provider.OURA, code, client_id="", client_secret="")
    assert answer.ok


def test_withings_wraps_tokens_and_answers_refusals_with_http_200(user: SandboxUser) -> None:
    user.connect(Provider.WITHINGS, "demo-01")
    assert user.token["userid"] == "10000001"
    answer = user.refreshed(Provider.WITHINGS, "dead")
    assert (answer.status_code, answer.json()["status"]) == (200, 503)
    assert "refresh_token" in answer.json()["error"]


def test_withings_old_refresh_token_dies_when_the_new_access_token_is_used(
        user: SandboxUser) -> None:
    first = dict(user.connect(Provider.WITHINGS, "demo-01").token)
    second = user.refreshed(Provider.WITHINGS, first["refresh_token"]).json()["body"]
    assert second["refresh_token"] != first["refresh_token"]
    again = user.refreshed(Provider.WITHINGS, first["refresh_token"]).json()
    assert again["status"] == 0
    user.use(second["access_token"])
    assert alive(user, Provider.WITHINGS)
    assert user.refreshed(Provider.WITHINGS, first["refresh_token"]).json()["status"] == 503


def test_oura_old_refresh_token_dies_at_once(user: SandboxUser) -> None:
    first = dict(user.connect(Provider.OURA, "demo-07").token)
    second = user.refreshed(Provider.OURA, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    answer = user.refreshed(Provider.OURA, first["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_google_refresh_token_stays_and_is_not_sent_again(user: SandboxUser) -> None:
    first = dict(user.connect(Provider.GOOGLE_HEALTH, "demo-04").token)
    for _ in range(2):
        again = user.refreshed(Provider.GOOGLE_HEALTH, first["refresh_token"]).json()
        assert "refresh_token" not in again
        user.use(again["access_token"])
        assert alive(user, Provider.GOOGLE_HEALTH)


def test_google_gives_no_refresh_token_unless_asked_for_offline(user: SandboxUser) -> None:
    code = user.code(Provider.GOOGLE_HEALTH, "demo-04", access_type="online")
    assert "refresh_token" not in user.exchanged(Provider.GOOGLE_HEALTH, code).json()


@pytest.mark.parametrize(("verifier", "status"), [("right" * 10, 200), ("wrong" * 10, 400)])
def test_google_checks_pkce_when_offered(user: SandboxUser, verifier: str, status: int) -> None:
    digest = hashlib.sha256(b"right" * 10).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    code = user.code(Provider.GOOGLE_HEALTH, "demo-04", code_challenge=challenge,
                     code_challenge_method="S256")
    answer = user.exchanged(Provider.GOOGLE_HEALTH, code, code_verifier=verifier)
    assert answer.status_code == status


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_an_expired_access_token_is_refused(provider: Provider) -> None:
    settings = SandboxSettings(access_lifetime_s=dict.fromkeys(Provider, 0))
    with sandbox_user(settings=settings) as user:
        user.connect(provider, SUBJECTS[provider])
        assert not alive(user, provider)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_token_of_one_vendor_is_nothing_to_another(
        user: SandboxUser, provider: Provider) -> None:
    user.connect(provider, SUBJECTS[provider])
    assert [other for other in CATALOGUE if alive(user, other)] == [provider]


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_tokens_and_anchor_outlive_a_restart(tmp_path: Path, provider: Provider) -> None:
    state = tmp_path / "sandbox.json"
    with sandbox_user(state=state) as user:
        token = user.connect(provider, SUBJECTS[provider]).token
        before = user.get("/sandbox/subjects")
    with sandbox_user(state=state, now=NOW + 7200) as user:
        user.use(token["access_token"])
        assert alive(user, provider)
        assert "access_token" in body(user.refreshed(provider, token["refresh_token"]).json())
        user.post("/sandbox/clock", {"now": "2026-11-21T06:00:00Z"})
        assert user.get("/sandbox/subjects") == before


def test_a_state_file_of_something_else_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "sandbox.json"
    for text in ("no json", "[]", json.dumps({"anchor": "soon", "grants": {}}), "{}"):
        state.write_text(text)
        with pytest.raises(SandboxStateError, match="delete it"):
            World(cohort(7), state=state)


def test_the_state_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "sandbox.json"
    World(cohort(7), now=NOW, state=state)
    assert state.stat().st_mode & 0o077 == 0
