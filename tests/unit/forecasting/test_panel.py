import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.panel import CHUNK, Panel
from forecasting.types import FloatArray, GridError
from tests.reference import series

CONFIG = EngineConfig()


def a_panel(y: FloatArray) -> Panel:
    return Panel(start=series.START, y=y, config=CONFIG, vital=None)


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
