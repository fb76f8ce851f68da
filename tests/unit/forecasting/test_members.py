"""One interface: fit, update, forecast; documents mean the same wherever they are read."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from forecasting.config import KNOWN_MEMBERS, EngineConfig, config_hash
from forecasting.documents import Document, dumps, loads
from forecasting.grid import data_hash
from forecasting.members import (
    MEMBERS,
    Provenance,
    fit,
    forecast,
    holdback_hours,
    rolling_paths,
    update,
)
from forecasting.types import FitRefused, FloatArray, GridError
from tests.reference import series

CONFIG = EngineConfig(members=KNOWN_MEMBERS)
ROOT = Path(__file__).resolve().parents[3]
HEAVY = [member for member in KNOWN_MEMBERS if MEMBERS[member].heavy]

READ_AND_FORECAST = """
import sys
from forecasting.documents import loads
from forecasting.members import forecast
print(forecast(loads(sys.stdin.read()), 48).tobytes().hex())
assert "statsforecast" not in sys.modules and "pandas" not in sys.modules
"""


def fitted(member: str, y: FloatArray, config: EngineConfig = CONFIG) -> Document:
    return fit(member, y, start=series.START, config=config,
               provenance=Provenance(code_version="test", seed=7))


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    y = series.rhythm(n=336, gaps=0.15)
    return {member: fitted(member, y) for member in KNOWN_MEMBERS}


@pytest.mark.parametrize("member", KNOWN_MEMBERS)
def test_a_document_read_back_forecasts_bit_for_bit(
    member: str, documents: dict[str, Document]
) -> None:
    document = documents[member]
    again = loads(dumps(document))
    assert dumps(again) == dumps(document)
    assert forecast(again, 48).tobytes() == forecast(document, 48).tobytes()
    new = series.rhythm(n=30, seed=5, gaps=0.2)
    assert dumps(update(again, new)) == dumps(update(document, new))


@pytest.mark.parametrize("member", KNOWN_MEMBERS)
def test_a_fresh_process_forecasts_bit_for_bit_without_the_library(
    member: str, documents: dict[str, Document]
) -> None:
    run = subprocess.run([sys.executable, "-c", READ_AND_FORECAST], input=dumps(documents[member]),
                         capture_output=True, text=True, check=True, cwd=ROOT)
    assert bytes.fromhex(run.stdout) == forecast(documents[member], 48).tobytes()


@pytest.mark.parametrize("member", KNOWN_MEMBERS)
def test_updating_hour_by_hour_equals_updating_at_once(
    member: str, documents: dict[str, Document]
) -> None:
    new = series.rhythm(n=40, seed=6, gaps=0.3)
    at_once, step = update(documents[member], new), documents[member]
    for value in new:
        step = update(step, np.array([value]))
    assert dumps(step) == dumps(at_once)
    assert step.grid.cutoff == documents[member].grid.cutoff + timedelta(hours=40)


@pytest.mark.parametrize("member", HEAVY)
def test_the_state_is_the_fitted_one_run_through_the_held_back_hours(
    member: str, documents: dict[str, Document]
) -> None:
    y, document = series.rhythm(n=336, gaps=0.15), documents[member]
    cut = 336 - document.grid.holdback
    assert document.fitted_state is not None
    first = rolling_paths(document, y, series.START, [cut, 335], 24, CONFIG)
    alone = fitted(member, y[:cut], EngineConfig(members=KNOWN_MEMBERS, calibration_hours=0))
    assert forecast(alone, 24).tobytes() == first[0].tobytes()
    assert forecast(update(alone, y[cut:335]), 24).tobytes() == first[1].tobytes()
    assert forecast(update(alone, y[cut:]), 24).tobytes() == forecast(document, 24).tobytes()


@pytest.mark.parametrize("member", KNOWN_MEMBERS)
def test_rolling_forecasts_do_not_see_what_follows_their_origin(
    member: str, documents: dict[str, Document]
) -> None:
    y = series.rhythm(n=336, gaps=0.15)
    changed = y.copy()
    changed[300:] = np.nan
    origins = [250, 300]
    before = rolling_paths(documents[member], y, series.START, origins, 24, CONFIG)
    after = rolling_paths(documents[member], changed, series.START, origins, 24, CONFIG)
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("member", ["theta", "profile", "revert"])
def test_equal_data_and_configuration_give_equal_bytes(member: str) -> None:
    y = series.rhythm(gaps=0.1)
    assert dumps(fitted(member, y)) == dumps(fitted(member, y.copy()))


def test_provenance_names_data_configuration_code_and_libraries(
    documents: dict[str, Document]
) -> None:
    y, document = series.rhythm(n=336, gaps=0.15), documents["ets"]
    said = document.provenance
    assert (said["code_version"], said["seed"]) == ("test", 7)
    assert (said["data_hash"], said["config_hash"]) == (data_hash(y), config_hash(CONFIG))
    assert set(said["library_versions"]) == {"numpy", "statsforecast"}
    assert document.figures["filled"] > 0 and document.figures["warm_start_from"] is None
    assert (document.grid.n, document.grid.missing) == (336, int(np.isnan(y).sum()))


@pytest.mark.parametrize(("member", "y", "reason"), [
    ("ets", np.full(100, np.nan), "no observed hour"),
    ("last_value", np.zeros(0), "no observed hour"),
    ("arima", series.walk(n=40), "27 observed hours to fit on, needs 30"),
    ("tbats", series.walk(n=100), "full seasons of 24 h"),
    ("theta", np.full(200, 36.6), "constant"),
    ("ets", np.where(np.arange(800) % 8 == 0, series.rhythm(n=800), np.nan), "needs a fifth"),
])
def test_refusals_say_why(member: str, y: FloatArray, reason: str) -> None:
    with pytest.raises(FitRefused, match=reason):
        fitted(member, y)


def test_gaps_at_both_ends_are_filtered_not_fitted() -> None:
    y = series.rhythm(n=200)
    y[:30] = np.nan
    y[120:150] = np.nan          # the fitted hours end inside this gap
    document = fitted("ets", y)
    assert document.figures["filled"] == 0
    assert np.isfinite(forecast(document, 24)).all()


def test_an_infinite_reading_is_an_error_of_the_caller() -> None:
    with pytest.raises(GridError, match="hour 2 of the series is infinite"):
        fitted("last_value", np.array([1.0, 2.0, np.inf]))


def test_half_of_a_short_window_is_never_held_back() -> None:
    assert [holdback_hours(n, CONFIG) for n in (0, 35, 36, 120, 336)] == [0, 0, 12, 40, 96]


def test_a_gap_is_the_models_own_prediction(documents: dict[str, Document]) -> None:
    """After missing hours the forecast of the hours beyond is what it was before them."""
    for member in [*HEAVY, "profile", "last_value", "seasonal_naive"]:
        before = forecast(documents[member], 30)[6:]
        after = forecast(update(documents[member], np.full(6, np.nan)), 24)
        np.testing.assert_allclose(after, before, rtol=1e-9)
