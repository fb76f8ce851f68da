"""The API on a real database: who gets in, who sees what, and how it refuses."""


import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, text

from api import schemas
from api.app import create_app
from api.security import Principal, Role
from registry.database import transaction
from tests.answers import SignIn, held_to, is_problem, settings
from tests.clinic import HORIZON, PASSWORD
from tests.serving import Client, served

OPEN = {"/healthz", "/readyz", "/v1/token", "/login", "/logout", "/docs", "/openapi.json",
        "/docs/oauth2-redirect", "/v1/webhooks/oura", "/v1/webhooks/{provider}",
        "/v1/webhooks/{provider}/{secret}"}


# --- who gets in --------------------------------------------------------------------------


def test_every_route_but_the_open_ones_refuses_the_anonymous(
    app: FastAPI, anonymous: Client
) -> None:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    schema_routes = {(path, method.upper()) for path, item in app.openapi()["paths"].items()
                     for method in item}
    seen = {(route.path, method) for route in routes for method in route.methods}
    assert schema_routes <= seen
    for path, method in sorted(seen):
        if path in OPEN:
            continue
        answer = anonymous.request(method, path.replace("{vital}", "spo2"), json={})
        refused = answer.status_code == 401 or (
            answer.status_code == 303 and answer.headers["location"].startswith("/login"))
        assert refused, f"{method} {path} answered {answer.status_code}"


def test_a_password_gives_a_token_that_opens_the_api(anonymous: Client) -> None:
    answer = anonymous.post("/v1/token", data={"username": "doctor", "password": PASSWORD})
    token = held_to(schemas.TokenOut, answer)["access_token"]
    me = anonymous.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert held_to(schemas.MeOut, me) == {"username": "doctor", "role": "doctor"}


@pytest.mark.parametrize("name", ["doctor", "nobody", "nul\0"])
def test_a_wrong_login_does_not_tell_whether_the_name_exists(
    anonymous: Client, name: str
) -> None:
    answer = anonymous.post("/v1/token", data={"username": name, "password": "wrong password"})
    body = is_problem(answer, 401, "wrong-login")
    assert name not in body["detail"]


def test_logins_are_throttled(ward: Engine, database_url: str) -> None:
    with served(create_app(settings(database_url, login_attempts=2))) as root, \
            Client(root) as client:
        for _ in range(2):
            client.post("/v1/token", data={"username": "doctor", "password": "wrong password"})
        answer = client.post("/v1/token", data={"username": "doctor", "password": PASSWORD})
    is_problem(answer, 429, "too-many-logins")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("token", ["", "no.token.this", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkIn0."])
def test_a_forged_token_is_refused(anonymous: Client, token: str) -> None:
    answer = anonymous.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    is_problem(answer, 401, "not-signed-in")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_browsers_cookie_does_not_open_the_api(app: FastAPI, anonymous: Client) -> None:
    token = app.state.tokens.issue(Principal(username="doctor", role=Role.DOCTOR))
    answer = anonymous.get("/v1/patients", cookies={"vitalcast_session": token})
    is_problem(answer, 401, "not-signed-in")


# --- who sees what ------------------------------------------------------------------------

ABOUT_A_PATIENT = (
    "/v1/patients/{}", "/v1/patients/{}/series/spo2", "/v1/patients/{}/forecasts",
    "/v1/patients/{}/forecasts/spo2", "/v1/patients/{}/forecasts/spo2/explanation",
    "/v1/patients/{}/accuracy", "/v1/patients/{}/severity", "/v1/patients/{}/drift",
    "/v1/patients/{}/models")


@pytest.mark.parametrize("path", ABOUT_A_PATIENT)
def test_a_patient_out_of_care_is_not_found_as_one_that_does_not_exist(
    doctor: Client, path: str
) -> None:
    other = is_problem(doctor.get(path.format("other")), 404, "patient-not-found")
    absent = is_problem(doctor.get(path.format("absent")), 404, "patient-not-found")
    assert other == absent
    is_problem(doctor.get(path.format("nul%00")), 404, "patient-not-found")


def test_what_one_doctor_was_answered_is_not_answered_to_another(sign_in: SignIn) -> None:
    path = "/v1/patients/ill/forecasts/heart_rate"
    assert sign_in("doctor").get(path).status_code == 200
    is_problem(sign_in("colleague").get(path), 404, "patient-not-found")


def test_another_patients_model_document_is_not_found(
    doctor: Client, operator: Client
) -> None:
    listed = held_to(schemas.ModelsOut, operator.get("/v1/patients/other/models"))
    name = listed["models"][0]["document_id"]
    for path in (f"/v1/models/{name}", f"/v1/models/{name}/explanation"):
        is_problem(doctor.get(path), 404, "model-not-found")
        assert operator.get(path).status_code == 200
    assert operator.get(f"/v1/models/{name}").json()["series"].startswith("other")


@pytest.mark.parametrize("path", ["/v1/patients", *ABOUT_A_PATIENT[:-1]])
def test_operators_see_no_readings(operator: Client, path: str) -> None:
    is_problem(operator.get(path.format("ill")), 403, "not-allowed")


def test_runs_are_for_operators(operator: Client, doctor: Client) -> None:
    runs = held_to(schemas.RunsOut, operator.get("/v1/runs"))["runs"]
    assert runs[0]["job"] == "forecast"
    is_problem(doctor.get("/v1/runs"), 403, "not-allowed")


def test_a_colleague_without_patients_sees_an_empty_list(sign_in: SignIn) -> None:
    body = held_to(schemas.PatientsOut, sign_in("colleague").get("/v1/patients"))
    assert body["patients"] == []
    assert body["total"] == 0


@pytest.mark.parametrize("name", ["ghost", "operator"])
def test_the_tokens_role_does_not_outlive_the_users(sign_in: SignIn, name: str) -> None:
    """A token may say service: it opens nothing once the database says otherwise."""
    is_problem(sign_in(name, "service").get("/v1/patients"), 401, "not-signed-in")


# --- bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", ["0", "-1", "many"])
def test_a_horizon_that_is_none_is_refused(doctor: Client, horizon: str) -> None:
    answer = doctor.get("/v1/patients/ill/forecasts/spo2", params={"horizon": horizon})
    body = is_problem(answer, 422, "invalid-request")
    assert body["errors"][0]["field"] == "horizon"


def test_a_horizon_beyond_the_stored_one_says_the_limit(doctor: Client) -> None:
    answer = doctor.get("/v1/patients/ill/forecasts/spo2", params={"horizon": HORIZON + 1})
    assert str(HORIZON) in is_problem(answer, 422, "horizon-too-long")["detail"]


def test_an_unknown_vital_is_refused_with_the_known_ones(doctor: Client) -> None:
    body = is_problem(doctor.get("/v1/patients/ill/forecasts/mood"), 422, "invalid-request")
    assert "heart_rate" in body["detail"]


def test_an_unknown_address_is_a_problem(doctor: Client) -> None:
    is_problem(doctor.get("/v1/nothing"), 404, "http-404")
    is_problem(doctor.delete("/v1/patients"), 405, "http-405")


def test_a_refused_password_is_not_repeated(anonymous: Client) -> None:
    answer = anonymous.post("/v1/token", data={"username": "", "password": "my secret"})
    assert "my secret" not in answer.text


# --- health -------------------------------------------------------------------------------


def test_ready_once_the_database_is_migrated(anonymous: Client) -> None:
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    assert anonymous.get("/readyz").json() == {"status": "ok"}


def test_an_unreachable_database_is_a_503_that_names_no_host() -> None:
    url = "postgresql://someone:sesame@127.0.0.1:9/none"
    with served(create_app(settings(url))) as root, Client(root) as client:
        body = is_problem(client.get("/readyz"), 503, "database-unreachable")
        assert client.get("/healthz").status_code == 200
    assert "127.0.0.1" not in str(body)
    assert "sesame" not in str(body)


@pytest.mark.parametrize("path", ["/v1/patients", "/v1/patients/ill/forecasts/spo2"])
def test_a_cut_connection_is_replaced(doctor: Client, ward: Engine, path: str) -> None:
    assert doctor.get(path).status_code == 200
    with transaction(ward) as conn:
        conn.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE pid <> pg_backend_pid() AND datname = current_database()"))
    assert doctor.get(path).status_code == 200


def test_the_read_side_cannot_write(app: FastAPI) -> None:
    with pytest.raises(Exception, match="ReadOnlySqlTransaction"):
        app.state.reading._ask("DELETE FROM severities RETURNING patient_id")


# --- pages --------------------------------------------------------------------------------


def test_a_form_from_another_site_is_refused(anonymous: Client) -> None:
    form = {"username": "doctor", "password": PASSWORD}
    foreign: list[dict[str, str]] = [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
    for headers in foreign:
        assert anonymous.post("/login", data=form, headers=headers).status_code == 403


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_back_to_this_site_only(anonymous: Client, target: str) -> None:
    answer = anonymous.post(
        "/login", data={"username": "doctor", "password": PASSWORD, "next": target},
        headers={"Origin": anonymous.root})
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_answers_carry_security_headers(doctor: Client, anonymous: Client) -> None:
    for answer in (doctor.get("/v1/patients"), anonymous.get("/login")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
