"""Sessions end with their sign-out, and with what their login was."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from api.sessions import SignIns
from registry.people import People
from tests.answers import is_problem, settings
from tests.clinic import PASSWORD
from tests.serving import Client, served

NAME = "watcher"


@pytest.fixture
def people(ward: Engine, database_url: str) -> Iterator[People]:
    """Logins, among them an operator who is gone after the test."""
    people = People(database_url)
    people.add_user(NAME, PASSWORD, "operator")
    yield people
    people.remove_user(NAME)
    people.close()


@pytest.fixture
def opened(people: People, database_url: str, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """An application that asks anew with each request, as after two seconds."""
    monkeypatch.setattr("api.sessions.SESSION_AGE_S", 0.0)
    return create_app(settings(database_url))


@pytest.fixture
def client(opened: FastAPI) -> Iterator[Client]:
    with served(opened) as root, Client(root) as client:
        yield client


def bearer(client: Client) -> dict[str, str]:
    answer = client.post("/v1/token", data={"username": NAME, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def log_in(client: Client) -> str:
    answer = client.post("/login", data={"username": NAME, "password": PASSWORD},
                         headers={"Origin": client.root}, allow_redirects=False)
    cookie: str = answer.cookies["vitalcast_session"]
    return cookie


def page(client: Client, cookie: str) -> int:
    answer = client.get("/runs", headers={"Cookie": f"vitalcast_session={cookie}",
                                          "Accept": "text/html"}, allow_redirects=False)
    return answer.status_code


def test_a_cookie_opens_nothing_after_its_sign_out(client: Client) -> None:
    mine, elsewhere = log_in(client), log_in(client)
    assert page(client, mine) == page(client, elsewhere) == 200
    client.cookies.clear()
    client.post("/logout", headers={"Origin": client.root, "Cookie": f"vitalcast_session={mine}"},
                allow_redirects=False)
    assert page(client, mine) == 303
    assert page(client, elsewhere) == 200


def test_a_token_is_signed_out_by_deleting_it(client: Client) -> None:
    one, other = bearer(client), bearer(client)
    assert client.get("/v1/runs", headers=one).status_code == 200
    assert client.delete("/v1/token", headers=one).status_code == 204
    is_problem(client.get("/v1/runs", headers=one), 401, "not-signed-in")
    is_problem(client.delete("/v1/token", headers=one), 401, "not-signed-in")
    assert client.get("/v1/runs", headers=other).status_code == 200


def test_a_removed_login_opens_nothing(client: Client, people: People) -> None:
    held = bearer(client)
    assert people.remove_user(NAME)
    for path in ("/v1/runs", "/v1/quarantine", "/v1/drift", "/metrics"):
        is_problem(client.get(path, headers=held), 401, "not-signed-in")


def test_another_password_ends_older_sessions_alone(client: Client, people: People) -> None:
    before = bearer(client)
    people.set_password(NAME, PASSWORD)
    assert client.get("/v1/runs", headers=before).status_code == 401
    assert client.get("/v1/runs", headers=bearer(client)).status_code == 200


@pytest.mark.parametrize("role", ["doctor", "operator"])
def test_a_new_login_of_that_name_brings_no_session_back(
    client: Client, people: People, role: str
) -> None:
    held = bearer(client)
    people.remove_user(NAME)
    people.add_user(NAME, PASSWORD, role)
    assert client.get("/v1/runs", headers=held).status_code == 401


def test_signing_out_holds_at_once_where_it_was_done(
    people: People, database_url: str
) -> None:
    with served(create_app(settings(database_url))) as root, Client(root) as client:
        held = bearer(client)
        assert client.get("/v1/runs", headers=held).status_code == 200
        client.delete("/v1/token", headers=held)
        assert client.get("/v1/runs", headers=held).status_code == 401


def test_a_token_of_nobody_has_nothing_to_end(opened: FastAPI) -> None:
    sign_ins: SignIns = opened.state.sign_ins
    sign_ins.end("no token")
    sign_ins.end(None)
