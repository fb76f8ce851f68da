"""The cycle run again on the same clock leaves the same rows, on real Postgres and real vendors."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from forecasting.config import DEFAULT_MEMBERS
from forecasting.documents import hour_text, loads
from registry.database import transaction
from tests.reference.cycles import CYCLE, LIGHT, Installation, assert_same, dump, vendors
from vitalcast.cycle import HOUR
from vitalcast.jobs.forecast import NO_MODEL
from vitalcast.jobs.trained import no_figures

VITALS_SERVED = {
    "demo-01": {"heart_rate", "respiratory_rate", "systolic_bp", "diastolic_bp",
                "body_temperature", "spo2"},
    "demo-04": {"heart_rate", "body_temperature", "spo2"},
    "demo-07": {"heart_rate"},
}

# Of each training, where the documents' parents are from; the same member's of the same series.
_LINEAGE = """
SELECT DISTINCT d.cutoff, p.cutoff FROM model_documents d
LEFT JOIN model_documents p ON p.document_id = d.parent_id AND p.patient_id = d.patient_id
    AND p.vital = d.vital AND p.member = d.member
WHERE d.parent_id IS NULL OR d.parent_id <> d.document_id ORDER BY d.cutoff"""


@pytest.fixture
def sandbox() -> Iterator[str]:
    with vendors() as root:
        yield root


def count(engine: Engine, query: str) -> int:
    with transaction(engine) as conn:
        return int(conn.execute(text(query)).scalar_one())


def test_a_cycle_leaves_rows_of_every_kind(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    series = {(name, vital) for name, vitals in VITALS_SERVED.items() for vital in vitals}
    with transaction(engine) as conn:
        forecast = conn.execute(text(
            "SELECT patient_id, vital, reason, cardinality(point), cutoff FROM forecasts")).all()
        scored = conn.execute(text("SELECT patient_id FROM severities")).scalars().all()
        outcomes = Counter(conn.execute(text("SELECT outcome FROM fetches")).scalars())
    assert {(row.patient_id, row.vital) for row in forecast} == series
    assert {(row.reason, row.cardinality, row.cutoff) for row in forecast
            if row.vital == "heart_rate"} == {(None, 24, CYCLE)}
    assert sorted(scored) == sorted(VITALS_SERVED)
    assert set(outcomes) == {"complete"}
    assert count(engine, "SELECT count(*) FROM runs WHERE status <> 'done'") == 0


def test_the_same_hour_twice_leaves_the_same_rows(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    place = Installation.on(engine, database_url, sandbox)
    place.cycle()
    once = dump(engine)
    place.enrol()
    again = place.ingest()
    assert (again["inserted"], again["revised"]) == (0, 0)
    assert again["unchanged"] > 1000
    series = count(engine, "SELECT count(*) FROM model_aliases WHERE alias = 'ensemble'")
    assert place.train() == no_figures() | {"series": 10, "ensembles": series}   # none anew
    place.forecast()
    place.evaluate()
    assert_same(once, dump(engine))


def test_the_next_hour_twice_leaves_the_same_rows(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    first = dump(engine)
    place.clock(CYCLE + HOUR)
    place.cycle(CYCLE + HOUR)
    once = dump(engine)
    assert len(once["observations"]) > len(first["observations"])
    assert set(first["forecasts"]) < set(once["forecasts"])
    assert set(first["fits"]) == set(once["fits"])             # trained daily, forecast hourly
    assert count(engine, "SELECT max(observed) FROM evaluations") == 1
    place.cycle(CYCLE + HOUR)
    assert_same(once, dump(engine))


def test_training_that_is_due_every_hour_leaves_the_same_rows(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    config = json.dumps({**json.loads(LIGHT), "train_every_hours": 1})
    place = Installation.on(engine, database_url, sandbox, config)
    for hour in (CYCLE, CYCLE + HOUR):
        place.clock(hour)
        place.cycle(hour)
    once = dump(engine)
    assert count(engine, "SELECT count(DISTINCT cutoff) FROM fits") == 2
    with transaction(engine) as conn:
        assert conn.execute(text(_LINEAGE)).all() == [(CYCLE, None), (CYCLE + HOUR, CYCLE)]
    place.cycle(CYCLE + HOUR)
    assert_same(once, dump(engine))


def changed(place: Installation, **settings: Any) -> Installation:
    """The same installation with some settings of its model configuration changed."""
    return replace(place, config=json.dumps({**json.loads(place.config), **settings}))


def test_a_changed_configuration_takes_effect_at_the_next_cycle(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    shorter = changed(place, horizon_hours=12)
    later = CYCLE + HOUR
    place.clock(later)
    for one in (place, shorter):
        one.ingest(later)
        figures = one.train(later)
        assert bool(figures["ensembles"]) is bool(figures["fitted"]) is (one is shorter)
    once = dump(engine)
    assert shorter.train(later)["fitted"] == 0
    assert_same(once, dump(engine))


def test_a_setting_that_no_training_depends_on_retrains_nothing(
    engine: Engine, database_url: str, sandbox: str,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    once = dump(engine)
    for settings in ({"alert_threshold": 0.5}, {"search_every_hours": 24}, {"drift_ratio": 3.0},
                     {"fit_timeout_s": 5.0}, {"stale_after_hours": 48}):
        assert changed(place, **settings).train(CYCLE + HOUR)["fitted"] == 0
    one_vital = changed(place, members={
        **json.loads(LIGHT)["members"], "last_value": {"spo2": False}})
    assert one_vital.train()["fitted"] > 0
    again = set(dump(engine)["fits"]) ^ set(once["fits"])
    assert again and all("spo2" in row for row in again)


def test_structures_are_searched_once_a_week_and_refitted_daily(
    engine: Engine, database_url: str,
) -> None:
    config = json.dumps({**json.loads(LIGHT), "search_every_hours": 72, "train_every_hours": 1,
                         "members": {**json.loads(LIGHT)["members"], "theta": True}})
    with vendors(patients=("demo-07",)) as root:
        place = Installation.on(engine, database_url, root, config)
        made = []
        for hours in (0, 1, 2, 72):
            place.clock(CYCLE + hours * HOUR)
            place.ingest(CYCLE + hours * HOUR)
            made.append(place.train(CYCLE + hours * HOUR)["members"]["theta"])
    assert [tuple(one) for one in made] == [
        ("fitted", "searched"), ("fitted", "refitted"), ("fitted", "refitted"),
        ("fitted", "searched")]
    for table in ("fits", "model_documents"):
        with transaction(engine) as conn:
            found = conn.execute(text(
                f"SELECT made_by FROM {table} WHERE member = 'theta' ORDER BY cutoff")).scalars()
            assert list(found) == ["search", "refit", "refit", "search"]
    with transaction(engine) as conn:
        rows = conn.execute(text("SELECT document_id, document FROM model_documents "
                                 "WHERE member = 'theta' ORDER BY cutoff")).all()
    figures = [loads(row.document).figures for row in rows]
    first, second = (hour_text(CYCLE + hours * HOUR) for hours in (0, 72))
    assert [one["made_by"] for one in figures] == ["search", "refit", "refit", "search"]
    assert [one["searched_at"] for one in figures] == [first, first, first, second]
    assert [one["warm_start_from"] for one in figures] == [
        None, rows[0].document_id, rows[1].document_id, None]


def test_an_unreadable_document_is_searched_anew_and_its_forecast_goes_on_without(
    engine: Engine, database_url: str,
) -> None:
    config = json.dumps({**json.loads(LIGHT), "train_every_hours": 2, "members": {
        **json.loads(LIGHT)["members"], "theta": True}})
    with vendors(patients=("demo-04",)) as root:
        place = Installation.on(engine, database_url, root, config)
        place.cycle()
        with transaction(engine) as conn:
            conn.execute(text("UPDATE model_documents SET document = '{}' WHERE "
                              "vital = 'heart_rate' AND member = 'theta' "
                              "OR vital = 'spo2' AND member = 'ensemble'"))
        place.clock(CYCLE + HOUR)
        place.ingest(CYCLE + HOUR)
        once = place.forecast(CYCLE + HOUR)
        with transaction(engine) as conn:
            said = {row.vital: row for row in conn.execute(text(
                "SELECT vital, reason, absent, members FROM forecasts WHERE cutoff = :cutoff"),
                {"cutoff": CYCLE + HOUR})}
        place.clock(CYCLE + 2 * HOUR)
        place.ingest(CYCLE + 2 * HOUR)
        trained = place.train(CYCLE + 2 * HOUR)
        again = place.forecast(CYCLE + 2 * HOUR)
    assert "cannot be read" in said["heart_rate"].absent["theta"]
    assert said["spo2"].reason == NO_MODEL
    assert once["updated"] == sum(len(row.members or {}) for row in said.values()) > 0
    assert trained["members"]["theta"]["searched"] == 1
    assert again["forecasts"] == again["series"] and again["updated"] == 0
    with transaction(engine) as conn:
        why = conn.execute(text("SELECT reason FROM fits WHERE vital = 'heart_rate' AND "
                                "member = 'theta' ORDER BY cutoff DESC LIMIT 1")).scalar_one()
    assert "cannot be read" in why


def test_blocks_of_one_patient_leave_the_same_rows(
    engine: Engine, database_url: str, sandbox: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    later = CYCLE + HOUR
    place.clock(later)
    place.ingest(later)
    place.train(later)
    whole = place.forecast(later) | {"covered": 0}, place.evaluate(later)   # none anew
    once = dump(engine)
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE evaluations"))
    for job in ("forecast", "evaluate"):
        monkeypatch.setattr(f"vitalcast.jobs.{job}.BLOCK", 1)
    assert (place.forecast(later), place.evaluate(later)) == whole
    assert_same(once, dump(engine))
    assert place.evaluate(later) == {"forecasts": 0, "final": 0}     # nothing has changed since


def test_training_in_blocks_of_one_patient_leaves_the_same_rows(
    engine: Engine, database_url: str, sandbox: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Installation.on(engine, database_url, sandbox, LIGHT)
    place.cycle()
    once = dump(engine)
    with transaction(engine) as conn:
        conn.execute(text("TRUNCATE model_documents, model_aliases, fits, forecasts CASCADE"))
        conn.execute(text("DELETE FROM series_statistics WHERE job = 'train'"))
    monkeypatch.setattr("vitalcast.jobs.train.BLOCK", 1)
    place.train()
    place.forecast()
    assert_same(once, dump(engine))


def test_another_database_comes_to_the_same_rows_with_every_default_member(
    engine: Engine, database_url: str,
) -> None:
    """Nothing depends on the process, on its pool's order of ending, or on what was there."""
    dumps = []
    config = json.dumps({"window_hours": 168, "horizon_hours": 12})
    for _ in range(2):
        with transaction(engine) as conn:
            conn.execute(text("TRUNCATE patients, raw_payloads, fits, series_statistics,"
                              " evaluations, model_configs, model_aliases CASCADE"))
        with vendors(patients=("demo-04",)) as root:
            Installation.on(engine, database_url, root, config).cycle()
        dumps.append(dump(engine))
    assert_same(*dumps)
    with transaction(engine) as conn:
        fitted = conn.execute(text(
            "SELECT member FROM fits WHERE vital = 'heart_rate' AND outcome = 'fitted'")).scalars()
        assert set(fitted) == set(DEFAULT_MEMBERS)
