"""Recursions against the textbook, gaps included; the library's own filter where it has one."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsforecast.ets import pegelsresid_C
from statsforecast.models import AutoETS

from forecasting import arima, ets, statsforecast_fits, tbats, theta
from forecasting.recursions import MEMBERS
from forecasting.types import Fitted, FloatArray
from tests.reference import recursions, series

GAPPY = series.rhythm(n=90, gaps=0.2)


def moved(family: Any, model: Fitted, y: FloatArray) -> Fitted:
    return Fitted(structure=model.structure, parameters=model.parameters,
                  state=family.advance(model, y), sigma2=0.0)


def test_arima_is_its_difference_equation() -> None:
    for d, seasonal_d, m in [(0, 0, 1), (1, 0, 24), (0, 1, 24), (1, 1, 6), (2, 0, 1)]:
        seasonal = [0.3] if m > 1 else []
        parameters = {"ar": np.array([0.5, -0.2]), "ma": np.array([0.4]),
                      "seasonal_ar": np.array(seasonal), "seasonal_ma": np.array(seasonal),
                      "mean": 3.0, "drift": 0.1}
        size = max(2 + m * len(seasonal), 1 + m * len(seasonal) + 1) + d + seasonal_d * m
        model = Fitted(structure={"d": d, "D": seasonal_d, "m": m}, parameters=parameters,
                       state={"a": np.zeros(size), "t": 0}, sigma2=0.0)
        ours = arima.path(moved(arima, model, GAPPY), 30)
        theirs = recursions.arima(
            recursions.gaps_as_none(GAPPY), 30, ar=[0.5, -0.2], ma=[0.4], seasonal_ar=seasonal,
            seasonal_ma=seasonal, d=d, seasonal_d=seasonal_d, m=m, mean=3.0, drift=0.1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("season", ["N", "A", "M"])
@pytest.mark.parametrize("trend", [0.0, 0.2])
def test_ets_is_its_component_form(season: str, trend: float) -> None:
    cycle = {"N": [], "A": [3.0, -1.0, -2.0, 0.0], "M": [1.1, 0.9, 1.2, 0.8]}[season]
    gains = {"alpha": 0.3, "beta": 0.05 if trend else 0.0, "gamma": 0.1, "phi": 0.95}
    state = {"level": 70.0, "trend": trend, "season": np.array(cycle[::-1])}
    model = Fitted(structure={"trend": "A" if trend else "N", "season": season, "m": 4},
                   parameters=gains, state=state, sigma2=0.0)
    ours = ets.path(moved(ets, model, GAPPY), 30)
    theirs = recursions.ets(recursions.gaps_as_none(GAPPY), 30, season=season, m=4, level=70.0,
                            trend=trend, seasonal=cycle, **gains)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_tbats_is_its_matrix_form() -> None:
    cos, sin = [1.0, 0.5, -0.3], [0.2, -0.1, 0.4]
    numbers: dict[str, Any] = {"alpha": 0.2, "beta": 0.02, "phi": 0.9}
    model = Fitted(
        structure={}, sigma2=0.0,
        parameters={**numbers, "periods": np.array([24.0, 168.0]),
                    "harmonics": np.array([2.0, 1.0]), "gamma_one": np.array([0.01, 0.02]),
                    "gamma_two": np.array([-0.01, 0.03])},
        state={"level": 70.0, "trend": 0.1, "cos": np.array(cos), "sin": np.array(sin)},
    )
    ours = tbats.path(moved(tbats, model, GAPPY), 30)
    theirs = recursions.tbats(
        recursions.gaps_as_none(GAPPY), 30, periods=[24, 168], harmonics=[2, 1], **numbers,
        gamma_one=[0.01, 0.02], gamma_two=[-0.01, 0.03], level=70.0, trend=0.1, cos=cos, sin=sin)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("y", [series.rhythm(), series.growth()])
def test_updating_ets_equals_the_librarys_filter_over_the_whole(y: FloatArray) -> None:
    fitted = statsforecast_fits.fit_ets(y[:-40], (24,))
    library = AutoETS(season_length=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = library.fit(y[:-40]).model_
    error, trend, season, damped = found["components"]
    alpha, beta, gamma, phi = found["par"][:4]
    _, _, states, _ = pegelsresid_C(y, found["m"], found["par"][4:], error, trend, season,
                                    damped == "D", alpha, beta, gamma, phi, nmse=3)
    state = moved(ets, fitted, y[-40:]).state
    ours = [state["level"], *([state["trend"]] if trend != "N" else []), *state["season"]]
    np.testing.assert_allclose(ours, states[-1], rtol=1e-9)


def theta_model(kind: str) -> Fitted:
    return Fitted(structure={"model": kind, "decomposition": "none"},
                  parameters={"alpha": 0.4, "theta": 2.0, "pattern": np.zeros(0)},
                  state={"level": 65.0, "mean": 66.0, "a": 60.0, "b": 0.2, "t": 20}, sigma2=0.0)


def test_standard_theta_is_smoothing_with_half_the_trend() -> None:
    """Hyndman & Billah 2003: simple exponential smoothing, its drift half the slope."""
    path = theta.path(moved(theta, theta_model("STM"), series.rhythm(n=30)), 200)
    np.testing.assert_allclose(np.diff(path)[-20:], 0.1, rtol=1e-6)


def test_dynamic_theta_follows_the_slope_of_what_it_sees() -> None:
    rising = 66.0 + 0.5 * np.arange(400.0)
    path = theta.path(moved(theta, theta_model("DOTM"), rising), 12)
    assert 0.2 < float(np.diff(path).mean()) < 0.6


@settings(max_examples=25, deadline=None)
@given(member=st.sampled_from(["arima", "ets", "theta", "tbats", "mstl"]),
       cuts=st.lists(st.integers(0, 60), max_size=4))
def test_updates_in_pieces_are_one_update_bit_for_bit(member: str, cuts: list[int]) -> None:
    fitted, hours = FITTED[member], series.rhythm(n=60, seed=9, gaps=0.3)
    whole = MEMBERS[member].advance(fitted, hours)
    pieces = fitted
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        pieces = moved(MEMBERS[member], pieces, hours[begin:end])
    assert MEMBERS[member].path(pieces, 24).tobytes() == MEMBERS[member].path(
        moved(MEMBERS[member], fitted, hours), 24).tobytes()
    assert str(whole) == str(pieces.state)


FITTED = {member: fit(series.rhythm(), (24,)) for member, fit in statsforecast_fits.FITTERS.items()}
