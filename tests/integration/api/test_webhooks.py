"""Webhooks at the door: verified before anything, stored once before the answer, or refused."""

import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import Engine, text

from api.app import create_app
from api.routes import webhooks
from providers.observation import Provider
from providers.webhooks import WebhookSecrets
from providers.webhooks.tink import parse_keyset
from registry.database import transaction
from registry.webhooks import event_key
from tests.answers import is_problem, settings
from tests.reference.webhooks import GoogleSigner, oura_headers, terra_headers
from tests.serving import Client, served

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SIGNER = GoogleSigner()
WITHINGS, GARMIN, OURA, TERRA, GOOGLE = "w1" * 10, "g1" * 10, "oura s3cret", "terra s3cret", "Goo"
SECRETS = WebhookSecrets(
    google_health=GOOGLE, google_keys=parse_keyset(SIGNER.keyset()), oura=OURA,
    oura_token="t0ken", terra=TERRA, withings=WITHINGS, garmin=GARMIN)
MOST = 4096


@pytest.fixture(scope="module")
def root(database_url: str) -> Iterator[str]:
    app = create_app(settings(database_url, webhook_secrets=lambda: SECRETS,
                              webhook_most_bytes=MOST, clock=lambda: NOW))
    with served(app) as root:
        yield root


@pytest.fixture
def vendor(root: str, engine: Engine) -> Iterator[Client]:
    with Client(root) as client:
        yield client


def stored(engine: Engine) -> list[tuple[str, str]]:
    with transaction(engine) as conn:
        return [(row.provider, row.status) for row in conn.execute(text(
            "SELECT provider, status FROM webhook_events ORDER BY received_at"))]


def signed_google(body: bytes) -> dict[str, str]:
    return {"GOOGLE-HEALTH-API-SIGNATURE": SIGNER.signature(body), "Authorization": GOOGLE}


def each(shared: Path) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """Address, body and headers of a good event of each vendor."""
    folder = shared / "fixtures"
    google = (folder / "google_health" / "webhook_notification_heart_rate.json").read_bytes()
    oura = (folder / "oura" / "webhook_event.json").read_bytes()
    terra = (folder / "terra" / "daily_min.json").read_bytes()
    return {
        "google_health": ("google_health", google, signed_google(google)),
        "oura": ("oura", oura, oura_headers(OURA, oura)),
        "terra": ("terra", terra, terra_headers(TERRA, terra, STAMP)),
        "withings": (f"withings/{WITHINGS}",
                     (folder / "withings" / "notification_form.txt").read_bytes(),
                     {"Content-Type": "application/x-www-form-urlencoded"}),
        "garmin": (f"garmin/{GARMIN}", (folder / "garmin" / "push_dailies.json").read_bytes(), {}),
    }


def send(vendor: Client, address: str, body: bytes, headers: Any) -> requests.Response:
    return vendor.post(f"/v1/webhooks/{address}", data=body, headers=headers)


def test_an_event_of_each_vendor_is_stored_once(
        vendor: Client, engine: Engine, shared: Path) -> None:
    for _ in range(2):
        for address, body, headers in each(shared).values():
            answer = send(vendor, address, body, headers)
            assert (answer.status_code, answer.content) == (204, b"")
    assert stored(engine) == [(name, "received") for name in each(shared)]
    with transaction(engine) as conn:
        keys = set(conn.execute(text("SELECT key FROM webhook_events")).scalars())
    assert keys == {event_key(Provider(name), body) for name, (_, body, _) in each(shared).items()}


def test_a_changed_byte_is_refused_and_leaves_nothing(
        vendor: Client, engine: Engine, shared: Path) -> None:
    events = each(shared)
    for name in ("google_health", "oura", "terra"):
        address, body, headers = events[name]
        is_problem(send(vendor, address, body + b" ", headers), 401, "webhook-refused")
        is_problem(send(vendor, address, body, {}), 401, "webhook-refused")
    assert stored(engine) == []


def test_other_secrets_are_refused(vendor: Client, engine: Engine, shared: Path) -> None:
    for address, body, headers in (
            ("oura", b"{}", oura_headers("other", b"{}")),
            ("terra", b"{}", terra_headers("other", b"{}", STAMP)),
            ("terra", b"{}", terra_headers(TERRA, b"{}", STAMP - 301)),
            ("google_health", b"{}", {"X-HEALTHAPI-SIGNATURE": GoogleSigner().signature(b"{}")}),
            ("google_health", b"{}", {**signed_google(b"{}"), "Authorization": "other"})):
        is_problem(send(vendor, address, body, headers), 401, "webhook-refused")
    for address in ("withings/other", f"withings/{GARMIN}", "withings", "garmin", "garmin/é",
                    "fitbit", "nobody", f"oura/{OURA}", f"terra/{TERRA}"):
        is_problem(send(vendor, address, b"userid=1&appli=4", {}), 404, "webhook-unknown")
    assert stored(engine) == []


def test_what_is_not_set_up_is_not_there(database_url: str, engine: Engine, shared: Path) -> None:
    with served(create_app(settings(database_url))) as root, Client(root) as vendor:
        for address, body, headers in each(shared).values():
            is_problem(send(vendor, address, body, headers), 404, "webhook-unknown")
        asked = vendor.get("/v1/webhooks/oura?verification_token=&challenge=x")
        is_problem(asked, 404, "webhook-unknown")
    assert stored(engine) == []


def test_googles_handshake_stores_nothing(vendor: Client, engine: Engine, shared: Path) -> None:
    body = (shared / "fixtures" / "google_health" / "webhook_verification.json").read_bytes()
    assert send(vendor, "google_health", body, {"Authorization": GOOGLE}).status_code == 200
    is_problem(send(vendor, "google_health", body, {}), 401, "webhook-refused")
    is_problem(send(vendor, "google-health", body, {"Authorization": "Goa"}), 401,
               "webhook-refused")
    assert stored(engine) == []


def test_ouras_challenge_comes_back_to_the_right_token(vendor: Client) -> None:
    asked = {"verification_token": "t0ken", "challenge": "abc"}
    answer = vendor.get("/v1/webhooks/oura", params=asked)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})
    asked["verification_token"] = "other"
    is_problem(vendor.get("/v1/webhooks/oura", params=asked), 401, "webhook-refused")
    assert vendor.get("/v1/webhooks/oura").status_code == 422


def test_withings_finds_the_address(vendor: Client, engine: Engine) -> None:
    assert vendor.head(f"/v1/webhooks/withings/{WITHINGS}").status_code == 200
    assert vendor.head("/v1/webhooks/withings/other").status_code == 404
    assert send(vendor, f"withings/{WITHINGS}", b"", {}).status_code == 204
    assert stored(engine) == []


def test_a_body_past_the_limit_is_not_read_to_its_end(
        vendor: Client, engine: Engine, root: str) -> None:
    body = b"x" * (MOST + 1)
    is_problem(send(vendor, f"garmin/{GARMIN}", body, {}), 413, "webhook-too-large")
    is_problem(send(vendor, "oura", body, oura_headers(OURA, body)), 413, "webhook-too-large")
    endless = (b"x" * 1024 for _ in range(64))         # chunked: no length is declared
    is_problem(vendor.post(f"/v1/webhooks/garmin/{GARMIN}", data=endless), 413,
               "webhook-too-large")
    assert send(vendor, f"garmin/{GARMIN}", b"x" * MOST, {}).status_code == 204
    assert stored(engine) == [("garmin", "received")]


def test_a_body_that_never_ends_is_given_up(
        vendor: Client, engine: Engine, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BODY_TIMEOUT_S", 0.1)
    place = urlsplit(root)
    assert place.hostname and place.port
    with socket.create_connection((place.hostname, place.port), timeout=20) as line:
        line.sendall(f"POST /v1/webhooks/garmin/{GARMIN} HTTP/1.1\r\nHost: x\r\n"
                     "Content-Length: 10\r\n\r\n{".encode())
        assert b" 408 " in line.recv(200)
    assert stored(engine) == []


def test_nothing_is_acknowledged_that_was_not_stored(
        vendor: Client, engine: Engine, shared: Path) -> None:
    address, body, headers = each(shared)["oura"]
    with transaction(engine) as conn:
        conn.execute(text("ALTER TABLE webhook_events RENAME TO webhook_events_away"))
    try:
        assert send(vendor, address, body, headers).status_code == 503
    finally:
        with transaction(engine) as conn:
            conn.execute(text("ALTER TABLE webhook_events_away RENAME TO webhook_events"))
    assert send(vendor, address, body, headers).status_code == 204


def test_no_secret_and_no_reading_is_logged(
        vendor: Client, shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for address, body, headers in each(shared).values():
            send(vendor, address, body, headers)
            send(vendor, address, body + b"!", headers)
        vendor.get("/v1/webhooks/oura?verification_token=t0ken&challenge=abc")
    # the client's own log of addresses is the vendor's, not ours
    told = json.dumps([one.getMessage() for one in caplog.records
                       if not one.name.startswith("urllib3")])
    for secret in (WITHINGS, GARMIN, OURA, TERRA, "t0ken", "garmin_user_123", "user-0001"):
        assert secret not in told
