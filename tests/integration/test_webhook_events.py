"""Webhook events are processed once, in any order, and killed anywhere leave the same rows."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from typer.testing import CliRunner

from providers.observation import Provider
from providers.webhooks import Push
from registry.connections import TokenCipher
from registry.database import Engine, transaction
from registry.file_imports import WrongPatient
from registry.patients import Patient, save_patients
from registry.webhooks import Event, waiting_events
from tests.reference.cycles import CYCLE
from tests.reference.inbox import add, fates, readings, rows
from vitalcast.cli import app
from vitalcast.cycle import last_full_hour
from vitalcast.errors import UserError
from vitalcast.jobs import webhooks
from vitalcast.jobs.retain import retain
from vitalcast.jobs.webhooks import any_waiting, link_account, process_webhooks
from vitalcast.settings import Settings
from vitalcast.wiring import System

Body = dict[str, Any]
NOW = CYCLE + timedelta(minutes=20)
START_S = 1782000000
TERRA_USER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def system(engine: Engine, database_url: str) -> System:
    """Two patients, and no vendor that could be asked."""
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1"), Patient(patient_id="p2")])
    return System(settings=Settings(database_url=database_url), engine=engine,
                  cipher=TokenCipher([Fernet.generate_key().decode()]))


def day(user: str, name: str, rate: int, samples: dict[str, int] | None = None) -> Body:
    """A summary of Garmin's, of a day that is not over: sent again with more in it."""
    return {"userId": user, "summaryId": name, "startTimeInSeconds": START_S,
            "startTimeOffsetInSeconds": 0, "durationInSeconds": 3600,
            "averageHeartRateInBeatsPerMinute": rate,
            "timeOffsetHeartRateSamples": samples or {}}


# --- pushes -------------------------------------------------------------------------------


def test_pushes_of_garmin_and_terra_become_readings(system: System, shared: Path) -> None:
    link_account(system, provider=Provider.GARMIN, account="garmin_user_123", patient_id="p1")
    link_account(system, provider=Provider.TERRA, account=TERRA_USER, patient_id="p2")
    folder = shared / "fixtures"
    pushes = sorted((folder / "garmin").glob("push_*.json"))
    add(system, Provider.GARMIN, *(file.read_bytes() for file in pushes))
    add(system, Provider.TERRA, (folder / "terra" / "daily_min.json").read_bytes())
    figures = process_webhooks(system, now=NOW)
    assert (figures["events"], figures["done"], figures["inserted"]) == (6, 6, 19)
    assert {(patient, vital) for patient, vital, *_ in readings(system)} == {
        ("p1", "heart_rate"), ("p1", "resting_heart_rate"), ("p1", "respiratory_rate"),
        ("p1", "spo2"), ("p1", "systolic_bp"), ("p1", "diastolic_bp"),
        ("p2", "heart_rate"), ("p2", "resting_heart_rate"), ("p2", "spo2")}
    assert rows(system, "SELECT count(*) FROM webhook_events WHERE body IS NOT NULL") == [(0,)]
    assert rows(system, "SELECT count(*), count(DISTINCT resource) FROM raw_payloads") == [(6, 1)]


def test_replays_change_nothing(system: System) -> None:
    link_account(system, provider=Provider.GARMIN, account="u", patient_id="p1")
    events = [{"dailies": [day("u", "s", rate)]} for rate in (60, 61)]
    add(system, Provider.GARMIN, *events)
    process_webhooks(system, now=NOW)
    before = readings(system), fates(system), rows(system, "SELECT * FROM raw_payloads")
    add(system, Provider.GARMIN, *events, events[0])
    assert process_webhooks(system, now=NOW)["events"] == 0
    assert (readings(system), fates(system), rows(system, "SELECT * FROM raw_payloads")) == before
    assert rows(system, "SELECT count(*) FROM observation_revisions") == [(1,)]


def test_the_version_that_came_last_holds_whatever_is_processed_first(
        system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    link_account(system, provider=Provider.GARMIN, account="u", patient_id="p1")
    ordered = waiting_events
    versions = [{"dailies": [day("u", "s", 60 + n, {str(60 * m): 70 + m for m in range(n)})]}
                for n in (1, 2, 3)]
    found = []
    for order in permutations(range(3)):
        with transaction(system.engine) as conn:
            conn.execute(text("TRUNCATE webhook_events, raw_payloads, observations, "
                              "observation_revisions CASCADE"))
        add(system, Provider.GARMIN, *versions)
        monkeypatch.setattr(webhooks, "waiting_events", lambda conn, order=order: [
            ordered(conn)[place] for place in order])
        process_webhooks(system, now=NOW)
        found.append(readings(system))
    assert all(one == found[0] for one in found)
    assert sorted(int(value) for _, _, value, *_ in found[0]) == [63, 70, 71, 72]


def test_nobodys_readings_are_stored_with_anothers(system: System) -> None:
    link_account(system, provider=Provider.GARMIN, account="a", patient_id="p1")
    link_account(system, provider=Provider.GARMIN, account="b", patient_id="p2")
    add(system, Provider.GARMIN, {"dailies": [day("a", "s", 60), day("b", "s", 90)]})
    process_webhooks(system, now=NOW)
    assert [(patient, int(value)) for patient, _, value, *_ in readings(system)] == [
        ("p1", 60), ("p2", 90)]
    assert rows(system, "SELECT count(*) FROM raw_payloads") == [(2,)]


def test_an_unknown_account_waits_until_it_is_linked(system: System) -> None:
    link_account(system, provider=Provider.GARMIN, account="a", patient_id="p1")
    add(system, Provider.GARMIN, {"dailies": [day("a", "s", 60), day("b", "s", 90)]})
    assert process_webhooks(system, now=NOW)["unknown_account"] == 1
    assert process_webhooks(system, now=NOW)["events"] == 0
    assert [patient for patient, *_ in readings(system)] == ["p1"]
    link_account(system, provider=Provider.GARMIN, account="b", patient_id="p2")
    assert process_webhooks(system, now=NOW)["done"] == 1
    assert [patient for patient, *_ in readings(system)] == ["p1", "p2"]
    assert fates(system) == [("done", None)]


def test_an_account_is_one_patients(system: System) -> None:
    link_account(system, provider=Provider.TERRA, account="u", patient_id="p1")
    link_account(system, provider=Provider.TERRA, account="u", patient_id="p1")
    for account, patient in (("u", "p2"), ("v", "p1"), ("w", "nobody")):
        with pytest.raises(WrongPatient):
            link_account(system, provider=Provider.TERRA, account=account, patient_id=patient)
    with pytest.raises(UserError, match="by consent"):
        link_account(system, provider=Provider.OURA, account="u", patient_id="p1")


def test_who_left_is_not_read_any_more(system: System) -> None:
    link_account(system, provider=Provider.GARMIN, account="u", patient_id="p1")
    add(system, Provider.GARMIN, {"deregistrations": [{"userId": "u"}, {"userId": "stranger"}]})
    assert process_webhooks(system, now=NOW)["done"] == 1
    assert rows(system, "SELECT status FROM connections") == [("revoked",)]
    add(system, Provider.GARMIN, {"dailies": [day("u", "s", 60)]})
    assert process_webhooks(system, now=NOW)["unknown_account"] == 1
    assert readings(system) == []
    link_account(system, provider=Provider.GARMIN, account="u", patient_id="p1")
    assert process_webhooks(system, now=NOW)["inserted"] == 1


@pytest.mark.parametrize(("provider", "body", "reason"), [
    (Provider.GARMIN, b"{", "not JSON"),
    (Provider.GARMIN, {"dailies": [{"userId": "u", "callbackURL": "http://10.0.0.1/"}]},
     "not Garmin's"),
    (Provider.GARMIN, {"moods": [{"userId": "u"}]}, "not a payload"),
    (Provider.TERRA, {"type": "daily", "user": {"user_id": "u"}, "data": {}}, "not a list"),
    (Provider.WITHINGS, b"userid=&appli=4", "no userid"),
])
def test_what_is_not_understood_stays_with_its_reason(
        system: System, provider: Provider, body: bytes | dict[str, Any], reason: str) -> None:
    add(system, provider, body)
    for again in (False, True):
        assert process_webhooks(system, now=NOW, again=again)["refused_events"] == 1
    [(status, told)] = fates(system)
    assert status == "refused" and told is not None and reason in told
    assert rows(system, "SELECT count(*) FROM webhook_events WHERE body IS NULL") == [(0,)]


def test_a_list_that_nobody_reads_costs_no_other_of_its_push(system: System) -> None:
    for user, patient in (("u", "p1"), ("v", "p2")):
        link_account(system, provider=Provider.GARMIN, account=user, patient_id=patient)
    add(system, Provider.GARMIN, {"dailies": [day("u", "s", 60)], "sleeps": [{"userId": "u"}],
                                  "moods": [{"userId": "v"}]})
    figures = process_webhooks(system, now=NOW)
    assert (figures["done"], figures["inserted"], figures["refused"]) == (1, 1, 2)
    assert rows(system, "SELECT record, reason FROM refusals ORDER BY record") == [
        ("payload", "line 1: not a payload of Garmin Health: none of its top-level members, "
                    "1 others"),
        ("sleeps", "summaries of a kind that is not read")]
    assert rows(system, "SELECT status, kind FROM quarantine") == [("held", "records")] * 2


def test_an_event_that_our_code_stumbles_over_stops_no_other(
        system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    link_account(system, provider=Provider.GARMIN, account="u", patient_id="p1")
    add(system, Provider.GARMIN, {"dailies": [day("u", "odd", 60)]},
        {"dailies": [day("u", "s", 61)]})
    real = webhooks._parsed

    def stumbling(event: Event, push: Push) -> webhooks.Items:
        if b"odd" in event.body:
            raise KeyError("what the payload holds")
        return real(event, push)

    with monkeypatch.context() as patched:
        patched.setattr(webhooks, "_parsed", stumbling)
        figures = process_webhooks(system, now=NOW)
    assert (figures["failed"], figures["done"]) == (1, 1)
    assert [int(value) for _, _, value, *_ in readings(system)] == [61]
    reason = fates(system)[0][1]
    assert reason is not None and reason.startswith("KeyError at ") and "holds" not in reason
    assert process_webhooks(system, now=NOW, again=True)["done"] == 1


def test_killed_while_storing_it_leaves_the_same_rows(
        system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    link_account(system, provider=Provider.GARMIN, account="a", patient_id="p1")
    link_account(system, provider=Provider.GARMIN, account="b", patient_id="p2")
    events = [{"dailies": [day("a", str(n), 60 + n), day("b", str(n), 90 + n)]} for n in range(3)]
    add(system, Provider.GARMIN, *events)
    calls = 0
    for name in ("save_push", "save_items", "mark_event"):
        real: Callable[..., Any] = getattr(webhooks, name)

        def dying(*args: Any, real: Callable[..., Any] = real, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls in (1, 4, 9, 14, 16):
                raise Killed
            return real(*args, **options)

        monkeypatch.setattr(webhooks, name, dying)
    kills = 0
    while True:
        try:
            if not process_webhooks(system, now=NOW)["events"]:
                break
        except Killed:
            kills += 1
    assert kills == 5
    assert [int(value) for _, _, value, *_ in readings(system)] == [60, 61, 62, 90, 91, 92]
    assert rows(system, "SELECT count(*) FROM observation_revisions") == [(0,)]
    assert fates(system) == [("done", None)] * 3


def test_a_run_with_nothing_to_do_leaves_no_trace(system: System) -> None:
    assert set(process_webhooks(system).values()) == {0}
    assert rows(system, "SELECT * FROM runs") == []


# --- by hand ------------------------------------------------------------------------------


def test_events_are_processed_by_command(
        system: System, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", Fernet.generate_key().decode())

    def said(*words: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["webhooks", *words, "--json"])
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    add(system, Provider.GARMIN, {"dailies": [day("u", "s", 60)]})
    assert said("process")["unknown_account"] == 1
    assert said("link", "garmin", "u", "--patient", "p1") == {"connection": "garmin:p1"}
    assert any_waiting(system)
    assert said("process")["inserted"] == 1
    assert not any_waiting(system)
    lacking = CliRunner().invoke(app, ["webhooks", "link", "garmin"])
    assert lacking.exit_code == 2 and "account" in lacking.stderr


# --- the end of events --------------------------------------------------------------------


def test_old_events_go_but_those_that_wait(system: System) -> None:
    add(system, Provider.GARMIN, {"dailies": [day("u1", "a", 60)]}, {"odd": []},
        {"dailies": [day("u1", "b", 61)]})
    process_webhooks(system)
    add(system, Provider.GARMIN, {"dailies": [day("u1", "c", 62)]})
    now = last_full_hour(datetime.now(UTC))
    assert retain(system, cycle=now)["webhooks"] == 0
    later = now + timedelta(days=system.settings.event_days + 1)
    assert retain(system, cycle=later)["webhooks"] == 3
    assert fates(system) == [("received", None)]
