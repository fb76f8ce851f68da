"""What ingest makes of links: lapsed ones come back, partial consents and a vendor that is down."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
from sqlalchemy import Engine, text

from providers.breaker import FAILED_CALLS
from providers.oauth import exchange_code
from providers.observation import Provider
from registry.connections import save_connection
from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, vendors
from tests.reference.sandbox_user import SandboxUser
from vitalcast.cycle import HOUR


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=("demo-01", "demo-04", "demo-07", "demo-08")) as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def fail(place: Installation, **fault: object) -> None:
    requests.post(f"{place.sandbox_url}/sandbox/faults", json=fault, timeout=20).raise_for_status()


def mend(place: Installation) -> None:
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20).raise_for_status()


def statuses(place: Installation) -> dict[str, str]:
    with transaction(place.system.engine) as conn:
        return {row.patient_id: row.status for row in conn.execute(text(
            "SELECT patient_id, status FROM connections"))}


def asked(place: Installation, patient: str, hour: int) -> dict[str, str]:
    """Outcome and reason of what was fetched for a patient in a cycle."""
    with transaction(place.system.engine) as conn:
        return {row.resource: f"{row.outcome} {(row.reason or '').split(':')[0]}".strip()
                for row in conn.execute(text(
                    "SELECT resource, outcome, reason FROM fetches JOIN connections"
                    " USING (connection_id) WHERE patient_id = :patient AND cycle = :cycle"),
                    {"patient": patient, "cycle": CYCLE + hour * HOUR})}


def run(place: Installation, hour: int) -> None:
    place.clock(CYCLE + hour * HOUR)
    place.ingest(CYCLE + hour * HOUR)


@pytest.mark.parametrize(("provider", "patient", "status"), [
    ("oura", "demo-07", "subscription_lapsed"), ("google_health", "demo-04", "not_linked")])
def test_a_lapsed_account_comes_back_by_itself(
        place: Installation, provider: str, patient: str, status: str) -> None:
    fail(place, kind="vendor_error", provider=provider, subject_id=patient)
    run(place, 0)
    assert statuses(place)[patient] == status
    mend(place)                                            # the patient pays, or links the account
    run(place, 1)
    assert asked(place, patient, 1) == {}
    assert asked(place, "demo-08", 1) != {}
    run(place, 24)
    assert set(asked(place, patient, 24).values()) == {"complete"}
    assert statuses(place)[patient] == "active"
    run(place, 25)
    assert asked(place, patient, 25) != {}


def test_an_account_that_stays_lapsed_is_asked_once_a_day(place: Installation) -> None:
    fail(place, kind="vendor_error", provider="oura", subject_id="demo-07")
    for hour in (0, 12, 24, 36, 48):
        run(place, hour)
    assert [hour for hour in (0, 12, 24, 36, 48) if asked(place, "demo-07", hour)] == [0, 24, 48]


@pytest.mark.parametrize(("provider", "patient", "granted", "refused"), [
    (Provider.WITHINGS, "demo-01", "user.metrics", {"sleep", "intraday"}),
    (Provider.GOOGLE_HEALTH, "demo-04",
     "https://www.googleapis.com/auth/googlehealth.sleep.readonly",
     {"heart-rate", "oxygen-saturation", "core-body-temperature", "daily-respiratory-rate"}),
    (Provider.OURA, "demo-07", "heartrate", {"sleep", "daily_spo2", "daily_readiness"})])
def test_a_partial_consent_is_told_apart_resource_by_resource(
        place: Installation, provider: Provider, patient: str, granted: str,
        refused: set[str]) -> None:
    config = place.system.oauth(provider)
    with requests.Session() as session:
        user = SandboxUser(place.sandbox_url, session)
        code = user.code(provider, patient, redirect_uri=config.redirect_uri,
                         scope=" ".join(config.scopes), granted=granted)
    tokens = exchange_code(config, code)
    assert tokens.scopes == (granted,)
    with transaction(place.system.engine) as conn:
        save_connection(conn, place.system.cipher, patient_id=patient, provider=provider,
                        tokens=tokens)
    run(place, 0)
    found = asked(place, patient, 0)
    assert {name for name, told in found.items() if told == "not_entitled scope_missing"} == refused
    # The last sync may need another scope: the fetch is complete without it.
    assert all(told.startswith("complete") for name, told in found.items() if name not in refused)
    assert statuses(place)[patient] == "active"


def test_a_vendor_that_is_down_is_left_alone_and_asked_by_the_next_run(
        place: Installation) -> None:
    place = impatient(place)
    fail(place, kind="http_500", provider="oura")
    run(place, 0)
    told = list(asked(place, "demo-07", 0).values()) + list(asked(place, "demo-08", 0).values())
    assert told.count("fetch_failed vendor_unavailable") == FAILED_CALLS
    assert told.count("fetch_failed circuit_open") == len(told) - FAILED_CALLS > 0
    assert {one.split()[0] for one in asked(place, "demo-01", 0).values()} == {"complete"}
    mend(place)
    run(place, 1)
    assert set(asked(place, "demo-08", 1).values()) == {"complete"}


def impatient(place: Installation) -> Installation:
    """The same installation, which tries again at once."""
    hasty = place.system.settings.model_copy(update={"vendor_wait_s": 0.001})
    return replace(place, system=replace(place.system, settings=hasty))
