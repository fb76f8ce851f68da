"""NEWS2: every threshold on both sides, partial scores against every completion."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import InputError
from clinical.news2 import (
    BANDS,
    HIGHEST_TOTAL,
    PARAMETERS,
    TABLE,
    Band,
    Consciousness,
    Inputs,
    applicability,
    rounded,
    score,
)
from tests.reference import news2_chart

NORMAL: dict[str, Any] = {
    "respiratory_rate": 16.0, "spo2": 98.0, "spo2_scale": 1, "supplemental_oxygen": False,
    "systolic_bp": 120.0, "heart_rate": 70.0, "body_temperature": 36.8,
    "consciousness": Consciousness.ALERT,
}


def points_of(name: str, value: float, **others: Any) -> int:
    return score(Inputs(**{**NORMAL, **others, name: value})).points[name]


@pytest.mark.parametrize(("value", "points"), [
    (0, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (80, 3),
    (8.49, 3), (8.5, 1), (11.5, 0), (20.49, 0), (20.5, 2), (24.5, 3)])
def test_respiratory_rate_scores_by_the_chart(value: float, points: int) -> None:
    assert points_of("respiratory_rate", value) == points


@pytest.mark.parametrize(("value", "points"), [
    (50, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0),
    (91.49, 3), (91.5, 2), (93.5, 1), (95.49, 1), (95.5, 0)])
def test_spo2_scale_1_scores_by_the_chart(value: float, points: int) -> None:
    assert points_of("spo2", value) == points
    assert points_of("spo2", value, supplemental_oxygen=True) == points


@pytest.mark.parametrize(("value", "on_air", "on_oxygen"), [
    (83, 3, 3), (84, 2, 2), (85, 2, 2), (86, 1, 1), (87, 1, 1), (88, 0, 0), (92, 0, 0),
    (93, 0, 1), (94, 0, 1), (95, 0, 2), (96, 0, 2), (97, 0, 3), (100, 0, 3),
    (92.49, 0, 0), (92.5, 0, 1), (94.5, 0, 2), (96.5, 0, 3), (87.5, 0, 0), (83.5, 2, 2)])
def test_spo2_scale_2_depends_on_oxygen_from_93(
    value: float, on_air: int, on_oxygen: int,
) -> None:
    assert points_of("spo2", value, spo2_scale=2) == on_air
    assert points_of("spo2", value, spo2_scale=2, supplemental_oxygen=True) == on_oxygen


@pytest.mark.parametrize(("value", "points"), [
    (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3),
    (90.5, 2), (100.5, 1), (110.5, 0), (219.49, 0), (219.5, 3)])
def test_systolic_bp_scores_by_the_chart(value: float, points: int) -> None:
    assert points_of("systolic_bp", value) == points


@pytest.mark.parametrize(("value", "points"), [
    (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3),
    (40.5, 1), (50.5, 0), (90.5, 1), (110.5, 2), (130.5, 3), (130.49, 2)])
def test_heart_rate_scores_by_the_chart(value: float, points: int) -> None:
    assert points_of("heart_rate", value) == points


@pytest.mark.parametrize(("value", "points"), [
    (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2),
    (35.05, 1), (35.049, 3), (36.05, 0), (38.05, 1), (38.0499, 0), (39.05, 2), (39.049, 1)])
def test_body_temperature_scores_by_the_chart(value: float, points: int) -> None:
    assert points_of("body_temperature", value) == points


@pytest.mark.parametrize("level", list(Consciousness))
def test_anything_but_alert_scores_3(level: Consciousness) -> None:
    one = score(Inputs(**{**NORMAL, "consciousness": level}))
    assert one.points["consciousness"] == (0 if level is Consciousness.ALERT else 3)


def test_oxygen_scores_2() -> None:
    assert score(Inputs(**{**NORMAL, "supplemental_oxygen": True})).total == 2


@pytest.mark.parametrize(("value", "precision", "text"), [
    (38.05, 1, "38.1"), (38.049999, 1, "38.0"), (0.5, 0, "1"), (2.5, 0, "3"), (36.0, 1, "36.0")])
def test_halves_round_up_as_written_in_decimal(value: float, precision: int, text: str) -> None:
    assert str(rounded(value, precision)) == text


@pytest.mark.parametrize(("changes", "total", "band"), [
    ({}, 0, Band.LOW),
    ({"respiratory_rate": 22, "supplemental_oxygen": True}, 4, Band.LOW),
    ({"respiratory_rate": 25}, 3, Band.LOW_MEDIUM),
    ({"respiratory_rate": 25, "heart_rate": 100}, 4, Band.LOW_MEDIUM),
    ({"respiratory_rate": 25, "heart_rate": 120}, 5, Band.MEDIUM),
    ({"respiratory_rate": 22, "heart_rate": 120, "supplemental_oxygen": True}, 6, Band.MEDIUM),
    ({"respiratory_rate": 25, "consciousness": Consciousness.PAIN}, 6, Band.MEDIUM),
    ({"respiratory_rate": 25, "consciousness": Consciousness.PAIN, "heart_rate": 91}, 7,
     Band.HIGH),
])
def test_bands_follow_the_total_and_a_single_3(
    changes: dict[str, Any], total: int, band: Band,
) -> None:
    one = score(Inputs(**{**NORMAL, **changes}))
    assert (one.total, one.max, one.band, one.band_max) == (total, total, band, band)
    assert one.complete


def test_nothing_known_leaves_the_whole_range() -> None:
    one = score(Inputs())
    assert (one.total, one.max, one.band, one.band_max) == (0, HIGHEST_TOTAL, Band.LOW, Band.HIGH)
    assert one.missing == PARAMETERS
    assert one.points == {}


@pytest.mark.parametrize(("spo2", "total", "most"), [
    (90, 0, 2), (94, 0, 3), (95, 0, 4), (97, 0, 5), (86, 1, 3), (80, 3, 5)])
def test_scale_2_without_oxygen_varies_both_together(spo2: float, total: int, most: int) -> None:
    one = score(Inputs(**{**NORMAL, "spo2": spo2, "spo2_scale": 2, "supplemental_oxygen": None}))
    assert (one.total, one.max) == (total, most)
    assert one.missing == ("supplemental_oxygen",)
    assert one.points["spo2"] == total


def test_a_3_that_only_oxygen_would_bring_counts_in_the_worst_band_alone() -> None:
    values = {**NORMAL, "spo2": 99, "spo2_scale": 2, "supplemental_oxygen": None}
    one = score(Inputs(**values))
    assert (one.band, one.band_max) == (Band.LOW, Band.MEDIUM)


@pytest.mark.parametrize("column", [
    "respiratory_rate", "spo2", "systolic_bp", "heart_rate", "body_temperature"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -0.1, "text"])
def test_what_cannot_be_scored_names_its_column(column: str, value: Any) -> None:
    with pytest.raises(InputError, match=column) as caught:
        Inputs(**{column: value})
    assert caught.value.column == column


@pytest.mark.parametrize(("column", "value"), [("spo2_scale", 3), ("consciousness", "asleep")])
def test_codes_outside_their_list_are_refused(column: str, value: Any) -> None:
    with pytest.raises(InputError, match=column):
        Inputs(**{column: value})


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, 1.7e308])
def test_any_finite_value_from_0_is_scored(value: float) -> None:
    for name in ("respiratory_rate", "spo2", "systolic_bp", "heart_rate", "body_temperature"):
        assert 0 <= points_of(name, value) <= 3


def test_the_chart_tells_the_step_of_a_value() -> None:
    assert TABLE["respiratory_rate"].range_text(8) == "≤ 8"
    assert TABLE["respiratory_rate"].range_text(22.4) == "21–24"
    assert TABLE["respiratory_rate"].range_text(25) == "≥ 25"
    assert TABLE["body_temperature"].range_text(38.05) == "38.1–39.0"


@pytest.mark.parametrize(("age", "pregnant", "word"), [
    (15.9, False, "16"), (30.0, True, "pregnancy"), (10.0, True, "pregnancy")])
def test_not_applicable_gives_the_reason(age: float, pregnant: bool, word: str) -> None:
    reason = applicability(age, pregnant)
    assert reason is not None
    assert word in reason


@pytest.mark.parametrize("age", [16.0, 80.0, None])
def test_applicable_from_16_years(age: float | None) -> None:
    assert applicability(age, pregnant=False) is None


def tenths(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low * 10, high * 10).map(lambda n: n / 10)


VALUES = {
    "respiratory_rate": st.integers(0, 60), "spo2": st.integers(60, 100),
    "supplemental_oxygen": st.booleans(), "systolic_bp": st.integers(60, 260),
    "heart_rate": st.integers(20, 200), "body_temperature": tenths(33, 42),
    "consciousness": st.sampled_from(list(Consciousness)),
}
COMPLETE = st.fixed_dictionaries({**VALUES, "spo2_scale": st.sampled_from([1, 2])})


@settings(max_examples=150, deadline=None)
@given(values=COMPLETE, hidden=st.sets(st.sampled_from(PARAMETERS), max_size=4))
def test_partial_scores_equal_the_extremes_of_every_completion(
    values: dict[str, Any], hidden: set[str],
) -> None:
    known = {**values, **dict.fromkeys(hidden)}
    one = score(Inputs(**known))
    assert (one.total, one.max, one.band, one.band_max) == news2_chart.partial(known)


@given(values=COMPLETE)
def test_complete_scores_equal_the_chart(values: dict[str, Any]) -> None:
    total, band, points = news2_chart.full(values)
    one = score(Inputs(**values))
    assert (one.total, one.max, one.band, one.points) == (total, total, band, points)


@given(values=COMPLETE, hidden=st.sets(st.sampled_from(PARAMETERS), min_size=1),
       data=st.data())
def test_one_more_known_input_never_widens_the_range(
    values: dict[str, Any], hidden: set[str], data: st.DataObject,
) -> None:
    found = data.draw(st.sampled_from(sorted(hidden)))
    less = score(Inputs(**{**values, **dict.fromkeys(hidden)}))
    more = score(Inputs(**{**values, **dict.fromkeys(hidden - {found})}))
    assert less.total <= more.total <= more.max <= less.max
    assert less.band.rank <= more.band.rank <= more.band_max.rank <= less.band_max.rank


@given(values=COMPLETE, hidden=st.sets(st.sampled_from(PARAMETERS)))
def test_points_and_missing_share_the_parameters_out(
    values: dict[str, Any], hidden: set[str],
) -> None:
    one = score(Inputs(**{**values, **dict.fromkeys(hidden)}))
    assert sorted((*one.points, *one.missing)) == sorted(PARAMETERS)
    assert sum(one.points.values()) == one.total
    assert one.complete == (not one.missing)
    assert one.band in BANDS
