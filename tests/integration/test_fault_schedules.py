"""Vendors that fail at random, ingest that is killed: in the end everything is there, once.

Fifty schedules, five hundred with VITALCAST_LONG=1; VITALCAST_SCHEDULE_SEED=N replays one.
"""

import os
from collections.abc import Iterator

import pytest

from registry.database import open_engine
from tests.reference.cycles import Installation, vendors
from tests.reference.fault_schedules import DISTURBED, PATIENTS, Bench, schedule, seeds

LONG = bool(os.environ.get("VITALCAST_LONG"))
SEEDS = list(seeds(500 if LONG else 50, os.environ.get("VITALCAST_SCHEDULE_SEED")))

# What a reading says. When it came, on which page and when the vendor modified it differ.
CONTENT = """key, patient_id, vital, value, effective_start, effective_end, utc_offset_s,
    civil_date, granularity, statistic, context, method, body_site, device_id, device_model,
    source_record_id, group_id, quality, quality_reasons"""
STORED = f"""
SELECT CAST((SELECT t FROM (SELECT {CONTENT}) t) AS text) FROM observations
WHERE patient_id = ANY(:patients)"""

# A version that says what the one after it says is no revision.
IDLE = f"""
WITH versions AS (
    SELECT key, fetched_at, CAST(({CONTENT}, provider_modified_at) AS text) AS said
    FROM observations WHERE patient_id = ANY(:patients)
    UNION ALL
    SELECT key, fetched_at, CAST(({CONTENT}, provider_modified_at) AS text)
    FROM observation_revisions WHERE patient_id = ANY(:patients)
), chained AS (
    SELECT said, lead(said) OVER (PARTITION BY key ORDER BY fetched_at) AS later FROM versions
)
SELECT said FROM chained WHERE said = later"""


@pytest.fixture(scope="module")
def bench(database_url: str) -> Iterator[Bench]:
    engine = open_engine(database_url)
    with vendors(patients=tuple(PATIENTS.values()), now=DISTURBED[0]) as root:
        Installation.on(engine, database_url, root)
        yield Bench.on(engine, database_url, root)
    engine.dispose()


@pytest.fixture(scope="module")
def whole(bench: Bench) -> dict[str, list[str]]:
    """What an undisturbed run stores, by vendor."""
    bench.undisturbed()
    return {vendor: bench.rows(STORED, [vendor]) for vendor in PATIENTS}


@pytest.mark.parametrize("number", SEEDS)
def test_after_random_faults_every_reading_is_there_once(
        bench: Bench, whole: dict[str, list[str]], number: int) -> None:
    given = schedule(number)
    bench.run(given)
    for vendor in given.vendors:
        stored, expected = bench.rows(STORED, [vendor]), whole[vendor]
        assert stored == expected, f"""{given}
            lost: {sorted(set(expected) - set(stored))[:3]}
            other: {sorted(set(stored) - set(expected))[:3]}"""
    idle = bench.rows(IDLE, given.vendors)
    assert not idle, f"{given}\nversions that say nothing new: {idle[:3]}"
