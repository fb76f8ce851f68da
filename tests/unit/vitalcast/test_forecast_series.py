"""The forecasts of a panel from documents, or the reasons why there are none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clinical.vitals import Vital
from forecasting.config import BUCKETS, DEFAULT_MEMBERS
from forecasting.documents import Document
from forecasting.ensemble import Stored
from forecasting.members import fit
from forecasting.provenance import Provenance
from forecasting.types import FloatArray
from registry.forecasts import ForecastRow
from registry.panels import HourlyPanel
from tests.reference.fits import fit_ensemble
from vitalcast.jobs.forecast import NO_MODEL, Model, panel_rows, silence
from vitalcast.model_config import ModelConfig

START = datetime(2026, 11, 11, tzinfo=UTC)
HOUR = START + timedelta(hours=240)
MEMBERS = ("profile", "revert", "last_value")
OFF = dict.fromkeys((name for name in DEFAULT_MEMBERS if name not in MEMBERS), False)
CONFIG = ModelConfig(window_hours=240, members={**OFF})
ENGINE = CONFIG.engine_config(Vital.HEART_RATE)
MADE_BY = Provenance(code_version="test")
ENSEMBLE_ID = "the ensemble's"
STALE_H = CONFIG.stale_after_hours
Y = 70 + 6 * np.sin(np.arange(240) * np.pi / 12) + np.random.default_rng(1).normal(0, 1, 240)


SOON = HOUR - timedelta(minutes=5)


def panel(*series: FloatArray, start: datetime = START, last: datetime = SOON) -> HourlyPanel:
    """Series p0, p1, … whose newest reading is of `last`."""
    y = np.array(series or [Y])
    ones = np.ones(len(y))
    return HourlyPanel(
        vital=Vital.HEART_RATE, start=start, patients=tuple(f"p{row}" for row in range(len(y))),
        y=y, entries=ones.astype(np.int64), first_s=ones.astype(np.int64),
        last_s=(ones * last.timestamp()).astype(np.int64), minimum=ones, maximum=ones, mean=ones,
        std=ones)


def forecast(stored: Stored | None, given: HourlyPanel | None = None, hour: datetime = HOUR,
             config: ModelConfig = CONFIG) -> list[ForecastRow]:
    """The rows of a panel whose series all have the same model."""
    given = given or panel()
    off = dict.fromkeys(config.switched_off(Vital.HEART_RATE), "switched off")
    models = {} if stored is None else {(name, "heart_rate"): Model(
        ensemble_id=ENSEMBLE_ID, stored=replace(stored, absent=off, members={
            member: one for member, one in stored.members.items() if member not in off}))
        for name in given.patients}
    return panel_rows(given, models, hour, config)


@pytest.fixture(scope="module")
def stored() -> Stored:
    documents: dict[str, Document] = {
        name: fit(name, Y, start=START, config=ENGINE, provenance=MADE_BY) for name in MEMBERS}
    ensemble = fit_ensemble(documents, Y, start=START, config=ENGINE, vital=None,
                            provenance=MADE_BY)
    return Stored(ensemble=ensemble, members=documents, absent={})


def test_a_series_without_a_model_gets_a_row_that_says_so() -> None:
    (made,) = forecast(None)
    assert (made.reason, made.document_id, made.horizon) == (NO_MODEL, None, 24)


def test_every_member_in_use_is_told(stored: Stored) -> None:
    (made,) = forecast(stored)
    assert (made.reason, made.document_id) == (None, ENSEMBLE_ID)
    assert sorted(made.members) == sorted(MEMBERS)
    for one in made.members.values():
        assert sorted(one["weights"]) == sorted(BUCKETS)
        assert np.isfinite(one["path"]).all()


def test_each_row_is_its_own_series(stored: Stored) -> None:
    together = forecast(stored, panel(Y, Y + 2, Y - 3))
    assert [row.patient_id for row in together] == ["p0", "p1", "p2"]
    for row, y in zip(together, (Y, Y + 2, Y - 3), strict=True):
        (alone,) = forecast(stored, panel(y))
        assert np.array_equal(row.point, alone.point) and row.state_hash == alone.state_hash


def test_a_member_switched_off_since_the_training_does_not_count(stored: Stored) -> None:
    (made,) = forecast(stored, config=CONFIG.model_copy(
        update={"members": {**OFF, "revert": False}}))
    assert "revert" not in made.members
    assert made.absent["revert"] == "switched off"
    weights = [one["weights"]["1"] for one in made.members.values()]
    assert sum(weights) == pytest.approx(1)


def test_all_members_switched_off_is_a_reason(stored: Stored) -> None:
    (made,) = forecast(stored, config=CONFIG.model_copy(
        update={"members": {**OFF, **dict.fromkeys(MEMBERS, False), "mstl": True}}))
    assert made.reason is not None and "no member can forecast" in made.reason


def test_a_window_that_begins_after_the_documents_end_is_a_reason(stored: Stored) -> None:
    late = HOUR + timedelta(hours=241)
    (made,) = forecast(stored, panel(start=HOUR + timedelta(hours=1), last=late), late)
    assert made.reason is not None and "its state ends" in made.reason


def test_a_late_reading_changes_the_forecast_and_its_state(stored: Stored) -> None:
    gap = np.full(240, np.nan)
    gap[:237] = Y[3:]
    late = gap.copy()
    late[-1] = 95.0
    hours = timedelta(hours=3)
    without, filled = forecast(
        stored, panel(gap, late, start=START + hours, last=SOON + hours), HOUR + hours)
    assert without.state_hash != filled.state_hash
    assert without.point[0] < filled.point[0]


@pytest.mark.parametrize(("hours", "reason"), [
    (STALE_H, None), (STALE_H + 1, f"no reading in the last {STALE_H} h")])
def test_a_series_that_fell_silent_is_not_forecast(
    stored: Stored, hours: int, reason: str | None,
) -> None:
    (made,) = forecast(stored, panel(last=HOUR - timedelta(hours=hours)))
    assert made.reason == reason
    assert bool(made.document_id) is (reason is None)


def test_no_more_silence_is_claimed_than_was_read() -> None:
    assert silence(ModelConfig(window_hours=48)) == "no reading in the last 48 h"
