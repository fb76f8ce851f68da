"""The webhooks job killed with SIGKILL before any statement or commit, and run again."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from sqlalchemy import Engine, text

from providers.observation import Provider
from registry.database import transaction
from registry.webhooks import add_event
from tests.reference.cycles import CYCLE, LIGHT, Dump, Installation, assert_same, dump, vendors
from tests.reference.fault_schedules import killed_before
from vitalcast.jobs.webhooks import link_account, process_webhooks

NOW = CYCLE + timedelta(minutes=20)
STORED = ("observations", "observation_revisions", "raw_payloads", "refusals", "fetches",
          "quarantine", "quality_flags")


@pytest.fixture
def place(engine: Engine, database_url: str) -> Iterator[Installation]:
    with vendors(patients=["demo-01", "demo-07"]) as root:
        yield Installation.on(engine, database_url, root, LIGHT)


def tell(place: Installation) -> None:
    """Two hints; two versions of a day of two people, a record in it that is refused; an event
    that is not understood and one of nobody's."""
    engine = place.system.engine
    for account, patient in (("a", "demo-01"), ("b", "demo-07")):
        link_account(place.system, provider=Provider.GARMIN, account=account, patient_id=patient)
    with transaction(engine) as conn:
        users: dict[str, str] = {row.provider: row.provider_user_id for row in conn.execute(text(
            "SELECT provider, provider_user_id FROM connections WHERE provider <> 'garmin'"))}
        for provider, body in (
                (Provider.WITHINGS, f"userid={users['withings']}&appli=4".encode()),
                (Provider.OURA, json.dumps({"user_id": users["oura"], "data_type": "sleep",
                                            "event_type": "create"}).encode()),
                (Provider.GARMIN, days(60)), (Provider.GARMIN, days(61)),
                (Provider.GARMIN, b"[]"), (Provider.GARMIN, days(70, "c"))):
            add_event(conn, provider, body)


def days(rate: int, *whose: str) -> bytes:
    return json.dumps({"dailies": [
        {"userId": user, "summaryId": name, "startTimeInSeconds": 1782000000,
         "startTimeOffsetInSeconds": 0, "durationInSeconds": 3600,
         "averageHeartRateInBeatsPerMinute": value}
        for user in whose or ("a", "b") for name, value in (("s", rate), ("odd", 900))]}).encode()


def left(place: Installation) -> tuple[Dump, list[tuple[object, ...]]]:
    """What was stored, and what became of each event."""
    found = dump(place.system.engine)
    with transaction(place.system.engine) as conn:
        fates = conn.execute(text("SELECT key, status, reason, body IS NULL FROM webhook_events "
                                  "ORDER BY key")).all()
    return {name: found[name] for name in STORED}, [tuple(row) for row in fates]


def test_killed_anywhere_it_leaves_the_rows_of_an_undisturbed_run(place: Installation) -> None:
    tell(place)
    figures = process_webhooks(place.system, now=NOW)
    assert (figures["done"], figures["refused_events"], figures["unknown_account"]) == (4, 1, 1)
    undisturbed, fates = left(place)
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE webhook_events, raw_payloads, observations, quarantine, "
                          "observation_revisions, refusals, fetches, quality_flags CASCADE"))
    tell(place)
    last = next(statement for statement in count(2, 5) if not killed_before(
        statement, partial(process_webhooks, now=NOW), place.system.settings))
    assert last > 30, "the job has more statements than these"
    found, ended = left(place)
    assert_same(undisturbed, found)
    assert ended == fates
