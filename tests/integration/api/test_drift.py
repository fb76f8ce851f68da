"""Drift by cohort over HTTP: operators alone see it, and no patient is in it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from api.routes.drift import ChangesOut, DriftOut
from registry.database import transaction
from tests.answers import held_to, is_problem
from tests.serving import Client


@pytest.fixture
def cohorts(ward: Engine) -> Iterator[None]:
    with transaction(ward) as conn:
        for day in ("2026-11-19", "2026-11-20"):
            conn.execute(text(
                "INSERT INTO drift_cohorts (provider, vital, age_band, day, series, drifting,"
                " missing, psi) VALUES ('oura', 'spo2', 'unknown', :day, 3, 1, 0.5, 0.2)"),
                {"day": day})
    yield
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM drift_cohorts"))


@pytest.mark.usefixtures("cohorts")
@pytest.mark.parametrize(("query", "days"), [
    ("", ["2026-11-20", "2026-11-19"]), ("?days=1", ["2026-11-20"]),
    ("?until=2026-11-19", ["2026-11-19"]), ("?until=2026-11-01", [])])
def test_operators_see_each_day_newest_first(operator: Client, query: str,
                                             days: list[str]) -> None:
    found = held_to(DriftOut, operator.get(f"/v1/drift{query}"))["cohorts"]
    assert [one["day"] for one in found] == days
    assert all((one["series"], one["drifting"], one["psi"], one["skew"]) == (3, 1, 0.2, None)
               for one in found)


def test_before_the_first_look_there_is_nothing(operator: Client) -> None:
    assert held_to(DriftOut, operator.get("/v1/drift")) == {"cohorts": []}


@pytest.mark.parametrize("query", ["days=0", "days=93", "until=yesterday"])
def test_a_question_that_makes_no_sense_is_refused(operator: Client, query: str) -> None:
    is_problem(operator.get(f"/v1/drift?{query}"), 422, "invalid-request")


def test_doctors_services_and_strangers_do_not_see_it(
        doctor: Client, service: Client, anonymous: Client) -> None:
    is_problem(doctor.get("/v1/drift"), 403, "not-allowed")
    is_problem(service.get("/v1/drift"), 403, "not-allowed")
    is_problem(anonymous.get("/v1/drift"), 401, "not-signed-in")


def test_a_doctor_reads_since_when_a_vital_has_changed(ward: Engine, doctor: Client) -> None:
    with transaction(ward) as conn:
        for kind, closed in (("level", "NULL"), ("gaps", "now()"),
                             ("unit", "now() - interval '15 days'")):
            conn.execute(text(
                "INSERT INTO drift_events (patient_id, vital, kind, detected, began, score,"
                " threshold, words, closed_at) VALUES ('ill', 'spo2', :kind,"
                " now() - interval '20 days',"
                f" '2026-11-17T03:00Z', 6, 5, 'lower', CAST({closed} AS timestamptz))"),
                {"kind": kind})
    found = held_to(ChangesOut, doctor.get("/v1/patients/ill/drift"))["changes"]
    assert [one["kind"] for one in found] == ["level", "gaps"]
    assert found[0]["closed_at"] is None and found[0]["began"] == "2026-11-17T03:00:00Z"
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM drift_events"))
