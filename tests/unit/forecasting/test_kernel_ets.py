"""Compiled exponential smoothing against matrices, the library's recursion and simulations."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsforecast.ets import pegelsresid_C

from forecasting import native_smoothing
from forecasting.kernels import ets, linear, stability, varpro
from forecasting.kernels.search import CAPPED, EVALUATIONS, FITTED, NO_FIT, ridge_of
from forecasting.types import FloatArray, IntArray
from tests.reference import series, smoothing
from tests.reference.fits import refitted

PERIODS = np.array([24.0, 168.0])
SPECS = [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (2, 24, 0, 0, 0), (0, 6, 0, 0, 0), (2, 0, 3, 2, 1),
         (0, 0, 4, 0, 1)]
THETA = np.array([0.3, 0.02, 0.9, 0.1, 0.4, 0.02, 0.01, 0.015, 0.0])


def theta_of(spec: IntArray) -> FloatArray:
    theta = THETA.copy()
    theta[linear.PHI] = {0: 0.0, 1: 1.0, 2: 0.9}[int(spec[linear.TREND])]
    theta[linear.RHO] *= spec[linear.AR]
    theta[linear.BETA] *= spec[linear.TREND] > 0
    return theta


def designed(y: FloatArray, spec: IntArray, theta: FloatArray) -> FloatArray:
    p, turn = linear.initial_count(spec), np.empty((4, linear.MAX_PAIRS))
    linear.rotations(spec, PERIODS, turn)
    e = np.empty((y.size, p + 1))
    linear.design(y, spec, theta, turn, np.empty((linear.state_size(spec) + 1, p + 1)), e)
    return e


def initial_row(spec: IntArray, b: FloatArray) -> FloatArray:
    """The state row of initial states b: trend may be absent, the ring turns, pairs interleave."""
    m, first = int(spec[linear.RING]), 2 if spec[linear.TREND] else 1
    fixed = [b[0], b[1] if first == 2 else 0.0, 0.0]
    pairs = b[first + m:]
    return np.concatenate((fixed, b[first:first + m][::-1], pairs[::2], pairs[1::2]))


@pytest.mark.parametrize("entries", SPECS)
def test_residuals_and_state_are_those_of_the_matrices(entries: tuple[int, ...]) -> None:
    spec = np.array(entries)
    theta, y = theta_of(spec), series.rhythm(n=90, gaps=0.2)
    b = np.random.default_rng(1).normal(0, 5, linear.initial_count(spec))
    e = designed(y, spec, theta)
    model, x = smoothing.matrices(spec, theta, (24, 168)), initial_row(spec, b)
    expected = smoothing.residuals(y, model, x)
    np.testing.assert_allclose(e[:, :-1] @ b + e[:, -1], expected, atol=1e-9)
    turn = np.empty((4, linear.MAX_PAIRS))
    linear.rotations(spec, PERIODS, turn)
    squares = linear.advance(y, spec, theta, turn, x)
    assert squares == pytest.approx(np.sum(expected ** 2), rel=1e-9)


@pytest.mark.parametrize("entries", SPECS)
def test_sensitivities_are_derivatives_of_the_residuals(entries: tuple[int, ...]) -> None:
    spec = np.array(entries)
    theta, y = theta_of(spec), series.rhythm(n=90, gaps=0.2) / 10
    b, turn = np.full(linear.initial_count(spec), 0.3), np.empty((4, linear.MAX_PAIRS))
    linear.rotations(spec, PERIODS, turn)
    free = np.empty(linear.THETA, dtype=np.int64)
    count = linear.free_parameters(spec, free)
    j, r = np.empty((y.size, count)), np.empty(y.size)
    z = np.empty((linear.state_size(spec) + 1, count + 1))
    linear.sensitivities(y, spec, theta, turn, free, count, b, z, j, r)
    for k, at in enumerate(free[:count]):
        moved = []
        for sign in (1, -1):
            other = theta.copy()
            other[at] += sign * 1e-6
            e = designed(y, spec, other)
            moved.append(e[:, :-1] @ b + e[:, -1])
        np.testing.assert_allclose(j[:, k], (moved[0] - moved[1]) / 2e-6, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(trend=st.integers(0, 2), ring=st.sampled_from([0, 2, 6, 24]), pairs=st.integers(0, 3),
       ar=st.integers(0, 1), numbers=st.lists(st.floats(0.001, 0.999), min_size=9, max_size=9))
def test_stability_agrees_with_the_eigenvalues(trend: int, ring: int, pairs: int, ar: int,
                                               numbers: list[float]) -> None:
    spec = np.array([trend, ring, 0 if ring else pairs, 0, ar])
    theta = np.array(numbers) * np.array([2, 0.5, 1, 1, 1, 0.2, 0.2, 0, 0])
    theta[linear.PHI] = {0: 0.0, 1: 1.0, 2: theta[linear.PHI]}[trend]
    theta[linear.BETA] *= trend > 0
    theta[linear.RHO] *= ar
    turn = np.empty((4, linear.MAX_PAIRS))
    linear.rotations(spec, PERIODS, turn)
    sizes = smoothing.discounts(smoothing.matrices(spec, theta, (24, 168)))
    if trend == 0:              # the kernel has no trend to discount
        sizes = np.delete(sizes, np.argmin(sizes))
    if ring:                    # level and ring share a constant that nothing can tell apart
        sizes = np.delete(sizes, np.argmin(np.abs(sizes - 1)))
    if abs(sizes.max() - 1) > 1e-4:
        assert stability.stable(spec, theta, turn) == (sizes.max() < 1)


@pytest.mark.parametrize(("trend", "m"), [(0, 24), (2, 24), (1, 0)])
def test_sum_of_squares_equals_the_librarys(trend: int, m: int) -> None:
    y = series.rhythm(n=240)
    spec, theta = np.array([trend, m, 0, 0, 0]), np.zeros(linear.THETA)
    theta[:4] = 0.25, 0.01 * (trend > 0), {0: 0.0, 1: 1.0, 2: 0.95}[trend], 0.05
    x = np.concatenate(([70.0, 0.1 if trend else 0.0, 0.0], np.linspace(-3, 3, m)))
    own = x.copy()
    squares = linear.advance(y, spec, theta, np.empty((4, 32)), own)
    start = np.concatenate(([70.0], [0.1] if trend else [], x[3:]))
    _, errors, states, _ = pegelsresid_C(y, max(m, 1), start, "A", "A" if trend else "N",
                                         "A" if m else "N", trend == 2, 0.25, 0.01, 0.05,
                                         0.95 if trend == 2 else 1.0, nmse=3)
    assert squares == pytest.approx(float(np.sum(np.square(errors))), rel=1e-9)
    np.testing.assert_allclose(own[3:], states[-1][2 if trend else 1:][:m], rtol=1e-9)


def test_no_neighbour_has_a_smaller_sum_of_squares() -> None:
    y = (series.rhythm(n=300, gaps=0.1) - 70) / 6
    spec, b = np.array([0, 24, 0, 0, 0]), np.empty(25)
    ridge, theta = np.empty(25), np.array([0.3, 0, 0, 0.05, 0, 0, 0, 0, 0])
    ridge_of(spec, ridge)
    best, *_ = varpro.fit_structure(y, spec, PERIODS, ridge, 1e-9, theta, b)
    e = designed(y, spec, theta)
    explained = np.linalg.lstsq(np.vstack((e[:, :-1], np.diag(np.sqrt(ridge)))),
                                -np.concatenate((e[:, -1], np.zeros(25))), rcond=None)[0]
    np.testing.assert_allclose(b, explained, atol=1e-6)
    for at in (linear.ALPHA, linear.GAMMA):
        for step in (-0.01, 0.01):
            other = theta.copy()
            other[at] = max(other[at] + step, varpro.LOWER[at])
            e = designed(y, spec, other)
            x = np.vstack((e[:, :-1], np.diag(np.sqrt(ridge))))
            c = np.concatenate((e[:, -1], np.zeros(25)))
            left = c + x @ np.linalg.lstsq(x, -c, rcond=None)[0]
            assert best <= float(left @ left) * (1 + 1e-9)


def simulated(n: int, alpha: float, gamma: float, m: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    level, ring, y = 70.0, list(6 * np.sin(2 * np.pi * np.arange(m) / m)) if m else [0.0], []
    for e in rng.normal(0, 1, n):
        s = ring.pop(0)
        y.append(level + s + e)
        level += alpha * e
        ring.append(s + gamma * e)
    return np.array(y)


def test_simulated_processes_give_their_parameters_back() -> None:
    y = np.array([simulated(1000, 0.35, 0.0, 0, seed) for seed in range(6)])
    plain = ets.fit_batch(y, 24)
    assert abs(plain.params[:, linear.ALPHA].mean() - 0.35) < 0.05
    assert not plain.structures[:, linear.RING].any()
    y = np.array([simulated(1000, 0.2, 0.15, 24, seed) for seed in range(6)])
    rhythmic = ets.fit_batch(y, 24)
    assert (rhythmic.structures[:, linear.RING] == 24).all()
    assert abs(rhythmic.params[:, linear.ALPHA].mean() - 0.2) < 0.05
    assert abs(rhythmic.params[:, linear.GAMMA].mean() - 0.15) < 0.05
    np.testing.assert_allclose(rhythmic.sigma2, 1, atol=0.2)


def batch() -> FloatArray:
    return np.array([series.rhythm(n=150, seed=seed, gaps=0.05 * seed) for seed in range(6)]
                    + [series.walk(n=150), series.noise(n=150)])


def test_a_refit_begins_where_the_last_fit_ended() -> None:
    y = batch()
    cold = ets.fit_batch(y[:, :-1], 24)
    warm = ets.refit_batch(y, cold.structures, cold.params)
    assert (warm.status == FITTED).all() and np.array_equal(warm.structures, cold.structures)
    assert warm.figures[:, EVALUATIONS].mean() < 0.3 * cold.figures[:, EVALUATIONS].mean()
    assert not warm.figures[:, CAPPED].any()
    again = refitted("ets", y[0], native_smoothing.from_ets(cold, 0), 24)
    assert again.parameters["alpha"] == warm.params[0, linear.ALPHA]


def test_a_structure_that_hours_cannot_carry_is_no_fit() -> None:
    y, params = series.rhythm(n=40)[None], np.zeros((1, linear.PARAMS))
    params[0, linear.ALPHA], params[0, linear.BETA] = 0.9, 0.5
    params[0, linear.PHI] = 40.0
    spec = np.array([[1, 0, 0, 0, 0]])
    assert ets.refit_batch(y, spec, params).status[0] == NO_FIT
