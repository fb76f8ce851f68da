"""M4 Hourly by the competition's own formulas (Makridakis, Spiliotis & Assimakopoulos 2020)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy_measures import Said, by_window, errors, inside, interval_scores, mean
from benchmarks.accuracy_sets import Case, simple_paths
from forecasting.types import FloatArray

MSIS_LEVEL = 95
SEASONS = (24, 168)


def naive_two(shared: Path) -> tuple[float, float]:
    """sMAPE and MASE of Naive2 as published: what OWA is relative to."""
    table = pd.read_csv(shared / "data" / "benchmark" / "m4_hourly_published_accuracy.csv",
                        index_col="method_id")
    return float(table["sMAPE"]["Naive2"]), float(table["MASE"]["Naive2"])


def smape(cases: Sequence[Case], said: Sequence[Said]) -> FloatArray:
    """Symmetric mean absolute percentage error of each series, 0 to 200."""
    return np.array([
        np.mean(200 * np.abs(case.window.test - each.point)
                / (np.abs(case.window.test) + np.abs(each.point)))
        for case, each in zip(cases, said, strict=True)])


def figures(cases: Sequence[Case], said: Sequence[Said],
            naive: tuple[float, float]) -> dict[str, float]:
    """sMAPE, MASE and OWA over all series; the scale of MASE is the seasonal naive's in-sample."""
    percent, scaled = mean(smape(cases, said)), mean(by_window(errors(cases, said)))
    return {"smape": percent, "mase": scaled,
            "owa": (percent / naive[0] + scaled / naive[1]) / 2}


def interval_figures(cases: Sequence[Case], said: Sequence[Said]) -> dict[str, float]:
    """MSIS at 95 % and coverage."""
    return {"msis": mean(interval_scores(cases, said, MSIS_LEVEL)),
            **{f"coverage_{level}": mean(inside(cases, said, level)) for level in (80, 95)}}


def report(cases: Sequence[Case], ensemble: Sequence[Said],
           members: dict[str, list[Said]], naive: tuple[float, float]) -> dict[str, Any]:
    """Figures of the ensemble, of the members that forecast every series, and of the check."""
    horizon = cases[0].window.test.size
    check = [Said(point=simple_paths(case.window.train, horizon)["seasonal_naive"])
             for case in cases]
    return {
        "series": len(cases),
        "ensemble": {**figures(cases, ensemble, naive), **interval_figures(cases, ensemble)},
        "members": {name: figures(cases, said, naive) for name, said in members.items()},
        "seasonal_naive_check": figures(cases, check, naive),
    }
