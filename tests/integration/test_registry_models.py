"""Model documents, aliases, fits and what retention leaves, on a real server."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from registry.database import Connection, transaction
from registry.forecasts import ForecastRow, save_forecasts
from registry.models import (
    AliasRow,
    DocumentRow,
    FitRow,
    StatisticsRow,
    StoredDocument,
    Trained,
    last_trained,
    latest_ensembles,
    latest_members,
    latest_names,
    load_config,
    save_aliases,
    save_config,
    save_documents,
    save_training,
)
from registry.patients import Patient, save_patients
from registry.retention import retain

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def document(member: str = "ets", days_ago: int = 0, *, patient: str = "p1",
             body: str = "") -> DocumentRow:
    content = body or f'{{"member": "{member}", "days_ago": {days_ago}}}'
    return DocumentRow(
        document_id=hashlib.sha256(content.encode()).hexdigest(), patient_id=patient,
        vital="spo2", member=member, engine="native", cutoff=NOON - days_ago * DAY,
        made_by="search", document=content)


def alias(row: DocumentRow, name: str = "ensemble") -> AliasRow:
    return AliasRow(patient_id=row.patient_id, vital=row.vital, alias=name,
                    document_id=row.document_id, cutoff=row.cutoff, why="newest training")


def fit(row: DocumentRow, outcome: str = "fitted") -> FitRow:
    return FitRow(patient_id=row.patient_id, vital=row.vital, member=row.member,
                  cutoff=row.cutoff, outcome=outcome, config_hash="c",
                  document_id=row.document_id, seconds=0.1)


@pytest.fixture
def patients(engine: Engine) -> Engine:
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1"), Patient(patient_id="p2")])
    return engine


def save(engine: Engine, *rows: DocumentRow) -> int:
    with transaction(engine) as conn:
        return save_documents(conn, rows)


def documents(conn: Connection) -> dict[str, str]:
    return {row.document_id: row.document for row in conn.execute(
        text("SELECT document_id, document FROM model_documents"))}


def names(found: list[StoredDocument]) -> list[tuple[str, str, datetime]]:
    return sorted((one.patient_id, one.member, one.cutoff) for one in found)


@settings(max_examples=30, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_document_comes_back_byte_for_byte(patients: Engine, body: str) -> None:
    row = document(body=body)
    save(patients, row)
    with transaction(patients) as conn:
        assert documents(conn)[row.document_id] == body


def test_saving_a_document_again_changes_nothing(patients: Engine) -> None:
    row = document()
    assert save(patients, row) == 1
    assert save(patients, replace(row, made_by="refit")) == 0


def test_series_with_equal_documents_have_a_row_each(patients: Engine) -> None:
    mine, theirs = document(), document(patient="p2")
    assert mine.document_id == theirs.document_id
    assert save(patients, mine, theirs) == 2
    with transaction(patients) as conn:
        found = latest_members(conn, ["p1", "p2"], NOON)
    assert {one.patient_id for one in found} == {"p1", "p2"}


def test_an_alias_moves_forwards_only(patients: Engine) -> None:
    old, new = document("ensemble", 2), document("ensemble", 1)
    save(patients, old, new)

    def point(row: DocumentRow) -> Any:
        with transaction(patients) as conn:
            save_aliases(conn, [alias(row)])
            return conn.execute(text("SELECT document_id FROM model_aliases")).scalar()

    assert point(old) == old.document_id
    assert point(new) == new.document_id
    assert point(old) == new.document_id


def test_the_latest_documents_are_those_known_at_the_cutoff(patients: Engine) -> None:
    save(patients, *(document(member, days) for member in ("ensemble", "ets")
                     for days in (0, 2, 4)), document("tbats", 4))
    with transaction(patients) as conn:
        ensembles = latest_ensembles(conn, ["p1", "p2"], NOON - DAY)
        members = latest_members(conn, ["p1"], NOON - DAY)
        named = latest_names(conn, ["p1"], NOON - DAY, ["ets", "tbats", "ensemble"])
        assert latest_ensembles(conn, ["p2"], NOON) == []
    assert ({(one.member, one.document_id) for one in named}
            == {(one.member, one.document_id) for one in (*ensembles, *members)})
    assert names(ensembles) == [("p1", "ensemble", NOON - 2 * DAY)]
    assert names(members) == [("p1", "ets", NOON - 2 * DAY), ("p1", "tbats", NOON - 4 * DAY)]
    assert ensembles[0].document == document("ensemble", 2).document


def test_of_two_trainings_at_one_cutoff_the_last_counts(patients: Engine) -> None:
    first = [document("ensemble", body="first e"), document("ets", body="first m")]
    second = [document("ensemble", body="second e"), document("ets", body="second m")]
    for ensemble, member in (first, second, first):
        with transaction(patients) as conn:
            save_training(conn, documents=[ensemble, member], aliases=[alias(ensemble)],
                          fits=[fit(member)], statistics=[])
    with transaction(patients) as conn:
        assert latest_ensembles(conn, ["p1"], NOON)[0].document == "first e"
        assert latest_members(conn, ["p1"], NOON)[0].document == "first m"


def test_a_training_is_stored_once_and_dates_its_series(patients: Engine) -> None:
    row = document()
    facts = StatisticsRow(
        patient_id="p1", vital="spo2", job="train", cutoff=NOON, entries=1, hours=24, missing=23,
        fact_start=NOON - DAY, fact_end=NOON, forecast_start=NOON, forecast_end=NOON + DAY,
        data_hash="h", minimum=97.5)
    for _ in range(2):
        with transaction(patients) as conn:
            save_training(conn, documents=[row], aliases=[alias(row, "champion")],
                          fits=[fit(row), replace(fit(row, "timeout"), member="tbats",
                                                  document_id=None)],
                          statistics=[facts])
    with transaction(patients) as conn:
        counts = [conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in (
            "model_documents", "model_aliases", "fits", "series_statistics")]
        assert last_trained(conn, ["p1", "p2"]) == {
            ("p1", "spo2"): Trained(cutoff=NOON, config_hash="c", ensemble=None)}
        assert conn.execute(text("SELECT minimum, std FROM series_statistics")).one() == (
            97.5, None)
    assert counts == [1, 1, 2, 1]


def test_the_last_training_tells_its_configuration_and_the_newest_ensemble(
    patients: Engine,
) -> None:
    old, new = document("ensemble", 1), document("ets")
    for row, names, config in ((old, ["ensemble"], "a"), (new, [], "b")):
        with transaction(patients) as conn:
            save_training(conn, documents=[row], aliases=[alias(row, name) for name in names],
                          fits=[replace(fit(row), config_hash=config)], statistics=[])
    with transaction(patients) as conn:
        assert last_trained(conn, ["p1"])["p1", "spo2"] == Trained(
            cutoff=NOON, config_hash="b", ensemble=NOON - DAY)


def test_of_two_trainings_at_one_cutoff_the_later_one_is_the_last(patients: Engine) -> None:
    row = document("ets")
    for config, members in (("a", ["ets", "mstl"]), ("b", ["ets"])):
        with transaction(patients) as conn:
            save_training(conn, documents=[row], aliases=[], statistics=[], fits=[
                replace(fit(row), member=name, config_hash=config) for name in members])
    with transaction(patients) as conn:
        assert last_trained(conn, ["p1"])["p1", "spo2"].config_hash == "b"


def test_a_configuration_comes_back_as_it_was_written(engine: Engine) -> None:
    written = '{"b":1,  "a": [1.0, "ü"]}'
    with transaction(engine) as conn:
        for _ in range(2):
            save_config(conn, "hash", written)
        assert load_config(conn, "hash") == written
        assert load_config(conn, "other") is None


def forecast(row: DocumentRow) -> ForecastRow:
    return ForecastRow(patient_id=row.patient_id, vital=row.vital, cutoff=row.cutoff, horizon=1,
                       document_id=row.document_id, point=[97.0], bounds={}, members={}, absent={})


def test_retention_keeps_what_is_named_and_the_last_of_each_member(patients: Engine) -> None:
    aged = {name: document(member, days) for name, member, days in (
        ("old", "ets", 90), ("old ensemble", "ensemble", 90),
        ("forecast from", "ensemble", 80), ("its member", "ets", 80),
        ("aliased", "ensemble", 70), ("aliased's member", "ets", 70),
        ("last of its kind", "tbats", 60), ("superseded", "ensemble", 50),
        ("young", "ets", 1), ("young ensemble", "ensemble", 1))}
    save(patients, *aged.values())
    with transaction(patients) as conn:
        save_aliases(conn, [alias(aged["aliased"])])
        save_forecasts(conn, [forecast(aged["forecast from"])])
        gone = retain(conn, documents_before=NOON - 10 * DAY)
        left = documents(conn)
    kept = {name for name, row in aged.items() if row.document_id in left}
    assert kept == {"forecast from", "aliased", "aliased's member", "last of its kind",
                    "young", "young ensemble"}
    assert gone.documents == 4


def test_old_payloads_go_with_their_refusals_when_asked(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text("""INSERT INTO raw_payloads (sha256, provider, resource, body, stored_at)
            VALUES ('old', 'oura', 'sleep', '', '2026-01-01Z'), ('new', 'oura', 'sleep', '', now())
            """))
        conn.execute(text("""INSERT INTO refusals (raw_sha256, record, reason, connection_id)
            VALUES ('old', '1', 'unit', 'c'), ('new', '1', 'unit', 'c')"""))
        assert retain(conn, documents_before=NOON).payloads == 0
        asked = retain(conn, documents_before=NOON,
                       payloads_before=datetime(2026, 2, 1, tzinfo=UTC))
        left = conn.execute(text("SELECT raw_sha256 FROM refusals")).scalars().all()
    assert asked.payloads == 1
    assert left == ["new"]
