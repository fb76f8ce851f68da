"""No token, header, code, patient or reading is found in what is logged, printed or told of errors.

A whole life at the most talkative log level: consent, cycle, dying tokens, webhooks, imports, the
end of a link, and a job that fails. Everything secret carries one word, every patient another, and
the readings of files and pushes a number of their own.
"""

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.app import create_app
from api.security import Logins, Tokens
from providers.observation import Provider
from providers.sandbox.cohort import PROFILES
from providers.sandbox.cohort import Patient as Wearer
from providers.sandbox.readings import Subject
from providers.webhooks import WebhookSecrets
from registry.connections import TokenCipher
from registry.database import RegistryError, open_engine, transaction
from registry.patients import Patient, save_patients
from registry.people import People
from registry.tables import metadata
from tests.answers import settings as api_settings
from tests.reference.cycles import CYCLE, LIGHT, UNLIMITED, Installation
from tests.reference.sandbox_user import sandbox_user
from tests.reference.webhooks import oura_headers, terra_headers
from tests.serving import Client, served
from vitalcast.cli import app as command_line
from vitalcast.jobs.webhooks import link_account, process_webhooks
from vitalcast.sandbox_admin import arm, disarm
from vitalcast.settings import Settings
from vitalcast.wiring import System

SECRET, PERSON, READING = "5ecretword", "pat1ent", "36.98765"
ODD = "987.98765"                                     # a reading that is refused
WHO = {Provider.WITHINGS: "demo-01", Provider.GOOGLE_HEALTH: "demo-04", Provider.OURA: "demo-07"}
NAMES = {provider: f"{PERSON}-{provider.value.replace('_', '-')}" for provider in WHO}
DOOR = WebhookSecrets(oura=f"oura-{SECRET}", oura_token=f"token-{SECRET}",
                      terra=f"terra-{SECRET}", withings=f"withings-{SECRET}-address",
                      garmin=f"garmin-{SECRET}-address")
TELLING = {"reason", "reasons", "exception", "figures", "message", "record", "stack", "why",
           "fault", "refused", "data"}
"""Columns that tell what happened; identifiers have columns of their own."""

CLINICAL = {"quality_flags"}
"""Their reasons quote readings: they are patient data, and guarded as such."""


def wearers(anchor: int) -> list[Subject]:
    return [Wearer(replace(profile, subject_id=NAMES[profile.provider]), seed=7, number=number,
                   anchor=anchor)
            for number, profile in enumerate(PROFILES) if profile.subject_id in WHO.values()]


class Heard(logging.Handler):
    """Every record, as it would be written, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Everything that any logger says at its most talkative."""
    handler, root = Heard(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code, token, state, nonce and verifier that is made carries the word."""
    made = secrets.token_urlsafe

    def token_urlsafe(length: int | None = None) -> str:
        return f"{SECRET}-{made(length)}"

    monkeypatch.setattr(secrets, "token_urlsafe", token_urlsafe)
    monkeypatch.setattr("vitalcast.linking.token_urlsafe", token_urlsafe)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An installation with its door, and what has to happen in it."""

    place: Installation
    door: Client
    vendors: str

    def consents(self) -> None:
        """Each patient links an account; one says no first, and one code comes twice."""
        for provider, name in NAMES.items():
            url = self.door.get(f"/v1/connections/{provider}/authorize",
                                params={"patient_id": name}).json()["url"]
            denied = self.consent(url, name, decision="deny")
            assert self.returned(provider, denied) >= 400
            url = self.door.get(f"/v1/connections/{provider}/authorize",
                                params={"patient_id": name}).json()["url"]
            sent = self.consent(url, name)
            assert SECRET in sent["code"] and SECRET in sent["state"]
            assert self.returned(provider, sent) == 200
            assert self.returned(provider, sent) >= 400

    def consent(self, url: str, name: str, **choice: str) -> dict[str, str]:
        """In the patient's own browser."""
        answer = requests.get(url, params={"login_hint": name, **choice}, timeout=20,
                              allow_redirects=False)
        found = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {key: value for key, (value,) in found.items()}

    def returned(self, provider: Provider, sent: dict[str, str]) -> int:
        return self.door.get(f"/v1/connections/{provider}/callback", params=sent).status_code

    def cycles(self) -> None:
        """One cycle as it should be, one in which vendors fail in every way that has words."""
        for kind in ("token_death", "truncated_body", "http_500", "changed_schema"):
            arm(self.vendors, kind, times=1, after=2)
        self.place.cycle(CYCLE)
        for provider, path in (("oura", "/oauth/token"), ("withings", "/v2/oauth2")):
            arm(self.vendors, "token_death", provider=provider, times=1)
            arm(self.vendors, "http_500", provider=provider, resource=path, times=1)
        arm(self.vendors, "consent_death", provider="google_health", times=1)
        arm(self.vendors, "changed_schema")
        self.place.ingest(CYCLE.replace(hour=7))
        disarm(self.vendors)

    def webhooks(self) -> None:
        """Good and bad ones, a push, and a ping whose address holds a token."""
        link_account(self.place.system, provider=Provider.GARMIN, account=f"{PERSON}-garmin",
                     patient_id=NAMES[Provider.OURA])
        ping = {"dailies": [{"userId": f"{PERSON}-garmin", "callbackURL":
                             f"{self.vendors}/x?token={SECRET}"}]}
        push = {"bodyTemps": [], "dailies": [{
            "userId": f"{PERSON}-garmin", "summaryId": f"{PERSON}-1",
            "startTimeInSeconds": 1795000000, "startTimeOffsetInSeconds": 0,
            "durationInSeconds": 3600, "timeOffsetHeartRateSamples": {"0": 61, "15": float(ODD)}}]}
        event = json.dumps({"event_type": "update", "data_type": "daily_sleep",
                            "user_id": f"{PERSON}-oura", "object_id": "x"}).encode()
        for body in (ping, push):
            assert self.send(f"garmin/{DOOR.garmin}", json.dumps(body).encode()) == 204
        assert self.send("oura", event, oura_headers(DOOR.oura, event)) == 204
        assert self.send("oura", event, oura_headers(f"wrong-{SECRET}", event)) == 401
        assert self.send("terra", event, terra_headers(f"wrong-{SECRET}", event, 1)) == 401
        assert self.send(f"withings/wrong-{SECRET}", event) == 404
        assert self.send(f"withings/{DOOR.withings}", b"userid=" + PERSON.encode()) == 204
        assert self.door.get("/v1/webhooks/oura", params={
            "verification_token": f"wrong-{SECRET}", "challenge": SECRET}).status_code == 401
        place = self.place.system
        told = process_webhooks(replace(place, settings=place.settings.model_copy(
            update={"garmin_hosts": self.vendors})))
        assert told["events"] == 4

    def send(self, address: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        return self.door.post(f"/v1/webhooks/{address}", data=body,
                              headers=headers or {}).status_code

    def ends(self) -> None:
        """Links are ended, at the vendor too; afterwards nobody may fetch."""
        for provider, name in NAMES.items():
            answer = self.door.delete(f"/v1/connections/{provider}:{name}")
            assert answer.status_code == 200
        self.place.ingest(CYCLE.replace(hour=8))

    def failure(self) -> None:
        """A job dies of a database that refuses what it writes."""
        with transaction(self.place.system.engine) as conn:
            conn.execute(text("ALTER TABLE forecasts ADD CONSTRAINT none"
                              " CHECK (patient_id IS NULL) NOT VALID"))
        with pytest.raises(RegistryError):
            self.place.forecast(CYCLE.replace(hour=7))


@pytest.fixture
def life(engine: Engine, database_url: str, marked: None) -> Iterator[Life]:
    with sandbox_user(wearers, now=int(CYCLE.timestamp())) as user:
        given = Settings(
            database_url=database_url, sandbox_url=user.root, rate_limits=UNLIMITED, shards=1,
            token_keys=Fernet.generate_key().decode(), history_days=8, workers=1,
            vendor_wait_s=0.001,
            redirect_uri="http://127.0.0.1:1/v1/connections/{provider}/callback")
        system = System(settings=given, engine=open_engine(database_url),
                        cipher=TokenCipher([given.token_keys]))
        place = Installation(system=system, sandbox_url=user.root, config=LIGHT)
        people(system)
        app = create_app(api_settings(database_url, vendors=given, webhook_secrets=lambda: DOOR))
        with served(app, log_config=None, log_level="debug") as root, \
                Client(root, token(app)) as door:
            yield Life(place=place, door=door, vendors=user.root)
        system.engine.dispose()


def people(system: System) -> None:
    with transaction(system.engine) as conn:
        save_patients(conn, [Patient(patient_id=name, birth_date=date(1970, 2, 3))
                             for name in NAMES.values()])
    logins = People(system.settings.database_url)
    logins.add_user("doctor", f"password {SECRET}", "doctor")
    logins.give_care("doctor", None)
    logins.close()


def token(app: FastAPI) -> str:
    tokens: Tokens = app.state.tokens
    logins: Logins = app.state.logins
    return tokens.issue(logins.sign_in("doctor", f"password {SECRET}", "127.0.0.1"))


def imports(life: Life, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that names its patient, with a reading that is refused; and another's."""
    for name, value in life.place.system.settings.model_dump(
            include={"database_url", "token_keys"}).items():
        monkeypatch.setenv(f"VITALCAST_{name.upper()}", value)
    file = folder / "bundle.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Observation", "status": "final", "id": f"{PERSON}-{value}",
                      "subject": {"reference": f"Patient/{PERSON}", "display": f"{PERSON} Ada"},
                      "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
                      "effectiveDateTime": "2026-11-20T08:00:00+01:00",
                      "valueQuantity": {"value": float(value), "code": "Cel",
                                        "system": "http://unitsofmeasure.org"}}}
        for value in (READING, ODD)]}))
    done = CliRunner().invoke(command_line, [
        "import", "fhir", str(file), "--patient", NAMES[Provider.OURA], "--json"])
    assert done.exit_code == 0, done.output


def told(engine: Engine) -> Iterator[str]:
    """What the tables tell of what happened."""
    with transaction(engine) as conn:
        for table in metadata.sorted_tables:
            for column in TELLING.intersection(table.columns.keys() if table.name not in CLINICAL
                                               else ()):
                for value in conn.execute(text(
                        f"SELECT CAST({column} AS text) FROM {table.name}")).scalars():
                    yield f"{table.name}.{column}: {value}"


def test_nothing_secret_and_nobody_is_in_any_log_or_reason(
        life: Life, heard: Heard, engine: Engine, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    life.consents()
    life.cycles()
    life.webhooks()
    imports(life, tmp_path, monkeypatch)
    life.ends()
    life.failure()
    with transaction(engine) as conn:
        readings = conn.execute(text(
            "SELECT count(*), count(*) FILTER (WHERE CAST(value AS text) = :one)"
            " FROM observations"),
            {"one": READING}).one()
    assert readings[0] > 1000 and readings[1] == 1
    printed = capfd.readouterr()
    everything = [*heard.lines, *printed.out.splitlines(), *printed.err.splitlines(),
                  *told(engine)]
    assert len(everything) > 100
    found = sorted({f"{word}: {line[:300]}" for word in (SECRET, PERSON, READING, ODD)
                    for line in everything if word in line})
    assert not found, "\n".join(found)
