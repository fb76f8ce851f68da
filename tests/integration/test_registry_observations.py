"""Readings in and out of a real server: history, repetition, order."""

import hashlib
import threading
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Engine, text

from clinical.vitals import Vital
from providers.fetching import FetchResult, Outcome, Page
from providers.observation import (
    Context,
    Granularity,
    Observation,
    Parsed,
    Provider,
    Quality,
    Refusal,
    Statistic,
)
from registry.database import transaction
from registry.fetch_ledger import read_before
from registry.observations import Prepared, Saved, prepared, save_fetch
from registry.patients import Patient, save_patients
from registry.readings import (
    DailyReading,
    civil_offsets,
    daily_readings,
    last_readings,
    nightly_readings,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CYCLE = START + 24 * HOUR


def reading(minute: int, value: str = "70", **more: Any) -> Observation:
    moment = START + timedelta(minutes=minute)
    return Observation(**{
        "vital": Vital.HEART_RATE, "value": Decimal(value), "effective_start": moment,
        "effective_end": moment, "device_model": "ScanWatch", **more})


def page(observations: Sequence[Observation], body: str = "",
         refused: Sequence[Refusal] = ()) -> Page:
    content = (body or repr(observations)).encode()
    return Page(body=content, sha256=hashlib.sha256(content).hexdigest(), parsed=Parsed(
        observations=observations, refused=refused, received=len(observations) + len(refused)))


def result(*pages: Page, outcome: Outcome = Outcome.COMPLETE, **more: Any) -> FetchResult:
    return FetchResult(resource="heart", outcome=outcome, pages=pages, **more)


def save(engine: Engine, fetched: FetchResult, *, cycle: datetime = CYCLE,
         patient: str = "p1") -> Saved:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id=patient)])
        conn.execute(text("""INSERT INTO connections (connection_id, patient_id, provider)
            VALUES ('withings:' || :p, :p, 'withings') ON CONFLICT DO NOTHING"""), {"p": patient})
        return save_fetch(conn, ready(fetched, patient), resource="heart", cycle=cycle,
                          window_start=START, result=fetched)


def ready(fetched: FetchResult, patient: str = "p1") -> Prepared:
    return prepared(fetched.pages, patient_id=patient, provider=Provider.WITHINGS,
                    connection_id=f"withings:{patient}", parser_version=1)


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def dump(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the ingest tables as text, wall times of writing included."""
    return {table: rows(engine, f"SELECT CAST(t AS text) AS row FROM {table} t ORDER BY row")
            for table in ("observations", "observation_revisions", "raw_payloads", "refusals")}


def values(engine: Engine) -> list[Decimal]:
    return [row[0] for row in rows(engine,
                                   "SELECT value FROM observations ORDER BY effective_start")]


def history(engine: Engine) -> list[Decimal]:
    return [row[0] for row in rows(engine,
                                   "SELECT value FROM observation_revisions ORDER BY replaced_at")]


def test_a_reading_keeps_every_column(engine: Engine) -> None:
    one = reading(
        5, "36.60", vital=Vital.BODY_TEMPERATURE, utc_offset_s=-14400, civil_date=date(2026, 11, 1),
        body_site="wrist\tleft", device_id="d\\1", source_record_id="r\n1", group_id="g",
        provider_modified_at=START + HOUR, quality=Quality.SUSPECT,
        quality_reasons=("a \"quoted\" one", "back\\slash, comma"))
    save(engine, result(page([one])))
    (row,) = rows(engine, """SELECT patient_id, vital, provider, connection_id, CAST(value AS text),
        effective_start, utc_offset_s, civil_date, granularity, body_site, device_id,
        source_record_id, group_id, provider_modified_at, quality, quality_reasons, key
        FROM observations""")
    assert row[:-1] == (
        "p1", "body_temperature", "withings", "withings:p1", "36.60", one.effective_start, -14400,
        date(2026, 11, 1), "sample", "wrist\tleft", "d\\1", "r\n1", "g", START + HOUR, "suspect",
        ["a \"quoted\" one", "back\\slash, comma"])
    assert bytes(row[-1]) == one.key("p1", Provider.WITHINGS)


def test_fetching_twice_changes_nothing(engine: Engine) -> None:
    fetched = result(page([reading(1), reading(2)], refused=[Refusal(record="3", reason="text")]))
    assert save(engine, fetched) == Saved(inserted=2, revised=0, unchanged=0)
    before = dump(engine)
    assert save(engine, fetched) == Saved(inserted=0, revised=0, unchanged=2)
    assert dump(engine) == before


def test_overlapping_pages_of_the_next_cycle_add_only_what_is_new(engine: Engine) -> None:
    save(engine, result(page([reading(1), reading(2)])))
    saved = save(engine, result(page([reading(2), reading(3)])), cycle=CYCLE + HOUR)
    assert saved == Saved(inserted=1, revised=0, unchanged=1)
    assert history(engine) == []


def test_a_revision_replaces_and_the_old_version_is_kept(engine: Engine) -> None:
    first = reading(1, "70", provider_modified_at=START)
    second = reading(1, "75", provider_modified_at=START + HOUR)
    save(engine, result(page([first])))
    assert save(engine, result(page([second]))) == Saved(inserted=0, revised=1, unchanged=0)
    assert values(engine) == [Decimal(75)]
    assert history(engine) == [Decimal(70)]


def test_an_older_modification_never_overwrites_a_newer_one(engine: Engine) -> None:
    first = result(page([reading(1, "70", provider_modified_at=START)]))
    second = result(page([reading(1, "75", provider_modified_at=START + HOUR)]))
    save(engine, second)
    for _ in range(2):
        assert save(engine, first) == Saved(inserted=0, revised=0, unchanged=1)
    assert save(engine, result(page([reading(1, "60")]))).revised == 0
    assert values(engine) == [Decimal(75)]
    assert history(engine) == []


def test_without_modification_times_a_payload_seen_before_is_the_older_one(engine: Engine) -> None:
    first, second = result(page([reading(1, "70")])), result(page([reading(1, "75")]))
    save(engine, first)
    assert save(engine, second).revised == 1
    assert save(engine, first) == Saved(inserted=0, revised=0, unchanged=1)
    assert values(engine) == [Decimal(75)]
    back = result(page([reading(1, "70")], body="the vendor says 70 again, in a new payload"))
    assert save(engine, back).revised == 1
    assert history(engine) == [Decimal(70), Decimal(75)]


@pytest.mark.parametrize("changed", [
    {"effective_end": START + HOUR}, {"quality": Quality.SUSPECT},
    {"quality_reasons": ("late",)}, {"civil_date": date(2026, 11, 2)},
])
def test_a_change_beside_the_value_is_a_revision_too(engine: Engine, changed: Any) -> None:
    save(engine, result(page([reading(1)])))
    assert save(engine, result(page([replace(reading(1), **changed)]))).revised == 1


def test_of_duplicates_in_one_fetch_the_last_modified_wins(engine: Engine) -> None:
    newest = reading(1, "72", provider_modified_at=START + 2 * HOUR)
    middle = reading(1, "71", provider_modified_at=START + HOUR)
    saved = save(engine, result(page([middle, newest]), page([middle, reading(1, "70")])))
    assert saved == Saved(inserted=1, revised=0, unchanged=3)
    assert values(engine) == [Decimal(72)]


def test_several_fetches_may_share_a_transaction(engine: Engine) -> None:
    save(engine, result(page([reading(0)])))
    with transaction(engine) as conn:
        for minute in (1, 2):
            fetched = result(page([reading(minute)]))
            saved = save_fetch(conn, ready(fetched), resource=f"r{minute}", cycle=CYCLE,
                               window_start=START, result=fetched)
            assert saved.inserted == 1
    assert len(values(engine)) == 3


def test_two_that_save_the_same_fetch_at_once_agree(engine: Engine) -> None:
    save(engine, result(page([reading(0)])))
    fetched = result(page([reading(minute) for minute in range(500)], body="once"))
    saved: list[Saved] = []
    threads = [threading.Thread(target=lambda: saved.append(save(engine, fetched)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.inserted for one in saved) == [0, 0, 499]
    assert len(values(engine)) == 500


def test_a_fetch_that_dies_before_its_commit_leaves_nothing(engine: Engine) -> None:
    save(engine, result())
    before = dump(engine), rows(engine, "SELECT * FROM fetches")

    def die() -> None:
        with transaction(engine) as conn:
            fetched = result(page([reading(1)]))
            save_fetch(conn, ready(fetched), resource="heart", cycle=CYCLE + HOUR,
                       window_start=START, result=fetched)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert (dump(engine), rows(engine, "SELECT * FROM fetches")) == before


def test_the_raw_payload_comes_back_byte_for_byte(engine: Engine) -> None:
    one = page([reading(1)], body='{"ü": "\\u0000"}')
    save(engine, result(one))
    ((sha256, body),) = rows(engine, "SELECT sha256, body FROM raw_payloads")
    assert zlib.decompress(bytes(body)) == one.body
    assert sha256 == hashlib.sha256(one.body).hexdigest()


def test_the_ledger_tells_what_the_fetch_brought(engine: Engine) -> None:
    save(engine, result(page([reading(1)], refused=[Refusal(record="2", reason="unit")]),
                        outcome=Outcome.FETCH_FAILED, reason="vendor_unavailable: 503",
                        http_status=503))
    (row,) = rows(engine, """SELECT outcome, reason, http_status, pages, received, parsed, refused,
        cursor_after FROM fetches""")
    assert row == ("fetch_failed", "vendor_unavailable: 503", 503, 1, 2, 1, 1, None)


def test_the_watermark_is_the_newest_complete_fetch_of_an_earlier_cycle(engine: Engine) -> None:
    def fetch(hours: int, cursor: str | None, outcome: Outcome = Outcome.COMPLETE) -> None:
        save(engine, result(outcome=outcome, cursor_after=cursor), cycle=CYCLE + hours * HOUR)

    def mark(hours: int) -> str | None:
        with transaction(engine) as conn:
            return read_before(conn, "withings:p1", "heart", CYCLE + hours * HOUR).cursor

    fetch(0, "a")
    fetch(1, None, Outcome.FETCH_FAILED)
    fetch(2, "c")
    assert [mark(hours) for hours in range(4)] == [None, "a", "a", "c"]


def test_a_failure_does_not_take_a_complete_fetch_off_the_record(engine: Engine) -> None:
    save(engine, result(outcome=Outcome.FETCH_FAILED))
    save(engine, result(cursor_after="a"))
    save(engine, result(outcome=Outcome.FETCH_FAILED))
    assert rows(engine, "SELECT outcome, cursor_after FROM fetches") == [("complete", "a")]


def test_a_fetch_of_late_days_alone_does_not_take_back_how_far_was_read(engine: Engine) -> None:
    """What a webhook hints at is read without a watermark, after the cycle read all."""
    save(engine, result(cursor_after="a"))
    save(engine, result(page([reading(1)])))
    assert rows(engine, "SELECT parsed, cursor_after FROM fetches") == [(1, "a")]
    save(engine, result(cursor_after="b"))
    assert rows(engine, "SELECT parsed, cursor_after FROM fetches") == [(0, "b")]


def test_syncs_are_those_of_the_newest_fetch_that_read_all(engine: Engine) -> None:
    """By device; what a fetch of late days alone is told of, it has not read up to."""
    def known() -> Mapping[str, datetime]:
        with transaction(engine) as conn:
            return read_before(conn, "withings:p1", "heart", CYCLE + 3 * HOUR).synced

    assert known() == {}
    save(engine, result(cursor_after="a", last_sync=START))
    assert known() == {"": START}
    two = {"ring": START, "watch": START + HOUR}
    save(engine, result(cursor_after="b", last_sync=START + HOUR, device_syncs=two),
         cycle=CYCLE + HOUR)
    assert known() == two
    later: dict[str, Any] = {"last_sync": START + 2 * HOUR,
                             "device_syncs": {"ring": START + 2 * HOUR}}
    save(engine, result(**later), cycle=CYCLE + HOUR)
    save(engine, result(**later), cycle=CYCLE + 2 * HOUR)
    assert known() == two


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(device=st.none() | st.text(), record=st.none() | st.text(st.characters()),
       number=st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000))
def test_any_text_survives_the_way_in(
        engine: Engine, device: str | None, record: str | None, number: Decimal) -> None:
    with transaction(engine) as conn:
        conn.execute(text("DELETE FROM observations"))
    save(engine, result(page([reading(1, str(number), device_id=device, group_id=record)])))
    ((found_device, found_record, value),) = rows(
        engine, "SELECT device_id, group_id, value FROM observations")

    def storable(written: str | None) -> str | None:
        return written and written.replace("\0", "\ufffd").encode(errors="replace").decode()

    assert found_device == storable(device)
    assert found_record == storable(record)
    assert value == number


def test_last_readings_are_the_newest_that_stand_for_the_moment(engine: Engine) -> None:
    save(engine, result(page([
        reading(1, "61"), reading(5, "65"), reading(9, "69", context=Context.ACTIVE),
        reading(13, "55", granularity=Granularity.NIGHT), reading(60, "99")])))
    with transaction(engine) as conn:
        found = last_readings(conn, ["p1", "p2"], ["heart_rate", "spo2"], START, START + HOUR)
    assert found["p2"] == []
    assert [(one.time, one.value) for one in found["p1"]] == [(START + timedelta(minutes=5), 65)]


def test_last_readings_tell_of_those_that_do_not(engine: Engine) -> None:
    save(engine, result(page([
        reading(1, "140", context=Context.ACTIVE),
        reading(3, "55", granularity=Granularity.NIGHT)])))
    with transaction(engine) as conn:
        (found,) = last_readings(conn, ["p1"], ["heart_rate"], START, START + HOUR)["p1"]
    assert (found.value, found.granularity) == (55, "night")


def test_of_readings_at_one_moment_the_last_is_the_highest(engine: Engine) -> None:
    save(engine, result(page([reading(5, "65", device_id="a"), reading(5, "67", device_id="b"),
                              reading(5, "66", device_id="c")])))
    with transaction(engine) as conn:
        (found,) = last_readings(conn, ["p1"], ["heart_rate"], START, START + HOUR)["p1"]
        (day,) = daily_readings(conn, ["p1"], ["heart_rate"], START, CYCLE)["p1"]
    assert found.value == day.last == 67


def test_daily_readings_carry_the_patients_own_date(engine: Engine) -> None:
    save(engine, result(page([
        reading(0, "60"), reading(1, "61", utc_offset_s=-3600),
        reading(2, "62", civil_date=date(2026, 10, 30))])))
    with transaction(engine) as conn:
        found = daily_readings(conn, ["p1"], ["heart_rate"], START, CYCLE)["p1"]
    assert [(one.last, one.civil_date) for one in found] == [
        (62, date(2026, 10, 30)), (61, date(2026, 10, 31)), (60, date(2026, 11, 1))]


def test_daily_readings_are_the_last_the_lowest_and_the_highest_at_rest(engine: Engine) -> None:
    save(engine, result(page([
        reading(0, "70"), reading(1, "50"), reading(2, "90"), reading(3, "50"), reading(4, "60"),
        reading(5, "90"), reading(6, "71"), reading(7, "180", context=Context.ACTIVE)])))
    with transaction(engine) as conn:
        found = daily_readings(conn, ["p1", "p2"], ["heart_rate"], START, CYCLE)
    assert found == {"p1": [DailyReading("heart_rate", START.date(), 50, 90, 71)], "p2": []}


def test_the_last_reading_is_one_of_its_own_date(engine: Engine) -> None:
    save(engine, result(page([
        reading(0, "60", device_id="a"),
        reading(0, "90", device_id="b", civil_date=date(2026, 10, 31))])))
    with transaction(engine) as conn:
        found = daily_readings(conn, ["p1"], ["heart_rate"], START, CYCLE)["p1"]
    assert [one.last for one in found] == [90, 60]


def test_the_newest_reading_that_tells_sets_the_calendar(engine: Engine) -> None:
    save(engine, result(page([
        reading(60, "50"), reading(61, "70", utc_offset_s=7200),
        reading(62, "71", utc_offset_s=3600), reading(63, "72"),
        reading(64, "150", utc_offset_s=0, context=Context.ACTIVE)])))
    save(engine, result(page([reading(60, "50")])), patient="p2")
    with transaction(engine) as conn:
        found = civil_offsets(conn, ["p1", "p2"], ["heart_rate", "spo2"], START, CYCLE)
    assert found == {"p1": HOUR}


def test_nightly_readings_are_the_averages_over_a_night_or_a_day(engine: Engine) -> None:
    night = {"granularity": Granularity.NIGHT, "statistic": Statistic.MEAN}
    save(engine, result(page([
        reading(0, "60"), reading(9, "52", **night), reading(1, "51", **night),
        reading(2, "44", granularity=Granularity.NIGHT, statistic=Statistic.MIN)])))
    with transaction(engine) as conn:
        found = nightly_readings(conn, ["p1", "p2"], ["heart_rate", "spo2"], START, CYCLE)
    assert {vital: [value for _, value in nights] for vital, nights in found["p1"].items()} == {
        "heart_rate": [51, 52]}
    assert found["p1"]["heart_rate"][0][0] < found["p1"]["heart_rate"][1][0]
    assert found["p2"] == {}
