"""One series' forecast from documents, or the reason why there is none."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clinical.vitals import Vital
from forecasting.config import DEFAULT_MEMBERS
from forecasting.documents import Document, document_id, dumps
from forecasting.ensemble import fit_ensemble
from forecasting.grid import Grid
from forecasting.members import Provenance, fit
from registry.observations import Series
from vitalcast.jobs.forecast import NO_MODEL, Stored, make_forecast, silence
from vitalcast.model_config import ModelConfig

START = datetime(2026, 11, 11, tzinfo=UTC)
HOUR = START + timedelta(hours=240)
MEMBERS = ("profile", "revert", "last_value")
OFF = dict.fromkeys((name for name in DEFAULT_MEMBERS if name not in MEMBERS), False)
CONFIG = ModelConfig(window_hours=240, members={**OFF})
ENGINE = CONFIG.engine_config(Vital.HEART_RATE)
MADE_BY = Provenance(code_version="test")
STALE_H = CONFIG.stale_after_hours
Y = 70 + 6 * np.sin(np.arange(240) * np.pi / 12) + np.random.default_rng(1).normal(0, 1, 240)


def last_read(when: datetime) -> Series:
    """A series whose newest reading is of then."""
    return Series(patient_id="p", vital=Vital.HEART_RATE, values=np.ones(1),
                  times_s=np.array([int(when.timestamp())]))


SERIES = last_read(HOUR - timedelta(minutes=5))


def grid(y: np.ndarray[tuple[int], np.dtype[np.float64]] = Y, start: datetime = START) -> Grid:
    return Grid(start=start, values=y, counts=(~np.isnan(y)).astype(np.int64))


@pytest.fixture(scope="module")
def stored() -> Stored:
    documents: dict[str, Document] = {
        name: fit(name, Y, start=START, config=ENGINE, provenance=MADE_BY) for name in MEMBERS}
    ensemble = fit_ensemble(documents, Y, start=START, config=ENGINE, vital=None, absent={},
                            provenance=MADE_BY)
    return Stored(ensemble=ensemble, ensemble_id=document_id(dumps(ensemble)), members=documents)


def test_a_series_without_a_model_gets_a_row_that_says_so() -> None:
    made = make_forecast(SERIES, grid(), None, HOUR, CONFIG)
    assert (made.reason, made.document_id, made.horizon) == (NO_MODEL, None, 24)


def test_every_member_in_use_is_told(stored: Stored) -> None:
    made = make_forecast(SERIES, grid(), stored, HOUR, CONFIG)
    assert made.reason is None
    assert sorted(made.members) == sorted(MEMBERS)


def test_a_member_switched_off_since_the_training_does_not_count(stored: Stored) -> None:
    config = CONFIG.model_copy(update={"members": {**OFF, "revert": False}})
    made = make_forecast(SERIES, grid(), stored, HOUR, config)
    assert "revert" not in made.members
    assert made.absent["revert"] == "switched off"
    weights = [one["weights"]["1"] for one in made.members.values()]
    assert sum(weights) == pytest.approx(1)


def test_all_members_switched_off_is_a_reason(stored: Stored) -> None:
    config = CONFIG.model_copy(update={"members": {**OFF, **dict.fromkeys(MEMBERS, False),
                                                   "mstl": True}})
    made = make_forecast(SERIES, grid(), stored, HOUR, config)
    assert made.reason is not None and "no member can forecast" in made.reason


def test_a_window_that_begins_after_the_documents_end_is_a_reason(stored: Stored) -> None:
    late = HOUR + timedelta(hours=241)
    begins_after = grid(start=HOUR + timedelta(hours=1))
    made = make_forecast(last_read(late - timedelta(hours=1)), begins_after, stored, late, CONFIG)
    assert made.reason is not None and "its state ends" in made.reason


def test_a_late_reading_changes_the_forecast_and_its_state(stored: Stored) -> None:
    gap, since = np.full(240, np.nan), START + timedelta(hours=3)
    gap[:237] = Y[3:]
    late = gap.copy()
    late[-1] = 95.0
    hour = since + timedelta(hours=240)
    without, filled = (make_forecast(SERIES, grid(y, since), stored, hour, CONFIG)
                       for y in (gap, late))
    assert without.state_hash != filled.state_hash
    assert without.point[0] < filled.point[0]


@pytest.mark.parametrize(("hours", "reason"), [
    (STALE_H, None), (STALE_H + 1, f"no reading in the last {STALE_H} h")])
def test_a_series_that_fell_silent_is_not_forecast(
    stored: Stored, hours: int, reason: str | None,
) -> None:
    made = make_forecast(last_read(HOUR - timedelta(hours=hours)), grid(), stored, HOUR, CONFIG)
    assert made.reason == reason
    assert bool(made.document_id) is (reason is None)


def test_no_more_silence_is_claimed_than_was_read() -> None:
    assert silence(ModelConfig(window_hours=48)) == "no reading in the last 48 h"
