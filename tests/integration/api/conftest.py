"""The ward behind the API, and who may sign in."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from api.security import COOKIE, Principal, Role, Tokens
from tests.answers import Browser, SignIn, settings
from tests.clinic import USERS
from tests.serving import Client, served


@pytest.fixture(scope="module")
def app(ward: Engine, database_url: str) -> FastAPI:
    return create_app(settings(database_url))


@pytest.fixture(scope="module")
def root(app: FastAPI) -> Iterator[str]:
    with served(app) as root:
        yield root


@pytest.fixture
def sign_in(app: FastAPI, root: str) -> Iterator[SignIn]:
    """Clients with a token for a name, and for another role than the user's where one is given."""
    clients: list[Client] = []

    def client(name: str, role: str | None = None) -> Client:
        tokens: Tokens = app.state.tokens
        principal = Principal(username=name, role=Role(role or USERS[name]))
        clients.append(Client(root, tokens.issue(principal)))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


@pytest.fixture
def browser(app: FastAPI, root: str) -> Iterator[Browser]:
    """Clients that a browser is: signed in under their role's name, by cookie, asking for pages."""
    clients: list[Client] = []

    def signed_in(role: str) -> Client:
        client = Client(root)
        client.headers["Accept"] = "text/html"
        client.cookies.set(COOKIE, app.state.tokens.issue(
            Principal(username=role, role=Role(role))))
        clients.append(client)
        return client

    yield signed_in
    for one in clients:
        one.close()


@pytest.fixture
def anonymous(root: str) -> Iterator[Client]:
    with Client(root) as client:
        yield client


@pytest.fixture
def doctor(sign_in: SignIn) -> Client:
    return sign_in("doctor")


@pytest.fixture
def operator(sign_in: SignIn) -> Client:
    return sign_in("operator")


@pytest.fixture
def service(sign_in: SignIn) -> Client:
    return sign_in("service")
