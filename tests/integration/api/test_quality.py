"""Flags and quality reports behind the API: who sees them, what they say, the page."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text

from api import schemas
from api.routes.quality import FlagsOut, QualityOut
from clinical.quality import LABELS, Flag
from registry.connections import TokenCipher
from registry.database import transaction
from tests.answers import Browser, SignIn, held_to
from tests.clinic import CYCLE, PATIENTS
from tests.reference.cycles import KEYS
from vitalcast.jobs.quality import check_quality
from vitalcast.settings import Settings
from vitalcast.wiring import System

DAY = date(2026, 11, 19)


@pytest.fixture(scope="module", autouse=True)
def flagged(ward: Engine) -> None:
    """One heart rate of the ill patient, an hour before the cycle, cannot be; two reports."""
    with transaction(ward) as conn:
        conn.execute(text("""INSERT INTO quality_flags (key, flag, patient_id, vital, provider,
            effective_start, value, keeps_out, reason)
            SELECT key, 'clock_ahead', patient_id, vital, provider, effective_start, value, true,
                   'begins 3 h after it arrived' FROM observations
            WHERE patient_id = 'ill' AND vital = 'heart_rate'
              AND effective_start IN (:newest, :day_before)"""), {
                  "newest": CYCLE - timedelta(minutes=12),
                  "day_before": CYCLE - timedelta(hours=24, minutes=12)})
    system = System(settings=Settings(), engine=ward, cipher=TokenCipher([KEYS.token_key]))
    for days in (1, 0):
        check_quality(system, day=DAY - timedelta(days=days))


def test_a_doctor_sees_the_flags_of_own_patients(sign_in: SignIn) -> None:
    doctor = sign_in("doctor")
    body = held_to(FlagsOut, doctor.get("/v1/patients/ill/flags"))
    assert [(one["flag"], one["time"], one["keeps_out"]) for one in body["flags"]] == [
        ("clock_ahead", "2026-11-20T13:48:00Z", True),
        ("clock_ahead", "2026-11-19T13:48:00Z", True)]
    assert doctor.get("/v1/patients/ill/flags", params={"hours": 2}).json()["flags"] == body[
        "flags"][:1]
    assert doctor.get("/v1/patients/ill/flags", params={"vital": "spo2"}).json()["flags"] == []
    assert doctor.get("/v1/patients/ill/flags", params={"limit": 1}).json()["flags"] == body[
        "flags"][:1]


@pytest.mark.parametrize(("who", "patient", "status"), [
    ("colleague", "ill", 404), ("doctor", "other", 404), ("doctor", "nobody", 404),
    ("operator", "ill", 403), ("service", "ill", 200)])
def test_flags_are_as_closed_as_readings(
        sign_in: SignIn, who: str, patient: str, status: int) -> None:
    assert sign_in(who).get(f"/v1/patients/{patient}/flags").status_code == status


def test_a_series_marks_its_flags_and_counts_without_what_is_kept_out(sign_in: SignIn) -> None:
    answer = sign_in("doctor").get("/v1/patients/ill/series/heart_rate", params={"hours": 3})
    body = held_to(schemas.SeriesOut, answer)
    assert body["count"] == [1, 0, 0]
    assert body["flags"] == [{
        "hour": "2026-11-20T13:00:00Z", "flag": "clock_ahead", "readings": 1, "keeps_out": True,
        "reason": "begins 3 h after it arrived"}]


def test_the_report_is_for_operators_and_services(sign_in: SignIn) -> None:
    body = held_to(QualityOut, sign_in("operator").get(f"/v1/quality/{DAY}"))
    assert body["day"] == DAY.isoformat()
    assert body["totals"]["readings"] == sum(one["readings"] for one in body["series"]) > 0
    assert body["totals"]["kept_out"] == 1
    assert not any(f"'{patient}'" in str(body) for patient in PATIENTS if patient not in body)
    assert sign_in("service").get(f"/v1/quality/{DAY}").status_code == 200
    assert sign_in("doctor").get(f"/v1/quality/{DAY}").status_code == 403
    missing = sign_in("operator").get("/v1/quality/2026-11-01")
    assert (missing.status_code, "vitalcast quality" in missing.json()["detail"]) == (404, True)
    assert sign_in("operator").get("/v1/quality/friday").status_code == 422


def test_the_page_shows_a_day_and_the_days_before(browser: Browser) -> None:
    operator = browser("operator")
    page = operator.get("/quality")
    assert page.status_code == 200
    assert "Data quality of Thu 19 Nov 2026" in page.text
    assert LABELS[Flag.CLOCK_AHEAD] in page.text and "kept out" in page.text
    assert page.text.count("<rect") == 2 * 5                 # two reports, five totals
    assert not any(f">{patient}<" in page.text for patient in PATIENTS)
    earlier = operator.get("/quality", params={"day": "2026-11-18"}).text
    assert "Wed 18 Nov 2026" in earlier and 'href="/quality?day=2026-11-19"' in earlier
    none = operator.get("/quality", params={"day": "2026-11-10"})
    assert (none.status_code, "vitalcast quality" in none.text) == (404, True)


@pytest.mark.parametrize("role", ["doctor", "service"])
def test_the_page_is_for_operators_alone(browser: Browser, role: str) -> None:
    assert browser(role).get("/quality").status_code == 403
