"""Checks of the readings of one patient and vital, over arrays; nothing is left out or changed.

Every check but `clock_shift` looks at most `reach` to either side of a reading, so that a new
reading asks for its neighbours alone, and what stands at the end does not depend on the order of
arrival. The names follow QARTOD's tests of sensors' data (IOOS: gross range, spike, flat line).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from clinical.quality import LIMITS, NO_LIMITS, Flag, Limits
from clinical.vitals import SPECS, Vital

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
NEIGHBOUR_US = HOUR_US
"""Readings further apart do not speak about each other's jumps."""
FLAT_GAP_US = 2 * HOUR_US
"""A longer gap ends a flat line: hourly readings of which one is missing go on."""
AHEAD_US = 5 * MINUTE_US
"""A clock may be so far ahead: phones' and watches' clocks differ by seconds."""
UNCONFIRMED = 2
"""The newest reading has no one after it to contradict it: it must jump by so many limits."""

SHIFT_BIN_US = 15 * MINUTE_US
SHIFT_MOST_BINS = 14 * 4
"""Offsets from UTC go to 14 h, in quarters of an hour."""
SHIFT_LEAST_BINS = 24
SHIFT_LIKENESS = 0.9
SHIFT_GAIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """Readings of one vital of one patient in time order, arrays of shape (n,).

    times_us    when a reading begins, microseconds since 1970 UTC
    values      in the vital's own unit
    sources     a number a provider and device
    platforms   a number a provider, and route where one vendor gathers from several
    groups      a number a group id: systolic and diastolic of one measurement share it
    arrived_us  when it came; inf where it cannot have come early: a fetch withholds what is not
                over by its hour
    """

    vital: Vital
    times_us: IntArray
    values: FloatArray
    sources: IntArray
    platforms: IntArray
    groups: IntArray
    arrived_us: FloatArray

    @property
    def limits(self) -> Limits:
        """Of this vital."""
        return LIMITS.get(self.vital, NO_LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The reading at `index` has this flag."""

    index: int
    flag: Flag
    reason: str


def reach(vital: Vital) -> timedelta:
    """How far from a reading the checks of this vital look."""
    flat_hours = LIMITS.get(vital, NO_LIMITS).flat_hours
    flat = flat_hours * HOUR_US + FLAT_GAP_US if np.isfinite(flat_hours) else 0
    return timedelta(microseconds=max(flat, NEIGHBOUR_US))


def check(readings: Readings) -> list[Finding]:
    """Everything that the readings of one vital show by themselves, in no order."""
    return [*out_of_range(readings), *jumps(readings), *flat_lines(readings),
            *devices_differ(readings), *duplicates(readings), *clocks_ahead(readings)]


def out_of_range(readings: Readings) -> Iterator[Finding]:
    """Values that this release takes for implausible, whatever the one that stored them did."""
    spec = SPECS[readings.vital]
    odd = ~((readings.values >= spec.low) & (readings.values <= spec.high))
    return _findings(odd, Flag.OUT_OF_RANGE, lambda i: (
        f"{readings.values[i]:g} {spec.display_unit} is not between {spec.low:g} and "
        f"{spec.high:g}"))


def jumps(readings: Readings) -> Iterator[Finding]:
    """Readings that neither the one before nor the one after, of the same device, come near to.

    Both lie on the same side of it, further away than the limit and within the hour. A rise that
    the next reading confirms is none. The last reading of a device, which none confirms yet, is
    one where it is twice the limit away from the one before.
    """
    order = np.argsort(readings.sources, kind="stable")
    times, values = readings.times_us[order], readings.values[order]
    near = ((np.diff(readings.sources[order]) == 0) & (np.diff(times) <= NEIGHBOUR_US))
    step = np.where(near, np.diff(values), 0.0)
    before, after = np.append(0.0, step), np.append(-step, 0.0)
    limit = readings.limits.jump
    spike = (np.minimum(abs(before), abs(after)) > limit) & (before * after > 0)
    alone = ~np.append(near, False) & (abs(before) > UNCONFIRMED * limit)
    unit = SPECS[readings.vital].display_unit
    seconds = np.append(0, np.diff(times)) // 1_000_000
    told = {int(order[i]): _jump(before[i], int(seconds[i]), unit, confirmed=bool(spike[i]))
            for i in np.flatnonzero(spike | alone).tolist()}
    return (Finding(index=i, flag=Flag.JUMP, reason=reason) for i, reason in told.items())


def _jump(step: float, seconds: int, unit: str, *, confirmed: bool) -> str:
    return (f"{'up' if step > 0 else 'down'} by {abs(step):.4g} {unit} in {_span(seconds)}, "
            f"{'and back with the next reading' if confirmed else 'and no reading since'}")


def flat_lines(readings: Readings) -> Iterator[Finding]:
    """Every reading of a run of equal values of one device that lasts the vital's `flat_hours`."""
    hours = readings.limits.flat_hours
    order = np.argsort(readings.sources, kind="stable")
    times, values = readings.times_us[order], readings.values[order]
    if not times.size or not np.isfinite(hours):
        return iter(())
    breaks = ((np.diff(values) != 0) | (np.diff(readings.sources[order]) != 0)
              | (np.diff(times) > FLAT_GAP_US))
    run = np.append(0, np.cumsum(breaks))
    first = np.flatnonzero(np.append(True, breaks))
    last = np.append(first[1:], times.size) - 1
    flat = np.zeros(times.size, dtype=bool)
    flat[order] = (times[last] - times[first] >= hours * HOUR_US)[run]
    unit = SPECS[readings.vital].display_unit
    return _findings(flat, Flag.FLAT_LINE, lambda i: (
        f"{readings.values[i]:g} {unit} without a change for {hours:g} h or more"))


def devices_differ(readings: Readings) -> Iterator[Finding]:
    """Readings that another device's, in the same minute, is further from than devices err."""
    order = np.argsort(readings.times_us // MINUTE_US, kind="stable")
    minute = readings.times_us[order] // MINUTE_US
    sources, values = readings.sources[order], readings.values[order]
    most = np.zeros(order.size)
    for step in range(1, _crowd(minute) if np.unique(sources).size > 1 else 1):
        apart = np.where((minute[step:] == minute[:-step]) & (sources[step:] != sources[:-step]),
                         abs(values[step:] - values[:-step]), 0.0)
        np.maximum(most[step:], apart, out=most[step:])
        np.maximum(most[:-step], apart, out=most[:-step])
    away = np.empty_like(most)
    away[order] = most
    unit = SPECS[readings.vital].display_unit
    return _findings(away > readings.limits.differ, Flag.DEVICES_DIFFER, lambda i: (
        f"another device says {away[i]:.4g} {unit} more or less in the same minute"))


def _crowd(minute: IntArray) -> int:
    """How many readings the fullest minute has."""
    return int(np.unique(minute, return_counts=True)[1].max(initial=0))


def duplicates(readings: Readings) -> Iterator[Finding]:
    """Readings that another platform delivers too: same moment, same value.

    Of those of several platforms, the ones of the first stay without the flag.
    """
    order = np.lexsort((readings.platforms, readings.values, readings.times_us))
    times, values = readings.times_us[order], readings.values[order]
    again = np.append(False, (np.diff(times) == 0) & (np.diff(values) == 0))
    if not again.any():
        return iter(())
    first = np.maximum.accumulate(np.where(again, 0, np.arange(order.size)))
    copied = np.zeros(order.size, dtype=bool)
    platforms = readings.platforms[order]
    copied[order] = platforms != platforms[first]
    return _findings(copied, Flag.DUPLICATE, lambda _: "another platform delivers it too")


def clocks_ahead(readings: Readings) -> Iterator[Finding]:
    """Readings that came before they were taken: the device's clock or its zone is wrong."""
    ahead_us = readings.times_us - readings.arrived_us
    return _findings(ahead_us > AHEAD_US, Flag.CLOCK_AHEAD, lambda i: (
        f"begins {_span(int(ahead_us[i]) // 1_000_000)} after it arrived"))


def impossible_pairs(
    systolic: Readings, diastolic: Readings,
) -> tuple[list[Finding], list[Finding]]:
    """Blood pressures of one measurement whose systolic value is not above the diastolic one.

    One measurement is one device, one moment and one group. `sources` and `groups` must number
    both vitals alike.
    """
    count = systolic.times_us.size
    columns = [np.concatenate((getattr(systolic, name), getattr(diastolic, name)))
               for name in ("sources", "times_us", "groups")]
    order = np.lexsort(columns)
    differs = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    pair = np.empty_like(order)
    pair[order] = np.append(0, np.cumsum(differs))[:order.size]
    least, most = np.full(pair.size, np.inf), np.full(pair.size, -np.inf)
    np.minimum.at(least, pair[:count], systolic.values)
    np.maximum.at(most, pair[count:], diastolic.values)
    wrong = (least <= most)[pair]

    def told(i: int) -> str:
        return f"{least[pair[i]]:g} over {most[pair[i]]:g} mmHg in one measurement"

    return (list(_findings(wrong[:count], Flag.IMPOSSIBLE_PAIR, told)),
            list(_findings(wrong[count:], Flag.IMPOSSIBLE_PAIR, lambda i: told(count + i))))


def clock_shift(one: Readings, other: Readings) -> timedelta | None:
    """By how much the clock of `one` runs ahead of the clock of `other`; None where it cannot say.

    The shift, in quarters of an hour, at which means of quarters correlate best. It counts where
    their correlation r is then 0.9 or more, over 6 h or more, and 1 - r half of what it is without
    a shift: devices of one wearer whose clocks agree are alike to within their noise.
    """
    if not one.times_us.size or not other.times_us.size:
        return None
    start = min(one.times_us[0], other.times_us[0]) // SHIFT_BIN_US
    bins = max(one.times_us[-1], other.times_us[-1]) // SHIFT_BIN_US - start + 1
    mine, theirs = (_means(each, int(start), int(bins)) for each in (one, other))
    shifts = range(-SHIFT_MOST_BINS, SHIFT_MOST_BINS + 1)
    likeness = np.array([_likeness(mine, theirs, shift) for shift in shifts])
    best = int(likeness.argmax())
    unlike = 1 - likeness
    gained = unlike[best] <= SHIFT_GAIN * unlike[SHIFT_MOST_BINS] and best != SHIFT_MOST_BINS
    if likeness[best] < SHIFT_LIKENESS or not gained:
        return None
    return shifts[best] * timedelta(microseconds=SHIFT_BIN_US)


def _means(readings: Readings, start: int, bins: int) -> FloatArray:
    cell = readings.times_us // SHIFT_BIN_US - start
    sums = np.bincount(cell, weights=readings.values, minlength=bins)
    counts = np.bincount(cell, minlength=bins)
    means = np.full(bins, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _likeness(mine: FloatArray, theirs: FloatArray, shift: int) -> float:
    """Correlation of mine[t + shift] with theirs[t]; -1 where too little overlaps or varies."""
    size = mine.size - abs(shift)
    if size < SHIFT_LEAST_BINS:
        return -1.0
    a, b = mine[max(shift, 0):][:size], theirs[max(-shift, 0):][:size]
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < SHIFT_LEAST_BINS:
        return -1.0
    a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else -1.0


def _findings(found: BoolArray, flag: Flag, reason: Callable[[int], str]) -> Iterator[Finding]:
    return (Finding(index=i, flag=flag, reason=reason(i))
            for i in np.flatnonzero(found).tolist())


def _span(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.3g} h"


def numbered(names: Sequence[str]) -> IntArray:
    """A number for each name: equal for equal names, in the order of the names."""
    order = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([order[name] for name in names], dtype=np.int64)
