"""Compiled ARIMA fits: parameters back, updates, batches, threads, and whatever series come."""

import json

import numpy as np
import pytest

from forecasting import members, native_arima
from forecasting.config import EngineConfig
from forecasting.documents import dumps, loads
from forecasting.kernels import arima
from forecasting.kernels.arima_errors import PAD, E, empty_rooms, errors, fill_head, head, prepare
from forecasting.kernels.arima_state import state_of
from forecasting.kernels.arima_terms import (
    AR,
    COEFFICIENTS,
    CONSTANT,
    DRIFT,
    LANES,
    MA,
    MEAN,
    SEASONAL_AR,
    SEASONAL_MA,
)
from forecasting.kernels.search import CAPPED, EVALUATIONS, FITTED, Fits
from forecasting.native import NATIVE, Rows
from forecasting.provenance import Provenance
from forecasting.types import FitRefused, Fitted, FloatArray
from tests.reference import seasonal_arima, series
from tests.reference.fits import fitted, refitted
from tests.reference.seasonal_arima import Process


def batch() -> FloatArray:
    """Eight series of 200 hours, with and without gaps, rhythms, wandering levels."""
    return np.array([series.rhythm(n=200, seed=seed, gaps=0.05 * seed) for seed in range(5)]
                    + [series.walk(n=200), series.noise(n=200), series.growth(n=200)])


def fits_of(structure: list[int], process: Process, constant: bool = False) -> Fits:
    """Fits of a known structure to ten simulations, from nothing known of the parameters."""
    y = np.array([seasonal_arima.simulate(1500, process, seed) for seed in range(10)])
    params = np.zeros((10, 12))
    params[:, DRIFT] = 1e-9 if constant else 0.0
    return arima.refit_batch(y, np.array([structure] * 10), params)


@pytest.mark.parametrize(("structure", "process", "expected"), [
    ([1, 0, 0, 0, 0, 0, 1], Process(ar=[0.7], constant=3.0), {AR: 0.7, MEAN: 3.0}),
    ([2, 0, 0, 0, 0, 0, 1], Process(ar=[0.6, -0.3]), {AR: 0.6, AR + 1: -0.3, MEAN: 0.0}),
    ([1, 1, 1, 0, 0, 0, 1], Process(ar=[0.5], ma=[0.4], d=1), {AR: 0.5, MA: 0.4}),
    ([1, 0, 0, 0, 1, 1, 24], Process(ar=[0.6], seasonal_ma=[-0.6], seasonal_d=1, m=24),
     {AR: 0.6, SEASONAL_MA: -0.6}),
    ([0, 0, 1, 1, 0, 0, 12], Process(ma=[0.5], seasonal_ar=[0.4], m=12),
     {MA: 0.5, SEASONAL_AR: 0.4}),
])
def test_simulated_processes_give_their_parameters_back(
        structure: list[int], process: Process, expected: dict[int, float]) -> None:
    fits = fits_of(structure, process)
    assert (fits.status == FITTED).all() and not fits.figures[:, CAPPED].any()
    for at, value in expected.items():
        own = fits.params[:, at]
        assert abs(own.mean() - value) < 3.5 * own.std(ddof=1) / np.sqrt(10) + 0.01
        assert own.std() < (0.06 if at < CONSTANT else 0.2)
    np.testing.assert_allclose(fits.sigma2.mean(), 1, atol=0.05)


def test_a_drift_is_found_again() -> None:
    process = Process(ar=[0.4], seasonal_ma=[-0.5], seasonal_d=1, m=24, constant=0.8)
    fits = fits_of([1, 0, 0, 0, 1, 1, 24], process, constant=True)
    np.testing.assert_allclose(fits.params[:, DRIFT].mean() * 24, 0.8, atol=0.05)


def test_the_search_finds_rhythm_and_difference() -> None:
    rhythm = np.array([series.rhythm(n=336, seed=seed) for seed in range(5)])
    fits = arima.fit_batch(rhythm, 24)
    paths = NATIVE["arima"].paths(Rows(*fits[:3]), 24)
    truth = 70 + 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert np.abs(paths - truth).mean() < 1
    walks = np.array([series.walk(n=336, seed=seed) for seed in range(5)])
    assert arima.fit_batch(walks, 24).structures[:, 1].sum() >= 4
    noise = np.array([series.noise(n=336, seed=seed) for seed in range(5)])
    assert not arima.fit_batch(noise, 24).structures[:, [1, 4]].any()


def test_short_windows_and_long_seasons_have_no_season() -> None:
    assert fitted("arima", series.rhythm(n=71), 24).structure["m"] == 1
    assert fitted("arima", series.rhythm(n=600), 168).structure["m"] == 1


def filtered(y: FloatArray, fits: Fits, s: int) -> FloatArray:
    """The state of row `s` after a run of its model over the whole of `y`, in own units."""
    spec, params = fits.structures[s], fits.params[s]
    hours, (w, kinds, room) = y.copy(), empty_rooms(y.size)
    fill_head(hours, head(spec), spec[6])
    prepare(hours, spec, w, kinds, room)
    held = np.zeros((COEFFICIENTS, LANES))
    held[:CONSTANT] = params[:CONSTANT, None]
    held[CONSTANT] = params[MEAN] + params[DRIFT] * head(spec)
    errors(w, kinds, spec, held, head(spec), room)
    state = np.zeros(fits.states.shape[1])
    assert np.isfinite(room[E, PAD:PAD + y.size]).all()
    state_of(spec, params, y.size, room, 0.0, 1.0, state)
    return state


def test_updating_equals_filtering_the_whole_again() -> None:
    y = batch()
    fits = arima.fit_batch(y[:, :150], 24)
    moved = NATIVE["arima"].run(y, np.full(len(y), 150), Rows(*fits[:3]))
    for s in range(len(y)):
        whole = filtered(y[s], fits, s)
        np.testing.assert_allclose(moved[s], whole, rtol=1e-9, atol=1e-9 * np.abs(whole).max())


def test_a_refit_begins_where_the_last_fit_ended() -> None:
    y = batch()
    fits = arima.fit_batch(y, 24)
    again = arima.refit_batch(y, fits.structures, fits.params)
    assert (again.figures[:, EVALUATIONS] <= 5).all()
    np.testing.assert_allclose(again.sigma2, fits.sigma2, rtol=1e-3)
    model = fitted("arima", y[0], 24)
    later = refitted("arima", np.append(y[0, 1:], 70.0), model, 24)
    assert later.structure == model.structure
    assert later.figures["iterations"] < model.figures["iterations"]


def test_orders_that_the_kernel_cannot_hold_are_refused() -> None:
    model = fitted("arima", series.rhythm(), 24)
    wide = Fitted(structure={**model.structure, "p": 5}, parameters=model.parameters,
                  state=model.state, sigma2=1.0)
    with pytest.raises(FitRefused, match="p=5"):
        native_arima.to_row(wide)


def test_the_document_is_small_and_the_same_each_time() -> None:
    y, config = series.rhythm(n=336, gaps=0.05), EngineConfig(engines={"arima": "native"})
    texts = {dumps(members.fit("arima", y, start=series.START, config=config,
                               provenance=Provenance(code_version="t")))
             for _ in range(2)}
    text = texts.pop()
    assert not texts and len(text) < 2300
    figures = json.loads(text)["figures"]
    assert figures["capped"] in (True, False) and figures["iterations"] > 0
    document = loads(text)
    assert members.forecast(document, 24).std() > 1


