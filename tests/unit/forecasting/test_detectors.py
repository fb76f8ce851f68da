"""Each chart finds what it is for, keeps quiet otherwise, and does not depend on company."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from clinical.vitals import SPECS, Vital
from forecasting.detectors.alarms import HOLD_HOURS, RELEASE, closing, opening
from forecasting.detectors.charts import (
    LEAST_USUAL,
    THRESHOLDS,
    Chart,
    Hours,
    Kind,
    charts,
    compare,
    scaled_errors,
    skew_chart,
)
from forecasting.detectors.distance import psi, wasserstein
from forecasting.detectors.figures import figures_of
from forecasting.detectors.scan import long_run_variance, scan
from forecasting.detectors.units import OTHER_UNITS, unit_chart, unit_named
from forecasting.detectors.usual import learn
from forecasting.detectors.words import Change, words
from forecasting.types import FloatArray

USUAL, N, AT = 336, 672, 500
RNG = np.random.default_rng(20)
SERIES = 12


def quiet(series: int = SERIES, phi: float = 0.4) -> FloatArray:
    """Deviations of 3 around a daily rhythm of 5 and a level of 70."""
    x = np.zeros((series, N + 100))
    shocks = np.random.default_rng(7).normal(size=x.shape)
    for t in range(1, x.shape[1]):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi ** 2) * shocks[:, t]
    return 70 + 5 * np.sin(2 * np.pi * np.arange(N) / 24) + 3 * x[:, 100:]


def errors(series: int = SERIES) -> FloatArray:
    return np.random.default_rng(8).normal(size=(series, N))


def found(y: FloatArray, z: FloatArray | None = None) -> dict[Kind, Chart]:
    hours = Hours(y=y, errors=errors(len(y)) if z is None else z, first=0, usual=USUAL,
                  resolution=1)
    return {one.kind: one for one in charts(compare(hours))}


def alarmed(y: FloatArray, z: FloatArray | None = None) -> dict[Kind, float]:
    """Share of the series that each kind of chart finds."""
    return {kind: float(np.mean(one.score >= THRESHOLDS[kind]))
            for kind, one in found(y, z).items()}


def test_a_series_that_goes_on_as_it_was_is_no_alarm() -> None:
    assert set(alarmed(quiet()).values()) == {0}


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_a_level_is_found_with_its_hour_and_size(step: float) -> None:
    y = quiet()
    y[:, AT:] += step
    one = found(y)[Kind.LEVEL]
    assert (one.score >= THRESHOLDS[Kind.LEVEL]).all()
    assert np.median(np.abs(one.since - AT)) <= 6
    assert np.sign(one.size).tolist() == [np.sign(step)] * SERIES
    assert np.median(np.abs(one.size)) == pytest.approx(4 / 3, rel=0.25)
    assert alarmed(y)[Kind.SPREAD] < 0.2


@pytest.mark.parametrize("step", [30.0, -30.0])
def test_a_large_change_is_told_in_full(step: float) -> None:
    """The score counts at most three deviations of an hour; a doctor is told all ten."""
    y = quiet()
    y[:, AT:] += step
    y[:, AT + 5] = 400          # one artefact moves nothing
    one = found(y)[Kind.LEVEL]
    np.testing.assert_allclose(one.size, step / 3, rtol=0.2)


def test_a_wider_spread_is_found_and_is_no_level() -> None:
    y = quiet()
    pattern = 70 + 5 * np.sin(2 * np.pi * np.arange(N) / 24)
    y[:, AT:] = pattern[AT:] + (y - pattern)[:, AT:] * 2
    shares = alarmed(y)
    assert shares[Kind.SPREAD] == 1 and shares[Kind.LEVEL] < 0.2


def test_lost_hours_are_gaps_and_a_silence_is_missing() -> None:
    y, silent = quiet(), quiet()
    y[:, AT:][RNG.random((SERIES, N - AT)) < 0.3] = np.nan
    silent[:, -72:] = np.nan
    assert alarmed(y)[Kind.GAPS] == 1
    assert alarmed(silent)[Kind.MISSING] == 1 and alarmed(silent)[Kind.GAPS] == 0


def test_hours_that_were_always_missing_are_usual() -> None:
    y = quiet()
    y[:, np.arange(N) % 24 < 8] = np.nan
    shares = alarmed(y)
    assert shares[Kind.MISSING] == shares[Kind.GAPS] == 0


def test_errors_that_lean_or_grow_or_leave_the_interval_are_found() -> None:
    leaning, grown = errors(), errors()
    leaning[:, AT:] += 1
    grown[:, AT:] *= 2
    assert alarmed(quiet(), leaning)[Kind.ERROR] == 1
    shares = alarmed(quiet(), grown)
    assert shares[Kind.ERROR_SIZE] == shares[Kind.COVERAGE] == 1 and shares[Kind.ERROR] == 0


def test_another_shape_with_the_same_mean_is_found_by_the_distance() -> None:
    y = quiet(phi=0.0)
    pattern = 70 + 5 * np.sin(2 * np.pi * np.arange(N) / 24)
    y[:, -168:] = pattern[-168:] + 7 * np.sign((y - pattern)[:, -168:])
    assert alarmed(y)[Kind.DISTRIBUTION] == 1


def test_too_short_a_training_window_is_compared_with_nothing() -> None:
    y = quiet()
    y[:, :N - 2 * LEAST_USUAL + 2] = np.nan
    y[:, -50:] += 30
    assert set(alarmed(y).values()) == {0}
    assert np.isnan(figures_of(compare(Hours(y=y, errors=errors(), first=0, usual=USUAL,
                                             resolution=1))).psi).all()


def test_half_of_a_short_history_is_its_training_window() -> None:
    y = quiet()
    y[:, :N - 300] = np.nan
    compared = compare(Hours(y=y, errors=errors(), first=0, usual=USUAL, resolution=1))
    assert compared.split.tolist() == [N - 150] * SERIES and compared.known.min() == 150


def test_a_score_does_not_depend_on_company() -> None:
    y = quiet()
    y[3:, :200] = np.nan
    together, alone = found(y), found(y[:1], errors()[:1])
    for kind in together:
        assert together[kind].score[0] == alone[kind].score[0], kind


def test_nothing_observed_and_nothing_varied_is_no_alarm() -> None:
    y = np.full((2, N), np.nan)
    y[1] = 97
    assert set(alarmed(y, np.full((2, N), np.nan)).values()) == {0}


def test_a_scan_is_the_best_standardised_sum() -> None:
    x = np.array([[0.5, -1.0, np.nan, 2.0, 1.0, 1.5]])
    one = scan(x, np.array([2.0]), np.array([10]), least=2)
    wanted = {begin: np.nansum(x[0, begin:]) / np.sqrt(
        2 * (k := np.sum(~np.isnan(x[0, begin:]))) * (1 + k / 10)) for begin in range(5)}
    assert one.score[0] == pytest.approx(max(wanted.values()))
    assert wanted[int(one.since[0])] == pytest.approx(one.score[0])


def test_long_memory_makes_a_mean_less_sure() -> None:
    rhythm = 5 * np.sin(2 * np.pi * np.arange(N) / 24)
    independent, lasting = quiet(phi=0.0) - rhythm, quiet(phi=0.8) - rhythm
    ratio = np.median(long_run_variance(lasting)) / np.median(long_run_variance(independent))
    assert ratio == pytest.approx(1.8 / 0.2, rel=0.35)


def test_what_is_usual_follows_the_hour_of_the_day() -> None:
    one = learn(quiet(), np.ones((SERIES, N), dtype=bool), 0, 1)
    assert np.abs(one.pattern - (70 + 5 * np.sin(2 * np.pi * np.arange(24) / 24))).max() < 1.5
    assert np.abs(one.scale - 3).max() < 0.5 and np.abs(one.phi - 0.4).max() < 0.15


@given(st.floats(0, 5), st.floats(0.5, 3))
def test_the_distance_is_that_of_scipy(shift: float, stretch: float) -> None:
    x, y = quiet(1)[0, :200], quiet(1)[0, 300:] * stretch + shift
    near = wasserstein(x[None], y[None])[0]
    assert near == pytest.approx(wasserstein_distance(x, y), rel=0.06, abs=0.15)


def test_the_index_is_nought_for_the_same_and_grows() -> None:
    x = quiet(1)
    assert psi(x, x)[0] == pytest.approx(0, abs=0.01)
    assert psi(x, x + 5)[0] > psi(x, x + 2)[0] > 0.1


@pytest.mark.parametrize(("vital", "name", "value"), [
    (Vital.BODY_TEMPERATURE, "°F", 98.6), (Vital.HEART_RATE, "Hz", 1.2),
    (Vital.SPO2, "fractions of 1", 0.97), (Vital.SYSTOLIC_BP, "kPa", 16.0)])
def test_a_changed_unit_is_named_from_its_third_hour(vital: Vital, name: str,
                                                     value: float) -> None:
    spec = SPECS[vital]
    (other,) = [one for one in OTHER_UNITS[spec.unit] if one.name == name]
    centre = (value - other.offset) / other.factor
    y = np.full((3, 24), centre)
    y[0, -3:] = y[1, -2:] = value
    one = unit_chart(y, np.full(3, centre), np.full(3, spec.resolution * 3), spec.unit)
    assert (one.score >= THRESHOLDS[Kind.UNIT]).tolist() == [True, False, False]
    assert unit_named(spec.unit, one.size[0]) == name and one.since[0] == 21


def test_a_fever_is_no_unit() -> None:
    y = np.full((1, 24), 41.5)
    assert unit_chart(y, np.array([36.8]), np.array([0.2]), "Cel").score[0] == 0


def test_beyond_the_interval_is_beyond_its_deviations() -> None:
    y = np.array([[70.0, 76.0, 60.0, 100.0]])
    point, lower, upper = (np.full((1, 4), value) for value in (70.0, 62.0, 75.0))
    z = scaled_errors(y, point, lower, upper, 1)
    assert (np.abs(z) > 1.2816).tolist() == [[False, True, True, True]]
    assert z[0, 0] == 0 and z[0, 1] > 0 > z[0, 2]
    at_bound = scaled_errors(np.array([[100.0]]), np.array([[99.9]]), np.array([[97.0]]),
                             np.array([[99.9]]), 1)
    assert abs(at_bound[0, 0]) < 1


def test_skew_is_the_distance_of_what_is_served() -> None:
    one = skew_chart(np.array([71.0, 70.0, np.nan]), np.array([70.0, np.nan, 70.0]), np.full(3, .5))
    assert one.score.tolist() == [2, 0, 0]


def test_an_event_opens_at_the_threshold_and_ends_below_its_release() -> None:
    score, never = np.array([4.9, 5.0, 9.0, 9.0]), np.full(4, np.inf)
    is_open = np.array([False, False, True, False])
    assert opening(score, 5, is_open, never).tolist() == [False, True, False, True]
    assert opening(score, 5, is_open, np.full(4, HOLD_HOURS - 1.0)).any() == 0
    low = np.array([5 * RELEASE - 0.01, 5 * RELEASE])
    assert closing(low, 5, np.array([True, True])).tolist() == [True, False]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("size", [-1.0, 1.0])
def test_every_kind_has_words(kind: Kind, size: float) -> None:
    said = words(Change(kind=kind, vital=SPECS[Vital.BODY_TEMPERATURE], size=abs(size)
                        if kind is Kind.UNIT else size, scale=0.4))
    assert said.startswith("Body temperature: ") and said.endswith(".")
    assert kind not in (Kind.LEVEL, Kind.SKEW) or "0.4 °C" in said
