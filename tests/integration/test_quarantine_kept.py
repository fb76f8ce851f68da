"""What stands in quarantine beside vendors' pages, and how long it stays there."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from clinical.vitals import Vital
from providers.fetching import FetchResult, Outcome
from providers.imports import FORMATS
from providers.observation import Provider
from providers.stored import read_stored
from registry.database import transaction
from registry.observations import prepared, save_fetch
from registry.panels import read_panels
from registry.quarantine import EntryNotFound, find_entry
from registry.retention import retain
from registry.webhooks import add_event
from tests.reference.cycles import CYCLE, Installation
from tests.reference.held import (
    FEW,
    PATIENT,
    START,
    STATUSES,
    fetched,
    held,
    link_of,
    older,
    readings,
    rows,
    save,
)
from vitalcast.cli import app
from vitalcast.cycle import HOUR
from vitalcast.jobs.importing import Import, import_readings
from vitalcast.jobs.quarantine import dismiss_entries, replay, shape, show
from vitalcast.jobs.webhooks import link_account, process_webhooks


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
        ready = prepared(result.pages, patient_id="demo-01", provider=Provider.WITHINGS,
                         connection_id=link.connection_id, parser_version=1)
        save_fetch(conn, ready, resource="getmeas", cycle=CYCLE, window_start=START,
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


def test_what_a_replay_cannot_do_is_said(
        place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file too large to keep is named by its hash; a dry run processes no webhook event."""
    monkeypatch.setattr("vitalcast.jobs.importing.MOST_RAW_BYTES", 10)
    body = json.dumps({"data": [{"bpm": "78", "timestamp": "2026-11-20T06:04:46Z"}],
                       "next_token": None}).encode()
    import_readings(place.system, Import(
        name="oura", format=FORMATS["oura"], file=BytesIO(body), zone=None, patient_id=PATIENT))
    [one] = held(place)
    with transaction(place.system.engine) as conn:
        add_event(conn, Provider.OURA, b'{"event_type": "update", "data_type": 7}')
    process_webhooks(place.system)
    for name in ("database_url", "sandbox_url", "token_keys"):
        monkeypatch.setenv(f"VITALCAST_{name.upper()}", getattr(place.system.settings, name))
    shown = CliRunner().invoke(app, ["quarantine", "show", one.entry_id])
    assert "not kept: a file larger than 64 MB; import it again" in shown.stdout
    for dry_run in ([], ["--dry-run"]):
        told = CliRunner().invoke(app, ["quarantine", "replay", "--all", "--json", *dry_run])
        assert json.loads(told.stdout)["not_kept"] == 1
        assert "import it again" in told.stderr
        assert ("does not try webhook events" in told.stderr) is bool(dry_run)
    assert {again.entry_id for again in held(place)} >= {one.entry_id}


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
        ("allDayRespiration[0].timeOffsetEpochToBreaths[1]", "the value is not a number")]
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
