"""Compiled TBATS: simulations, updates, batches (its recursion is tried in test_kernel_ets)."""


import numpy as np
import pytest

from forecasting import native_rows, native_smoothing
from forecasting import tbats as recursion
from forecasting.kernels import linear, stability, tbats
from forecasting.kernels.search import CAPPED, FITTED
from forecasting.statsforecast_fits import fit_tbats as library_fit
from forecasting.types import Fitted, FloatArray
from tests.reference import series, smoothing
from tests.reference.fits import fitted, refitted

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
        turn = np.empty((4, linear.MAX_PAIRS))
        linear.rotations(spec, DAY, turn)
        assert stability.stable(spec, params, turn)
        assert smoothing.discounts(smoothing.matrices(spec, params, DAY.tolist())).max() < 1


def test_filtering_a_document_of_the_library_gives_its_state() -> None:
    y = series.rhythm(n=240)
    model = library_fit(y[:-40], (24,))
    spec, params, row = native_smoothing.tbats_row(model)
    states = native_rows.run(native_smoothing.LINEAR, y[None], np.array([200]),
                             native_rows.stack([(spec, params, row)]))
    moved = Fitted(structure=model.structure, parameters=model.parameters, sigma2=0.0,
                   state=recursion.advance(model, y[-40:]))
    np.testing.assert_allclose(native_smoothing.tbats_row(moved)[2], states[0], rtol=1e-9,
                               atol=1e-9)


def test_two_seasons_are_found_where_both_are_there() -> None:
    t = np.arange(1000)
    y = 50 + 5 * np.sin(2 * np.pi * t / 24) + 5 * np.sin(2 * np.pi * t / 168)
    y += np.random.default_rng(1).normal(0, 1, t.size)
    fits = tbats.fit_batch(y[None], np.array([24.0, 168.0]))
    model = native_smoothing.from_tbats(fits, 0)
    assert (model.parameters["harmonics"] >= 1).all()
    ahead = np.arange(1000, 1100)
    truth = 50 + 5 * np.sin(2 * np.pi * ahead / 24) + 5 * np.sin(2 * np.pi * ahead / 168)
    assert np.abs(recursion.path(model, 100) - truth).max() < 3


@pytest.mark.parametrize("seasons", [(1,), (24,), (5,), (24, 168)])
def test_short_hours_get_a_form_without_season(seasons: tuple[int, ...]) -> None:
    model = fitted("tbats", series.walk(n=12), *seasons)
    assert model.parameters["harmonics"].sum() == 0
    assert np.isfinite(recursion.path(model, 24)).all()


def batch() -> FloatArray:
    return np.array([series.rhythm(n=150, seed=seed, gaps=0.05 * seed) for seed in range(6)]
                    + [series.walk(n=150), series.noise(n=150)])


def test_a_refit_keeps_the_structure() -> None:
    y = batch()
    cold = tbats.fit_batch(y[:, :-1], DAY)
    warm = tbats.refit_batch(y, cold.structures, cold.params)
    assert (warm.status == FITTED).all() and np.array_equal(warm.structures, cold.structures)
    assert not warm.figures[:, CAPPED].any()
    again = refitted("tbats", y[0], native_smoothing.from_tbats(cold, 0), 24)
    assert again.parameters["alpha"] == warm.params[0, linear.ALPHA]


