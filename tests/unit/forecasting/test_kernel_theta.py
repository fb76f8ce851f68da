"""Compiled theta models against the written-out recursion, the library and simulations."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from statsforecast._lib import theta as _theta
from statsforecast.theta import switch_theta

from forecasting import native_smoothing
from forecasting import theta as recursion
from forecasting.kernels import theta
from forecasting.kernels.search import FITTED
from forecasting.types import FitRefused, Fitted, FloatArray
from tests.reference import awkward, series, smoothing


def squares(y: FloatArray, dynamic: bool, x: FloatArray) -> tuple[float, FloatArray]:
    start, hessian, slope = np.empty(theta.STATES), np.empty((3, 3)), np.empty(3)
    theta.begin(y, dynamic, x[0], x[1], start)
    return theta.normal_equations(y, dynamic, x, start, hessian, slope), slope


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_sum_of_squares_is_that_of_the_written_out_recursion(dynamic: bool, gaps: float) -> None:
    y = series.rhythm(n=90, gaps=gaps)
    y[0] = 71.0
    found, _ = squares(y, dynamic, np.array([0.3, 40.0, 0.6]))
    slow = smoothing.theta_residuals(y, dynamic=dynamic, alpha=0.3, theta=2.5, first_level=40.0)
    assert found == pytest.approx(float(np.sum(slow[3:] ** 2)), rel=1e-9)


@pytest.mark.parametrize("kind", theta.MODELS)
def test_sum_of_squares_equals_the_librarys(kind: str) -> None:
    y = series.rhythm(n=120)
    _, errors, _, _ = _theta.pegels_resid(y, switch_theta(kind), 35.0, 0.4, 2.0, 3)
    found, _ = squares(y, kind.startswith("D"), np.array([0.4, 35.0, 0.5]))
    assert found == pytest.approx(float(np.sum(np.square(errors[3:]))), rel=1e-9)


@pytest.mark.parametrize("dynamic", [False, True])
def test_slopes_are_half_derivatives(dynamic: bool) -> None:
    y = (series.rhythm(n=90, gaps=0.2) - 70) / 8
    y[0] = 0.3
    x = np.array([0.3, 0.2, 0.4])
    _, slope = squares(y, dynamic, x)
    for k in range(3):
        step = np.eye(3)[k] * 1e-6
        change = squares(y, dynamic, x + step)[0] - squares(y, dynamic, x - step)[0]
        assert slope[k] == pytest.approx(change / 4e-6, rel=1e-4, abs=1e-6)


def test_simple_smoothing_with_drift_gives_its_parameters_back() -> None:
    fitted = []
    for seed in range(6):
        rng, level, y = np.random.default_rng(seed), 50.0, []
        for e in rng.normal(0, 1, 800):
            y.append(level + e)
            level += 0.1 + 0.3 * e
        fitted.append(native_smoothing.fit_theta(np.array(y), (1,)))
    assert abs(np.mean([model.parameters["alpha"] for model in fitted]) - 0.3) < 0.05
    drift = [float(np.diff(recursion.path(model, 100))[-1]) for model in fitted]
    assert abs(np.mean(drift) - 0.1) < 0.06


def test_a_rhythm_is_taken_out_first() -> None:
    model = native_smoothing.fit_theta(series.rhythm(n=240, gaps=0.1), (24,))
    expected = 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert model.structure["decomposition"] == "additive"
    assert np.corrcoef(model.parameters["pattern"], expected)[0, 1] > 0.98
    assert native_smoothing.fit_theta(series.noise(), (24,)).structure["decomposition"] == "none"


def batch() -> FloatArray:
    return np.array([series.rhythm(n=150, seed=seed, gaps=0.05 * seed) for seed in range(6)]
                    + [series.walk(n=150), series.noise(n=150)])


def test_a_batch_equals_one_by_one_and_two_threads_equal_one_bitwise() -> None:
    y = batch()
    whole = theta.fit_batch(y, 24)
    alone = [theta.fit_batch(y[s:s + 1], 24) for s in range(len(y))]
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(lambda part: theta.fit_batch(part, 24), (y[:4], y[4:])))
    for field, array in enumerate(whole):
        assert array.tobytes() == np.concatenate([fits[field] for fits in alone]).tobytes()
        assert array.tobytes() == np.concatenate([fits[field] for fits in halves]).tobytes()


def test_updating_equals_filtering_the_whole_again() -> None:
    y = batch()
    fits = theta.fit_batch(y[:, :100], 24)
    for s in range(len(y)):
        model = native_smoothing.from_theta(fits, s)
        spec, params, row = native_smoothing.theta_row(model)
        states = row[None].copy()
        theta.run_batch(y[s:s + 1, 100:], spec[None], params[None], states)
        moved = Fitted(structure=model.structure, parameters=model.parameters, sigma2=0.0,
                       state=recursion.advance(model, y[s, 100:]))
        np.testing.assert_allclose(native_smoothing.theta_row(moved)[2], states[0], rtol=1e-9)
        forecasts = np.empty((1, 48))
        theta.paths_batch(spec[None], params[None], states, forecasts)
        np.testing.assert_allclose(forecasts[0], recursion.path(moved, 48), rtol=1e-9)


def test_a_refit_keeps_the_model() -> None:
    y = batch()
    cold = theta.fit_batch(y[:, :-1], 24)
    warm = theta.refit_batch(y, cold.structures, cold.params)
    assert (warm.status == FITTED).all() and np.array_equal(warm.structures, cold.structures)
    again = native_smoothing.refit_theta(y[0], native_smoothing.from_theta(cold, 0))
    assert again.parameters["alpha"] == pytest.approx(warm.params[0, 0], rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(y=awkward.hours())
def test_nothing_raises_hangs_or_gives_nan(y: FloatArray) -> None:
    try:
        model = native_smoothing.fit_theta(y, (24,))
    except FitRefused:
        return
    assert np.isfinite(recursion.path(model, 48)).all() and np.isfinite(model.sigma2)
