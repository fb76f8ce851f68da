"""Forecasts, severities, evaluations, runs and patients, on a real server."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from clinical.current import Entry
from registry.database import Connection, RegistryError, transaction
from registry.forecasts import (
    EvaluationRow,
    ForecastRow,
    SeverityRow,
    changed_forecasts,
    open_forecasts,
    save_evaluations,
    save_forecasts,
    save_severities,
)
from registry.models import DocumentRow, FitRow, save_documents, save_fits
from registry.patients import (
    Patient,
    load_entries,
    load_patients,
    patient_ids,
    save_patients,
)
from registry.progress import series_trained
from registry.runs import run

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def patients(engine: Engine) -> Engine:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1"), Patient(patient_id="p2")])
        save_documents(conn, [DocumentRow(
            document_id="d", patient_id="p1", vital="spo2", member="ensemble", engine="native",
            cutoff=NOON, made_by="search", document="{}")])
    return engine


def forecast(hours: int = 0, **more: Any) -> ForecastRow:
    point = [97.25, 0.1 + 0.2]
    return ForecastRow(**{
        "patient_id": "p1", "vital": "spo2", "cutoff": NOON + hours * HOUR, "horizon": 2,
        "document_id": "d", "state_hash": "s", "point": point,
        "bounds": {level: ([level, 1.0], (2.0, 3.0)) for level in (50, 80, 95)},
        "members": {"ets": {"weights": {"1": 1.0}, "path": point}}, "absent": {"tbats": "timeout"},
        **more})


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_a_forecast_comes_back_bit_for_bit(patients: Engine) -> None:
    given = forecast()
    with transaction(patients) as conn:
        save_forecasts(conn, [given])
        (found,) = changed(conn)
    assert list(found.point) == given.point
    assert found.bounds[95] == ([95.0, 1.0], [2.0, 3.0])
    assert (found.members, found.absent) == (given.members, given.absent)


def test_forecasting_again_replaces_the_same_row(patients: Engine) -> None:
    for state in ("a", "b"):
        with transaction(patients) as conn:
            save_forecasts(conn, [forecast(state_hash=state)])
    assert rows(patients, "SELECT state_hash FROM forecasts") == [("b",)]


def test_a_missing_forecast_is_a_row_with_its_reason(patients: Engine) -> None:
    with transaction(patients) as conn:
        save_forecasts(conn, [forecast(document_id=None, reason="never measured", point=[],
                                       bounds={}, members={}, absent={})])
        assert open_forecasts(conn, ["p1"], NOON + HOUR, NOON) == {}
    assert rows(patients, "SELECT reason, point, lower_50 FROM forecasts") == [
        ("never measured", [], [])]


def evaluation(hours: int = 0, **more: Any) -> EvaluationRow:
    return EvaluationRow(**{
        "patient_id": "p1", "vital": "spo2", "cutoff": NOON + hours * HOUR, "observed": 0,
        "final": False, "actual": [None, None], "errors": {"ets": [None, math.nan]},
        "mae": {"ets": None}, "covered": {"80": [None, None]}, **more})


def changed(conn: Connection, hours: Sequence[float] = (97.0,), *,
            oldest: datetime = NOON - HOUR) -> list[ForecastRow]:
    """The forecasts to score an hour after noon, when these hours were observed last."""
    start, cycle = NOON - 9 * HOUR, NOON + HOUR
    since = open_forecasts(conn, ["p1", "p2"], cycle, oldest)
    seen = [math.nan] * (10 - len(hours)) + list(hours)
    return changed_forecasts(conn, since, dict.fromkeys(since, seen), start, cycle)


def cutoffs(found: Sequence[ForecastRow]) -> list[int]:
    """In hours from noon."""
    return [int((one.cutoff - NOON) / HOUR) for one in found]


def test_forecasts_are_evaluated_until_they_are_final(patients: Engine) -> None:
    with transaction(patients) as conn:
        save_forecasts(conn, [forecast(hours) for hours in range(-4, 3)])
        save_evaluations(conn, [evaluation(-4, final=True), evaluation(-3), evaluation(0)])
        assert cutoffs(changed(conn)) == [-3, -2, -1, 0]


def test_a_score_that_says_what_was_observed_is_left_alone(patients: Engine) -> None:
    with transaction(patients) as conn:
        save_forecasts(conn, [forecast(hours) for hours in range(-3, 1)])
        save_evaluations(conn, [
            evaluation(-3, final=True), evaluation(-2, final=True, actual=[None, 96.0]),
            evaluation(-1, final=True, actual=[96.0, 97.0]), evaluation(0, actual=[97.0, None])])
        assert cutoffs(changed(conn, [96.0, 97.0])) == []
        assert cutoffs(changed(conn, [96.5, 97.0])) == [-1]
        assert cutoffs(changed(conn, [96.5, 97.0], oldest=NOON - 2 * HOUR)) == [-2, -1]
        assert cutoffs(changed(conn, [96.0])) == [-1, 0]


def test_a_score_that_becomes_final_is_written_without_a_reading(patients: Engine) -> None:
    with transaction(patients) as conn:
        save_forecasts(conn, [forecast(-1), forecast(0)])
        save_evaluations(conn, [evaluation(-1), evaluation(0)])
        assert cutoffs(changed(conn, [])) == [-1]


def test_an_evaluation_grows_with_the_hours_observed(patients: Engine) -> None:
    first = evaluation()
    last = replace(first, observed=1, final=True, actual=[97.5, None])
    for one in (first, last, last, first):   # the last: an older cycle is run again
        with transaction(patients) as conn:
            save_evaluations(conn, [one])
    assert rows(patients, "SELECT observed, final, actual, errors FROM evaluations") == [
        (1, True, [97.5, None], {"ets": [None, None]})]


def test_a_severity_is_one_row_a_cutoff(patients: Engine) -> None:
    for rank in (1.0, 2.0):
        with transaction(patients) as conn:
            save_severities(conn, [SeverityRow(
                patient_id="p1", cutoff=NOON, rank=rank, band="low", current={"total": 1},
                outlook={}, protocol={})])
    assert rows(patients, "SELECT rank, current FROM severities") == [(2.0, {"total": 1})]


def test_thousands_of_rows_are_written(patients: Engine) -> None:
    with transaction(patients) as conn:
        save_forecasts(conn, [forecast(hours) for hours in range(2500)])
    assert rows(patients, "SELECT count(*) FROM forecasts") == [(2500,)]


def test_a_run_is_recorded_with_its_figures(engine: Engine) -> None:
    with run(engine, job="train", cycle=NOON, shard="1/2") as figures:
        assert rows(engine, "SELECT status FROM runs") == [("running",)]
        figures["series"] = np.int64(3)
    assert rows(engine, """SELECT job, shard, status, figures, exception, cpu_seconds >= 0,
        ended_at >= started_at FROM runs""") == [
        ("train", "1/2", "done", {"series": 3}, None, True, True)]


def test_a_failed_run_tells_class_and_place_but_no_message(engine: Engine) -> None:
    def fail() -> None:
        with run(engine, job="train", cycle=NOON, shard="1/1"):
            raise ValueError("heart rate 212 of Jane")

    with pytest.raises(ValueError, match="212"):
        fail()
    ((status, exception),) = rows(engine, "SELECT status, exception FROM runs")
    assert status == "failed"
    assert exception.startswith("ValueError at test_registry_forecasts.py:")
    assert "212" not in exception


def test_a_run_that_was_killed_is_closed_by_the_next(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text("INSERT INTO runs (job, cycle, shard, status) "
                          "VALUES ('train', :cycle, '1/1', 'running')"), {"cycle": NOON})
    with run(engine, job="train", cycle=NOON, shard="1/1"):
        pass
    assert rows(engine, "SELECT status, exception FROM runs ORDER BY run_id") == [
        ("failed", "killed: it left no end"), ("done", None)]


def test_a_failure_that_cannot_be_recorded_stays_the_one_raised(engine: Engine) -> None:
    def fail() -> None:
        with run(engine, job="train", cycle=NOON, shard="1/1"):
            with transaction(engine) as conn:
                conn.execute(text("ALTER TABLE runs RENAME TO runs_away"))
            raise ValueError("the job's own")

    try:
        with pytest.raises(ValueError, match="the job's own") as told:
            fail()
    finally:
        with transaction(engine) as conn:
            conn.execute(text("ALTER TABLE runs_away RENAME TO runs"))
    assert "could not be recorded" in told.value.__notes__[0]


def test_patients_are_stored_and_what_clinicians_entered_stays(engine: Engine) -> None:
    born = datetime(1950, 1, 2, tzinfo=UTC).date()
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="b"), Patient(patient_id="a")])
        conn.execute(text("UPDATE patients SET spo2_scale = 2, pregnant = true "
                          "WHERE patient_id = 'a'"))
        save_patients(conn, [Patient(patient_id="a", birth_date=born)])
        assert patient_ids(conn) == ["a", "b"]
        assert load_patients(conn, ["a", "none"]) == {"a": Patient(
            patient_id="a", birth_date=born, pregnant=True, spo2_scale=2)}


def test_entries_are_read_by_patient(patients: Engine) -> None:
    with transaction(patients) as conn:
        conn.execute(text("""INSERT INTO clinical_entries
            (patient_id, effective_at, item, value, entered_by) VALUES
            ('p1', :noon, 'consciousness', 'alert', 'doctor')"""), {"noon": NOON})
        assert load_entries(conn, ["p1", "p2"], NOON, NOON + HOUR) == {
            "p1": [Entry(item="consciousness", value="alert", time=NOON)], "p2": []}
        assert load_entries(conn, ["p1"], NOON - HOUR, NOON) == {"p1": []}


def test_progress_counts_trained_series_of_all(patients: Engine) -> None:
    with transaction(patients) as conn:
        for vital in ("spo2", "heart_rate"):
            conn.execute(text("""INSERT INTO observations (key, patient_id, vital, provider, value,
                effective_start, effective_end, granularity, statistic, context, method,
                parser_version, quality, quality_reasons) VALUES (decode(md5(:vital), 'hex'), 'p1',
                :vital, 'oura', 97, :at, :at, 'sample', 'instant', 'rest', 'device', 1, 'ok', '{}')
                """), {"vital": vital, "at": NOON - HOUR})
        save_fits(conn, [FitRow(patient_id="p1", vital="spo2", member="ets", cutoff=NOON,
                                outcome="fitted", config_hash="c")])
    assert series_trained(patients, NOON) == (1, 2)
    assert series_trained(patients, NOON - HOUR) == (0, 0)


def test_an_unknown_patient_is_refused(engine: Engine) -> None:
    with pytest.raises(RegistryError, match="fk_forecasts_patient_id"), \
            transaction(engine) as conn:
        save_forecasts(conn, [forecast(document_id=None)])
