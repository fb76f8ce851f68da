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
from forecasting.members import fit, forecast, refit, rolling_paths, update
from forecasting.provenance import Provenance
from forecasting.recursions import MEMBERS
from forecasting.types import FitRefused, FloatArray, GridError
from tests.reference import series

CONFIG = EngineConfig(members=KNOWN_MEMBERS)
ROOT = Path(__file__).resolve().parents[3]
HEAVY = [member for member in KNOWN_MEMBERS if MEMBERS[member].heavy]

READ_AND_FORECAST = """
import sys
from forecasting.documents import loads
from forecasting.members import forecast
for line in sys.stdin:
    print(forecast(loads(line), 48).tobytes().hex())
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


def test_a_fresh_process_forecasts_bit_for_bit_without_the_library(
    documents: dict[str, Document]
) -> None:
    texts = "".join(dumps(document) + "\n" for document in documents.values())
    run = subprocess.run([sys.executable, "-c", READ_AND_FORECAST], input=texts,
                         capture_output=True, text=True, check=True, cwd=ROOT)
    for said, document in zip(run.stdout.split(), documents.values(), strict=True):
        assert bytes.fromhex(said) == forecast(document, 48).tobytes()


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
    first = rolling_paths(document, y, series.START, [cut, 335], 24)
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
    before = rolling_paths(documents[member], y, series.START, origins, 24)
    after = rolling_paths(documents[member], changed, series.START, origins, 24)
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("member", ["theta", "profile", "revert"])
def test_equal_data_and_configuration_give_equal_bytes(member: str) -> None:
    y = series.rhythm(gaps=0.1)
    assert dumps(fitted(member, y)) == dumps(fitted(member, y.copy()))


@pytest.mark.parametrize(("engine", "libraries", "filled"), [
    ("native", {"numpy"}, 0), ("statsforecast", {"numpy", "statsforecast"}, 1),
])
def test_provenance_names_data_configuration_code_and_libraries(
    engine: str, libraries: set[str], filled: int
) -> None:
    y, config = series.rhythm(n=336, gaps=0.15), EngineConfig(engines={"ets": engine})
    document = fitted("ets", y, config)
    said = document.provenance
    assert (said["code_version"], said["seed"]) == ("test", 7)
    assert (said["data_hash"], said["config_hash"]) == (data_hash(y), config_hash(config))
    assert set(said["library_versions"]) == libraries
    assert min(document.figures["filled"], 1) == filled
    assert (document.grid.n, document.grid.missing) == (336, int(np.isnan(y).sum()))


def test_documents_say_how_they_were_made() -> None:
    y = series.rhythm(n=340)
    searched = fitted("arima", y[:336])
    assert (searched.figures["made_by"], searched.figures["warm_start_from"]) == ("search", None)
    later = refit(searched, y[4:], start=series.START + timedelta(hours=4), config=CONFIG,
                  provenance=Provenance(code_version="test"), document_id="earlier")
    assert (later.figures["made_by"], later.figures["warm_start_from"]) == ("refit", "earlier")
    assert later.figures["searched_at"] == searched.figures["searched_at"]
    assert later.figures["iterations"] < searched.figures["iterations"]
    assert (later.structure, later.grid.n) == (searched.structure, 336)
    light = fitted("profile", y[:336])
    anew = refit(light, y[4:], start=series.START + timedelta(hours=4), config=CONFIG,
                 provenance=Provenance(code_version="test"))
    assert anew.parameters.keys() == light.parameters.keys() and anew.fitted_state is None


def test_what_kernels_do_not_hold_is_not_refitted() -> None:
    y, config = series.rhythm(), EngineConfig(members=("mstl", "ets"),
                                              engines={"ets": "statsforecast"})
    growing = fitted("ets", series.growth(), config)
    assert growing.structure["season"] == "M"
    for document, reason in ((fitted("mstl", y, config), "no kernel holds mstl"),
                             (growing, "additive errors")):
        with pytest.raises(FitRefused, match=reason):
            refit(document, y, start=series.START, config=config,
                  provenance=Provenance(code_version="test"))


@pytest.mark.parametrize("member", KNOWN_MEMBERS)
def test_hours_before_the_first_observed_one_count_as_not_there(member: str) -> None:
    y = series.rhythm(n=240, gaps=0.05)
    first = int(np.flatnonzero(~np.isnan(y))[0])
    late = np.concatenate((np.full(50, np.nan), y[first:]))
    short, led = fitted(member, y[first:]), fitted(member, late)
    assert (led.parameters.keys(), led.sigma2) == (short.parameters.keys(), short.sigma2)
    assert forecast(led, 24).tobytes() == forecast(short, 24).tobytes()
    origins = [190, 200, 220]
    ahead = rolling_paths(short, y[first:], series.START, origins, 24)
    behind = rolling_paths(led, late, series.START, [50 + origin for origin in origins], 24)
    assert ahead.tobytes() == behind.tobytes()


@pytest.mark.parametrize(("member", "y", "reason"), [
    ("ets", np.full(100, np.nan), "no observed hour"),
    ("last_value", np.zeros(0), "no observed hour"),
    ("arima", series.walk(n=27), "27 observed hours to fit on, needs 30"),
    ("mstl", series.walk(n=60), "full seasons of 24 h"),
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


@pytest.mark.parametrize("hours", [30, 36, 43, 44, 60])
def test_a_growing_history_does_not_lose_a_member_again(hours: int) -> None:
    assert fitted("theta", series.walk(n=hours)).member == "theta"


def test_a_gap_is_the_models_own_prediction(documents: dict[str, Document]) -> None:
    """After missing hours the forecast of the hours beyond is what it was before them."""
    for member in [*HEAVY, "profile", "last_value", "seasonal_naive"]:
        before = forecast(documents[member], 30)[6:]
        after = forecast(update(documents[member], np.full(6, np.nan)), 24)
        np.testing.assert_allclose(after, before, rtol=1e-9)
