"""Beginnings, ends, what is held back and what is too little, beside one row at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.config import EngineConfig
from forecasting.history import first_observed, holdbacks, span, too_little, unread

CONFIG = EngineConfig()
HOURS = st.lists(st.sampled_from([np.nan, 70.0, 71.0, 90.0]), min_size=60, max_size=60)


def test_a_history_begins_at_its_first_observed_hour() -> None:
    y = np.full((4, 336), 70.0)
    y[1, :100], y[2], y[3, 50:] = np.nan, np.nan, np.nan
    assert first_observed(y).tolist() == [0, 100, 336, 0]
    assert unread(y).tolist() == [0, 0, 336, 286]
    assert first_observed(y[:, :0]).tolist() == unread(y[:, :0]).tolist() == [0] * 4


@pytest.mark.parametrize(("hours", "held"), [(0, 0), (43, 0), (44, 14), (120, 40), (336, 96)])
def test_a_third_of_a_short_history_is_held_back_and_nothing_of_a_shorter(
        hours: int, held: int) -> None:
    y = np.full((2, 400), 70.0)
    y[0, :400 - hours] = np.nan
    assert holdbacks(y, CONFIG).tolist() == [held, 96]


@given(st.lists(HOURS, min_size=1, max_size=4))
def test_rows_are_judged_one_by_one(rows: list[list[float]]) -> None:
    y = np.array(rows)
    low, high = span(y)
    reasons = too_little(y, CONFIG)
    for s, row in enumerate(y):
        known = row[~np.isnan(row)]
        assert (low[s], high[s]) == ((known.min(), known.max()) if known.size else
                                     (np.inf, -np.inf))
        enough = known.size >= CONFIG.min_observed and np.ptp(known) > 0
        inner = np.trim_zeros(~np.isnan(row))
        assert (s not in reasons) == (enough and known.size >= 0.2 * inner.size)
