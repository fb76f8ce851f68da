"""A member whose fit failed goes on with its last good document; every document has its parent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from clinical.vitals import Vital
from forecasting.config import EngineConfig
from forecasting.documents import document_id, dumps, loads
from forecasting.grid import Grid
from forecasting.members import Provenance, fit
from forecasting.workers import FitOutcome, Status
from registry.models import StoredDocument
from registry.observations import Series
from vitalcast.jobs.train import Training, _documents, _fit_rows

CONFIG = EngineConfig(members=("revert", "last_value"))
BEFORE = datetime(2026, 3, 1, tzinfo=UTC)
CUTOFF = BEFORE + timedelta(hours=24)
MADE_BY = Provenance(code_version="test")
HOURS = 70 + np.sin(np.arange(264) / 4)


def training(status: Status) -> Training:
    """`revert` ended as `status` and has a document of a day before; `last_value` was fitted."""
    start = CUTOFF - timedelta(hours=240)
    earlier = dumps(fit("revert", HOURS[:240], start=BEFORE - timedelta(hours=240), config=CONFIG,
                        provenance=MADE_BY))
    now = HOURS[24:]
    fitted = fit("last_value", now, start=start, config=CONFIG, provenance=MADE_BY)
    return Training(
        series=Series(patient_id="p", vital=Vital.HEART_RATE, times_s=np.arange(1),
                      values=np.ones(1)),
        grid=Grid(start=start, values=now, counts=np.ones(240, dtype=np.int64)),
        cutoff=CUTOFF, config=CONFIG, switched_off=(),
        earlier={"revert": StoredDocument(
            document_id=document_id(earlier), patient_id="p", vital="heart_rate", member="revert",
            cutoff=BEFORE, document=earlier)},
        outcomes={
            "revert": FitOutcome(key=0, member="revert", status=status, reason="it ended so"),
            "last_value": FitOutcome(key=0, member="last_value", status="fitted", document=fitted),
        })


def test_the_last_good_document_stands_in_for_a_failed_fit() -> None:
    one = training("timeout")
    rows, _ = _documents(one, one.documents())
    ensemble = next(loads(row.document) for row in rows if row.member == "ensemble")
    assert set(ensemble.parameters["weights"]) == {"revert", "last_value"}


def test_the_fit_tells_which_document_stands_in_and_why() -> None:
    one = training("failed")
    row = next(row for row in _fit_rows(one, one.documents(), "config") if row.member == "revert")
    assert row.outcome == "failed"
    assert row.document_id == one.earlier["revert"].document_id
    assert row.reason == "it ended so; its document of 2026-03-01 00:00 UTC stands in"


def test_too_little_data_is_no_failure_to_stand_in_for() -> None:
    one = training("too_little_data")
    assert set(one.documents()) == {"last_value"}
    rows, _ = _documents(one, one.documents())
    ensemble = next(loads(row.document) for row in rows if row.member == "ensemble")
    assert ensemble.figures["absent"] == {"revert": "too_little_data: it ended so"}


def test_a_document_has_the_previous_one_of_its_member_as_parent() -> None:
    one = training("timeout")
    before = one.earlier["revert"]
    again = replace(one, earlier={"last_value": replace(before, member="last_value"),
                                  "ensemble": replace(before, member="ensemble")})
    parents = {row.member: row.parent_id for row in _documents(again, again.documents())[0]}
    assert parents == {"last_value": before.document_id, "ensemble": before.document_id}
    first = {row.member: row.parent_id for row in _documents(one, one.documents())[0]}
    assert first["last_value"] is first["ensemble"] is None
