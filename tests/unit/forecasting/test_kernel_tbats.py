"""Compiled TBATS: simulations, updates, batches (its recursion is tried in test_kernel_ets)."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings

from forecasting import native_smoothing
from forecasting import tbats as recursion
from forecasting.kernels import linear, stability, tbats
from forecasting.kernels.search import CAPPED, FITTED
from forecasting.statsforecast_fits import fit_tbats as library_fit
from forecasting.types import FitRefused, Fitted, FloatArray
from tests.reference import awkward, series, smoothing

DAY = np.array([24.0, 0.0])


def simulated(n: int, seed: int) -> FloatArray:
    """Slow level, AR(1) error of 0.6, two fixed harmonics of a day."""
    rng = np.random.default_rng(seed)
    t, level, error, y = np.arange(n), 70.0, 0.0, []
    pattern = 5 * np.sin(2 * np.pi * t / 24) + 2 * np.cos(4 * np.pi * t / 24)
    for e, s in zip(rng.normal(0, 1, n), pattern, strict=True):
        y.append(level + 0.6 * error + s + e)
        level += 0.02 * e
        error = 0.6 * error + e
    return np.array(y)


def test_simulated_processes_give_structure_and_parameters_back() -> None:
    fits = tbats.fit_batch(np.array([simulated(800, seed) for seed in range(6)]), DAY)
    assert (fits.structures[:, linear.AR] == 1).all()
    assert np.median(fits.structures[:, linear.FIRST]) == 2
    assert abs(fits.params[:, linear.RHO].mean() - 0.6) < 0.08
    assert fits.params[:, linear.ALPHA].mean() < 0.08
    np.testing.assert_allclose(fits.sigma2, 1, atol=0.2)


def test_every_fit_is_stable() -> None:
    fits = tbats.fit_batch(batch(), DAY)
    assert (fits.status == FITTED).all()
    for spec, params in zip(fits.structures, fits.params, strict=True):
        turn = np.empty((4, stability.MAX_PAIRS))
        linear.rotations(spec, DAY, turn)
        assert stability.stable(spec, params, turn)
        assert smoothing.discounts(smoothing.matrices(spec, params, DAY.tolist())).max() < 1


def test_filtering_a_document_of_the_library_gives_its_state() -> None:
    y = series.rhythm(n=240)
    model = library_fit(y[:-40], (24,))
    spec, params, row = native_smoothing.tbats_row(model)
    linear.run_batch(y[None, -40:], spec[None], params[None], states := row[None].copy(), DAY)
    moved = Fitted(structure=model.structure, parameters=model.parameters, sigma2=0.0,
                   state=recursion.advance(model, y[-40:]))
    np.testing.assert_allclose(native_smoothing.tbats_row(moved)[2], states[0], rtol=1e-9,
                               atol=1e-9)


def test_two_seasons_are_found_where_both_are_there() -> None:
    t = np.arange(1000)
    y = 50 + 5 * np.sin(2 * np.pi * t / 24) + 5 * np.sin(2 * np.pi * t / 168)
    y += np.random.default_rng(1).normal(0, 1, t.size)
    model = native_smoothing.fit_tbats(y, (24, 168))
    assert (model.parameters["harmonics"] >= 1).all()
    ahead = np.arange(1000, 1100)
    truth = 50 + 5 * np.sin(2 * np.pi * ahead / 24) + 5 * np.sin(2 * np.pi * ahead / 168)
    assert np.abs(recursion.path(model, 100) - truth).max() < 3


@pytest.mark.parametrize("seasons", [(1,), (24,), (5,), (24, 168)])
def test_short_hours_get_a_form_without_season(seasons: tuple[int, ...]) -> None:
    model = native_smoothing.fit_tbats(series.walk(n=12), seasons)
    assert model.parameters["harmonics"].sum() == 0
    assert np.isfinite(recursion.path(model, 24)).all()


def batch() -> FloatArray:
    return np.array([series.rhythm(n=150, seed=seed, gaps=0.05 * seed) for seed in range(6)]
                    + [series.walk(n=150), series.noise(n=150)])


def test_a_batch_equals_one_by_one_and_two_threads_equal_one_bitwise() -> None:
    y = batch()
    whole = tbats.fit_batch(y, DAY)
    alone = [tbats.fit_batch(y[s:s + 1], DAY) for s in range(len(y))]
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(lambda part: tbats.fit_batch(part, DAY), (y[:4], y[4:])))
    for field, array in enumerate(whole):
        assert array.tobytes() == np.concatenate([fits[field] for fits in alone]).tobytes()
        assert array.tobytes() == np.concatenate([fits[field] for fits in halves]).tobytes()


def test_updating_equals_filtering_the_whole_again() -> None:
    y = np.concatenate((batch(), [simulated(150, 1)]))
    fits = tbats.fit_batch(y[:, :100], DAY)
    for s in range(len(y)):
        model = native_smoothing.from_tbats(fits, s, DAY)
        spec, params, row = native_smoothing.tbats_row(model)
        linear.run_batch(y[s:s + 1, 100:], spec[None], params[None], states := row[None], DAY)
        moved = Fitted(structure=model.structure, parameters=model.parameters, sigma2=0.0,
                       state=recursion.advance(model, y[s, 100:]))
        np.testing.assert_allclose(native_smoothing.tbats_row(moved)[2], states[0], rtol=1e-9,
                                   atol=1e-9)
        forecasts = np.empty((1, 48))
        linear.paths_batch(spec[None], params[None], states, DAY, forecasts)
        np.testing.assert_allclose(forecasts[0], recursion.path(moved, 48), rtol=1e-9)


def test_a_refit_keeps_the_structure() -> None:
    y = batch()
    cold = tbats.fit_batch(y[:, :-1], DAY)
    warm = tbats.refit_batch(y, cold.structures, cold.params, DAY)
    assert (warm.status == FITTED).all() and np.array_equal(warm.structures, cold.structures)
    assert not warm.figures[:, CAPPED].any()
    again = native_smoothing.refit_tbats(y[0], native_smoothing.from_tbats(cold, 0, DAY))
    assert again.parameters["alpha"] == warm.params[0, linear.ALPHA]


@settings(max_examples=150, deadline=None)
@given(y=awkward.hours())
def test_nothing_raises_hangs_or_gives_nan(y: FloatArray) -> None:
    try:
        model = native_smoothing.fit_tbats(y, (24, 168))
    except FitRefused:
        return
    assert np.isfinite(recursion.path(model, 48)).all() and np.isfinite(model.sigma2)
