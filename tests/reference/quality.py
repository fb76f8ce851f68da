"""The checks of readings said plainly, one reading at a time, with all others at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.quality import LIMITS, NO_LIMITS
from clinical.vitals import SPECS, Vital

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A reading; `pushed_at` is None where it was fetched."""

    name: int
    vital: Vital
    time: datetime
    value: float
    platform: str = "withings"
    device: str = "watch"
    group: str = ""
    pushed_at: datetime | None = None

    @property
    def source(self) -> tuple[str, str]:
        return self.platform, self.device


def flags(all_readings: Sequence[Plain]) -> set[tuple[int, str]]:
    """The names and flags of all readings of a patient, given in the order of time and key."""
    return {(one.name, flag) for one in all_readings for flag in flags_of(one, all_readings)}


def flags_of(one: Plain, everything: Sequence[Plain]) -> set[str]:
    limits = LIMITS.get(one.vital, NO_LIMITS)
    spec = SPECS[one.vital]
    vital = [other for other in everything if other.vital == one.vital]
    own = [other for other in vital if other.source == one.source]
    at = own.index(one)
    before, after = own[at - 1:at] if at else [], own[at + 1:at + 2]
    found = set()
    if not spec.low <= one.value <= spec.high:
        found.add("out_of_range")
    if _jumps(one, before, after, limits.jump):
        found.add("jump")
    if _flat_for(one, own, at) >= limits.flat_hours:
        found.add("flat_line")
    if any(_differ(one, other, limits.differ) for other in vital):
        found.add("devices_differ")
    if any((other.time, other.value) == (one.time, one.value) and other.platform < one.platform
           for other in vital):
        found.add("duplicate")
    if one.pushed_at is not None and one.time - one.pushed_at > timedelta(minutes=5):
        found.add("clock_ahead")
    if _impossible(one, everything):
        found.add("impossible_pair")
    return found


def _differ(one: Plain, other: Plain, limit: float) -> bool:
    same_minute = other.time.replace(second=0) == one.time.replace(second=0)
    return other.source != one.source and same_minute and abs(other.value - one.value) > limit


def _jumps(one: Plain, before: Sequence[Plain], after: Sequence[Plain], limit: float) -> bool:
    rise = [one.value - other.value for other in before if one.time - other.time <= HOUR]
    fall = [one.value - other.value for other in after if other.time - one.time <= HOUR]
    if not rise:
        return False
    if not fall:
        return abs(rise[0]) > 2 * limit
    return min(rise[0], fall[0]) > limit or max(rise[0], fall[0]) < -limit


def _flat_for(one: Plain, own: Sequence[Plain], at: int) -> float:
    """Hours over which the readings around this one say the same without a gap over two hours."""
    first = last = at
    while first and own[first - 1].value == one.value and (
            own[first].time - own[first - 1].time <= 2 * HOUR):
        first -= 1
    while last + 1 < len(own) and own[last + 1].value == one.value and (
            own[last + 1].time - own[last].time <= 2 * HOUR):
        last += 1
    return (own[last].time - own[first].time) / HOUR


def _impossible(one: Plain, everything: Sequence[Plain]) -> bool:
    together = [other for other in everything if (
        other.source, other.time, other.group) == (one.source, one.time, one.group)]
    systolic = [other.value for other in together if other.vital is Vital.SYSTOLIC_BP]
    diastolic = [other.value for other in together if other.vital is Vital.DIASTOLIC_BP]
    return (one.vital in (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP) and bool(systolic)
            and bool(diastolic) and min(systolic) <= max(diastolic))
