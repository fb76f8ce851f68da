"""Whole panels of hours, on a real server, beside one series at a time."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, text

from clinical.vitals import Vital
from registry import panels, tables
from registry.database import raw_cursor, transaction
from registry.panels import HourlyPanel, read_panels
from tests.reference.hours import hours_of

START = datetime(2026, 11, 1, tzinfo=UTC)
HOURS = 4
END = START + timedelta(hours=HOURS)
VITALS = ("heart_rate", "spo2")
NAMES = ("p1", "p2", "p3")


def reading(second: int, value: Any, *, patient: str = "p1", vital: str = "heart_rate",
            **more: Any) -> dict[str, Any]:
    moment = START + timedelta(seconds=second)
    return {"key": uuid.uuid4().bytes, "patient_id": patient, "vital": vital, "value": value,
            "provider": "withings", "effective_start": moment, "effective_end": moment,
            "granularity": "sample", "statistic": "instant", "context": "rest",
            "method": "device", "parser_version": 1, "quality": "ok", "quality_reasons": [],
            **more}


def read(engine: Engine, rows: Sequence[dict[str, Any]],
         patients: Sequence[str] = NAMES) -> dict[Vital, HourlyPanel]:
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE observations"))
        if rows:
            conn.execute(insert(tables.observations), rows)
        return read_panels(conn, patients, VITALS, START, END)


READINGS = st.lists(st.builds(
    reading, st.integers(0, HOURS * 3600 - 1), st.decimals(0, 300, places=3),
    patient=st.sampled_from(NAMES), vital=st.sampled_from(VITALS)), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=READINGS, block=st.sampled_from([1, 2, 50]))
def test_a_panel_holds_what_each_series_alone_gives(
        engine: Engine, rows: list[dict[str, Any]], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panels, "QUERY_PATIENTS", block)
        found = read(engine, rows)
    alone: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    for one in rows:
        alone.setdefault((one["patient_id"], one["vital"]), []).append(
            (one["effective_start"], float(one["value"])))
    together = {(name, vital) for vital, panel in found.items() for name in panel.patients}
    assert together == alone.keys()
    for (patient, vital), readings in alone.items():
        panel = found[Vital(vital)]
        row = panel.patients.index(patient)
        facts = hours_of(readings, START, HOURS)
        assert panel.y[row].tobytes() == np.array(facts.means).tobytes()
        assert (panel.entries[row], panel.first_s[row], panel.last_s[row]) == (
            facts.entries, int(facts.first.timestamp()), int(facts.last.timestamp()))
        assert (panel.minimum[row], panel.maximum[row]) == (facts.minimum, facts.maximum)
        assert panel.mean[row] == pytest.approx(facts.mean, rel=1e-12)
        assert panel.std[row] == pytest.approx(facts.std, rel=1e-9, abs=1e-9)
        gap = panel.mean_gap_s[row]
        assert gap == facts.mean_gap_s or (np.isnan(gap) and facts.mean_gap_s is None)


def test_the_order_of_arrival_does_not_matter(engine: Engine) -> None:
    rows = [reading(minute * 60, value) for minute, value in enumerate(
        np.random.default_rng(3).normal(70, 9, 50).round(6).tolist())]
    one, other = read(engine, rows), read(engine, rows[::-1])
    for name in ("y", "mean", "std"):
        values = [getattr(found[Vital.HEART_RATE], name).tobytes() for found in (one, other)]
        assert values[0] == values[1]


def test_only_what_is_forecast_from_is_read(engine: Engine) -> None:
    found = read(engine, [
        reading(60, 61), reading(120, 99, quality="suspect"), reading(180, 99, granularity="night"),
        reading(240, 99, statistic="max"), reading(-1, 99), reading(HOURS * 3600, 99),
        reading(300, "NaN"), reading(HOURS * 3600 - 1, 62, granularity="interval",
                                     statistic="mean")])
    (panel,) = found.values()
    assert panel.y[0, [0, -1]].tolist() == [61, 62]
    assert panel.entries.tolist() == [2]


def test_series_come_in_the_order_asked_and_only_with_readings(engine: Engine) -> None:
    found = read(engine, [reading(0, 71, patient="p3"), reading(0, 72, patient="p1"),
                          reading(0, 97, patient="p1", vital="spo2")], ["p3", "p2", "p1"])
    assert found[Vital.HEART_RATE].patients == ("p3", "p1")
    assert found[Vital.SPO2].patients == ("p1",)


def test_without_patients_or_readings_there_is_no_panel(engine: Engine) -> None:
    assert read(engine, []) == read(engine, [], []) == {}


def test_a_window_is_read_from_the_index_alone(engine: Engine) -> None:
    rows = [reading(minute * 60, 70, patient=name) for name in NAMES for minute in range(200)]
    read(engine, rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE observations"))
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + panels._READINGS, {
            "patients": list(NAMES), "vitals": list(VITALS), "count": 2, "start": START,
            "end": END})
        plan = "\n".join(line for line, in cursor)
    assert "Index Only Scan using ix_observations_series" in plan
