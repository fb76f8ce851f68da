"""The API on a real database: who sees what, what the answers hold, and how it refuses."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from requests import Response
from sqlalchemy import Engine, text

from api import entries, schemas
from api.app import create_app
from api.security import Principal, Role, Tokens
from api.settings import ApiSettings
from clinical.vitals import FORECAST_VITALS
from registry.database import open_engine, transaction
from registry.tables import metadata
from tests.clinic import CYCLE, HORIZON, HOUR, NOW, PASSWORD, USERS, open_ward
from tests.serving import Client, served

OPEN = {"/healthz", "/readyz", "/v1/token", "/login", "/logout", "/docs", "/openapi.json",
        "/docs/oauth2-redirect"}
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def ward(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    with transaction(engine) as conn:
        conn.execute(text(f"TRUNCATE {tables} CASCADE"))
    open_ward(engine)
    yield engine
    engine.dispose()


def settings(url: str, **more: Any) -> ApiSettings:
    return ApiSettings(**{"database_url": url, "secret_key": "k" * 40, "clock": lambda: NOW,
                          "login_attempts": 50, **more})


@pytest.fixture(scope="module")
def app(ward: Engine, database_url: str) -> FastAPI:
    return create_app(settings(database_url))


@pytest.fixture(scope="module")
def root(app: FastAPI) -> Iterator[str]:
    with served(app) as root:
        yield root


SignIn = Callable[..., Client]


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


def is_problem(answer: Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    schemas.ProblemOut.model_validate(body)
    assert body["type"] == f"urn:vitalcast:problem:{slug}"
    assert body["detail"].strip()
    return body


def held_to(schema: type[BaseModel], answer: Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    schema.model_validate_json(answer.content)
    body: dict[str, Any] = answer.json()
    assert set(body) == set(schema.model_fields)
    return body


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
    "/v1/patients/{}/forecasts/spo2", "/v1/patients/{}/accuracy", "/v1/patients/{}/severity",
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
    is_problem(doctor.get(f"/v1/models/{name}"), 404, "model-not-found")
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
    """A token may say service: what is visible follows the role that the database holds now."""
    body = sign_in(name, "service").get("/v1/patients").json()
    assert body["total"] == 0


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
    assert models[0]["alias"] == "champion"
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


# --- documentation ------------------------------------------------------------------------


def test_every_route_is_documented_with_examples(app: FastAPI) -> None:
    document = app.openapi()
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path
    with_examples = [name for name, one in document["components"]["schemas"].items()
                     if "examples" in one]
    assert {"PatientsOut", "ForecastOut", "AccuracyOut", "SeverityOut", "EntryIn",
            "ProblemOut"} <= set(with_examples)


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
