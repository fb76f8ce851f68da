"""What was known at a moment, on a real server: beside what was read at that very moment."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from clinical.vitals import Vital
from providers.imports import FORMATS, Item
from providers.observation import Observation, Quality
from registry import tables
from registry.as_of import read_panels_as_of
from registry.connections import TokenCipher
from registry.database import transaction
from registry.panels import HourlyPanel, read_panels
from tests.reference.arrivals import arrive
from tests.reference.cycles import KEYS
from tests.reference.cycles import settings as settings_of
from vitalcast.cli import app
from vitalcast.jobs.importing import Import, import_readings
from vitalcast.stored_windows import stored_windows
from vitalcast.wiring import System

START = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 4
END = START + HOURS * HOUR
VITALS = [Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP]

Hours = dict[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a vendor says of a reading; saying it again later revises it."""

    vital: Vital
    quarter: int
    value: int
    accepted: bool


SAID = st.builds(Said, vital=st.sampled_from(VITALS), quarter=st.integers(0, 4 * HOURS - 1),
                 value=st.sampled_from([70, 90, 120]),
                 accepted=st.sampled_from([True, True, False]))


def observed(said: Said, version: int) -> Observation:
    moment = START + said.quarter * timedelta(minutes=15)
    return Observation(
        vital=said.vital, value=Decimal(said.value), effective_start=moment, effective_end=moment,
        provider_modified_at=END + timedelta(minutes=version),
        quality=Quality.OK if said.accepted else Quality.SUSPECT)


def hourly(panels: Mapping[Vital, HourlyPanel]) -> Hours:
    return {vital: panel.y[0].tolist() for vital, panel in panels.items()}


def same(one: Hours, other: Hours) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[vital], other[vital], equal_nan=True) for vital in one)


def arriving(engine: Engine, steps: Sequence[Sequence[Said]]) -> list[tuple[datetime, Hours]]:
    """Let readings arrive step by step; a moment after each, and what was read at it."""
    seen = []
    for version, said in enumerate(steps):
        arrive(engine, [observed(one, version) for one in said])
        with transaction(engine) as conn:
            seen.append((conn.execute(text("SELECT clock_timestamp()")).scalar_one(),
                         hourly(read_panels(conn, ["p1"], VITALS, START, END))))
    return seen


def as_of(engine: Engine, moment: datetime) -> Hours:
    with transaction(engine) as conn:
        return hourly(read_panels_as_of(conn, ["p1"], VITALS, START, END, moment))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.lists(SAID, max_size=6), min_size=1, max_size=5))
def test_as_of_a_moment_is_what_was_read_at_that_moment(
        engine: Engine, steps: list[list[Said]]) -> None:
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE observations, observation_revisions, quality_flags"))
    for moment, then in arriving(engine, steps):
        assert same(as_of(engine, moment), then)


def test_flags_keep_out_from_when_they_were_raised_until_they_were_cleared(engine: Engine) -> None:
    def pressure(vital: Vital, value: int) -> list[Said]:
        return [Said(vital=vital, quarter=0, value=value, accepted=True)]

    alone, together, mended = arriving(engine, [
        pressure(Vital.SYSTOLIC_BP, 90), pressure(Vital.DIASTOLIC_BP, 120),
        pressure(Vital.SYSTOLIC_BP, 140)])
    assert {vital: y[0] for vital, y in alone[1].items()} == {"systolic_bp": 90}
    assert together[1] == {}
    assert {vital: y[0] for vital, y in mended[1].items()} == {
        "systolic_bp": 140, "diastolic_bp": 120}
    for moment, then in (alone, together, mended):
        assert same(as_of(engine, moment), then)


def test_nothing_was_known_before_the_first_reading_came(engine: Engine) -> None:
    with transaction(engine) as conn:
        before = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    said = Said(vital=Vital.HEART_RATE, quarter=0, value=70, accepted=True)
    arrive(engine, [observed(said, 0)])
    with transaction(engine) as conn:
        assert read_panels_as_of(conn, ["p1"], VITALS, START, END, before) == {}


def imported(system: System, systolic: Sequence[int]) -> datetime:
    """Import a file of one pressure an hour; a moment after all were stored, and none committed."""
    file = json.dumps({"bloodPressures": [
        {"userId": "u1", "summaryId": str(hour), "systolic": value, "diastolic": 80, "pulse": 60,
         "measurementTimeInSeconds": int((START + hour * HOUR).timestamp())}
        for hour, value in enumerate(systolic)]}).encode()
    stored: list[datetime] = []

    def read(given: BinaryIO, zone: ZoneInfo | None) -> Iterator[Item]:
        yield from FORMATS["garmin"].read(given, zone)
        stored.append(datetime.now(UTC))

    import_readings(system, Import(
        name="garmin", format=replace(FORMATS["garmin"], read=read), file=BytesIO(file), zone=None,
        patient_id="p1"))
    return stored[0]


def test_a_file_is_not_known_before_its_import_has_ended(
        engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.file_imports.CHUNK", 1)
    system = System(settings=settings_of(database_url, "http://127.0.0.1:1"), engine=engine,
                    cipher=TokenCipher([KEYS.token_key]))
    said = Said(vital=Vital.HEART_RATE, quarter=3, value=90, accepted=True)
    arrive(engine, [observed(said, 0)])
    first = imported(system, [120, 120])
    between = datetime.now(UTC)
    second = imported(system, [130, 120, 120])
    after = datetime.now(UTC)
    seen = [as_of(engine, moment) for moment in (first, between, second, after)]
    pressures = [np.nan_to_num(y.get("systolic_bp", [])).tolist() for y in seen]
    assert pressures == [[], [120, 120, 0, 0], [120, 120, 0, 0], [130, 120, 120, 0]]
    assert [y["heart_rate"][0] for y in seen] == [90, 75, 75, 75]      # the file's pulse is 60
    with transaction(engine) as conn:
        conn.execute(text("DELETE FROM raw_payloads WHERE resource LIKE 'file %'"))
    assert "systolic_bp" not in as_of(engine, first)


def fetched(hour: int, value: float, *, after: timedelta) -> dict[str, Any]:
    moment = START + hour * HOUR
    return {"key": f"{hour}".encode(), "patient_id": "p1", "vital": "heart_rate", "value": value,
            "provider": "withings", "effective_start": moment, "effective_end": moment,
            "granularity": "sample", "statistic": "instant", "context": "rest",
            "method": "device", "parser_version": 1, "quality": "ok", "quality_reasons": [],
            "fetched_at": moment + after}


LATE_HOUR, CUT = 70, 96


@pytest.fixture
def late(engine: Engine) -> Engine:
    """Five days of readings that came within minutes, but one that came three days late."""
    with transaction(engine) as conn:
        conn.execute(insert(tables.patients), [{"patient_id": "p1"}])
        conn.execute(insert(tables.observations), [
            fetched(hour, 70 + hour % 24, after=timedelta(minutes=5)) if hour != LATE_HOUR
            else fetched(hour, 200, after=timedelta(days=3)) for hour in range(CUT + 24)])
    return engine


def test_a_reading_that_came_late_does_not_leak_into_a_backtest(late: Engine) -> None:
    trains = {}
    with transaction(late) as conn:
        for hindsight in (False, True):
            (window,) = stored_windows(conn, ["p1"], until=START + (CUT + 24) * HOUR, hours=CUT,
                                       horizon=24, windows=1, hindsight=hindsight)
            trains[hindsight] = window.train
            assert window.unique_id == "p1:heart_rate"
            assert window.test.tolist() == [70 + hour % 24 for hour in range(CUT, CUT + 24)]
    assert np.isnan(trains[False][LATE_HOUR])
    assert trains[True][LATE_HOUR] == 200
    assert np.flatnonzero(np.isnan(trains[False])).tolist() == [LATE_HOUR]


def test_the_command_backtests_what_is_stored(
        late: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_HOME", str(tmp_path))
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    asked = ["backtest", "--stored", "--patients", "p1", "--members", "last_value,revert",
             "--until", (START + (CUT + 24) * HOUR).isoformat(), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert [line["unique_id"] for line in told["per_series"]] == ["p1:heart_rate"]
    assert told["ensemble"]["mae"] is not None
    hindsight = json.loads(CliRunner().invoke(app, [*asked, "--hindsight"]).output)
    assert hindsight["ensemble"]["mae"] != told["ensemble"]["mae"]
