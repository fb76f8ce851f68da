"""The API on a real database: what the answers hold, and what entries leave."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from api import entries, schemas
from clinical.vitals import FORECAST_VITALS
from registry.database import transaction
from tests.answers import held_to, is_problem
from tests.clinic import CYCLE, HORIZON, HOUR
from tests.serving import Client

# --- what the answers hold ----------------------------------------------------------------


def test_the_work_list_has_the_worst_first(doctor: Client) -> None:
    body = held_to(schemas.PatientsOut, doctor.get("/v1/patients"))
    names = [patient["patient_id"] for patient in body["patients"]]
    assert names[0] == "ill"
    assert names[-2:] == ["mother", "empty"]
    worst, empty = body["patients"][0], body["patients"][-1]
    assert worst["band"] == "high"
    assert worst["peak_probability"] > 0.9
    assert worst["newest_reading_age_minutes"] == 24
    assert empty["total"] is None


def test_the_work_list_comes_in_pages(doctor: Client) -> None:
    whole = doctor.get("/v1/patients").json()["patients"]
    paged = [doctor.get("/v1/patients", params={"limit": 2, "offset": offset}).json()
             for offset in (0, 2, 4)]
    assert [patient for page in paged for patient in page["patients"]] == whole
    assert {page["total"] for page in paged} == {5}


def test_a_service_sees_every_patient(service: Client) -> None:
    assert service.get("/v1/patients").json()["total"] == 6


def test_series_keep_their_gaps(doctor: Client) -> None:
    answer = doctor.get("/v1/patients/gaps/series/heart_rate", params={"hours": 48})
    body = held_to(schemas.SeriesOut, answer)
    assert len(body["mean"]) == len(body["count"]) == 48
    assert body["start"] == (CYCLE - 47 * HOUR).isoformat().replace("+00:00", "Z")
    assert [mean is None for mean in body["mean"]] == [count == 0 for count in body["count"]]
    assert 0 < sum(body["count"]) < 48


def test_series_are_the_means_of_their_hours(
    doctor: Client, ward: Engine
) -> None:
    body = doctor.get("/v1/patients/ill/series/spo2", params={"hours": 3}).json()
    with transaction(ward) as conn:
        expected = conn.execute(text(
            "SELECT avg(value)::float FROM observations WHERE patient_id = 'ill' AND "
            "vital = 'spo2' AND effective_start >= :start AND effective_start < :end"),
            {"start": CYCLE - HOUR, "end": CYCLE}).scalar_one()
    assert body["mean"] == [pytest.approx(body["mean"][0]), expected, None]


def test_a_forecast_is_cut_to_the_horizon_asked(doctor: Client) -> None:
    whole = held_to(schemas.ForecastOut, doctor.get("/v1/patients/ill/forecasts/spo2"))
    assert whole["horizon"] == len(whole["point"]) == HORIZON
    first = held_to(
        schemas.ForecastOut, doctor.get("/v1/patients/ill/forecasts/spo2", params={"horizon": 6}))
    assert first["point"] == whole["point"][:6]
    assert first["intervals"]["95"]["upper"] == whole["intervals"]["95"]["upper"][:6]
    assert first["members"] == whole["members"]
    assert "tbats" in first["absent"]


def test_all_forecasts_of_a_patient_come_at_once(doctor: Client) -> None:
    body = held_to(schemas.ForecastsOut, doctor.get("/v1/patients/gaps/forecasts"))
    by_vital = {one["vital"]: one for one in body["forecasts"]}
    assert list(by_vital) == [vital.value for vital in FORECAST_VITALS]
    assert by_vital["spo2"]["point"] == []
    assert "too little data" in by_vital["spo2"]["reason"]


def test_severity_comes_with_its_explanation(doctor: Client) -> None:
    body = held_to(schemas.SeverityOut, doctor.get("/v1/patients/ill/severity"))
    score = body["current"]["score"]
    assert score["total"] == sum(score["points"].values())
    assert body["current"]["explanation"]
    assert len(body["outlook"]["hours"]) == HORIZON
    assert body["protocol"]["verdicts"][-1] == "severe"


def test_a_score_that_does_not_apply_has_a_reason_and_no_number(doctor: Client) -> None:
    body = doctor.get("/v1/patients/mother/severity").json()
    assert body["band"] == "not applicable"
    assert body["current"]["score"] is None
    assert "pregnancy" in body["current"]["reason"]


@pytest.mark.parametrize("part", ["severity", "forecasts/spo2"])
def test_a_patient_without_a_cycle_has_nothing_yet(doctor: Client, part: str) -> None:
    is_problem(doctor.get(f"/v1/patients/empty/{part}"), 404, "nothing-yet")


def test_a_model_document_comes_byte_for_byte(doctor: Client) -> None:
    models = held_to(schemas.ModelsOut, doctor.get("/v1/patients/ill/models"))["models"]
    aliases = {model["member"]: model["alias"] for model in models}
    assert aliases == {"ensemble": "ensemble", "profile": "champion", "revert": None,
                       "last_value": None}
    assert models[0]["member"] == "ensemble"
    document = doctor.get(f"/v1/models/{models[0]['document_id']}")
    assert document.text.startswith('{"schema":"vitalcast.model/1"')


# --- entries ------------------------------------------------------------------------------


def entries_of(engine: Engine, patient: str) -> dict[str, str]:
    with transaction(engine) as conn:
        rows = conn.execute(text(
            "SELECT item, value FROM clinical_entries WHERE patient_id = :patient"),
            {"patient": patient})
        return {row.item: row.value for row in rows}


def test_an_entry_is_stored_once_however_often_it_is_sent(
    doctor: Client, ward: Engine
) -> None:
    entry = {"effective_at": "2026-11-20T14:05:00+01:00", "supplemental_oxygen": True,
             "consciousness": "confusion", "spo2_scale": 2, "assessed_condition": "moderate"}
    for _ in range(2):
        body = held_to(entries.EntryOut, doctor.post("/v1/patients/gaps/entries", json=entry))
    assert body["effective_at"] == "2026-11-20T13:05:00Z"
    assert entries_of(ward, "gaps") == {
        "supplemental_oxygen": "true", "consciousness": "confusion", "spo2_scale": "2",
        "assessed_condition": "moderate"}
    with transaction(ward) as conn:
        assert conn.execute(text(
            "SELECT spo2_scale FROM patients WHERE patient_id = 'gaps'")).scalar() == 2


def test_an_entry_never_replaces_another(doctor: Client, ward: Engine) -> None:
    at = {"effective_at": "2026-11-20T10:00:00Z"}
    doctor.post("/v1/patients/mother/entries", json={**at, "consciousness": "alert"})
    answer = doctor.post("/v1/patients/mother/entries",
                         json={**at, "consciousness": "pain", "chest_pain": True})
    is_problem(answer, 409, "entry-exists")
    assert entries_of(ward, "mother") == {"consciousness": "alert"}


def test_only_doctors_make_entries_and_only_for_their_patients(
    doctor: Client, service: Client
) -> None:
    entry = {"consciousness": "alert"}
    is_problem(service.post("/v1/patients/ill/entries", json=entry), 403, "not-allowed")
    for name in ("other", "absent", "nul%00"):
        is_problem(doctor.post(f"/v1/patients/{name}/entries", json=entry), 404,
                   "patient-not-found")


@pytest.mark.parametrize(("entry", "field"), [
    ({}, "no item"), ({"effective_at": "2026-11-20T10:00:00", "chest_pain": True}, "effective_at"),
    ({"consciousness": "drowsy"}, "consciousness"), ({"spo2_scale": 3}, "spo2_scale"),
    ({"fever": True}, "fever"),
    ({"effective_at": "2030-01-01T00:00:00Z", "chest_pain": True}, "future"),
])
def test_a_bad_entry_is_refused_with_the_field(
    doctor: Client, entry: dict[str, Any], field: str
) -> None:
    answer = doctor.post("/v1/patients/ill/entries", json=entry)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]


# --- documentation ------------------------------------------------------------------------


def test_every_route_is_documented_with_examples(app: FastAPI) -> None:
    document = app.openapi()
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path
    with_examples = [name for name, one in document["components"]["schemas"].items()
                     if "examples" in one]
    assert {"PatientsOut", "ForecastOut", "AccuracyOut", "SeverityOut", "EntryIn",
            "ForecastExplanationOut", "ModelExplanationOut", "ProblemOut"} <= set(with_examples)
