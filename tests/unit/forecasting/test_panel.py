import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.members import holdback_hours
from forecasting.panel import CHUNK, Panel, first_observed, holdbacks
from forecasting.types import FloatArray, GridError
from tests.reference import series

CONFIG = EngineConfig()


def a_panel(y: FloatArray) -> Panel:
    return Panel(start=series.START, y=y, config=CONFIG, vital=None)


def test_a_history_begins_at_its_first_observed_hour() -> None:
    y = np.full((4, 336), 70.0)
    y[1, :100], y[2], y[3, 50:] = np.nan, np.nan, np.nan
    assert first_observed(y).tolist() == [0, 100, 336, 0]
    assert holdbacks(y, CONFIG).tolist() == [holdback_hours(n, CONFIG) for n in (336, 236, 0, 336)]
    assert first_observed(y[:, :0]).tolist() == [0] * 4


def test_half_of_a_short_history_is_never_held_back() -> None:
    y = np.full((2, 48), 70.0)
    y[1, :5] = np.nan
    assert holdbacks(y, CONFIG).tolist() == [16, 0]


def test_hours_that_no_fit_can_take_are_refused() -> None:
    with pytest.raises(GridError, match="hour 2 of series 1 is infinite"):
        a_panel(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, np.inf]]))
    with pytest.raises(GridError, match=r"\(series, hours\)"):
        a_panel(np.zeros(3))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_series_is_worked_on_once_and_in_order(threads: int) -> None:
    panel = a_panel(np.zeros((CHUNK + 7, 2)))
    parts = panel.chunked(lambda rows: np.arange(panel.series)[rows].tolist(), threads)
    assert [s for part in parts for s in part] == list(range(panel.series))
    assert max(len(part) for part in parts) <= CHUNK and len(parts) >= threads


def test_an_empty_panel_has_no_work() -> None:
    assert a_panel(np.zeros((0, 5))).chunked(lambda rows: rows, 2) == []
