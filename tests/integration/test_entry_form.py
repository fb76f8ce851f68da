"""The form "Add an entry" on a real database: who may, what is stored, and how it refuses."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from requests import Response
from sqlalchemy import Engine, text

from api import entries
from api.app import create_app
from api.pages.entries import NOTHING_FILLED_IN, SAME_MOMENT, labels
from api.security import COOKIE, Principal, Role
from api.settings import ApiSettings
from registry.database import transaction
from tests.clinic import NOW, USERS
from tests.serving import Client, served


@pytest.fixture(scope="module")
def app(ward: Engine, database_url: str) -> FastAPI:
    return create_app(ApiSettings(database_url=database_url, secret_key="k" * 40,
                                  clock=lambda: NOW))


@pytest.fixture(scope="module")
def root(app: FastAPI) -> Iterator[str]:
    with served(app) as root:
        yield root


@pytest.fixture(autouse=True)
def no_entries(ward: Engine) -> None:
    """The ward before anything was entered now."""
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM clinical_entries WHERE effective_at = :now"), {"now": NOW})


@pytest.fixture
def doctor(ward: Engine, app: FastAPI, root: str) -> Iterator[Client]:
    with browser(app, root, "doctor") as client:
        yield client


def browser(app: FastAPI, root: str, name: str) -> Client:
    """Signed in by cookie, sending forms from this very site."""
    client = Client(root)
    token = app.state.tokens.issue(Principal(username=name, role=Role(USERS[name])))
    client.cookies.set(COOKIE, token)
    client.headers["Origin"] = root
    return client


def stored(ward: Engine, patient: str) -> dict[str, str]:
    with transaction(ward) as conn:
        rows = conn.execute(text("SELECT item, value FROM clinical_entries WHERE patient_id = :p "
                                 "AND effective_at = :now"), {"p": patient, "now": NOW})
        return {row.item: row.value for row in rows}


def refused_at_the_form(answer: Response, status: int, sentence: str) -> None:
    assert answer.status_code == status
    assert sentence in answer.text
    assert 'id="add-entry" open' in answer.text


def test_the_form_asks_for_every_item_of_an_entry() -> None:
    assert set(labels()) == set(entries.EntryIn.model_fields) - {"effective_at"}


def test_what_is_answered_is_stored_and_the_page_shown_again(doctor: Client, ward: Engine) -> None:
    form = dict.fromkeys(labels(), "") | {
        "supplemental_oxygen": "false", "consciousness": "voice", "chest_pain_at_rest": "true",
        "assessed_condition": "moderate", "spo2_scale": "2"}
    answer = doctor.post("/patients/gaps", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/patients/gaps?stored=yes"
    assert stored(ward, "gaps") == {item: value for item, value in form.items() if value}
    page = doctor.get("/patients/gaps?stored=yes").text
    assert "Stored; it counts from the next hourly cycle on." in page
    assert "entered by doctor" in page
    with transaction(ward) as conn:
        assert conn.execute(text(
            "SELECT spo2_scale FROM patients WHERE patient_id = 'gaps'")).scalar() == 2


def test_the_notice_is_gone_once_a_cycle_has_counted_the_entry(doctor: Client) -> None:
    assert "Stored; it counts" not in doctor.get("/patients/ill?stored=yes").text


@pytest.mark.parametrize(("form", "sentence"), [
    ({}, NOTHING_FILLED_IN), ({"consciousness": ""}, NOTHING_FILLED_IN),
    ({"consciousness": "drowsy"}, "Consciousness: choose one of the answers offered."),
    ({"spo2_scale": "3"}, "SpO2 scale: choose one of the answers offered."),
    ({"fever": "true"}, "a question that is not on it"),
    ({"chest_pain": "true", "effective_at": "2030-01-01T00:00:00Z"}, "lies in the future"),
])
def test_a_bad_entry_is_told_at_the_form(
    doctor: Client, ward: Engine, form: dict[str, str], sentence: str
) -> None:
    refused_at_the_form(doctor.post("/patients/ill", data=form), 422, sentence)
    assert stored(ward, "ill") == {}


def test_what_was_filled_in_stays_filled_in(doctor: Client) -> None:
    answer = doctor.post("/patients/ill", data={"chest_pain": "true", "consciousness": "<b>"})
    assert 'name="chest_pain" value="true" checked' in answer.text
    assert "<b>" not in answer.text


def test_another_value_at_the_same_moment_is_refused(doctor: Client, ward: Engine) -> None:
    doctor.post("/patients/ill", data={"consciousness": "alert"})
    answer = doctor.post("/patients/ill", data={"consciousness": "pain", "chest_pain": "true"})
    refused_at_the_form(answer, 409, SAME_MOMENT)
    assert stored(ward, "ill") == {"consciousness": "alert"}


def test_a_foreign_origin_is_refused(doctor: Client, ward: Engine) -> None:
    # None takes the header away
    foreign: list[dict[str, str | None]] = [
        {"Origin": None}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
    for headers in foreign:
        answer = doctor.post("/patients/ill", data={"consciousness": "alert"},
                             headers=headers)
        assert answer.status_code == 403
    assert stored(ward, "ill") == {}


@pytest.mark.parametrize("form", [{"consciousness": "alert"}, {}])
@pytest.mark.parametrize("patient", ["other", "absent", "nul%00"])
def test_another_doctors_patient_is_not_found(
    doctor: Client, patient: str, form: dict[str, str]
) -> None:
    assert doctor.post(f"/patients/{patient}", data=form).status_code == 404


@pytest.mark.parametrize("name", ["operator", "service"])
def test_only_doctors_make_entries(app: FastAPI, root: str, ward: Engine, name: str) -> None:
    with browser(app, root, name) as client:
        answer = client.post("/patients/ill", data={"consciousness": "alert"})
        assert answer.status_code == 403
        assert "made by doctors" in answer.text or name == "operator"
    assert stored(ward, "ill") == {}


def test_a_service_reads_the_report_without_the_form(app: FastAPI, root: str) -> None:
    with browser(app, root, "service") as client:
        page = client.get("/patients/ill")
    assert page.status_code == 200
    assert "entered by doctor" in page.text
    assert "Add an entry" not in page.text


def test_the_report_to_keep_has_the_entries_and_no_form(doctor: Client) -> None:
    page = doctor.get("/patients/ill/report.html").text
    assert "entered by doctor" in page
    assert "<form" not in page
    assert "How earlier forecasts did" in page
