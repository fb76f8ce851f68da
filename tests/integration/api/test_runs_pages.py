"""The operators' pages of cycles: who sees them, and what they say."""


import orjson
import pytest
from sqlalchemy import Engine, text

from api.answers import encode
from api.routes.cycles import RunExplanationOut
from registry.cycles import Cycles
from registry.database import transaction
from registry.runs import run
from tests.answers import Browser, held_to, is_problem
from tests.clinic import CYCLE, NOW, PASSWORD, PATIENTS
from tests.serving import Client
from vitalcast.explain import explain


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


def test_programs_are_told_the_same_as_the_page_and_the_command(
        ward: Engine, operator: Client) -> None:
    with pytest.raises(KeyError), run(ward, job="evaluate", cycle=CYCLE, shard="1/1"):
        raise KeyError("ill")
    found = [held_to(RunExplanationOut, operator.get(f"/v1/runs/{name}/explanation"))
             for name in ("2026-11-20T14", "latest")]
    assert found[0] == found[1]
    told = explain(Cycles(ward).compared(CYCLE), NOW)
    assert found[0] == orjson.loads(encode(told))
    assert any("KeyError at" in one for one in found[0]["findings"]), found[0]["findings"]


def test_the_explanation_is_for_operators(
        doctor: Client, service: Client, anonymous: Client) -> None:
    for hour in ("latest", "2026-11-20T14", "2020-01-01T00"):
        path = f"/v1/runs/{hour}/explanation"
        is_problem(doctor.get(path), 403, "not-allowed")
        is_problem(service.get(path), 403, "not-allowed")
        is_problem(anonymous.get(path), 401, "not-signed-in")


@pytest.mark.parametrize("hour", ["2020-01-01T00", "yesterday", "2026-11-20T14:30", "nul%00"])
def test_an_explanation_of_no_cycle_is_not_found(operator: Client, hour: str) -> None:
    is_problem(operator.get(f"/v1/runs/{hour}/explanation"), 404, "cycle-not-found")


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
    assert browser("operator").get("/quality").status_code == 200
