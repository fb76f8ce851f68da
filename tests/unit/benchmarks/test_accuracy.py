"""The accuracy benchmark: its measures by hand, its simple methods against published figures."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import accuracy_m4, accuracy_measures, accuracy_vitals
from benchmarks.accuracy_measures import Said
from benchmarks.accuracy_sets import Case, published, read, shortened, simple_paths
from forecasting.backtest import Window
from forecasting.types import FloatArray


def case(test: list[float], train: FloatArray | None = None, scale: float = 2.0) -> Case:
    window = Window(unique_id="a", index=0, start=datetime(2026, 1, 1, tzinfo=UTC), vital=None,
                    train=np.zeros(48) if train is None else train, test=np.array(test))
    return Case(window=window, subject="a", vital="", scale=scale)


def said(point: list[float], lower: float, upper: float) -> Said:
    ends = np.full(len(point), lower), np.full(len(point), upper)
    return Said(point=np.array(point), bounds=dict.fromkeys(accuracy_measures.LEVELS, ends))


def test_losses_by_hand() -> None:
    cases, made = [case([10.0, np.nan, 14.0])], [said([11.0, 0.0, 11.0], 9.0, 13.0)]
    assert np.array_equal(accuracy_measures.errors(cases, made), [[0.5, np.nan, 1.5]],
                          equal_nan=True)
    scores = accuracy_measures.interval_scores(cases, made, 80)
    assert scores[0, [0, 2]] == pytest.approx([4 / 2, (4 + 10 * 1) / 2])
    assert accuracy_measures.inside(cases, made, 80)[0, [0, 2]].tolist() == [1.0, 0.0]
    losses = accuracy_measures.pinball_losses([case([12.0])], [said([12.0], 12.0, 12.0)])
    assert losses.tolist() == [[0.0]]


def test_means_are_of_windows_and_skip_what_was_not_observed() -> None:
    table = np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]])
    assert accuracy_measures.by_window(table)[:2].tolist() == [1.0, 4.0]
    assert accuracy_measures.mean(accuracy_measures.by_window(table)) == 2.5


def test_terciles_follow_the_hours_of_day_of_the_training_part() -> None:
    hours = np.arange(72.0) % 24
    third = accuracy_measures.terciles([case([0.0] * 24, train=hours[:-5])])[0]
    # training ends five hours before midnight, so the test begins with hour 19
    assert third.tolist() == [2] * 5 + [0] * 8 + [1] * 8 + [2] * 3


def test_a_paired_difference_resamples_subjects() -> None:
    one, other = np.array([2.0, 2.0, 1.0, np.nan]), np.array([1.0, 1.0, 1.0, 1.0])
    found = accuracy_measures.paired(one, other, ["a", "a", "b", "b"])
    assert found.mean == pytest.approx(2 / 3)
    assert found.low == 0.0 and found.high == 1.0 and found.surely_worse
    assert found == accuracy_measures.paired(one, other, ["a", "a", "b", "b"])
    assert accuracy_measures.paired(other, other, ["a", "b", "c", "d"]).se == 0.0


def test_m4_formulas_by_hand() -> None:
    cases = [case([1.0, 3.0])]
    made = [Said(point=np.array([3.0, 3.0]))]
    found = accuracy_m4.figures(cases, made, naive=(100.0, 1.0))
    assert found == {"smape": 50.0, "mase": 0.5, "owa": 0.5}


def test_the_seasonal_naive_of_m4_gives_the_published_figures(shared: Path) -> None:
    cases = read(shared, "m4")
    naive = [Said(point=simple_paths(each.window.train, 48)["seasonal_naive"]) for each in cases]
    found = accuracy_m4.figures(cases, naive, accuracy_m4.naive_two(shared))
    assert len(cases) == 414
    assert (round(found["smape"], 3), round(found["mase"], 3)) == (13.912, 1.193)
    assert found["owa"] == pytest.approx(0.627453, rel=2e-4)    # from rounded figures


@pytest.mark.parametrize("name", ["wearable", "icu"])
def test_simple_methods_have_the_errors_of_the_published_reference(name: str, shared: Path) -> None:
    cases = read(shared, name)
    fixed = accuracy_vitals.published_errors(published(shared, name), cases)
    for method, made in accuracy_vitals.simple(cases).items():
        own = accuracy_measures.by_window(accuracy_measures.errors(cases, made))
        assert np.allclose(own, fixed[method], rtol=1e-6), method


def test_short_histories_keep_scale_and_test_hours() -> None:
    whole = case([1.0], train=np.arange(100.0))
    short, = shortened([whole], 12)
    assert short.window.train.tolist() == list(range(88, 100))
    assert short.scale == whole.scale and short.window.test is whole.window.test


def test_kept_forecasts_of_the_library_come_back_in_order() -> None:
    columns = {f"{side}-{level}": [1.0, 2.0] for side in ("lo", "hi") for level in (50, 80, 95)}
    frame = pd.DataFrame({"unique_id": "a", "model": "AutoETS", "lead": [2, 1],
                          "mean": [5.0, 4.0], **columns})
    found = accuracy_vitals.kept_reference(frame, [case([0.0, 0.0])])
    assert found["AutoETS"][0].point.tolist() == [4.0, 5.0]
