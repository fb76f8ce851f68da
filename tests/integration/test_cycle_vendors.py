"""Vendors that refuse or repeat themselves while a cycle runs."""

from collections import Counter
from collections.abc import Iterator

import pytest
import requests
from sqlalchemy import Engine, text

from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Dump, Installation, assert_same, dump, vendors
from vitalcast.cycle import HOUR

PATIENTS = ("demo-04", "demo-07")
BUSY = {"kind": "http_429", "retry_after": 3600}      # too long to wait for: the next cycle asks


@pytest.fixture
def sandbox() -> Iterator[str]:
    with vendors(patients=PATIENTS) as root:
        yield root


@pytest.fixture
def place(engine: Engine, database_url: str, sandbox: str) -> Installation:
    return Installation.on(engine, database_url, sandbox, LIGHT)


def fail(place: Installation, **fault: object) -> None:
    requests.post(f"{place.sandbox_url}/sandbox/faults", json=fault, timeout=20).raise_for_status()


def mend(place: Installation) -> None:
    requests.delete(f"{place.sandbox_url}/sandbox/faults", timeout=20).raise_for_status()


def readings(place: Installation) -> Dump:
    """The observations, apart from the page that each came on."""
    with transaction(place.system.engine) as conn:
        return {"observations": sorted(conn.execute(text(
            "SELECT CAST((key, value, effective_start, effective_end, context, quality) AS text)"
            " FROM observations")).scalars())}


def outcomes(place: Installation) -> Counter[tuple[str, str]]:
    with transaction(place.system.engine) as conn:
        return Counter((row.provider, row.outcome) for row in conn.execute(text(
            "SELECT provider, outcome FROM fetches JOIN connections USING (connection_id)")))


def test_a_vendor_that_refuses_is_on_record_and_caught_up_with(place: Installation) -> None:
    place.ingest()
    whole = readings(place)
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE raw_payloads, observations, fetches CASCADE"))
    fail(place, **BUSY, provider="oura")
    figures = place.ingest()
    assert figures["connections"] == 2
    found = outcomes(place)
    assert {outcome for vendor, outcome in found if vendor == "google_health"} == {"complete"}
    assert ("oura", "complete") not in found
    mend(place)
    place.ingest()
    assert {outcome for _, outcome in outcomes(place)} == {"complete"}
    assert_same(whole, readings(place))


def test_a_failed_hour_is_made_good_by_the_next(place: Installation) -> None:
    fail(place, **BUSY)
    place.cycle()
    assert readings(place)["observations"] == []
    mend(place)
    place.clock(CYCLE + HOUR)
    place.cycle(CYCLE + HOUR)
    caught_up = readings(place)
    with transaction(place.system.engine) as conn:
        conn.execute(text("TRUNCATE raw_payloads, observations, fetches CASCADE"))
    place.ingest(CYCLE + HOUR)
    assert_same(readings(place), caught_up)


def test_records_that_come_twice_are_kept_once(place: Installation) -> None:
    place.ingest()
    whole = readings(place)
    fail(place, kind="duplicates")
    figures = place.ingest()
    assert (figures["inserted"], figures["revised"]) == (0, 0)
    assert_same(whole, readings(place))


def test_enrolling_again_changes_nothing_but_tokens(place: Installation) -> None:
    once = dump(place.system.engine)
    place.enrol()
    assert_same(once, dump(place.system.engine))
    assert len(once["care"]) == len(PATIENTS)

