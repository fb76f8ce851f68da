import numpy as np
import pytest

from clinical.vitals import SPECS, Vital
from forecasting import intervals
from forecasting.types import FloatArray
from tests.reference import series

LEVELS = (50, 80, 95)
START = np.zeros(1, dtype=np.int64)
NO_PATTERN = np.zeros((1, 24))


def calibrated(errors: FloatArray, y: FloatArray,
               levels: tuple[int, ...] = LEVELS,
               vital: Vital | None = None) -> intervals.Calibration:
    """Calibration of one series from errors (origins, 24), an origin an hour."""
    spec = None if vital is None else SPECS[vital]
    origins = np.arange(len(errors), dtype=np.int64)
    return intervals.calibrate(errors[None], origins, np.array([origins.size]), y[None],
                               NO_PATTERN, levels=levels, vital=spec)


def bounds(point: FloatArray, found: intervals.Calibration,
           levels: tuple[int, ...] = LEVELS, vital: Vital | None = None,
           age: int = 0, dissent: float = 0.0) -> intervals.Bounds:
    spec = None if vital is None else SPECS[vital]
    return intervals.bounds(point[None], np.full((1, point.size), dissent), START, np.array([age]),
                            found, levels=levels, vital=spec)


def no_errors() -> FloatArray:
    return np.zeros((0, 24))


@pytest.mark.parametrize("y", [[70.0], [70.0, 70.0, 70.0], [70.0, 71.0, np.nan]])
def test_a_few_readings_do_not_make_a_forecast_sure(y: list[float]) -> None:
    found = calibrated(no_errors(), np.array(y), vital=Vital.HEART_RATE)
    lower, upper = bounds(np.full(24, 70.0), found, vital=Vital.HEART_RATE)[95]
    assert (upper - lower >= 30).all() and (upper - lower <= 80).all()


def test_a_day_of_readings_speaks_for_itself() -> None:
    y = series.walk(n=30)
    one, other = (calibrated(no_errors(), y, vital=vital) for vital in (Vital.HEART_RATE, None))
    assert one.scale.tobytes() == other.scale.tobytes()


def test_few_errors_lean_on_what_is_usual_and_many_on_themselves() -> None:
    rng, widths = np.random.default_rng(1), []
    for origins in (0, 4, 400):
        found = calibrated(rng.normal(0, 0.01, (origins, 24)), series.walk(n=336))
        lower, upper = bounds(np.zeros(24), found)[80]
        widths.append(float((upper - lower).mean()))
    assert widths[0] > widths[1] > 10 * widths[2]
    assert widths[2] == pytest.approx(2 * 1.28 * 0.01, rel=0.5)


def test_skewed_errors_give_skewed_bounds() -> None:
    errors = np.random.default_rng(2).exponential(5, (300, 24)) - 1
    lower, upper = bounds(np.zeros(24), calibrated(errors, series.walk(n=336)))[95]
    assert (upper > -3 * lower).all()


def test_quantiles_are_those_of_the_scaled_errors() -> None:
    """Many origins in a flat window: numpy's quantiles of error / scale, nearly unshrunk."""
    errors = np.random.default_rng(4).normal(0, 3, (20_000, 24))
    found = calibrated(errors, np.full(336, 70.0))
    scaled = errors / found.scale[0, np.searchsorted([1, 2, 7, 13], np.arange(1, 25), "right") - 1]
    np.testing.assert_allclose(found.quantiles[80][0], np.quantile(scaled, (0.1, 0.9)), rtol=2e-3)


def test_restless_hours_get_wider_bounds() -> None:
    rng, hours = np.random.default_rng(3), np.arange(336)
    y = 70 + rng.normal(0, np.where(hours % 24 < 8, 1.0, 6.0))
    found = calibrated(no_errors(), y)
    lower, upper = bounds(np.full(24, 70.0), found)[80]
    width = (upper - lower)[0] / np.repeat(found.scale[0], (1, 5, 6, 12))
    assert width[10:22].mean() > 1.5 * width[2:6].mean()


def test_the_first_hour_after_a_gap_is_as_unsure_as_later_ones() -> None:
    errors = np.random.default_rng(5).normal(0, np.arange(1.0, 25.0), (200, 24))
    found = calibrated(errors, np.full(336, 70.0))
    fresh, stale = (bounds(np.zeros(24), found, age=age)[80][1][0] for age in (0, 12))
    assert stale[0] == stale[12] == fresh[12] > fresh[0]
    later = bounds(np.zeros(24), found, age=24 * 40)[80][1][0]
    assert (later == fresh[23]).all()


def test_members_that_disagree_widen_the_next_hour_and_no_later_one() -> None:
    found = calibrated(no_errors(), series.walk(n=336))
    scales = (0.0, 0.8, 1.0, 2.4, 1e6)
    widths = [np.diff(np.array(bounds(np.zeros(24), found, dissent=away * found.scale[0, 0])[95]),
                      axis=0)[0, 0] for away in scales]
    next_hour = [float(width[0]) for width in widths]
    assert next_hour[0] == next_hour[1] < next_hour[2] < next_hour[3] == next_hour[4]
    assert next_hour[4] == pytest.approx(1.8 * next_hour[0])
    assert all((width[1:] == widths[0][1:]).all() for width in widths)


def test_bounds_stay_in_the_plausible_range_and_a_step_wide() -> None:
    found = calibrated(no_errors(), np.full(100, 100.0))
    for value in (100.0, 99.8, 50.0, 75.0):
        for lower, upper in bounds(np.full(24, value), found, vital=Vital.SPO2).values():
            assert (lower >= 50).all() and (upper <= 100).all() and (upper - lower >= 1).all()
            assert (lower <= value).all() and (upper >= value).all()


def test_an_uncommon_level_lies_between_its_neighbours() -> None:
    found = calibrated(no_errors(), series.walk(n=336), levels=(80, 90, 95))
    upper = [found.quantiles[level][0, 1] for level in (80, 90, 95)]
    assert upper == sorted(upper)
