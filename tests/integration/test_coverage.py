"""Coverage of whole cycles on the sandbox: each state that each vendor can tell, its history."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

from providers.coverage_facts import KEPT_OUT
from providers.http import Patience
from providers.sandbox.cohort import Patient, cohort
from providers.sandbox.devices import Gap
from providers.sandbox.readings import Subject
from providers.sandbox.world import Source
from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, assert_same, dump
from tests.reference.sandbox_user import sandbox_user
from vitalcast.errors import UserError
from vitalcast.jobs.coverage import coverage, reopen

HOUR = timedelta(hours=1)
LAST_WHOLE = CYCLE - 3 * HOUR
WHO = {"withings": "demo-01", "google_health": "demo-04", "oura": "demo-07"}
OFF = Gap(start_h=-30, hours=4)                      # watch off, ring in its charger
UNSYNCED = Gap(start_h=-9, hours=14, synced_late=True)
NEVER_SYNCED = Gap(start_h=-9, hours=1000, synced_late=True)


def source(gaps: Mapping[str, tuple[Gap, ...]]) -> Source:
    """One patient a vendor, with these gaps by vendor."""
    def made(anchor: int) -> list[Subject]:
        found: list[Subject] = []
        for one in cohort(7)(anchor):
            if isinstance(one, Patient) and one.subject_id in WHO.values():
                one.profile = replace(one.profile, gaps=gaps.get(one.provider.value, ()))
                found.append(one)
        return found
    return made


@pytest.fixture
def place(engine: Engine, database_url: str, gaps: Mapping[str, tuple[Gap, ...]],
          ) -> Iterator[Installation]:
    with sandbox_user(source(gaps), now=int(LAST_WHOLE.timestamp()),
                      anchor=int(CYCLE.timestamp())) as user:
        whole = Installation.on(engine, database_url, user.root, LIGHT)
        briefly = whole.system.settings.model_copy(update={"history_days": 4})
        yield replace(whole, system=replace(whole.system, settings=briefly))


def cover(place: Installation, hour: datetime = CYCLE) -> dict[str, Any]:
    return coverage(place.system, cycle=hour, shard="1/1")


def fault(place: Installation, kind: str, **more: Any) -> None:
    answer = requests.post(f"{place.sandbox_url}/sandbox/faults", json={"kind": kind, **more},
                           timeout=20)
    assert answer.ok, answer.text


def told(place: Installation, vendor: str, vital: str, hour: datetime) -> tuple[str, str | None]:
    """(state, why) of one hour, read from the stored day."""
    found = place.system.engine
    with transaction(found) as conn:
        row = conn.execute(text(
            "SELECT get_byte(states, :hour) AS state, reasons FROM coverage "
            "WHERE patient_id = :patient AND vital = :vital AND day = :day"),
            {"hour": hour.hour, "patient": WHO[vendor], "vital": vital,
             "day": hour.date()}).one()
    why = None
    for first, said in row.reasons:
        why = said if first <= hour.hour else why
    names = ("", "ok", "worn_no_reading", "not_worn", "not_measured", "not_expected",
             "not_synced", "fetch_failed", "format_discrepancy", "not_entitled", "unsupported",
             "kept_out")
    return names[row.state], why


def entered(place: Installation, method: str, at: datetime,
            provider: str = "google_health") -> None:
    """A saturation that the patient's link with this source brought."""
    with transaction(place.system.engine) as conn:
        conn.execute(text(
            "INSERT INTO observations (key, patient_id, vital, provider, connection_id, value, "
            "effective_start, effective_end, granularity, statistic, context, method, "
            "parser_version, quality, quality_reasons) SELECT :key, patient_id, 'spo2', provider, "
            "connection_id, 97, :at, :at, 'sample', 'instant', 'rest', :method, 1, 'ok', '{}' "
            "FROM connections WHERE provider = :provider AND patient_id = 'demo-04'"),
            {"key": method.encode().ljust(32), "at": at, "method": method, "provider": provider})


@pytest.mark.parametrize("gaps", [{"google_health": (NEVER_SYNCED,)}])
@pytest.mark.parametrize("links", [1, 2])
def test_a_reading_entered_by_hand_shows_no_wear_and_no_sync(
        place: Installation, links: int) -> None:
    place.clock(CYCLE)
    place.ingest()
    with transaction(place.system.engine) as conn:
        conn.execute(text("INSERT INTO connections (connection_id, patient_id, provider, status) "
                          "SELECT 'fhir:' || n, 'demo-04', 'fhir', 'file' "
                          "FROM generate_series(2, :links) AS n"), {"links": links})
    entered(place, "manual", CYCLE - 2 * HOUR)
    cover(place)
    assert told(place, "google_health", "spo2", CYCLE - 2 * HOUR) == ("ok", None)
    for hours in (2, 4):
        state, why = told(place, "google_health", "heart_rate", CYCLE - hours * HOUR)
        assert (state, "last synced 20 Nov" in str(why)) == ("not_synced", True)
    entered(place, "device", CYCLE - 2 * HOUR)
    cover(place)
    assert told(place, "google_health", "heart_rate", CYCLE - 4 * HOUR)[0] == "not_worn"


@pytest.mark.parametrize("gaps", [{}])
def test_a_file_of_readings_entered_by_hand_is_as_far_as_its_newest(place: Installation) -> None:
    """What has no device of its own waits for no sync of it."""
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE connections SET provider = 'fhir', status = 'file' "
                          "WHERE provider = 'google_health'"))
    entered(place, "manual", CYCLE - 4 * HOUR, "fhir")
    cover(place)
    assert told(place, "google_health", "spo2", CYCLE - 6 * HOUR)[0] == "not_measured"
    assert told(place, "google_health", "spo2", CYCLE - 2 * HOUR)[0] == "not_synced"


@pytest.mark.parametrize("gaps", [dict.fromkeys(WHO, (OFF,))])
def test_what_a_patient_does_with_the_devices_is_told_by_each_vendor(place: Installation) -> None:
    place.clock(CYCLE)
    place.ingest()
    cover(place)
    off, worn = CYCLE - 28 * HOUR, CYCLE - 2 * HOUR
    assert told(place, "withings", "respiratory_rate", off)[0] == "not_worn"
    assert told(place, "withings", "systolic_bp", off)[0] == "not_measured"
    assert told(place, "google_health", "heart_rate", off)[0] == "not_worn"
    assert told(place, "oura", "heart_rate", off) == (
        "not_worn", "the Oura ring was in its charger")
    for vendor in WHO:
        assert told(place, vendor, "heart_rate", worn) == ("ok", None)
    by_day = CYCLE - 14 * HOUR
    assert told(place, "google_health", "spo2", by_day)[0] == "worn_no_reading"
    assert told(place, "google_health", "body_temperature", by_day)[0] == "not_measured"
    assert told(place, "google_health", "respiratory_rate", by_day)[0] == "not_expected"
    assert told(place, "oura", "respiratory_rate", by_day)[0] == "not_expected"
    night = datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert told(place, "google_health", "respiratory_rate", night) == ("ok", None)
    assert told(place, "oura", "spo2", night) == ("ok", None)
    for vendor in ("google_health", "oura"):
        assert told(place, vendor, "systolic_bp", worn)[0] == "unsupported"


@pytest.mark.parametrize("gaps", [dict.fromkeys(WHO, (UNSYNCED,))])
def test_what_was_not_synced_may_still_come_and_is_history_then(place: Installation) -> None:
    place.clock(CYCLE)
    place.ingest()
    cover(place)
    hour = CYCLE - 4 * HOUR
    for vendor, vital in (("withings", "respiratory_rate"), ("google_health", "heart_rate"),
                          ("oura", "heart_rate"), ("oura", "respiratory_rate")):
        state, why = told(place, vendor, vital, hour)
        assert (state, "last synced 20 Nov" in str(why)) == ("not_synced", True), vendor
    later = CYCLE + 6 * HOUR
    place.clock(later)
    place.ingest(later)
    cover(place, later)
    with transaction(place.system.engine) as conn:
        rows = conn.execute(text(
            "SELECT r.version, get_byte(r.states, 2), c.version, get_byte(c.states, 2) "
            "FROM coverage_revisions r JOIN coverage c USING (patient_id, vital, day) "
            "WHERE vital = 'heart_rate' AND day = '2026-11-21' "
            "AND patient_id IN ('demo-04', 'demo-07')")).all()
    assert [tuple(row) for row in rows] == [(1, 6, 2, 1)] * 2


@pytest.mark.parametrize("gaps", [{}])
@pytest.mark.parametrize(("kind", "more", "state", "word"), [
    ("http_500", {}, "fetch_failed", "could not be read since"),
    ("http_429", {}, "fetch_failed", "its limit of requests was used up"),
    ("changed_schema", {}, "format_discrepancy", "not understood since 21 Nov 03:00"),
    ("vendor_error", {"status": 403}, "not_entitled", "access at")])
def test_what_a_vendor_does_is_told_of_each_vendor(
    place: Installation, kind: str, more: dict[str, Any], state: str, word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("providers.http.Patience", partial(Patience, attempts=1))
    place.ingest(LAST_WHOLE)
    place.clock(CYCLE)
    fault(place, kind, **more)
    place.ingest()
    cover(place)
    for vendor in WHO:
        found, why = told(place, vendor, "heart_rate", CYCLE - HOUR)
        assert (found, word in str(why)) == (state, True), (vendor, why)
        assert told(place, vendor, "heart_rate", LAST_WHOLE - HOUR) == ("ok", None)
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20)
    place.ingest()
    cover(place)
    # A lapsed membership is asked about once a day.
    mended = [vendor for vendor in WHO if (vendor, state) != ("oura", "not_entitled")]
    for vendor in mended:
        assert told(place, vendor, "heart_rate", CYCLE - HOUR)[0] == "ok"
    with transaction(place.system.engine) as conn:
        before = conn.execute(text(
            "SELECT count(*) FROM coverage_revisions WHERE version = 1 AND vital = 'heart_rate' "
            "AND day = '2026-11-21'")).scalar_one()
    assert before == len(mended)


@pytest.mark.parametrize("gaps", [{}])
def test_the_same_hour_again_writes_nothing_and_an_older_one_takes_nothing_back(
    place: Installation, engine: Engine,
) -> None:
    place.clock(CYCLE)
    place.ingest()
    assert cover(place)["written"] > 0
    once = dump(engine)
    assert cover(place)["written"] == cover(place)["reopened"] == 0
    assert_same(once, dump(engine))
    assert cover(place, CYCLE - 5 * HOUR)["written"] == 0
    assert_same(once, dump(engine))


@pytest.mark.parametrize("gaps", [{}])
def test_an_hour_of_which_nothing_counts_is_told_as_kept_out(place: Installation) -> None:
    """A flag keeps its reading out of forecasts; nobody is told that it was not taken."""
    place.clock(CYCLE)
    place.ingest()
    hour = CYCLE - 2 * HOUR
    with transaction(place.system.engine) as conn:
        flagged = conn.execute(text("""
            INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start,
                value, keeps_out, reason)
            SELECT key, 'out_of_range', patient_id, vital, provider, effective_start, value, true,
                '' FROM observations WHERE effective_start >= :hour
                AND effective_start < CAST(:hour AS timestamptz) + interval '1 hour'
                AND vital = 'heart_rate'"""), {"hour": hour}).rowcount
    assert flagged
    cover(place)
    for vendor in WHO:
        assert told(place, vendor, "heart_rate", hour) == ("kept_out", KEPT_OUT)
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE quality_flags SET cleared_at = now()"))
    cover(place)
    for vendor in WHO:
        assert told(place, vendor, "heart_rate", hour) == ("ok", None)


@pytest.mark.parametrize("gaps", [{}])
def test_readings_that_come_weeks_late_reopen_their_day(
    place: Installation, engine: Engine,
) -> None:
    place.clock(CYCLE)
    place.ingest()
    cover(place)
    with transaction(engine) as conn:
        conn.execute(text(
            "INSERT INTO observations (key, patient_id, vital, provider, value, effective_start, "
            "effective_end, granularity, statistic, context, method, parser_version, quality, "
            "quality_reasons) VALUES (:key, 'demo-01', 'systolic_bp', 'withings', 130, :at, :at, "
            "'sample', 'instant', 'rest', 'device', 1, 'ok', '{}')"),
            [{"key": b"late" * 8, "at": CYCLE - 40 * 24 * HOUR},
             {"key": b"odd " * 8, "at": CYCLE - 39 * 24 * HOUR}])
        conn.execute(text(
            "INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start, "
            "value, keeps_out, reason) SELECT key, 'impossible_pair', patient_id, vital, provider, "
            "effective_start, value, true, '' FROM observations WHERE key = :key"),
            {"key": b"odd " * 8})
    assert cover(place)["reopened"] == 2
    assert told(place, "withings", "systolic_bp", CYCLE - 39 * 24 * HOUR) == ("kept_out", KEPT_OUT)
    assert told(place, "withings", "systolic_bp", CYCLE - 40 * 24 * HOUR) == ("ok", None)
    assert told(place, "withings", "systolic_bp", CYCLE - 40 * 24 * HOUR - HOUR)[0] == ""
    assert reopen(place.system, "1/1", CYCLE) == 0


def arrives(place: Installation, *, key: bytes, start: datetime, end: datetime, night: bool,
            patient: str = "demo-07") -> None:
    """A respiratory rate of a ring, stored now."""
    with transaction(place.system.engine) as conn:
        conn.execute(text(
            "INSERT INTO observations (key, patient_id, vital, provider, value, effective_start, "
            "effective_end, granularity, statistic, context, method, parser_version, quality, "
            "quality_reasons) VALUES (:key, :patient, 'respiratory_rate', 'oura', 15, :start, "
            ":end, :granularity, :statistic, 'sleep', 'device', 1, 'ok', '{}')"),
            {"key": key.ljust(32), "patient": patient, "start": start, "end": end,
             "granularity": "night" if night else "sample",
             "statistic": "mean" if night else "instant"})


@pytest.mark.parametrize("gaps", [{}])
def test_a_night_reopens_its_hours_however_late_it_comes(place: Installation) -> None:
    """On both of its days; a night of years ago as well as one within the window."""
    place.clock(CYCLE)
    place.ingest()
    with transaction(place.system.engine) as conn:
        conn.execute(text("DELETE FROM observations WHERE granularity = 'night'"))
    cover(place)
    days = (6, 40, 900)
    midnights = [datetime(2026, 11, 21, tzinfo=UTC) - days_ago * 24 * HOUR for days_ago in days]
    assert told(place, "oura", "respiratory_rate", midnights[0])[0] != "ok"
    for midnight in midnights:
        arrives(place, key=f"night {midnight}".encode()[:32], start=midnight - HOUR / 2,
                end=midnight + 6 * HOUR, night=True)
    assert cover(place)["reopened"] == 2 * len(days)
    for midnight in midnights:
        for hour in (-1, 0, 5):
            assert told(place, "oura", "respiratory_rate", midnight + hour * HOUR) == ("ok", None)
        assert told(place, "oura", "respiratory_rate", midnight + 7 * HOUR)[0] != "ok"
    assert cover(place)["reopened"] == 0


@pytest.mark.parametrize("gaps", [{}])
def test_late_readings_are_found_whatever_the_number_of_shards(place: Installation) -> None:
    """Each was stored before a coverage of other shards, or of an hour long past."""
    place.clock(CYCLE)
    place.ingest()
    cover(place)
    long_ago = CYCLE - 40 * 24 * HOUR
    for step, several in enumerate((["1/2", "2/2"], ["1/3", "2/3", "3/3"], ["1/1"])):
        for patient in WHO.values():
            arrives(place, key=f"{step} {patient}".encode(), start=long_ago - step * 24 * HOUR,
                    end=long_ago - step * 24 * HOUR, night=False, patient=patient)
        for _ in range(2):                       # an old hour again takes no mark away
            coverage(place.system, cycle=long_ago - 20 * 24 * HOUR, shard="1/1")
        found = [coverage(place.system, cycle=CYCLE + step * HOUR, shard=shard)["reopened"]
                 for shard in several]
        assert sum(found) == len(WHO), several


@pytest.mark.parametrize("gaps", [{}])
def test_a_link_that_came_of_files_is_as_far_as_its_newest_reading(place: Installation) -> None:
    """Nobody asks the vendor, so nobody has failed to."""
    place.clock(CYCLE)
    place.ingest()
    with transaction(place.system.engine) as conn:
        for link in ("fetches", "wear_days", "device_syncs"):
            conn.execute(text(f"DELETE FROM {link}"))
        conn.execute(text("UPDATE connections SET status = 'file'"))
        conn.execute(text("DELETE FROM observations WHERE effective_start >= :hour"),
                     {"hour": CYCLE - 25 * HOUR})
    cover(place)
    for vendor in WHO:
        assert told(place, vendor, "heart_rate", CYCLE - 30 * HOUR)[0] == "ok"
        state, why = told(place, vendor, "heart_rate", CYCLE - 4 * HOUR)
        assert (state, "nothing newer has come" in str(why)) == ("not_synced", True)


@pytest.mark.parametrize("gaps", [{}])
def test_a_file_of_old_readings_does_not_hide_that_an_account_cannot_be_read(
    place: Installation, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file says nothing of a vital that a linked account measures; of the others it goes on."""
    monkeypatch.setattr("providers.http.Patience", partial(Patience, attempts=1))
    place.clock(LAST_WHOLE)
    place.ingest(LAST_WHOLE)
    with transaction(place.system.engine) as conn:
        conn.execute(text("INSERT INTO connections (connection_id, patient_id, provider, status) "
                          "VALUES ('fhir:demo-07', 'demo-07', 'fhir', 'file')"))
        conn.execute(text(
            "INSERT INTO observations (key, patient_id, vital, provider, connection_id, value, "
            "effective_start, effective_end, granularity, statistic, context, method, "
            "parser_version, quality, quality_reasons) VALUES (:key, 'demo-07', :vital, 'fhir', "
            "'fhir:demo-07', 80, :at, :at, 'sample', 'instant', 'rest', 'device', 1, 'ok', '{}')"),
            [{"key": vital.encode().ljust(32), "vital": vital, "at": CYCLE - 20 * HOUR}
             for vital in ("heart_rate", "systolic_bp")])
    place.clock(CYCLE)
    fault(place, "http_500")
    place.ingest()
    cover(place)
    assert told(place, "oura", "heart_rate", CYCLE - HOUR)[0] == "fetch_failed"
    assert told(place, "oura", "systolic_bp", CYCLE - 20 * HOUR) == ("ok", None)
    assert told(place, "oura", "systolic_bp", CYCLE - HOUR)[0] == "not_synced"
    with transaction(place.system.engine) as conn:
        conn.execute(text("UPDATE connections SET status = 'revoked' WHERE provider = 'oura'"))
    cover(place)
    assert told(place, "oura", "heart_rate", CYCLE - HOUR)[0] == "not_synced"


@pytest.mark.parametrize("gaps", [{"oura": (NEVER_SYNCED,)}])
def test_a_forecast_that_is_not_there_names_the_cause(place: Installation) -> None:
    place.clock(CYCLE)
    place.ingest()
    later = CYCLE + 80 * HOUR
    place.clock(later)
    place.ingest(later)
    place.forecast(later)
    with transaction(place.system.engine) as conn:
        row = conn.execute(text(
            "SELECT reason, coverage FROM forecasts WHERE patient_id = 'demo-07' "
            "AND vital = 'heart_rate' AND cutoff = :at"), {"at": later}).one()
    assert row.reason == ("no reading in the last 72 h: the Oura ring last synced "
                          "20 Nov 21:00 UTC")
    assert (row.coverage["state"], row.coverage["since"]) == (
        "not_synced", "2026-11-20T21:00:00Z")
    assert row.coverage["note"].startswith("the last reading is 89 h old: ")


@pytest.mark.parametrize("gaps", [{}])
def test_one_patient_by_hand(place: Installation) -> None:
    place.clock(CYCLE)
    place.ingest()
    found = coverage(place.system, cycle=CYCLE, shard="1/1", patient="demo-07")
    assert found["patients"] == 1
    assert found["vitals"]["heart_rate"]["state"] == "ok"
    with pytest.raises(UserError, match="no such patient"):
        coverage(place.system, cycle=CYCLE, shard="1/1", patient="nobody")
