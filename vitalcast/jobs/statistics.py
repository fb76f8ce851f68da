"""The descriptive statistics that every training and every forecast leaves of its series."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan

import numpy as np

from forecasting.grid import data_hash
from registry.models import StatisticsRow
from registry.panels import HourlyPanel
from vitalcast.cycle import HOUR


def statistics_rows(panel: HourlyPanel, *, job: str, cutoff: datetime,
                    horizon: int) -> list[StatisticsRow]:
    """Statistics of each series' readings and hours in the window that ends at `cutoff`."""
    hours = panel.y.shape[1]
    columns = zip(
        panel.patients, panel.y, panel.entries.tolist(), np.isnan(panel.y).sum(axis=1).tolist(),
        _times(panel.first_s.tolist()), _times(panel.last_s.tolist()), panel.minimum.tolist(),
        panel.maximum.tolist(), panel.mean.tolist(), panel.std.tolist(),
        panel.mean_gap_s.tolist(), strict=True)
    return [
        StatisticsRow(
            patient_id=patient, vital=panel.vital.value, job=job, cutoff=cutoff, entries=entries,
            hours=hours, missing=missing, fact_start=panel.start, fact_end=cutoff,
            forecast_start=cutoff, forecast_end=cutoff + horizon * HOUR, first_time=first,
            last_time=last, minimum=minimum, maximum=maximum, mean=mean, std=std,
            mean_gap_s=known(gap), data_hash=data_hash(y))
        for patient, y, entries, missing, first, last, minimum, maximum, mean, std, gap in columns
    ]


def _times(seconds: Sequence[int]) -> list[datetime]:
    return [datetime.fromtimestamp(one, UTC) for one in seconds]


def known(figure: float) -> float | None:
    """None where nobody could tell: what NaN is in arrays."""
    return None if isnan(figure) else float(figure)
