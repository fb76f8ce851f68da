"""The operators' pages of cycles: who sees them, and what they say."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api.security import COOKIE, Principal, Role
from registry.database import transaction
from registry.runs import run
from tests.clinic import CYCLE, PASSWORD, PATIENTS
from tests.serving import Client

Browser = Callable[[str], Client]


@pytest.fixture
def browser(app: FastAPI, root: str) -> Iterator[Browser]:
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


def test_an_operator_sees_the_cycles_and_why_one_went_wrong(
        ward: Engine, browser: Browser) -> None:
    with pytest.raises(KeyError), run(ward, job="train", cycle=CYCLE, shard="1/1"):
        raise KeyError("ill")
    operator = browser("operator")
    listed = operator.get("/runs").text
    assert "Failed" in listed and 'href="/runs/2026-11-20T14"' in listed
    for name in ("2026-11-20T14", "latest"):
        page = operator.get(f"/runs/{name}").text
        assert "Train failed on shard 1/1: KeyError at" in page
        assert "Ingest has not run." in page
        assert not any(f">{patient}<" in page or f"/{patient}" in page for patient in PATIENTS)


@pytest.mark.parametrize("role", ["doctor", "service"])
@pytest.mark.parametrize("path", ["/runs", "/runs/latest"])
def test_cycles_are_for_operators(browser: Browser, role: str, path: str) -> None:
    answer = browser(role).get(path)
    assert answer.status_code == 403
    assert "for operators" in answer.text


@pytest.mark.parametrize("hour", ["2020-01-01T00", "yesterday", "2026-11-20T14:30"])
def test_a_cycle_that_is_not_there_is_not_found(browser: Browser, hour: str) -> None:
    answer = browser("operator").get(f"/runs/{hour}")
    assert answer.status_code == 404
    assert "latest" in answer.text


def test_an_operator_begins_with_the_cycles(anonymous: Client) -> None:
    for next_page, begins in (("/", "/runs"), ("/patients/well/connections",) * 2):
        answer = anonymous.post(
            "/login", data={"username": "operator", "password": PASSWORD, "next": next_page},
            headers={"Origin": anonymous.root})
        assert answer.headers["location"] == begins


def test_before_the_first_cycle_the_list_says_so(ward: Engine, browser: Browser) -> None:
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM runs"))
    assert "No job has run yet" in browser("operator").get("/runs").text
    assert browser("operator").get("/runs/latest").status_code == 404
