"""The descriptive statistics that every training and every forecast leaves of its series."""

from datetime import datetime

from forecasting.grid import Grid, data_hash, describe
from registry.models import StatisticsRow
from registry.observations import Series
from vitalcast.cycle import HOUR


def statistics_row(series: Series, grid: Grid, *, job: str, cutoff: datetime,
                   horizon: int) -> StatisticsRow:
    """Statistics of the readings and hours of the window that ends at `cutoff`."""
    facts = describe(series.times_s, series.values, grid)
    return StatisticsRow(
        patient_id=series.patient_id, vital=series.vital, job=job, cutoff=cutoff,
        entries=facts.entries, hours=facts.hours, missing=facts.missing,
        fact_start=grid.start, fact_end=cutoff, forecast_start=cutoff,
        forecast_end=cutoff + horizon * HOUR,
        first_time=facts.first_time, last_time=facts.last_time, minimum=facts.minimum,
        maximum=facts.maximum, mean=facts.mean, std=facts.std, mean_gap_s=facts.mean_gap_s,
        data_hash=data_hash(grid.values))
