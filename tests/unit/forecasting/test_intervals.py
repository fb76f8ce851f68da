import numpy as np
import pytest

from clinical.vitals import SPECS, Vital
from forecasting import intervals
from tests.reference import series

LEVELS = (50, 80, 95)
PHASES = np.arange(24)


def test_bucket_of_every_lead() -> None:
    leads = np.array([1, 2, 6, 7, 12, 13, 24, 25, 200])
    assert intervals.buckets_of(leads).tolist() == [0, 1, 1, 2, 2, 3, 3, 3, 3]


def test_few_errors_lean_on_what_is_usual_and_many_on_themselves() -> None:
    y, rng = series.walk(n=336), np.random.default_rng(1)
    widths = []
    for origins in (0, 4, 400):
        errors = rng.normal(0, 0.01, (origins, 24))
        phases = np.arange(origins)[:, None] + np.arange(24)
        found = intervals.calibrate(errors, phases % 24, y, season=24, levels=LEVELS)
        lower, upper = intervals.bounds(np.zeros(24), PHASES, found, levels=(80,), vital=None)[80]
        widths.append(float((upper - lower).mean()))
    assert widths[0] > widths[1] > 10 * widths[2]
    assert widths[2] == pytest.approx(2 * 1.28 * 0.01, rel=0.5)


def test_skewed_errors_give_skewed_bounds() -> None:
    errors = np.random.default_rng(2).exponential(5, (300, 24)) - 1
    phases = np.zeros_like(errors, dtype=np.int64)
    found = intervals.calibrate(errors, phases, series.walk(n=336), season=24, levels=LEVELS)
    lower, upper = intervals.bounds(np.zeros(24), PHASES, found, levels=LEVELS, vital=None)[95]
    assert (upper > -3 * lower).all()


def test_restless_hours_get_wider_bounds() -> None:
    rng, hours = np.random.default_rng(3), np.arange(336)
    y = 70 + rng.normal(0, np.where(hours % 24 < 8, 1.0, 6.0))
    found = intervals.calibrate(np.zeros((0, 24)), np.zeros((0, 24), dtype=np.int64), y, season=24,
                                levels=LEVELS)
    lower, upper = intervals.bounds(np.full(24, 70.0), PHASES, found, levels=(80,), vital=None)[80]
    width = (upper - lower) / found.scale[intervals.buckets_of(np.arange(1, 25))]
    assert width[10:22].mean() > 1.5 * width[2:6].mean()


def test_bounds_stay_in_the_plausible_range_and_a_step_wide() -> None:
    spec = SPECS[Vital.SPO2]
    found = intervals.calibrate(np.zeros((0, 24)), np.zeros((0, 24), dtype=np.int64),
                                np.full(100, 100.0), season=24, levels=LEVELS)
    for value in (100.0, 99.8, 50.0, 75.0):
        for lower, upper in intervals.bounds(np.full(24, value), PHASES, found, levels=LEVELS,
                                             vital=spec).values():
            assert (lower >= 50).all() and (upper <= 100).all() and (upper - lower >= 1).all()
            assert (lower <= value).all() and (upper >= value).all()


def test_an_uncommon_level_lies_between_its_neighbours() -> None:
    found = intervals.calibrate(np.zeros((0, 24)), np.zeros((0, 24), dtype=np.int64),
                                series.walk(n=336), season=24, levels=(80, 90, 95))
    upper = [found.quantiles[level][1] for level in (80, 90, 95)]
    assert upper == sorted(upper)
