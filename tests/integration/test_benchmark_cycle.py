"""The cycle benchmark on very few patients: what it prepares is real, and what it prints holds."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from benchmarks.cycle_prepare import (
    FIRST,
    HOUR,
    Size,
    arrive,
    clear,
    enrol,
    fill_history,
    generate_readings,
)
from benchmarks.cycle_readings import DEVICE, PROVIDER, generate
from benchmarks.cycle_server import Server
from forecasting.config import DEFAULT_MEMBERS, HEAVY
from providers.observation import Granularity, Observation, Statistic
from vitalcast.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]

_INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'observations' ORDER BY indexdef"


def test_the_same_seed_generates_the_same_readings_each_in_the_hour_that_brings_it() -> None:
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    readings = list(generate(4, 6, start, 48))
    assert readings == list(generate(4, 6, start, 48))
    assert Counter(one.granularity for one in readings).keys() == {"sample", "night"}
    assert all(HOUR >= one.arrived - one.end >= 0 * HOUR for one in readings)
    slots = Counter((one.source, one.vital, one.arrived, one.granularity) for one in readings)
    assert set(slots.values()) == {1}


def test_history_is_stored_as_an_hourly_ingest_leaves_it(
    engine: Engine, database_url: str, postgres: EmbeddedPostgres,
) -> None:
    size = Size(patients=5, vitals=2, most=2)
    server = Server(postgres=postgres, url=database_url, engine=engine)
    with engine.begin() as conn:
        indexes = conn.execute(text(_INDEXES)).all()
    enrol(server, size)
    generate_readings(server, size)
    fill_history(server, size.patients)
    arrive(server, size, FIRST)
    with engine.begin() as conn:
        rows = conn.execute(text("SELECT * FROM observations ORDER BY ctid")).all()
        assert conn.execute(text(_INDEXES)).all() == indexes
    clear(server)
    assert len({row.patient_id for row in rows}) == size.patients
    arrived = [(row.effective_end if row.granularity == "night" else row.effective_start + HOUR)
               .replace(minute=0, second=0) for row in rows]
    assert arrived == sorted(arrived)
    assert arrived[-1] == FIRST
    assert all(bytes(row.key) == Observation(
        vital=row.vital, value=Decimal(0), effective_start=row.effective_start,
        effective_end=row.effective_end, granularity=Granularity(row.granularity),
        statistic=Statistic(row.statistic), device_id=DEVICE,
    ).key(row.patient_id, PROVIDER) for row in rows)


@pytest.mark.slow
def test_an_hour_of_few_patients_does_what_is_asked_of_it() -> None:
    command = [sys.executable, "benchmarks/cycle.py", "--json", "--patients", "3", "--distinct",
               "2", "--vitals", "2"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300,
                          check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    whole = json.loads(told.stdout)
    (run,) = whole["runs"]
    assert (run["patients"], run["distinct"], run["series"]) == (3, 2, 6)
    assert whole["met"] == {"nothing amiss": True}
    first, second = run["hours"]["a"], run["hours"]["b"]
    assert list(first["stages"]) == ["train", "forecast"]
    assert list(second["stages"]) == ["forecast"]
    assert first["faults"] == second["faults"] == []
    assert first["found"]["fits"] == {"fitted": 6 * len(DEFAULT_MEMBERS)}
    assert first["found"]["heavy_documents"] == {"search": len(HEAVY), "refit": 5 * len(HEAVY)}
    for hour in (first, second):
        assert hour["found"]["forecasts"] == 6
        assert hour["found"]["scored"] == 3
        assert hour["wall_s"] > 0
        assert hour["patients_per_core_hour"] > 0
        assert all(stage["cpu_postgres_s"] > 0 and stage["peak_mib"] > 0
                   for stage in hour["stages"].values())
