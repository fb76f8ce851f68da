"""The quarantine over HTTP: operators alone see it, and no patient is in it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from api.routes.quarantine import QuarantineOut
from providers.observation import Provider
from registry.database import transaction
from registry.payloads import save_payloads
from registry.quarantine import Fault, hold
from tests.answers import held_to, is_problem
from tests.clinic import CYCLE, HOUR
from tests.serving import Client

LINK = "oura:ill"


@pytest.fixture
def held(ward: Engine) -> Iterator[None]:
    with transaction(ward) as conn:
        conn.execute(text("INSERT INTO connections (connection_id, patient_id, provider)"
                          " VALUES (:link, 'ill', 'oura') ON CONFLICT DO NOTHING"), {"link": LINK})
        save_payloads(conn, [(f"{n}" * 64, b"{}") for n in range(3)], provider=Provider.OURA,
                      resource="sleep")
        for n, kind in enumerate(("page", "records", "discrepancy")):
            hold(conn, [Fault(raw_sha256=f"{n}" * 64, kind=kind, reason="data is not a list",
                              records=1)],
                 connection_id=LINK, resource="sleep", cycle=CYCLE + n * HOUR, parser_version=1)
    yield
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM raw_payloads WHERE resource = 'sleep'"))


@pytest.mark.usefixtures("held")
def test_operators_see_what_is_held_and_no_patient(operator: Client) -> None:
    answer = operator.get("/v1/quarantine")
    found = held_to(QuarantineOut, answer)["entries"]
    assert [(one["kind"], one["last_cycle"]) for one in found] == [
        ("discrepancy", "2026-11-20T16:00:00Z"), ("page", "2026-11-20T14:00:00Z")]
    assert LINK not in answer.text
    assert '"ill"' not in answer.text


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(("query", "count"), [
    ("kind=records", 1), ("kind=records&kind=page", 2), ("provider=withings", 0),
    ("since=2026-11-20T15:00:00Z", 1), ("status=dismissed", 0), ("limit=1", 1)])
def test_the_list_can_be_narrowed(operator: Client, query: str, count: int) -> None:
    found = held_to(QuarantineOut, operator.get(f"/v1/quarantine?{query}"))["entries"]
    assert len(found) == count


@pytest.mark.parametrize("query", ["kind=all", "limit=0", "since=2026-11-20", "provider=x"])
def test_a_question_that_makes_no_sense_is_refused(operator: Client, query: str) -> None:
    is_problem(operator.get(f"/v1/quarantine?{query}"), 422, "invalid-request")


def test_doctors_services_and_strangers_do_not_see_it(
        doctor: Client, service: Client, anonymous: Client) -> None:
    is_problem(doctor.get("/v1/quarantine"), 403, "not-allowed")
    is_problem(service.get("/v1/quarantine"), 403, "not-allowed")
    is_problem(anonymous.get("/v1/quarantine"), 401, "not-signed-in")
