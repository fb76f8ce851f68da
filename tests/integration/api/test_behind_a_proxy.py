"""Behind a TLS proxy whose requests do not come from 127.0.0.1, as in a container."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests.adapters import HTTPAdapter
from sqlalchemy import Engine

from api.app import create_app
from tests.answers import settings
from tests.clinic import PASSWORD
from tests.serving import Client, served

GATEWAY = "127.0.0.2"


class FromGateway(HTTPAdapter):
    """Connections with the gateway's address as their own."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(GATEWAY, 0), **options)


@pytest.fixture
def proxy(ward: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", GATEWAY)
    app = create_app(settings(database_url, login_attempts=3))
    with served(app) as root, Client(root) as client:
        client.mount("http://", FromGateway())
        client.headers["Origin"] = f"https://{urlsplit(root).netloc}"
        yield client


def login(proxy: Client, name: str, password: str, address: str) -> Any:
    return proxy.post("/login", data={"username": name, "password": password},
                      headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": address})


def test_the_cookie_travels_over_tls_alone(proxy: Client) -> None:
    answer = login(proxy, "doctor", PASSWORD, "198.51.100.7")
    assert answer.status_code == 303
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_strangers_lock_themselves_out_and_nobody_else(proxy: Client) -> None:
    for number in range(3):
        assert login(proxy, f"nobody-{number}", "guessed", "203.0.113.9").status_code == 401
    assert login(proxy, "nobody-4", "guessed", "203.0.113.9").status_code == 429
    assert login(proxy, "doctor", PASSWORD, "198.51.100.7").status_code == 303
