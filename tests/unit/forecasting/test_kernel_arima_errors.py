"""The compiled recursion of seasonal ARIMA against plain loops and the library's sum of squares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsforecast.arima import arima as library_arima

from forecasting.kernels import arima_errors, arima_fit, arima_terms
from forecasting.kernels.arima_errors import PAD, E
from forecasting.types import FloatArray, IntArray
from tests.reference import recursions, seasonal_arima, series
from tests.reference.seasonal_arima import Process

PROCESSES = [
    Process(ar=[0.5, -0.2], ma=[0.4], constant=0.3),
    Process(ar=[0.4], ma=[0.3, 0.1], d=1),
    Process(ma=[-0.6], d=2, constant=0.01),
    Process(ar=[0.6], seasonal_ma=[-0.7], seasonal_d=1, m=24, constant=0.1),
    Process(ar=[0.3, 0.1, -0.2], ma=[0.2], seasonal_ar=[0.2], seasonal_ma=[-0.5], d=1,
            seasonal_d=1, m=24),
    Process(ma=[0.5], seasonal_ar=[0.3, 0.2], seasonal_ma=[0.4, 0.1], m=6, constant=1.0),
    Process(ar=[0.5], seasonal_ma=[-0.4], d=2, seasonal_d=1, m=12),
]


def spec_of(process: Process) -> IntArray:
    return np.array([len(process.ar), process.d, len(process.ma), len(process.seasonal_ar),
                     process.seasonal_d, len(process.seasonal_ma), process.m])


def coefficients_of(process: Process) -> FloatArray:
    held = np.zeros((arima_terms.COEFFICIENTS, arima_terms.LANES))
    for at, values in ((arima_terms.AR, process.ar), (arima_terms.MA, process.ma),
                       (arima_terms.SEASONAL_AR, process.seasonal_ar),
                       (arima_terms.SEASONAL_MA, process.seasonal_ma)):
        held[at:at + len(values)] = np.array(values).reshape(-1, 1)
    held[arima_terms.CONSTANT] = process.constant
    return held


def compiled_errors(y: FloatArray, process: Process, begin: int) -> FloatArray:
    spec, (w, kinds, room) = spec_of(process), arima_errors.empty_rooms(y.size)
    room[:] = np.nan                     # what is not written must not be read
    arima_errors.prepare(y, spec, w, kinds, room)
    arima_errors.errors(w, kinds, spec, coefficients_of(process), begin, room)
    found = room[E, PAD:PAD + y.size]
    assert (found == found[:, :1]).all()
    return found[:, 0]


def gappy(process: Process, share: float) -> tuple[FloatArray, int]:
    y, head = series.rhythm(n=160, gaps=share), process.d + process.m * process.seasonal_d
    arima_errors.fill_head(y, head, process.m)
    return y, head


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("process", PROCESSES)
def test_errors_are_those_of_the_difference_equation(process: Process, share: float) -> None:
    y, head = gappy(process, share)
    ours = compiled_errors(y, process, head)
    theirs = seasonal_arima.errors(recursions.gaps_as_none(y), process, head)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.max(np.abs(theirs)))
    assert np.sum(ours ** 2) == pytest.approx(np.sum(np.square(theirs)), rel=1e-9)


@pytest.mark.parametrize(("order", "seasonal", "mean"), [
    ((2, 0, 1), (1, 0, 1), 71.0), ((1, 1, 2), (0, 0, 1), None), ((2, 1, 1), (1, 1, 1), None),
    ((3, 0, 0), (0, 1, 1), None), ((0, 2, 1), (0, 0, 0), None),
])
def test_sum_of_squares_equals_the_librarys(order: tuple[int, int, int],
                                            seasonal: tuple[int, int, int],
                                            mean: float | None) -> None:
    y = series.rhythm(n=200)
    values = np.array([0.4, -0.2, 0.1, 0.3, 0.15])
    ar, ma, sar, sma = values[:order[0]], values[3:3 + order[2]], [0.2] * seasonal[0], [
        -0.5] * seasonal[2]
    fixed = np.concatenate((ar, ma, sar, sma, [] if mean is None else [mean]))
    found = library_arima(y, order=order, seasonal={"order": seasonal, "period": 24},
                          include_mean=mean is not None, method="CSS", fixed=fixed,
                          transform_pars=False)
    process = Process(ar=list(ar), ma=list(ma), seasonal_ar=sar, seasonal_ma=sma, d=order[1],
                      seasonal_d=seasonal[1], m=24, constant=mean or 0.0)
    begin = order[0] + order[1] + 24 * (seasonal[0] + seasonal[1])
    ours = compiled_errors(y, process, begin)
    assert np.mean(ours[begin:] ** 2) == pytest.approx(found["sigma2"], rel=1e-9)
    np.testing.assert_allclose(ours, found["residuals"], rtol=1e-7, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.floats(-4, 4), min_size=7, max_size=7), p=st.integers(0, 3),
       q=st.integers(0, 2))
def test_free_numbers_are_coefficients_with_roots_outside(numbers: list[float], p: int,
                                                          q: int) -> None:
    spec = np.array([p, 0, q, 1, 0, 1, 24])
    free, held = np.array(numbers), np.zeros((arima_terms.COEFFICIENTS, 1))
    arima_terms.spread(free, spec, 0, 0, held)
    for row, count, sign in ((arima_terms.AR, p, -1), (arima_terms.MA, q, 1)):
        inverse_roots = np.roots(np.concatenate(([1.0], sign * held[row:row + count, 0])))
        assert not count or np.abs(inverse_roots).max(initial=0) <= 1 / 1.01 + 1e-4
    back = np.zeros(7)
    arima_terms.gather(held[:, 0], spec, 0, 0.0, back)
    again = np.zeros_like(held)
    arima_terms.spread(back, spec, 0, 0, again)
    np.testing.assert_allclose(again, held, rtol=2e-3, atol=2e-3)


def test_fill_of_the_first_hours_takes_a_later_day_then_the_next_hour() -> None:
    y = np.array([1.0, np.nan, np.nan, 4.0, 5.0, np.nan, 7.0, 8.0])
    arima_errors.fill_head(y, 4, 4)
    np.testing.assert_array_equal(y[:4], [1.0, 4.0, 7.0, 4.0])


def test_no_neighbour_has_a_smaller_sum_of_squares() -> None:
    process = Process(ar=[0.7], ma=[0.3], seasonal_ma=[-0.6], seasonal_d=1, m=24)
    y = seasonal_arima.simulate(400, process, 1)
    y[::11] = np.nan
    y = (y - np.nanmean(y)) / np.nanstd(y)
    spec = np.array([1, 0, 1, 0, 1, 1, 24])
    arima_errors.fill_head(y, 24, 24)
    w, kinds, room = arima_errors.empty_rooms(y.size)
    arima_errors.prepare(y, spec, w, kinds, room)
    free = np.zeros(arima_terms.LANES)
    best, _, capped, _ = arima_fit.fit_structure(w, kinds, spec, 0, free, 24, 24, 1e-10, 60, room)
    assert not capped
    for at in range(3):
        for step in (-0.02, 0.02):
            other = free.copy()
            other[at] += step
            own, *_ = arima_fit.fit_structure(w, kinds, spec, 0, other, 24, 24, 1.0, 1, room)
            assert best < own
