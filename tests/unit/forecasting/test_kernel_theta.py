"""Compiled theta models against the written-out recursion, the library and simulations."""


import numpy as np
import pytest
from statsforecast._lib import theta as _theta
from statsforecast.theta import switch_theta

from forecasting import native_smoothing
from forecasting import theta as recursion
from forecasting.kernels import theta
from forecasting.kernels.search import FITTED
from forecasting.types import FloatArray
from tests.reference import series, smoothing
from tests.reference.fits import fitted, refitted


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
    models = []
    for seed in range(6):
        rng, level, y = np.random.default_rng(seed), 50.0, []
        for e in rng.normal(0, 1, 800):
            y.append(level + e)
            level += 0.1 + 0.3 * e
        models.append(fitted("theta", np.array(y), 1))
    assert abs(np.mean([model.parameters["alpha"] for model in models]) - 0.3) < 0.05
    drift = [float(np.diff(recursion.path(model, 100))[-1]) for model in models]
    assert abs(np.mean(drift) - 0.1) < 0.06


def test_a_rhythm_is_taken_out_first() -> None:
    model = fitted("theta", series.rhythm(n=240, gaps=0.1), 24)
    expected = 8 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert model.structure["decomposition"] == "additive"
    assert np.corrcoef(model.parameters["pattern"], expected)[0, 1] > 0.98
    assert fitted("theta", series.noise(), 24).structure["decomposition"] == "none"


def batch() -> FloatArray:
    return np.array([series.rhythm(n=150, seed=seed, gaps=0.05 * seed) for seed in range(6)]
                    + [series.walk(n=150), series.noise(n=150)])


def test_a_refit_keeps_the_model() -> None:
    y = batch()
    cold = theta.fit_batch(y[:, :-1], 24)
    warm = theta.refit_batch(y, cold.structures, cold.params)
    assert (warm.status == FITTED).all() and np.array_equal(warm.structures, cold.structures)
    again = refitted("theta", y[0], native_smoothing.from_theta(cold, 0), 24)
    assert again.parameters["alpha"] == pytest.approx(warm.params[0, 0], rel=1e-12)


