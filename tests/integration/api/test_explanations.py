"""How forecasts were made, told by the API: weights, absent members, the leading one explained."""

import pytest
from sqlalchemy import Engine, text

from api import explanation_schemas as schemas
from api.explanations import NOT_STORED, OF_MEMBERS
from registry.database import transaction
from tests.answers import held_to, is_problem
from tests.clinic import CHAMPION_WHY, HORIZON, MEMBERS, WITH_DOCUMENTS
from tests.serving import Client

PATH = "/v1/patients/ill/forecasts/heart_rate/explanation"


def documents(client: Client, patient: str, vital: str) -> dict[str, str]:
    listed = client.get(f"/v1/patients/{patient}/models").json()["models"]
    return {one["member"]: one["document_id"] for one in listed if one["vital"] == vital}


def test_each_member_tells_its_part_in_the_order_of_it(doctor: Client) -> None:
    body = held_to(schemas.ForecastExplanationOut, doctor.get(PATH))
    shares = [one["share"] for one in body["members"].values()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert set(body["members"]) == set(MEMBERS)
    forecast = doctor.get("/v1/patients/ill/forecasts/heart_rate").json()
    for name, one in body["members"].items():
        assert one["path"] == forecast["members"][name]["path"]
        assert one["weights"] == forecast["members"][name]["weights"]
        assert (one["structure"] is not None) == (name in WITH_DOCUMENTS)
    assert len(body["members"]["profile"]["path"]) == HORIZON
    assert body["absent"] == forecast["absent"]


def test_the_leading_member_is_explained_in_words_and_numbers(doctor: Client) -> None:
    body = doctor.get("/v1/patients/well/forecasts/heart_rate/explanation").json()
    leading = body["leading"]
    assert leading["member"] == next(iter(body["members"])) == "profile"
    assert leading["as_of"] == body["cutoff"]
    assert leading["level"] == pytest.approx(68, abs=3)
    assert len(leading["daily_pattern"]) == 24
    pattern = leading["daily_pattern"]
    assert pattern[leading["highest_hour"]] - pattern[leading["lowest_hour"]] == pytest.approx(
        leading["amplitude"])
    assert leading["sentences"][0] == (
        f"The level is {leading['level']:.0f} /min; the model has no trend.")
    assert "/min" in leading["sentences"][1]
    assert leading["making"]["made_by"] == "search"
    assert body["unexplained"] is None


def test_the_champion_is_told_with_its_reason(doctor: Client) -> None:
    champion = doctor.get(PATH).json()["champion"]
    assert champion == {"member": "profile", "why": CHAMPION_WHY,
                        "document_id": documents(doctor, "ill", "heart_rate")["profile"]}


def test_times_of_day_come_in_the_patients_own_time_too(doctor: Client) -> None:
    words = " ".join(doctor.get(PATH, params={"utc_offset_minutes": 330}).json()
                     ["leading"]["sentences"])
    assert "UTC (" in words
    assert ":30 patient's time)" in words
    is_problem(doctor.get(PATH, params={"utc_offset_minutes": 900}), 422, "invalid-request")


def test_a_vital_without_a_forecast_says_why(doctor: Client) -> None:
    body = held_to(schemas.ForecastExplanationOut,
                   doctor.get("/v1/patients/gaps/forecasts/spo2/explanation"))
    assert body["leading"] is None
    assert body["members"] == {}
    assert body["unexplained"] == body["reason"] != ""
    is_problem(doctor.get("/v1/patients/empty/forecasts/spo2/explanation"), 404, "nothing-yet")


def test_a_leading_member_without_a_document_is_not_explained(
    doctor: Client, ward: Engine
) -> None:
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM model_aliases WHERE patient_id = 'well' AND vital = 'spo2' "
                          "AND alias = 'champion'"))
        conn.execute(text("DELETE FROM model_documents WHERE patient_id = 'well' AND "
                          "vital = 'spo2' AND member = 'profile'"))
    body = held_to(schemas.ForecastExplanationOut,
                   doctor.get("/v1/patients/well/forecasts/spo2/explanation"))
    assert body["unexplained"] == NOT_STORED
    assert body["leading"] is body["champion"] is None
    assert next(iter(body["members"])) == "profile"


def test_operators_see_no_explanation_of_a_forecast(operator: Client) -> None:
    is_problem(operator.get(PATH), 403, "not-allowed")


def test_a_model_document_comes_with_its_explanation(doctor: Client, operator: Client) -> None:
    name = documents(doctor, "ill", "body_temperature")["revert"]
    for client in (doctor, operator):
        body = held_to(schemas.ModelExplanationOut, client.get(f"/v1/models/{name}/explanation"))
        assert body["document"] == client.get(f"/v1/models/{name}").json()
        assert body["explanation"]["unit"] == "Cel"
        assert "°C" in body["explanation"]["sentences"][0]


def test_an_ensembles_document_has_no_level_of_its_own(doctor: Client) -> None:
    name = documents(doctor, "ill", "heart_rate")["ensemble"]
    body = held_to(schemas.ModelExplanationOut, doctor.get(f"/v1/models/{name}/explanation"))
    assert body["explanation"] is None
    assert body["unexplained"] == OF_MEMBERS
