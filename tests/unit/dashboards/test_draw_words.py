"""Numbers in pictures, as a person reads them."""

from datetime import UTC, datetime
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.draw_words import cell, number, ticks


@pytest.mark.parametrize(("value", "unit", "decimals", "text"), [
    (0.8125, "percentunit", None, "81.2 %"), (0.8125, "percentunit", 0, "81 %"),
    (90.0, "s", None, "1.5 min"), (7200.0, "s", None, "2.0 h"), (0.02, "s", None, "20.0 ms"),
    (0.0, "s", None, "0 s"), (259200.0, "s", None, "3.0 d"), (12.5, "h", 1, "12.5 h"),
    (1234567.0, "short", None, "1.2 M"), (23456.0, "short", None, "23.5 k"),
    (7.0, "short", None, "7"), (0.0123, "short", None, "0.0123"), (1.5, "short", None, "1.50"),
    (None, "short", None, "–"), (nan, "s", None, "–"),
])
def test_numbers(value: float | None, unit: str, decimals: int | None, text: str) -> None:
    assert number(value, unit, decimals) == text


@pytest.mark.parametrize(("value", "text"), [
    (datetime(2026, 11, 21, 6, tzinfo=UTC), "21 Nov 06:00"), (None, "–"), ("ok", "ok"), (3, "3"),
    (3.14159, "3.14")])
def test_cells(value: Any, text: str) -> None:
    assert cell(value, "short", 2) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.sampled_from(["short", "s"]))
def test_ticks_lie_within_and_are_few(low: float, span: float, unit: str) -> None:
    found = ticks(low, low + span, unit)
    assert all(low - 1e-6 * span <= one <= low + span * (1 + 1e-6) for one in found)
    assert len(found) <= 7


def test_ticks_of_seconds_are_round_hours() -> None:
    assert ticks(0, 36000, "s") == [0, 7200, 14400, 21600, 28800, 36000]
