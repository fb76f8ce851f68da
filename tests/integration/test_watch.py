"""The watch over stored readings and forecasts: events, figures, and the search they lead to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from clinical.vitals import Vital
from forecasting.types import FloatArray
from registry.connections import TokenCipher
from registry.database import transaction
from registry.drift import cohort_figures
from tests.reference.cycles import KEYS, LIGHT, assert_same, dump, settings
from vitalcast.cycle import HOUR
from vitalcast.jobs.configure import use_config
from vitalcast.jobs.train import train
from vitalcast.jobs.watch import watch
from vitalcast.wiring import System

H = datetime(2026, 11, 21, 6, tzinfo=UTC)
N = 504                                                # a training window of a week, two weeks more
THETA = LIGHT.replace('"theta": false', '"theta": true')

_READING = """
INSERT INTO observations (key, patient_id, vital, provider, value, effective_start, effective_end,
    granularity, statistic, context, method, parser_version, quality, quality_reasons)
VALUES (:key, :patient, :vital, 'withings', :value, :start, :start, 'sample', 'instant', 'unknown',
    'device', 1, :quality, '{}')"""
_FORECAST = """
INSERT INTO forecasts (patient_id, vital, cutoff, horizon, document_id, point, lower_50, upper_50,
    lower_80, upper_80, lower_95, upper_95, members, absent)
VALUES (:patient, :vital, :cutoff, 1, NULL, ARRAY[:point], '{}', '{}', ARRAY[:lower],
    ARRAY[:upper], '{}', '{}', '{}', '{}')"""


@pytest.fixture
def system(engine: Engine, database_url: str) -> System:
    return System(settings=settings(database_url, "http://127.0.0.1:1"), engine=engine,
                  cipher=TokenCipher([KEYS.token_key]))


def stationary(seed: int = 1) -> FloatArray:
    """Heart rate by the hour up to H: a daily rhythm and noise."""
    noise = np.random.default_rng(seed).normal(0, 3, N)
    rhythm: FloatArray = 70 + 5 * np.sin(2 * np.pi * np.arange(N) / 24) + noise
    return np.round(rhythm)


def store(system: System, patient: str, y: FloatArray, vital: Vital = Vital.HEART_RATE,
          until: datetime = H) -> None:
    """A patient with these hours before `until`, NaN = none."""
    start = until - y.size * HOUR
    rows = [{"key": f"{patient} {vital} {start + hour * HOUR}".encode(), "patient": patient,
             "vital": vital.value, "value": value, "start": start + hour * HOUR, "quality": "ok"}
            for hour, value in enumerate(y.tolist()) if not np.isnan(value)]
    with transaction(system.engine) as conn:
        conn.execute(text("INSERT INTO patients (patient_id, birth_date) VALUES (:p, '1980-05-01') "
                          "ON CONFLICT DO NOTHING"), {"p": patient})
        conn.execute(text(_READING), rows)


def config(system: System, given: str = LIGHT) -> str:
    return use_config(system, given)


def watched(system: System, hour: datetime = H, *, everyone: bool = False) -> dict[str, Any]:
    return watch(system, cycle=hour, shard="1/1", config_hash=config(system), everyone=everyone)


def ask(system: System, query: str) -> Sequence[Any]:
    with transaction(system.engine) as conn:
        return conn.execute(text(query)).all()


EVENTS = "SELECT * FROM drift_events ORDER BY patient_id, kind"


def test_a_higher_level_is_an_event_a_quiet_series_none(system: System) -> None:
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "quiet", stationary())
    store(system, "risen", risen)
    figures = watched(system)
    assert (figures["patients"], figures["series"]) == (2, 2)
    events = ask(system, EVENTS)
    assert {one.patient_id for one in events} == {"risen"}
    assert figures["begun"] == len(events) == sum(figures["kinds"].values())
    (level,) = [one for one in events if one.kind == "level"]
    assert level.score > level.threshold and level.detected == H and level.closed_at is None
    assert abs(level.began - (H - 120 * HOUR)) <= 12 * HOUR
    assert "Heart rate" in level.words and "higher" in level.words
    rows = {one.patient_id: one for one in ask(system, "SELECT * FROM drift_figures")}
    assert rows["risen"].level > 1.5 > 0.5 > abs(rows["quiet"].level)
    assert rows["risen"].psi > rows["quiet"].psi
    assert rows["quiet"].provider == "withings" and rows["quiet"].observed == 24


def test_a_change_is_one_event_until_it_is_gone(system: System) -> None:
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "risen", risen)
    watched(system)
    assert watched(system, H + 6 * HOUR, everyone=True)["begun"] == 0
    store(system, "risen", stationary(3), until=H + N * HOUR)
    later = watched(system, H + N * HOUR)
    assert later["begun"] == 0 and later["ended"] > 0
    assert all(one.closed_at == H + N * HOUR for one in ask(system, EVENTS))


def test_an_hour_watched_again_leaves_the_same_rows(system: System) -> None:
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "risen", risen)
    watched(system)
    once = dump(system.engine)
    watched(system)
    assert_same(once, dump(system.engine))


def test_of_two_events_of_one_change_none_stays_open(system: System) -> None:
    """An hour that is watched after a later one finds the change again, before its event."""
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "risen", risen)
    watched(system)
    assert watched(system, H - 6 * HOUR, everyone=True)["kinds"]["level"] == 1
    watched(system, H + 6 * HOUR, everyone=True)
    level = [(one.detected, one.closed_at) for one in ask(system, EVENTS) if one.kind == "level"]
    assert level == [(H - 6 * HOUR, H), (H, None)]


def test_late_readings_take_back_what_the_same_hour_found(system: System) -> None:
    gone = stationary()
    gone[-96:] = np.nan
    store(system, "late", gone)
    assert watched(system)["kinds"]["missing"] == 1
    store(system, "late", stationary()[-96:])
    watched(system)
    assert ask(system, EVENTS) == []


def link(system: System, patient: str, provider: str, status: str) -> None:
    with transaction(system.engine) as conn:
        conn.execute(text(
            "INSERT INTO connections (connection_id, patient_id, provider, status) "
            "VALUES (:id, :patient, :provider, :status) "
            "ON CONFLICT (connection_id) DO UPDATE SET status = excluded.status"),
            {"id": f"{provider}:{patient}", "patient": patient, "provider": provider,
             "status": status})


def test_who_has_left_is_not_missing(system: System) -> None:
    """One after the event was found, one before; a consent that lapsed is not the end of a link."""
    gone = stationary()
    gone[-96:] = np.nan
    for patient in ("leaves", "left", "lapsed"):
        store(system, patient, gone)
        link(system, patient, "fhir", "file")
    store(system, "stays", stationary())
    link(system, "leaves", "withings", "active")
    link(system, "left", "withings", "revoked")
    link(system, "lapsed", "withings", "reauth_required")
    found = "SELECT patient_id FROM drift_events WHERE kind = 'missing' {} ORDER BY 1"
    assert watched(system)["kinds"]["missing"] == 2
    assert [one.patient_id for one in ask(system, found.format(""))] == ["lapsed", "leaves"]
    link(system, "leaves", "withings", "revoked")
    later = watched(system, H + HOUR, everyone=True)
    assert (later["patients"], later["begun"], later["ended"]) == (2, 0, 1)
    assert ask(system, "SELECT patient_id, closed_at FROM drift_events "
                       "WHERE closed_at IS NOT NULL") == [("leaves", H + HOUR)]
    with transaction(system.engine) as conn:
        (row,) = cohort_figures(conn, H.date(), timedelta(0))
    assert (row["series"], row["drifting"]) == (2, 1)
    once = dump(system.engine)
    watched(system, H + HOUR, everyone=True)
    assert_same(once, dump(system.engine))


def test_between_two_files_nothing_is_missing(system: System) -> None:
    """What they bring is looked at as any other reading."""
    gone, risen = stationary(), stationary(2)
    gone[-96:] = np.nan
    risen[-120:-24] += 9
    risen[-24:] = np.nan
    for patient, y in (("gone", gone), ("risen", risen)):
        store(system, patient, y)
        link(system, patient, "withings", "active")
    assert watched(system)["kinds"]["missing"] >= 1
    for patient in ("gone", "risen"):
        link(system, patient, "withings", "file")
    watched(system, H + HOUR, everyone=True)
    standing = {(one.patient_id, one.kind) for one in ask(system, EVENTS) if not one.closed_at}
    assert ("risen", "level") in standing
    assert not {"missing", "gaps"} & {kind for _, kind in standing}
    assert watched(system, H + 80 * HOUR, everyone=True)["kinds"].keys().isdisjoint(
        {"missing", "gaps"})


def test_a_changed_unit_is_found_at_the_next_hour(system: System) -> None:
    """Out of range, flagged and kept out; also where it is not the patient's turn."""
    warm = np.round(np.random.default_rng(4).normal(36.8, 0.3, N), 1)
    store(system, "warm", warm, Vital.BODY_TEMPERATURE)
    train(system, cycle=H, shard="1/1", config_hash=config(system))
    watched(system)
    hour = H + 3 * HOUR
    store(system, "warm", np.array([98.2, 98.4, 97.9]), Vital.BODY_TEMPERATURE, until=hour)
    with transaction(system.engine) as conn:
        conn.execute(text("""
            INSERT INTO quality_flags (key, flag, patient_id, vital, provider, effective_start,
                value, keeps_out, reason)
            SELECT key, 'out_of_range', patient_id, vital, provider, effective_start, value, true,
                '' FROM observations WHERE value > 90"""))
    assert watched(system, hour)["kinds"] == {"unit": 1}
    (event,) = ask(system, EVENTS)
    assert "°F" in event.words and event.began == hour - 3 * HOUR


def test_drift_is_answered_by_one_search_at_the_next_training(system: System) -> None:
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "risen", risen)
    store(system, "quiet", stationary())
    given = config(system, THETA)
    train(system, cycle=H - 24 * HOUR, shard="1/1", config_hash=given)
    watched(system, H - 6 * HOUR)
    train(system, cycle=H, shard="1/1", config_hash=given)
    query = "SELECT * FROM fits WHERE member = 'theta' AND cutoff = '{}' ORDER BY patient_id"
    quiet, searched = ask(system, query.format(H.isoformat()))
    assert quiet.made_by == "refit" and searched.made_by == "search"
    assert searched.reason.startswith("drift was found: ") and "level" in searched.reason
    store(system, "risen", risen[-24:], until=H + 24 * HOUR)
    train(system, cycle=H + 24 * HOUR, shard="1/1", config_hash=given)
    assert [one.made_by for one in ask(system, query.format((H + 24 * HOUR).isoformat()))
            if one.patient_id == "risen"] == ["refit"]


def test_events_reach_the_event_log_without_a_name(system: System) -> None:
    risen = stationary(2)
    risen[-120:] += 9
    store(system, "patient-4711", risen)
    watched(system)
    rows = ask(system, "SELECT * FROM events WHERE kind = 'drift.began'")
    assert {one.reason for one in rows} == {one.kind for one in ask(system, EVENTS)}
    assert "4711" not in str([tuple(one) for one in rows])


def test_wrong_forecasts_are_drift_of_errors_and_coverage(system: System) -> None:
    y = stationary()
    store(system, "wrong", y)
    with transaction(system.engine) as conn:
        for hour in range(N):
            point = float(y[hour] + (7 if hour > N - 90 else np.sin(hour) * 3))
            conn.execute(text(_FORECAST), {
                "patient": "wrong", "vital": "heart_rate", "cutoff": H - (N - hour) * HOUR,
                "point": point, "lower": point - 4, "upper": point + 4})
    kinds = watched(system)["kinds"]
    assert {"error", "error_size", "coverage"} <= kinds.keys()
    (row,) = ask(system, "SELECT * FROM drift_figures")
    assert row.coverage_80 == 0 and row.error_ratio == pytest.approx(7 * 1.2816 / 4 / 0.798, 0.01)


def test_figures_of_a_cohort_name_nobody(system: System) -> None:
    for number in range(3):
        store(system, f"patient-{number}", stationary(number))
    watched(system)
    with transaction(system.engine) as conn:
        (row,) = cohort_figures(conn, H.date(), timedelta(0))
    assert (row["provider"], row["vital"], row["age_band"], row["series"], row["drifting"]) == (
        "withings", "heart_rate", "40-64", 3, 0)
    assert row["missing"] == 0 and row["wasserstein"] < 0.4


def test_every_patient_has_a_turn_in_six_hours(system: System) -> None:
    for number in range(8):
        store(system, f"patient-{number}", stationary(number)[-48:])
    assert watched(system)["patients"] == 8                     # none was ever looked at
    looked = [watched(system, H + hour * HOUR)["patients"] for hour in range(1, 7)]
    assert sum(looked) == 8 and max(looked) < 8
    assert watched(system, H + 14 * HOUR)["patients"] == 8      # all missed a turn
