"""What the library found must forecast the same through our own recursions."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from statsforecast.models import MSTL, AutoARIMA, AutoETS, AutoTBATS, AutoTheta

from forecasting import statsforecast_fits
from forecasting.arima import MIN_ROOT, invertible
from forecasting.recursions import MEMBERS
from forecasting.types import FitRefused, FloatArray
from tests.reference import series

LIBRARY: dict[str, Callable[[int], Any]] = {
    "arima": lambda m: AutoARIMA(season_length=m, approximation=True),
    "ets": lambda m: AutoETS(season_length=m),
    "theta": lambda m: AutoTheta(season_length=m),
    "tbats": lambda _: AutoTBATS(season_length=[24], use_boxcox=False, use_arma_errors=False),
    "mstl": lambda _: MSTL(season_length=[24], trend_forecaster=AutoETS(model="ZZN")),
}
SERIES = {
    "rhythm": series.rhythm(), "walk": series.walk(), "both signs": series.noise(),
    "growth": series.growth(), "short": series.rhythm(n=75), "two days": series.walk(n=50),
}


def library_forecast(member: str, y: FloatArray, horizon: int) -> FloatArray:
    season = 24 if y.size >= 72 else 1
    model: Any = LIBRARY[member](season)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # the library's own, while it tries candidates
        model.fit(y)
        return np.asarray(model.predict(horizon)["mean"])


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("member", LIBRARY)
def test_forecast_equals_the_librarys(member: str, name: str) -> None:
    y = SERIES[name]
    try:
        fitted = statsforecast_fits.FITTERS[member](y, (24,))
    except FitRefused:
        assert y.size < 72 and member == "tbats"
        return
    ours = MEMBERS[member].path(fitted, 48)
    theirs = library_forecast(member, y, 48)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(y).max())


def test_two_seasons_reach_tbats_and_mstl() -> None:
    y = series.rhythm(n=340)
    for member in ("tbats", "mstl"):
        fitted = statsforecast_fits.FITTERS[member](y, (24, 168))
        path = MEMBERS[member].path(fitted, 200)
        assert np.abs(path - y.mean()).max() < 40
    assert set(fitted.parameters["patterns"]) == {"24", "168"}


def test_gaps_are_filled_for_the_fit_and_counted() -> None:
    y = series.rhythm(gaps=0.2)
    fitted = statsforecast_fits.fit_theta(y, (24,))
    assert fitted.figures["filled"] == np.isnan(y).sum() > 0


@pytest.mark.parametrize("ma", [[2.0], [-1.0], [0.3, -0.9], [1.8, 0.9], [0.0, 0.0, -3.0]])
def test_moving_averages_are_mirrored_to_the_same_process(ma: list[float]) -> None:
    mirrored, variance = invertible(np.array(ma))
    roots = np.roots(np.concatenate((np.trim_zeros(mirrored, "b")[::-1], [1.0])))
    assert np.abs(roots).min() >= MIN_ROOT - 1e-9
    before, after = autocovariances(np.array(ma)), variance * autocovariances(mirrored)
    np.testing.assert_allclose(after, before, rtol=0.03, atol=0.03 * before[0])


def autocovariances(ma: FloatArray) -> FloatArray:
    polynomial = np.concatenate(([1.0], ma))
    full = np.correlate(polynomial, polynomial, mode="full")
    return np.asarray(full[polynomial.size - 1:])


def test_an_invertible_moving_average_is_left_as_it_is() -> None:
    ma = np.array([0.4, -0.2])
    kept, variance = invertible(ma)
    assert np.array_equal(kept, ma) and variance == 1.0
