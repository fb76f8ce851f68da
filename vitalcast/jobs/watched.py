"""What a look at some series finds: charts of one vital, and the rows that they leave."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

import numpy as np

from clinical.vitals import SPECS, Vital
from forecasting.detectors.alarms import HOLD_HOURS, closing, opening
from forecasting.detectors.charts import (
    Chart,
    Compared,
    Hours,
    Kind,
    charts,
    compare,
    scaled_errors,
    skew_chart,
)
from forecasting.detectors.figures import Figures, figures_of
from forecasting.detectors.units import unit_chart
from forecasting.detectors.words import Change, words
from forecasting.types import FloatArray
from registry.drift import AnHourAhead, Arrived, DriftEvent, FigureRow, Key
from registry.panels import HourlyPanel
from vitalcast.cycle import HOUR
from vitalcast.jobs.statistics import known

HOLD = timedelta(hours=HOLD_HOURS)
DAY = timedelta(hours=24)
_ABSENCE = (Kind.MISSING, Kind.GAPS)
Statistics = Mapping[tuple[str, str, str], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """Charts of S series of one vital; `start` is the hour that each chart's `since` counts from.

    scale  (S,) usual deviation of each, to tell the size of a change in the vital's unit
    """

    vital: Vital
    patients: Sequence[str]
    charts: Sequence[tuple[Chart, datetime]]
    scale: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a block's series beside their hours."""

    statistics: Statistics
    arrived: Mapping[Key, Arrived]
    flagged: Mapping[Key, int]
    providers: Mapping[Key, str]


def look(panel: HourlyPanel, ahead: AnHourAhead, facts: Facts, *, usual: int,
         cycle: datetime) -> tuple[Seen, list[FigureRow]]:
    """All charts and figures of the series of a panel that ends at `cycle`."""
    spec = SPECS[panel.vital]
    errors = scaled_errors(panel.y, ahead.point, ahead.lower, ahead.upper, spec.resolution)
    compared = compare(Hours(y=panel.y, errors=errors, first=panel.start.hour, usual=usual,
                             resolution=spec.resolution))
    skew = _skew(panel.vital, panel.patients, facts.statistics)
    unit = _unit(panel.vital, panel.patients, facts)
    seen = Seen(vital=panel.vital, patients=panel.patients, scale=compared.usual.scale, charts=[
        *((chart, panel.start) for chart in charts(compared)), (unit, cycle - DAY),
        (skew, cycle - DAY)])
    return seen, list(_figures(panel, compared, skew, facts, cycle))


def glance(vital: Vital, patients: Sequence[str], facts: Facts, cycle: datetime) -> Seen:
    """The chart of a changed unit alone."""
    chart = _unit(vital, patients, facts)
    return Seen(vital=vital, patients=patients, charts=[(chart, cycle - DAY)],
                scale=np.ones(len(patients)))


def not_awaited(seen: Seen, patients: Collection[str]) -> Seen:
    """The same, where nothing counts as missing from `patients`: nobody sends their readings."""
    none = np.array([name in patients for name in seen.patients])
    return replace(seen, charts=[
        (replace(chart, score=np.where(none, 0, chart.score)) if chart.kind in _ABSENCE else chart,
         start) for chart, start in seen.charts])


def standing(found: Sequence[DriftEvent]) -> tuple[
        dict[tuple[str, str, str], DriftEvent], list[DriftEvent]]:
    """The last event of each series and kind, and those that it replaces, closed when it was found.

    Two are open where an hour was watched after a later one: nothing else would end the first.
    """
    last = {_key(one): one for one in sorted(found, key=lambda one: one.detected)}
    return last, [replace(one, closed_at=last[_key(one)].detected) for one in found
                  if one.closed_at is None and one is not last[_key(one)]]


def _key(one: DriftEvent) -> tuple[str, str, str]:
    return one.patient_id, one.vital, one.kind


def transitions(seen: Seen, last: Mapping[tuple[str, str, str], DriftEvent],
                thresholds: Mapping[Kind, float],
                cycle: datetime) -> tuple[list[DriftEvent], list[DriftEvent]]:
    """Events that begin, and those that stood before, with what has become of them.

    `last` is the last event of a series and kind found before `cycle`, as long as it is open or
    still holds another one off. One that an earlier run of this cycle closed counts as open.
    """
    begun: list[DriftEvent] = []
    before: list[DriftEvent] = []
    for chart, start in seen.charts:
        threshold = thresholds[chart.kind]
        earlier = [last.get((name, seen.vital.value, chart.kind.value))
                   for name in seen.patients]
        is_open = np.array([one is not None and _open_at(one, cycle) for one in earlier])
        ended = np.array([inf if one is None or one.closed_at is None
                          else (cycle - one.closed_at) / HOUR for one in earlier])
        for row in np.flatnonzero(opening(chart.score, threshold, is_open, ended)).tolist():
            begun.append(_event(seen, chart, row, threshold, start, cycle))
        ends = closing(chart.score, threshold, is_open)
        for row in np.flatnonzero(is_open).tolist():
            one = earlier[row]
            if one is not None:
                before.append(replace(one, closed_at=cycle if ends[row] else None))
    return begun, before


def _open_at(one: DriftEvent, cycle: datetime) -> bool:
    return one.closed_at is None or one.closed_at >= cycle


def _event(seen: Seen, chart: Chart, row: int, threshold: float, start: datetime,
           cycle: datetime) -> DriftEvent:
    change = Change(kind=chart.kind, vital=SPECS[seen.vital], size=float(chart.size[row]),
                    scale=float(seen.scale[row]))
    return DriftEvent(
        patient_id=seen.patients[row], vital=seen.vital.value, kind=chart.kind.value,
        detected=cycle, began=start + int(chart.since[row]) * HOUR,
        score=float(chart.score[row]), threshold=threshold, words=words(change))


def _skew(vital: Vital, patients: Sequence[str], statistics: Statistics) -> Chart:
    means, deviation = _trained(vital, patients, statistics)
    served = np.array([statistics.get((name, vital.value, "forecast"), (np.nan, np.nan))[0]
                       for name in patients])
    return skew_chart(served, means, deviation)


def _unit(vital: Vital, patients: Sequence[str], facts: Facts) -> Chart:
    nothing = np.full(DAY // HOUR, np.nan)
    arrived = [facts.arrived.get((name, vital.value)) for name in patients]
    y = np.array([nothing if one is None else one.y for one in arrived])
    return unit_chart(y, *_trained(vital, patients, facts.statistics), SPECS[vital].unit)


def _trained(vital: Vital, patients: Sequence[str],
             statistics: Statistics) -> tuple[FloatArray, FloatArray]:
    """Mean (S,) of what was trained on, NaN = never, and its deviation, at least the resolution."""
    found = np.array([statistics.get((name, vital.value, "train"), (np.nan, np.nan))
                      for name in patients])
    return found[:, 0], np.fmax(found[:, 1], SPECS[vital].resolution)


def _figures(panel: HourlyPanel, compared: Compared, skew: Chart, facts: Facts,
             cycle: datetime) -> Iterator[FigureRow]:
    told: Figures = figures_of(compared)
    age = cycle.timestamp() / 3600 - panel.last_s / 3600
    day = (cycle - HOUR).date().isoformat()
    for row, patient in enumerate(panel.patients):
        key = patient, panel.vital.value
        arrived = facts.arrived.get(key)
        served = (*key, "forecast") in facts.statistics and (*key, "train") in facts.statistics
        yield FigureRow(
            patient_id=patient, vital=panel.vital.value, day=day, cycle=cycle,
            provider=facts.providers.get(key), observed=int(told.observed[row]),
            missing_usual=known(told.missing_usual[row]),
            readings=arrived.readings if arrived else 0, flagged=facts.flagged.get(key, 0),
            psi=known(told.psi[row]), wasserstein=known(told.wasserstein[row]),
            level=known(told.level[row]), spread=known(told.spread[row]),
            error_ratio=known(told.error_ratio[row]), coverage_80=known(told.coverage[row]),
            skew=float(skew.size[row]) if served else None, age_h=known(age[row]))
