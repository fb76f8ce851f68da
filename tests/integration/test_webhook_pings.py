"""Garmin's pings are followed to their readings, once, and to Garmin alone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from providers.observation import Provider
from registry.connections import TokenCipher
from registry.database import transaction
from registry.patients import Patient, save_patients
from registry.webhooks import add_event
from tests.unit.providers.conftest import Reply, Vendor
from vitalcast.jobs.webhooks import GIVE_UP, link_account, process_webhooks
from vitalcast.settings import Settings
from vitalcast.wiring import System


@pytest.fixture
def garmin() -> Iterator[Vendor]:
    one = Vendor()
    yield one
    one.close()


@pytest.fixture
def system(engine: Engine, database_url: str, garmin: Vendor) -> System:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1")])
    one = System(engine=engine, cipher=TokenCipher([Fernet.generate_key().decode()]),
                 settings=Settings(database_url=database_url, garmin_hosts=garmin.url))
    link_account(one, provider=Provider.GARMIN, account="u", patient_id="p1")
    return one


def day(rate: int, name: str = "s") -> dict[str, Any]:
    return {"summaryId": name, "startTimeInSeconds": 1782000000, "durationInSeconds": 3600,
            "startTimeOffsetInSeconds": 0, "averageHeartRateInBeatsPerMinute": rate}


def told(system: System, garmin: Vendor, user: str = "u", name: str = "dailies",
         **more: Any) -> None:
    body = {name: [{"userId": user, "callbackURL": f"{garmin.url}/rest?token=hush"}], **more}
    with transaction(system.engine) as conn:
        add_event(conn, Provider.GARMIN, json.dumps(body).encode())


def found(system: System) -> tuple[list[int], list[tuple[str, str | None]]]:
    with transaction(system.engine) as conn:
        values = [int(value) for value in conn.execute(text(
            "SELECT value FROM observations ORDER BY value")).scalars()]
        return values, [(row.status, row.reason) for row in conn.execute(text(
            "SELECT status, reason FROM webhook_events ORDER BY received_at"))]


def test_what_a_ping_points_to_is_stored(system: System, garmin: Vendor) -> None:
    garmin.replies = [Reply(document=[day(60)])]
    told(system, garmin, epochs=[], pulseox=[])
    figures = process_webhooks(system)
    assert (figures["events"], figures["done"], figures["inserted"]) == (1, 1, 1)
    assert found(system) == ([60], [("done", None)])
    with transaction(system.engine) as conn:
        assert conn.execute(text("SELECT body FROM webhook_events")).scalar_one() is None
        assert conn.execute(text("SELECT resource FROM raw_payloads")).scalars().all() == [
            "webhook"]
    told(system, garmin, epochs=[])
    assert process_webhooks(system)["unchanged"] == 1


def test_an_address_that_fails_is_asked_again_for_a_day(system: System, garmin: Vendor) -> None:
    garmin.replies = [Reply(status=500)]
    told(system, garmin)
    now = datetime.now(UTC)
    assert process_webhooks(system, now=now)["waiting"] == 1
    assert found(system) == ([], [("received", None)])
    late = now + GIVE_UP + timedelta(minutes=1)
    assert process_webhooks(system, now=late)["failed"] == 1
    assert found(system) == ([], [("failed", "HTTP 500, the vendor has a failure")])
    garmin.replies = [Reply(document=[day(60)])]
    assert process_webhooks(system, now=late, again=True)["inserted"] == 1


@pytest.mark.parametrize(("reply", "reason"), [
    (Reply(status=401), "HTTP 401"), (Reply(document=[{"userId": "v"}]), "another account"),
    (Reply(document={"dailies": []}), "list of summaries"),
    (Reply(status=302, headers={"Location": "http://10.0.0.1/"}), "HTTP 302")])
def test_what_is_no_good_answer_ends_the_ping_with_its_reason(
        system: System, garmin: Vendor, reply: Reply, reason: str) -> None:
    garmin.replies = [reply]
    told(system, garmin)
    assert process_webhooks(system)["refused_events"] == 1
    values, [(status, why)] = found(system)
    assert (values, status) == ([], "refused") and why is not None
    assert reason in why and "hush" not in why


def test_nobody_is_asked_for_an_account_that_is_not_linked(
        system: System, garmin: Vendor) -> None:
    told(system, garmin, user="stranger")
    assert process_webhooks(system)["unknown_account"] == 1
    assert garmin.asked == []


def test_nobody_is_asked_for_what_is_not_read_here_nor_outside_of_the_list(
        system: System, garmin: Vendor) -> None:
    told(system, garmin, name="activities")
    assert process_webhooks(system)["refused_events"] == 1
    told(system, garmin)
    strict = replace(system, settings=system.settings.model_copy(
        update={"garmin_hosts": "*.garmin.com"}))
    assert process_webhooks(strict)["refused_events"] == 1
    assert garmin.asked == []
    assert "not Garmin's" in str(found(system)[1][1][1])


def test_what_is_not_read_here_costs_no_other_address(system: System, garmin: Vendor) -> None:
    garmin.replies = [Reply(document=[day(60)])]
    told(system, garmin, sleeps=[{"userId": "u", "callbackURL": f"{garmin.url}/sleeps"}])
    figures = process_webhooks(system)
    assert (figures["done"], figures["inserted"], figures["refused"]) == (1, 1, 1)
    assert [one.path for one in garmin.asked] == ["/rest"]


def test_one_bad_address_stores_nothing_of_the_event_until_all_are_good(
        system: System, garmin: Vendor) -> None:
    link = {"userId": "u", "callbackURL": f"{garmin.url}/second"}
    garmin.replies = lambda asked: Reply(status=500) if asked.path == "/second" else Reply(
        document=[day(60)])
    told(system, garmin, epochs=[link])
    assert process_webhooks(system)["waiting"] == 1
    assert found(system) == ([], [("received", None)])
    garmin.replies = lambda asked: Reply(
        document=[] if asked.path == "/second" else [day(60), day(61, "t")])
    assert process_webhooks(system)["inserted"] == 2
