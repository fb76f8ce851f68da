"""What rolling origins tell of a series is no more than what was observed since."""

import numpy as np
import pytest

from forecasting.config import LIGHT, EngineConfig
from forecasting.ensemble import Stored, forecast_panel
from forecasting.panel import Panel
from forecasting.policy import Plan
from forecasting.provenance import Provenance
from forecasting.training import TrainedSeries, train_panel
from forecasting.types import FloatArray
from forecasting.weighing import telling_origins
from tests.reference import series

CONFIG = EngineConfig(members=LIGHT)
HOURS, SERIES = 336, 60
RNG = np.random.default_rng(5)


def walks() -> FloatArray:
    """Series that return slowly to 70, with the day to come."""
    y = np.zeros((SERIES, HOURS + 24))
    for hour in range(1, y.shape[1]):
        y[:, hour] = 0.8 * y[:, hour - 1] + RNG.normal(0, 3, SERIES)
    return 70 + y


WALKS = walks()


def trained(observed: int) -> list[TrainedSeries]:
    """Of the held-back hours of each series only so many are observed."""
    y = WALKS[:, :HOURS].copy()
    for row in y:
        row[RNG.permutation(96)[observed:] + HOURS - 96] = np.nan
    searches = [dict.fromkeys(LIGHT, Plan(made_by="search"))] * SERIES
    return train_panel(Panel(start=series.START, y=y, config=CONFIG, vital=None), searches,
                       given=[{}] * SERIES, absent=[{}] * SERIES,
                       provenance=Provenance(code_version="test"))


def covered(made: list[TrainedSeries], level: int) -> float:
    after = Panel(start=made[0].members["profile"].grid.cutoff, y=np.zeros((SERIES, 0)),
                  config=CONFIG, vital=None)
    lower, upper = forecast_panel(after, [
        Stored(ensemble=one.ensemble, members=one.members, absent={})
        for one in made if one.ensemble is not None]).bounds[level]
    future = WALKS[:, HOURS:]
    return float(((lower <= future) & (future <= upper)).mean())


def test_origins_tell_no_more_than_hours_were_observed() -> None:
    y = np.full((4, HOURS), 70.0)
    y[1, -96::2], y[2, -96:-2], y[3, -96:] = np.nan, np.nan, np.nan
    y[0, :-96] = np.nan
    assert telling_origins(y, np.full(4, 32)).tolist() == [32, 32, 2, 0]


@pytest.mark.parametrize("observed", [1, 2, 4, 96])
def test_bounds_cover_what_they_say_however_few_hours_judge_them(observed: int) -> None:
    made = trained(observed)
    assert covered(made, 95) >= 0.9 and covered(made, 80) >= 0.74


def test_nobody_is_left_out_on_the_word_of_two_hours() -> None:
    made = trained(2)
    assert all(not one.ensemble.figures["left_out"] and one.ensemble.figures["origins"] == 2
               for one in made if one.ensemble is not None)
