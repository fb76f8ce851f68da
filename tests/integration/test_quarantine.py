"""What is not understood is held, shown without patients, and brought back by a replay."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text

from providers.fetching import Page
from providers.observation import Parsed, Provider, Refusal
from providers.versions import PARSER_VERSIONS
from registry.database import Engine, transaction
from registry.fetch_ledger import read_before
from registry.quarantine import mark_read
from registry.webhooks import add_event
from tests.reference.cycles import CYCLE, Installation, vendors
from tests.reference.held import (
    FEW,
    PATIENT,
    STATUSES,
    command,
    fail,
    fetched,
    forget,
    held,
    link_of,
    mend,
    older,
    readings,
    rows,
    save,
)
from vitalcast.cycle import HOUR
from vitalcast.jobs import quarantine as job
from vitalcast.jobs.quarantine import dismiss_entries, raw_body, replay, show
from vitalcast.jobs.webhooks import process_webhooks

OURA = PARSER_VERSIONS[Provider.OURA]


def test_a_changed_schema_is_held_until_a_person_lets_it_go(place: Installation) -> None:
    fail(place, kind="changed_schema", provider="oura", resource="/v2/usercollection/heartrate")
    place.ingest()
    link = link_of(place)
    assert rows(place, "SELECT outcome, cursor_after FROM fetches WHERE connection_id = :link"
                " AND resource = 'heartrate'", link=link.connection_id) == [
                    ("format_discrepancy", None)]
    with transaction(place.system.engine) as conn:
        assert read_before(conn, link.connection_id, "heartrate",
                           CYCLE + HOUR).cursor is None
    found = held(place)
    assert {(one.provider, one.resource, one.kind, one.status, one.first_cycle, one.last_cycle,
             one.cycles) for one in found} == {
                 ("oura", "heartrate", "discrepancy", "held", CYCLE, CYCLE, 1)}
    place.ingest()
    assert held(place) == found, "the same cycle again is not another one"

    told = command(place, "list", "--json").output
    assert PATIENT not in told
    assert [one["entry_id"] for one in json.loads(told)["entries"]] == [
        one.entry_id for one in found]
    assert command(place, "list", "--provider", "withings", "--json").output == (
        '{"entries":[]}\n')

    [group] = json.loads(command(place, "list", "--summary", "--json").output)["groups"]
    assert (group["resource"], group["payloads"], group["connections"]) == (
        "heartrate", len(found), 1)
    assert group["latest"] in command(place, "list", "--summary").output
    for listed in (command(place, "list").output, command(place, "list", "--summary").output):
        assert group["reason"] in " ".join(listed.split()), "whole, in a terminal of 80 columns"

    before = readings(place)
    assert replay(place.system, by="op")["held"] == len(found)
    assert readings(place) == before, "it cannot be read, whatever is tried"
    assert json.loads(command(
        place, "dismiss", *(one.entry_id[:9] for one in found), "--why", "renamed by mistake",
        "--by", "kim", "--json").output) == {"dismissed": len(found)}
    assert {(one.status, one.why, one.decided_by) for one in held(place, statuses=STATUSES)} == {
        ("dismissed", "renamed by mistake", "kim")}

    mend(place)
    place.clock(CYCLE + HOUR)
    place.ingest(CYCLE + HOUR)
    assert rows(place, "SELECT min(effective_start) < :early FROM observations"
                " WHERE vital = 'heart_rate' AND patient_id = :patient",
                early=CYCLE - timedelta(days=6), patient=PATIENT) == [(True,)]


def test_every_vendors_changed_schema_is_held(engine: Engine, database_url: str) -> None:
    with vendors(patients=("demo-01", "demo-04", "demo-07")) as root:
        place = Installation.on(engine, database_url, root)
        fail(place, kind="changed_schema")
        figures = place.ingest()
        assert (figures["format_discrepancy"], figures["complete"]) == (11, 1), \
            "but for the one that has nothing to tell: demo-01 has no mat"
        assert {one.provider for one in held(place)} == {"withings", "google_health", "oura"}
        assert rows(place, "SELECT count(*) FROM fetches f WHERE outcome = 'format_discrepancy'"
                    " AND (cursor_after IS NOT NULL OR NOT EXISTS (SELECT 1 FROM quarantine q"
                    " WHERE q.connection_id = f.connection_id AND q.resource = f.resource))"
                    ) == [(0,)]


def test_a_payload_that_a_later_fetch_brings_and_reads_is_held_no_longer(
        place: Installation) -> None:
    result = fetched(place, "sleep")
    save(place, older(result), 0)
    assert len(held(place)) == len({page.sha256 for page in result.pages})
    save(place, result, 1)
    assert held(place) == []
    assert {one.decided_by for one in held(place, statuses=STATUSES)} == {"ingest"}
    assert rows(place, "SELECT * FROM refusals") == []


# --- replay ---------------------------------------------------------------------------------


@pytest.fixture
def undisturbed(engine: Engine, database_url: str) -> tuple[list[str], list[str]]:
    """Readings after a cycle and after the next, without anything in the way."""
    found = []
    with vendors(patients=FEW) as root:
        place = Installation.on(engine, database_url, root)
        for hour in (CYCLE, CYCLE + HOUR):
            place.clock(hour)
            place.ingest(hour)
            found.append(readings(place, "" if hour == CYCLE else "raw_sha256"))
        forget(place)
    return found[0], found[1]


def disturb(place: Installation, *resources: str) -> None:
    """A cycle by an older version that did not understand these resources."""
    place.ingest()
    with transaction(place.system.engine) as conn:
        for resource in resources:
            conn.execute(text(
                "DELETE FROM fetches f USING connections c WHERE f.connection_id = c.connection_id"
                " AND c.patient_id = :patient AND resource = :resource"),
                {"patient": PATIENT, "resource": resource})
            conn.execute(text(
                "DELETE FROM observations o USING raw_payloads p WHERE p.sha256 = o.raw_sha256"
                " AND p.resource = :resource AND p.provider = 'oura'"), {"resource": resource})
    for resource in resources:
        save(place, older(fetched(place, resource)), 0)


def test_a_replay_brings_what_an_undisturbed_run_had(
        undisturbed: tuple[list[str], list[str]], place: Installation) -> None:
    first, second = undisturbed
    disturb(place, "heartrate", "sleep")
    assert readings(place) != first
    asked = held(place)
    assert {one.resource for one in asked} == {"heartrate", "sleep"}

    ledger = rows(place, "SELECT * FROM fetches ORDER BY 1, 2, 3")
    dry = json.loads(command(place, "replay", "--all", "--dry-run", "--json").output)
    assert readings(place) != first
    assert held(place) == asked
    told = json.loads(command(place, "replay", "--all", "--by", "kim", "--json").output)
    assert told == dry
    assert (told["entries"], told["replayed"], told["held"]) == (len(asked), len(asked), 0)
    assert told["inserted"] > 500
    assert readings(place) == first
    assert rows(place, "SELECT * FROM fetches ORDER BY 1, 2, 3") == ledger, "no cursor is moved"
    assert {(one.status, one.decided_by, one.parser_version)
            for one in held(place, statuses=STATUSES)} == {("replayed", "kim", OURA)}
    assert rows(place, "SELECT job, status FROM runs ORDER BY run_id DESC LIMIT 1") == [
        ("replay", "done")]

    again = replay(place.system, ids=[one.entry_id for one in asked], by="kim")
    assert (again["inserted"], again["revised"]) == (0, 0)
    assert readings(place) == first

    place.clock(CYCLE + HOUR)
    place.ingest(CYCLE + HOUR)
    # Without a cursor it reads everything again, in other pages than the second fetch would have.
    assert readings(place, "raw_sha256") == second, "the next fetch undoes nothing"


def test_a_replay_that_is_killed_is_run_again(
        undisturbed: tuple[list[str], list[str]], place: Installation,
        monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = undisturbed
    disturb(place, "heartrate", "sleep", "daily_spo2")
    count = len(held(place))
    genuine = mark_read
    for lived in range(count):
        calls = iter(range(count))

        def dying(*given: Any, lived: int = lived, calls: Iterator[int] = calls,
                  **named: Any) -> None:
            if next(calls) == min(lived, 1):
                raise KeyboardInterrupt
            genuine(*given, **named)

        monkeypatch.setattr(job, "mark_read", dying)
        with pytest.raises(KeyboardInterrupt):
            replay(place.system, by="op")
        if len(held(place)) == 1:
            break
    monkeypatch.setattr(job, "mark_read", genuine)
    replay(place.system, by="op")
    assert held(place) == []
    assert readings(place) == first


def test_a_newer_version_replaces_what_an_older_one_read_of_the_same_payload(
        place: Installation) -> None:
    result = fetched(place, "daily_spo2")
    wrong = replace(result, pages=tuple(_one_off(page) for page in result.pages))
    save(place, wrong, 0)
    counted = result.parsed
    was = rows(place, "SELECT key, value FROM observations ORDER BY key")
    assert [one.kind for one in held(place)] == ["records"]
    assert replay(place.system, by="op")["revised"] == counted
    assert rows(place, "SELECT key, value - 1 FROM observations ORDER BY key") == was
    assert rows(place, "SELECT key, value FROM observation_revisions ORDER BY key") == was
    assert rows(place, "SELECT DISTINCT parser_version FROM observations") == [(OURA,)]
    save(place, wrong, 0)                            # a worker that has not been restarted yet
    assert rows(place, "SELECT key, value - 1 FROM observations ORDER BY key") == was
    assert held(place) == []


def _one_off(page: Page) -> Page:
    """Every value one too low, and a record refused that is fine."""
    observations = [structs.replace(one, value=one.value - Decimal(1))
                    for one in page.parsed.observations]
    return replace(page, parsed=replace(page.parsed, observations=observations, refused=(
        Refusal(record="data[0]", reason="out of plausible range"),)))


def test_what_a_newer_version_still_refuses_stays_held_and_says_so(place: Installation) -> None:
    body = json.dumps({"data": [
        {"id": "a", "day": "2026-11-20", "spo2_percentage": {"average": 97.4}},
        {"id": "b", "day": "2026-11-19", "spo2_percentage": {"average": 96}},
        {"id": "c", "day": "2026-11-18", "spo2_percentage": {"average": "96"}}],
        "next_token": None}).encode()
    page = Page(body=body, sha256=hashlib.sha256(body).hexdigest(), parsed=Parsed())
    save(place, older(replace(fetched(place, "daily_spo2"), pages=(page,))), 0)
    told = replay(place.system, by="op")
    assert (told["held"], told["inserted"], told["refused"]) == (1, 2, 1)
    [one] = held(place)
    assert (one.kind, one.reason, one.parser_version) == (
        "records", "the value is not a number", OURA)
    found = show(place.system, one.entry_id)
    assert found.refused == [("data[2]", "the value is not a number")]
    assert found.shape is not None
    assert found.shape["$.data[].spo2_percentage.average"] == {
        "number": 1, "integer": 1, "text": 1}
    printed = command(place, "show", one.entry_id).output
    assert "97.4" not in printed + str(found)
    assert "2026-11-19" not in printed + str(found.shape)
    assert raw_body(place.system, one.entry_id) == body
    assert "97.4" in command(place, "show", one.entry_id, "--raw").output


# --- what else is told ----------------------------------------------------------------------


def told_of(place: Installation) -> list[tuple[str, str, str, dict[str, int]]]:
    """Kind, vendor, reason and data of the events of decisions."""
    return [tuple(row) for row in rows(
        place, "SELECT kind, provider, reason, data FROM events WHERE kind LIKE 'quarantine.%' "
               "ORDER BY number")]


def test_decisions_leave_an_event_each_without_a_name(place: Installation) -> None:
    result = fetched(place, "daily_spo2")
    save(place, older(result), 0)
    count = len(held(place))
    assert replay(place.system, by="kim", dry_run=True)["replayed"] == count > 0
    assert told_of(place) == [], "a dry run decides nothing"
    figures = replay(place.system, by="kim")
    replay(place.system, by="kim")
    events = told_of(place)
    assert [event[:3] for event in events] == [("quarantine.replayed", "oura", "payload")] * count
    assert sum(event[3]["inserted"] for event in events) == figures["inserted"] > 0
    with transaction(place.system.engine) as conn:
        add_event(conn, Provider.GARMIN, b"[]")
    process_webhooks(place.system)
    [one] = held(place)
    replay(place.system, by="kim")
    for expected in (1, 0):
        assert dismiss_entries(place.system, [one.entry_id], by="kim", why="hush") == expected
    assert told_of(place)[count:] == [
        ("quarantine.replayed", "garmin", "event", {"count": 1}),
        ("quarantine.dismissed", "garmin", "event", {"count": 1})]
    everything = str(rows(place, "SELECT CAST(e AS text) FROM events e"))
    assert not any(word in everything for word in ("kim", "hush", PATIENT))
