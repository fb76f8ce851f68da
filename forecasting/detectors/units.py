"""A changed unit: readings far from all that was usual, and in their place once converted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecasting.detectors.charts import Chart, Kind
from forecasting.types import BoolArray, FloatArray, IntArray

READINGS = 3
"""Hours that have to agree, or the two that there are."""

WITHIN = 4.0
"""A converted hour lies so many deviations of the training window around its mean, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Another unit of a vital: a value v of the vital's own unit is `factor` v + `offset` in it."""

    name: str
    factor: float
    offset: float = 0.0


OTHER_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "Cel": (Unit(name="°F", factor=1.8, offset=32.0), Unit(name="K", factor=1.0, offset=273.15)),
    "/min": (Unit(name="Hz", factor=1 / 60),),
    "%": (Unit(name="fractions of 1", factor=0.01),),
    "mm[Hg]": (Unit(name="kPa", factor=0.133322), Unit(name="cmHg", factor=0.1)),
}
"""By the UCUM unit of the vital: what devices and vendors are known to send instead."""


def unit_chart(y: FloatArray, centre: FloatArray, deviation: FloatArray, unit: str) -> Chart:
    """Whether the last observed hours of `y` (S, n) are in another unit than `unit`.

    `centre` and `deviation` (S,) are those of the training window. The score is the least distance
    of the last three observed hours (or two) from the centre, in deviations, if the same
    conversion brings all of them back to within 4; else 0. `size` is the conversion's number.
    """
    last, columns = _last(y)
    told = (~np.isnan(last)).sum(axis=1) >= READINGS - 1
    distance = np.abs(last - centre[:, None])
    far = np.where(np.isnan(distance), np.inf, distance).min(axis=1)
    score, size = np.zeros(len(y)), np.zeros(len(y))
    for number, other in enumerate(OTHER_UNITS.get(unit, ()), start=1):
        back = np.abs((last - other.offset) / other.factor - centre[:, None])
        fits = told & _all_known(back <= WITHIN * deviation[:, None], last)
        score[fits], size[fits] = (far / deviation)[fits], number
    return Chart(kind=Kind.UNIT, score=score, since=columns[:, 0], size=size)


def unit_named(unit: str, size: float) -> str:
    """The unit that a chart's `size` tells."""
    return OTHER_UNITS[unit][int(size) - 1].name


def _last(y: FloatArray) -> tuple[FloatArray, IntArray]:
    """The last three observed hours of each row and their columns, earliest first; NaN is none."""
    n = y.shape[1]
    known = ~np.isnan(y)
    place = np.where(known, np.arange(n), -1)
    columns = np.sort(place, axis=1)[:, -READINGS:]
    values = np.where(columns >= 0, np.take_along_axis(y, np.maximum(columns, 0), axis=1), np.nan)
    first = np.where(columns >= 0, columns, n).min(axis=1)
    return values, np.where(columns >= 0, columns, first[:, None])


def _all_known(fits: BoolArray, values: FloatArray) -> BoolArray:
    all_fit: BoolArray = np.asarray((fits | np.isnan(values)).all(axis=1))
    return all_fit
