"""What is not understood is held, shown without patients, and brought back by a replay."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from sqlalchemy import text
from typer.testing import CliRunner

from clinical.vitals import Vital
from providers.errors import SchemaError
from providers.fetching import FetchRequest, FetchResult, Outcome, Page
from providers.imports import FORMATS
from providers.observation import Parsed, Provider, Refusal
from providers.stored import read_stored
from registry.connections import Connection as Link
from registry.connections import due_connections
from registry.database import Engine, transaction
from registry.observations import save_fetch, watermark
from registry.panels import read_panels
from registry.quarantine import EntryNotFound, entries, find_entry, hold_fetch, mark_read
from registry.retention import retain
from registry.webhooks import add_event
from tests.reference.cycles import CYCLE, HISTORY_DAYS, Installation, vendors
from vitalcast.cli import app
from vitalcast.cycle import HOUR
from vitalcast.jobs import quarantine as job
from vitalcast.jobs.importing import Import, import_readings
from vitalcast.jobs.quarantine import dismiss_entries, raw_body, replay, shape, show
from vitalcast.jobs.webhooks import link_account, process_webhooks

ALL = job.ALL_KINDS
STATUSES = ("held", "replayed", "dismissed")
READINGS = ("observations", "observation_revisions", "refusals")
PATIENT = "demo-07"                                      # an Oura ring
FEW = (PATIENT, "demo-01")
START = CYCLE.replace(hour=0) - timedelta(days=HISTORY_DAYS)


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=FEW) as root:
        yield Installation.on(engine, database_url, root)


def fail(place: Installation, **fault: object) -> None:
    requests.post(f"{place.sandbox_url}/sandbox/faults", json=fault, timeout=20).raise_for_status()


def mend(place: Installation) -> None:
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20).raise_for_status()


def rows(place: Installation, query: str, **values: object) -> list[tuple[Any, ...]]:
    with transaction(place.system.engine) as conn:
        return [tuple(row) for row in conn.execute(text(query), values)]


def held(place: Installation, **more: Any) -> list[Any]:
    with transaction(place.system.engine) as conn:
        return entries(conn, kinds=ALL, **more)


def readings(place: Installation, but: str = "") -> list[str]:
    """All that is stored of readings and refusals, whenever it was read, without one column."""
    passing = ["fetched_at", "replaced_at", but]
    return sorted(one for table in READINGS for (one,) in rows(
        place, f"SELECT CAST(to_jsonb(t) - CAST(:passing AS text[]) AS text) FROM {table} t",
        passing=passing))


def link_of(place: Installation, patient: str = PATIENT) -> Link:
    with transaction(place.system.engine) as conn:
        [link] = due_connections(conn, [patient], CYCLE)
    return link


def older(result: FetchResult) -> FetchResult:
    """What a parser would have made of it that did not know these pages."""
    problem = SchemaError("top-level key missing: data")
    pages = tuple(replace(page, problem=problem, withheld=(), parsed=Parsed(
        refused=(Refusal(record="page", reason=str(problem)),))) for page in result.pages)
    return replace(result, outcome=Outcome.FORMAT_DISCREPANCY, reason=f"schema: {problem}",
                   pages=pages, cursor_after=None)


def fetched(place: Installation, resource: str, hour: datetime = CYCLE) -> FetchResult:
    client = place.system.client(link_of(place))
    try:
        return client.fetch(FetchRequest(resource=resource, start=START, end=hour))
    finally:
        client.close()


def save(place: Installation, result: FetchResult, version: int, hour: datetime = CYCLE,
         patient: str = PATIENT) -> None:
    """As ingest does, with parse functions of some version."""
    link = link_of(place, patient)
    with transaction(place.system.engine) as conn:
        save_fetch(conn, connection_id=link.connection_id, patient_id=link.patient_id,
                   provider=link.provider, resource=result.resource, cycle=hour,
                   window_start=START, result=result, parser_version=version)
        hold_fetch(conn, result, connection_id=link.connection_id, cycle=hour,
                   parser_version=version)


def forget(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE observations, observation_revisions, raw_payloads, fetches "
                          "CASCADE"))


def command(place: Installation, *arguments: str) -> Any:
    """The command line's answer, on this installation."""
    given = place.system.settings
    result = CliRunner().invoke(app, ["quarantine", *arguments], env={
        "VITALCAST_DATABASE_URL": given.database_url, "VITALCAST_SECRET_KEY": given.secret_key,
        "VITALCAST_TOKEN_KEYS": given.token_keys, "USER": "op", "LOGNAME": "op"})
    assert result.exit_code == 0, result.output
    return result


# --- the vendor changes its schema ----------------------------------------------------------


def test_a_changed_schema_is_held_until_a_person_lets_it_go(place: Installation) -> None:
    fail(place, kind="changed_schema", provider="oura", resource="/v2/usercollection/heartrate")
    place.ingest()
    link = link_of(place)
    assert rows(place, "SELECT outcome, cursor_after FROM fetches WHERE connection_id = :link"
                " AND resource = 'heartrate'", link=link.connection_id) == [
                    ("format_discrepancy", None)]
    with transaction(place.system.engine) as conn:
        assert watermark(conn, link.connection_id, "heartrate", CYCLE + HOUR) is None
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
            for one in held(place, statuses=STATUSES)} == {("replayed", "kim", 1)}
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
    assert rows(place, "SELECT DISTINCT parser_version FROM observations") == [(1,)]
    save(place, wrong, 0)                            # a worker that has not been restarted yet
    assert rows(place, "SELECT key, value - 1 FROM observations ORDER BY key") == was
    assert held(place) == []


def _one_off(page: Page) -> Page:
    """Every value one too low, and a record refused that is fine."""
    observations = [replace(one, value=one.value - Decimal(1)) for one in page.parsed.observations]
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
        "records", "the value is not a number", 1)
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


def test_refused_webhooks_stand_in_the_list_and_are_processed_again(place: Installation) -> None:
    with transaction(place.system.engine) as conn:
        add_event(conn, Provider.OURA, b'{"event_type": "update", "data_type": 7}')
    process_webhooks(place.system)
    [one] = held(place)
    assert (one.provider, one.kind, one.status, one.parser_version) == (
        "oura", "event", "held", None)
    assert show(place.system, one.entry_id).shape == {
        "$": {"object": 1}, "$.event_type": {"text": 1}, "$.data_type": {"integer": 1}}
    assert replay(place.system, by="op", dry_run=True)["events"] == 1
    assert replay(place.system, by="op")["events"] == 1
    assert [again.entry_id for again in held(place)] == [one.entry_id], "refused once more"
    assert dismiss_entries(place.system, [one.entry_id], by="kim", why="a test") == 1
    assert held(place) == []
    assert rows(place, "SELECT status, reason LIKE '%dismissed by kim: a test' FROM webhook_events"
                ) == [("dismissed", True)]
    process_webhooks(place.system, again=True)
    assert rows(place, "SELECT status FROM webhook_events") == [("dismissed",)]


def test_held_payloads_outlive_the_others(place: Installation) -> None:
    result = fetched(place, "sleep")
    save(place, older(result), 0)
    save(place, fetched(place, "daily_spo2"), 1)
    later = datetime.now(UTC) + timedelta(days=1)

    def left() -> set[str]:
        with transaction(place.system.engine) as conn:
            retain(conn, documents_before=later, payloads_before=later)
        return {name for (name,) in rows(place, "SELECT resource FROM raw_payloads")}

    assert left() == {"sleep"}
    replay(place.system, by="op")
    assert left() == set()
    assert held(place, statuses=STATUSES) == []


def test_ids_may_be_shortened_as_long_as_they_name_one(place: Installation) -> None:
    save(place, older(fetched(place, "sleep")), 0)
    save(place, older(fetched(place, "heartrate")), 0)
    with transaction(place.system.engine) as conn:
        for one in held(place):
            assert find_entry(conn, one.entry_id[:10]) == one
        for wrong in ("", "no-such", "%"):
            with pytest.raises(EntryNotFound):
                find_entry(conn, wrong)


def test_the_shape_of_a_body_names_no_value() -> None:
    body = json.dumps({"series": {"1618875124": {"hr": 60}, "1618875184": {"hr": None}},
                       "4f2a91c0": 1, "list": [1.5, "x", True, []]}).encode()
    assert shape(body) == {
        "$": {"object": 1}, "$.series": {"object": 1}, "$.series.*": {"object": 2},
        "$.series.*.hr": {"integer": 1, "null": 1}, "$.*": {"integer": 1}, "$.list": {"list": 1},
        "$.list[]": {"number": 1, "text": 1, "boolean": 1, "list": 1}}
    assert shape(b"<html>") is None


# --- a reading that may be another person's --------------------------------------------------


def test_what_may_be_another_persons_is_kept_and_never_forecast_from(place: Installation) -> None:
    group = {"grpid": 1, "attrib": 1, "category": 1, "date": int((CYCLE - HOUR).timestamp()),
             "measures": [{"type": 11, "value": 61, "unit": 0}]}
    body = json.dumps({"status": 0, "body": {
        "updatetime": int(CYCLE.timestamp()), "measuregrps": [group]}}).encode()
    page = read_stored(Provider.WITHINGS, "getmeas", body, end=CYCLE)
    result = FetchResult(resource="getmeas", outcome=Outcome.COMPLETE, pages=(page,))
    link = link_of(place, "demo-01")
    with transaction(place.system.engine) as conn:
        save_fetch(conn, connection_id=link.connection_id, patient_id="demo-01",
                   provider="withings", resource="getmeas", cycle=CYCLE, window_start=START,
                   result=result)
        assert conn.execute(text("SELECT quality, method, quality_reasons FROM observations")
                            ).one() == ("quarantined", "ambiguous",
                                        ["attrib 1: may be another person"])
        assert conn.execute(text("SELECT count(*) FROM raw_payloads")).scalar() == 1
        assert read_panels(conn, ["demo-01"], [Vital.HEART_RATE], START, CYCLE) == {}


# --- pushes and files -----------------------------------------------------------------------


def test_refused_records_of_a_file_are_held_with_the_zone_to_read_it_again(
        place: Installation) -> None:
    body = json.dumps({"activities-heart": [{"dateTime": "2026-11-20"}],
                       "activities-heart-intraday": {"dataset": [{"time": "08:00:00", "value": 61},
                                    {"time": "08:01:00", "value": "61"}],
                        "datasetInterval": 1, "datasetType": "minute"}}).encode()
    asked = Import(name="fitbit", format=FORMATS["fitbit"], file=BytesIO(body),
                   zone=ZoneInfo("Europe/Berlin"), patient_id=PATIENT)
    import_readings(place.system, asked)
    before = readings(place)
    [one] = held(place)
    assert (one.resource, one.kind, one.records) == ("file fitbit", "records", 1)
    assert replay(place.system, by="op")["unchanged"] == 1
    assert readings(place) == before
    with transaction(place.system.engine) as conn:
        conn.execute(text("DELETE FROM observations"))
    replay(place.system, by="op")
    assert readings(place) == before, "in the same zone"


def test_refused_records_of_a_push_are_held(place: Installation) -> None:
    link_account(place.system, provider=Provider.GARMIN, account="u", patient_id=PATIENT)
    summary = {"userId": "u", "summaryId": "x36bc70e-6a3c", "startTimeInSeconds": 1782000000,
               "timeOffsetEpochToBreaths": {"0": 14, "60": "14"}}
    with transaction(place.system.engine) as conn:
        add_event(conn, Provider.GARMIN, json.dumps({"allDayRespiration": [summary]}).encode())
    process_webhooks(place.system)
    before = readings(place)
    [one] = held(place)
    assert (one.provider, one.resource, one.kind, one.records) == (
        "garmin", "webhook", "records", 1)
    assert show(place.system, one.entry_id).refused == [
        ("*.timeOffsetEpochToBreaths[1]", "the value is not a number")]
    assert replay(place.system, by="op")["unchanged"] == 1
    assert readings(place) == before


def test_two_patients_with_the_same_body_both_have_their_refusals(place: Installation) -> None:
    body = b'{"data": [{"bpm": "78", "timestamp": "2026-11-20T06:04:46Z"}], "next_token": null}'
    page = read_stored(Provider.OURA, "heartrate", body, end=CYCLE)
    result = FetchResult(resource="heartrate", outcome=Outcome.COMPLETE, pages=(page,))
    for patient in FEW:
        save(place, result, 1, patient=patient)
    assert rows(place, "SELECT count(*), count(DISTINCT connection_id) FROM refusals") == [(2, 2)]
    assert len({one.entry_id for one in held(place)}) == 2
