"""Coverage over the API: runs, windows, history, and who may see them."""

import pytest
from sqlalchemy import Engine, text

from api import coverage_schemas, schemas
from registry.database import transaction
from tests.answers import SignIn, held_to, is_problem
from tests.clinic import CYCLE
from tests.serving import Client


def test_runs_cover_every_judged_hour_once(doctor: Client) -> None:
    body = held_to(coverage_schemas.CoverageOut, doctor.get("/v1/patients/gaps/coverage"))
    assert [one["vital"] for one in body["vitals"]] == [
        "heart_rate", "respiratory_rate", "systolic_bp", "diastolic_bp", "body_temperature",
        "spo2"]
    for one in body["vitals"]:
        ends = [run["end"] for run in one["runs"]]
        assert [run["start"] for run in one["runs"]][1:] == ends[:-1]
        assert ends[-1] == CYCLE.isoformat().replace("+00:00", "Z")
        assert sum(one["shares"].values()) == pytest.approx(1, abs=1e-3)
        assert all((run["why"] is None) == (run["state"] == "ok") for run in one["runs"])
    last = body["vitals"][0]["runs"][-1]
    assert (last["state"], last["why"]) == (
        "not_synced", "the Withings device last synced 20 Nov 13:51 UTC")


def test_one_vital_in_a_window(doctor: Client) -> None:
    body = doctor.get("/v1/patients/gaps/coverage", params={
        "vital": "spo2", "start": "2026-11-20T10:00:00+00:00",
        "end": "2026-11-20T13:00:00+01:00"}).json()
    (one,) = body["vitals"]
    assert (body["start"], body["end"]) == ("2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z")
    assert (one["runs"][0]["start"], one["runs"][-1]["end"]) == (body["start"], body["end"])
    assert {run["state"] for run in one["runs"]} <= {"worn_no_reading", "not_worn"}


@pytest.mark.parametrize("window", [
    {"start": "2026-11-20T10:00:00Z", "end": "2026-11-20T10:00:00Z"},
    {"start": "2026-01-01T10:00:00Z"}, {"end": "0001-01-02T00:00:00Z"}])
def test_a_window_that_is_none_is_refused(doctor: Client, window: dict[str, str]) -> None:
    is_problem(doctor.get("/v1/patients/gaps/coverage", params=window), 422, "window-invalid")


def test_coverage_of_a_patient_in_nobodys_care_is_not_found(
    doctor: Client, sign_in: SignIn, service: Client,
) -> None:
    for patient in ("other", "nobody"):
        is_problem(doctor.get(f"/v1/patients/{patient}/coverage"), 404, "patient-not-found")
    is_problem(sign_in("colleague").get("/v1/patients/gaps/coverage"), 404, "patient-not-found")
    assert service.get("/v1/patients/other/coverage").status_code == 200


def test_a_forecast_tells_what_it_was_made_from(doctor: Client) -> None:
    body = held_to(schemas.ForecastOut, doctor.get("/v1/patients/gaps/forecasts/heart_rate"))
    told = body["coverage"]
    assert told["state"] == "not_synced"
    assert told["note"] == ("the last reading is 4 h old: the Withings device last synced "
                            "20 Nov 13:51 UTC")
    assert sum(told["shares"].values()) == pytest.approx(1, abs=1e-3)
    lists = doctor.get("/v1/patients/gaps/forecasts").json()["forecasts"]
    assert lists[0]["coverage"] == told
    absent = doctor.get("/v1/patients/gaps/forecasts/spo2").json()
    assert absent["reason"].endswith("the Withings device last synced 20 Nov 13:51 UTC")


def test_what_a_day_said_before_is_told_when_asked(doctor: Client, ward: Engine) -> None:
    with transaction(ward) as conn:
        conn.execute(text(
            "INSERT INTO coverage_revisions (patient_id, vital, day, states, reasons, version, "
            "computed_cycle) SELECT patient_id, vital, day, states, reasons, version, "
            "computed_cycle FROM coverage "
            "WHERE patient_id = 'well' AND vital = 'spo2' AND day = '2026-11-19'"))
    asked = {"vital": "spo2", "history": "true"}
    body = held_to(coverage_schemas.CoverageOut,
                   doctor.get("/v1/patients/well/coverage", params=asked))
    (revision,) = body["vitals"][0]["revisions"]
    assert (revision["day"], revision["version"]) == ("2026-11-19", 1)
    assert revision["runs"][0]["state"] == "ok"
    quiet = doctor.get("/v1/patients/well/coverage", params={"vital": "spo2"}).json()
    assert quiet["vitals"][0]["revisions"] == []
