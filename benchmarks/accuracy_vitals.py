"""Figures of a set of vitals: errors, intervals and coverage, whole, per vital, bucket and tercile.

Beside the ensemble stand its own members, simple methods of one line and, where they were kept,
the library's models.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy_measures import (
    LEVELS,
    TERCILES,
    Difference,
    Said,
    bucket_slices,
    by_window,
    errors,
    inside,
    interval_scores,
    mean,
    paired,
    pinball_losses,
    terciles,
)
from benchmarks.accuracy_sets import DAY, Case, simple_paths
from forecasting.types import FloatArray

COVERED = (80, 95)
FIXED = {"mae_sNaive": "seasonal_naive", "mae_last": "last_value", "mae_mean24": "mean_of_last_day",
         "mae_hod7": "hour_of_day", "mae_AutoARIMA": "AutoARIMA", "mae_AutoETS": "AutoETS",
         "mae_AutoTheta": "AutoTheta", "mae_AutoTBATS": "AutoTBATS",
         "mae_ens_mean": "mean of the four", "mae_ens_median": "median of the four"}
"""Columns of the published reference, and what they are."""

Groups = Mapping[str, list[int]]


def simple(cases: Sequence[Case]) -> dict[str, list[Said]]:
    """The simple methods on every window."""
    made = [simple_paths(case.window.train, DAY) for case in cases]
    return {name: [Said(point=each[name]) for each in made] for name in made[0]}


def kept_reference(frame: pd.DataFrame, cases: Sequence[Case]) -> dict[str, list[Said]]:
    """The library's forecasts of these windows from the file that `accuracy_reference.py` made."""
    found: dict[str, list[Said]] = {}
    for model, rows in frame.groupby("model", sort=False):
        parts = {str(name): part for name, part in rows.groupby("unique_id")}
        found[str(model)] = [_said(parts[case.name]) for case in cases]
    return found


def _said(rows: pd.DataFrame) -> Said:
    ordered = rows.sort_values("lead")
    return Said(point=ordered["mean"].to_numpy(), bounds={
        level: (ordered[f"lo-{level}"].to_numpy(), ordered[f"hi-{level}"].to_numpy())
        for level in LEVELS})


def published_errors(table: pd.DataFrame, cases: Sequence[Case]) -> dict[str, FloatArray]:
    """MAE / scale by window of every published method."""
    rows = table.loc[[case.name for case in cases]]
    scales = np.array([case.scale for case in cases])
    return {name: rows[column].to_numpy() / scales for column, name in FIXED.items()}


def by_vital(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Indices of the windows of each vital."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        groups.setdefault(case.vital, []).append(index)
    return groups


def point_figures(cases: Sequence[Case], said: Sequence[Said]) -> dict[str, Any]:
    """MAE over scale (mean, and sum over sum), in units, and per bucket and vital."""
    table = errors(cases, said)
    scales = np.array([case.scale for case in cases])
    windows = by_window(table)
    return {
        "mae_over_scale": mean(windows),
        "sum_mae_over_sum_scale": float(np.nansum(windows * scales)
                                        / scales[~np.isnan(windows)].sum()),
        "buckets": {name: mean(by_window(table[:, leads]))
                    for name, leads in bucket_slices().items()},
        "vitals": {vital: {
            "mae_over_scale": mean(windows[rows]),
            "mae": mean(windows[rows] * scales[rows]),
            "buckets": {name: mean(by_window(table[rows][:, leads]))
                        for name, leads in bucket_slices().items()},
        } for vital, rows in by_vital(cases).items()},
    }


def interval_figures(cases: Sequence[Case], said: Sequence[Said]) -> dict[str, float]:
    """Mean interval scores and pinball loss, over scale."""
    return {**{f"interval_score_{level}": mean(by_window(interval_scores(cases, said, level)))
               for level in COVERED},
            "pinball": mean(by_window(pinball_losses(cases, said)))}


def coverage_figures(cases: Sequence[Case], said: Sequence[Said]) -> dict[str, Any]:
    """Coverage by level: in all, by bucket, by tercile of hours, by vital."""
    thirds, found = terciles(cases), {}
    for level in COVERED:
        hits = inside(cases, said, level)
        found[str(level)] = {
            "all": mean(hits),
            "buckets": {name: mean(hits[:, leads]) for name, leads in bucket_slices().items()},
            "terciles": {name: mean(hits[thirds == third])
                         for third, name in enumerate(TERCILES)},
            "vitals": {vital: mean(hits[rows]) for vital, rows in by_vital(cases).items()},
        }
    return found


def bucket_differences(cases: Sequence[Case], ensemble: Sequence[Said],
                       simple_said: Mapping[str, Sequence[Said]]
                       ) -> Iterator[tuple[str, str, str, Difference]]:
    """Vital, bucket, the better of last value and hour of day there, ensemble less that one."""
    own = errors(cases, ensemble)
    others = {name: errors(cases, simple_said[name]) for name in ("last_value", "hour_of_day")}
    for vital, rows in by_vital(cases).items():
        subjects = [cases[row].subject for row in rows]
        for name, leads in bucket_slices().items():
            losses = {other: by_window(table[rows][:, leads]) for other, table in others.items()}
            best = min(losses, key=lambda other: mean(losses[other]))
            difference = paired(by_window(own[rows][:, leads]), losses[best], subjects)
            yield vital, name, best, difference


def against_best(cases: Sequence[Case], ensemble: Sequence[Said],
                 methods: Mapping[str, FloatArray], rows: Sequence[int]) -> tuple[str, Difference]:
    """The method with the least mean loss on windows `rows`, and the ensemble less that one."""
    index = np.array(rows)
    best = min(methods, key=lambda name: mean(methods[name][index]))
    own = by_window(errors(cases, ensemble))
    return best, paired(own[index], methods[best][index], [cases[row].subject for row in rows])
