"""What a training leaves of a series: documents with parents, stand-ins, fits and figures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from clinical.vitals import Vital
from forecasting.config import EngineConfig
from forecasting.documents import document_id, dumps
from forecasting.members import fit
from forecasting.provenance import Provenance
from forecasting.workers import FitOutcome, FitTask, Status
from registry.models import FitRow, StoredDocument
from registry.panels import HourlyPanel
from vitalcast.jobs import train
from vitalcast.jobs.train import Due, _train_vital
from vitalcast.jobs.trained import Training, no_figures, rows_of
from vitalcast.model_config import ModelConfig, parse_config

ENGINE = EngineConfig(members=("theta", "last_value"), engines={"theta": "statsforecast"})
OFF = dict.fromkeys(("arima", "ets", "tbats", "profile", "revert", "seasonal_naive",
                     "hour_of_day", "mean_of_last_day"), False)
CONFIG: ModelConfig = parse_config("{}").model_copy(update={
    "members": OFF, "engines": {"theta": "statsforecast"}, "window_hours": 240})
BEFORE = datetime(2026, 3, 1, tzinfo=UTC)
CUTOFF = BEFORE + timedelta(hours=24)
MADE_BY = Provenance(code_version="test")
HOURS = 70 + np.sin(np.arange(264) / 4)
ONES = np.ones(1)
KEY = ("p", "heart_rate")
EARLIER = dumps(fit("theta", HOURS[:240], start=BEFORE - timedelta(hours=240), config=ENGINE,
                    provenance=MADE_BY))
STORED = StoredDocument(document_id=document_id(EARLIER), patient_id="p", vital="heart_rate",
                        member="theta", cutoff=BEFORE, document=EARLIER)


def training(status: Status, monkeypatch: pytest.MonkeyPatch,
             earlier: dict[str, StoredDocument] | None = None) -> Training:
    """`theta` ended as `status` and has a document of a day before; `last_value` was fitted."""
    def ended(tasks: list[FitTask], **_: Any) -> list[FitOutcome]:
        return [FitOutcome(key=one.key, member=one.member, status=status, reason="it ended so")
                for one in tasks]

    monkeypatch.setattr(train, "fit_many", ended)
    panel = HourlyPanel(
        vital=Vital.HEART_RATE, start=CUTOFF - timedelta(hours=240), patients=("p",),
        y=HOURS[None, 24:], entries=ONES.astype(int), first_s=ONES.astype(int),
        last_s=ONES.astype(int), minimum=ONES, maximum=ONES, mean=ONES, std=ONES)
    due = Due(panels=[panel], earlier={KEY: {"theta": STORED} if earlier is None else earlier})
    (found,) = _train_vital(panel, due, CUTOFF, CONFIG, 1)
    return found


def fit_of(one: Training, member: str) -> FitRow:
    return next(row for row in rows_of([one]).fits if row.member == member)


def test_the_last_good_document_stands_in_for_a_failed_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = training("timeout", monkeypatch)
    assert one.made.ensemble is not None
    assert set(one.made.ensemble.parameters["weights"]) == {"theta", "last_value"}
    assert {row.member for row in rows_of([one]).documents} == {"last_value", "ensemble"}


def test_the_fit_tells_which_document_stands_in_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    row = fit_of(training("failed", monkeypatch), "theta")
    assert (row.outcome, row.document_id, row.made_by) == ("failed", STORED.document_id, None)
    assert row.reason == "it ended so; its document of 2026-03-01 00:00 UTC stands in"


def test_too_little_data_is_no_failure_to_stand_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    one = training("too_little_data", monkeypatch)
    assert one.made.ensemble is not None
    absent = one.made.ensemble.figures["absent"]
    assert absent["theta"] == "too_little_data: it ended so"
    assert absent["ets"] == "switched off"
    assert fit_of(one, "theta").document_id is None


def test_a_document_has_the_previous_one_of_its_member_as_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {name: replace(STORED, member=name) for name in ("last_value", "ensemble")}
    rows = rows_of([training("too_little_data", monkeypatch, before)])
    parents = {row.member: row.parent_id for row in rows.documents}
    assert parents == dict.fromkeys(("last_value", "ensemble"), STORED.document_id)
    first = rows_of([training("too_little_data", monkeypatch, {})])
    assert {row.parent_id for row in first.documents} == {None}


def test_every_member_has_a_fit_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    one = training("timeout", monkeypatch)
    fits = {row.member: row for row in rows_of([one]).fits}
    assert set(fits) == {*ENGINE.members, *OFF}
    assert {row.config_hash for row in fits.values()} == {
        CONFIG.training_hash(Vital.HEART_RATE)}
    assert {fits[name].outcome for name in OFF} == {"switched_off"}
    assert fits["last_value"].document_id in {row.document_id for row in rows_of([one]).documents}


def test_the_figures_count_fits_in_all_and_by_member(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = no_figures()
    training("timeout", monkeypatch).count(figures)
    training("failed", monkeypatch).count(figures)
    assert (figures["series"], figures["ensembles"]) == (2, 2)
    assert (figures["timeout"], figures["failed"], figures["fitted"]) == (1, 1, 2)
    assert figures["members"]["theta"] == {"timeout": 1, "failed": 1}
    assert figures["members"]["last_value"]["fitted"] == 2
