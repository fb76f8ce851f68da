"""What Prometheus reads: who may, that it names no patient, what it tells without a database."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from api.app import create_app
from registry.database import transaction
from registry.events import Event, record
from registry.rollups import roll_up
from tests.answers import SignIn, is_problem, settings
from tests.clinic import CYCLE, PATIENTS
from tests.serving import Client, served

TOKEN = "a token that only Prometheus has"


@pytest.fixture(scope="module")
def app(ward: Engine, database_url: str) -> FastAPI:
    with transaction(ward) as conn:
        roll_up(conn, CYCLE)
    return create_app(settings(database_url, metrics_token=TOKEN))


@pytest.fixture
def prometheus(root: str) -> Iterator[Client]:
    with Client(root, TOKEN) as client:
        yield client


def values(body: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Samples by name and label values, which come in the order of the labels' names."""
    return {(sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(body) for sample in family.samples}


def test_prometheus_operators_and_services_read_it_and_nobody_else(
        prometheus: Client, sign_in: SignIn, anonymous: Client) -> None:
    assert prometheus.get("/metrics").status_code == 200
    assert sign_in("operator").get("/metrics").status_code == 200
    assert sign_in("service").get("/metrics").status_code == 200
    is_problem(anonymous.get("/metrics"), 401, "not-signed-in")
    is_problem(sign_in("doctor").get("/metrics"), 403, "not-allowed")
    wrong = anonymous.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}!"})
    is_problem(wrong, 401, "not-signed-in")
    basic = anonymous.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"})
    is_problem(basic, 401, "not-signed-in")


def test_without_a_token_of_the_settings_none_opens_it(
        ward: Engine, database_url: str) -> None:
    with served(create_app(settings(database_url))) as root, Client(root, "") as client:
        is_problem(client.get("/metrics"), 401, "not-signed-in")


def test_requests_are_counted_by_route_and_never_by_path(
        prometheus: Client, sign_in: SignIn) -> None:
    doctor, patient = sign_in("doctor"), next(iter(PATIENTS))
    before = values(prometheus.get("/metrics").text)
    for _ in range(3):
        doctor.get(f"/v1/patients/{patient}/forecasts")
    doctor.get("/no/such/page")
    body = prometheus.get("/metrics").text
    after = values(body)
    of_route = [name for name in after if name[0] == "vitalcast_http_requests_total"
                and "{patient_id}" in name[1][1]]
    assert sum(after[name] - before.get(name, 0) for name in of_route) == 3
    assert after["vitalcast_http_requests_total", ("GET", "unknown", "404")] >= 1
    assert not any(f"{name}\"" in body or f"/{name}" in body for name in PATIENTS)


def test_the_jobs_figures_are_those_of_the_newest_cycle(
        ward: Engine, prometheus: Client) -> None:
    found = values(prometheus.get("/metrics").text)
    assert found["vitalcast_registry_up", ()] == 1
    assert found["vitalcast_cycle_timestamp_seconds", ()] == CYCLE.timestamp()
    with transaction(ward) as conn:
        scored = conn.execute(text("SELECT count(*) FROM severities WHERE cutoff = :cycle"),
                              {"cycle": CYCLE}).scalar_one()
        told = conn.execute(text("""
            SELECT count(*) FROM forecasts WHERE cutoff = :cycle AND vital = 'heart_rate'
                AND reason IS NULL"""), {"cycle": CYCLE}).scalar_one()
    assert found["vitalcast_cycle_patients", ()] == scored > 0
    assert found["vitalcast_cycle_series", ("yes", "heart_rate")] == told > 0


@pytest.mark.parametrize("log_store", [False, True])
def test_events_wait_only_where_they_are_delivered(
        ward: Engine, database_url: str, log_store: bool) -> None:
    with transaction(ward) as conn:
        record(conn, [Event(kind="delivery.stopped", reason="unreachable", once="here")])
    app = create_app(settings(database_url, metrics_token=TOKEN, log_store=log_store))
    with served(app) as root, Client(root, TOKEN) as client:
        found = values(client.get("/metrics").text)
    assert (("vitalcast_events_waiting", ()) in found) is log_store
    assert found.get(("vitalcast_events_waiting", ()), 1) >= 1


def test_a_table_that_is_locked_takes_no_other_figure_with_it(
        ward: Engine, database_url: str) -> None:
    app = create_app(settings(database_url, metrics_token=TOKEN))
    with (served(app) as root, Client(root, TOKEN) as client, transaction(ward) as conn):
        conn.execute(text("LOCK TABLE drift_events, rollup_cycles"))
        found = values(client.get("/metrics").text)
    named = {name for name, _ in found}
    assert found["vitalcast_registry_up", ()] == 1
    assert found["vitalcast_figures_missing", ()] >= 2
    assert not named & {"vitalcast_drift_open", "vitalcast_cycle_timestamp_seconds"}
    assert "vitalcast_coverage_series" in named


def test_without_a_database_the_servers_own_figures_are_told(database_url: str) -> None:
    nowhere = database_url.rsplit("/", 1)[0] + "/no_such_database"
    with (served(create_app(settings(nowhere, metrics_token=TOKEN))) as root,
          Client(root, TOKEN) as client):
        client.get("/healthz")
        found = values(client.get("/metrics").text)
    assert found["vitalcast_registry_up", ()] == 0
    assert found["vitalcast_http_requests_total", ("GET", "/healthz", "200")] == 1
