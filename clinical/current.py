"""From readings to the inputs of a score now: the latest valid resting reading, and its age.

NEWS2 assumes rest, so readings in exercise are not used; an average over a night or a day is
not a current reading (it hides SpO2 lows). Readings expire. What is left out is told as a reason.
A time without a zone raises `InputError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.entries import parse_consciousness, parse_oxygen
from clinical.errors import InputError
from clinical.news2 import MEASURED, PARAMETERS, Inputs
from clinical.vitals import SPECS, Vital

DEFAULT_EXPIRY: Mapping[str, timedelta] = {
    "respiratory_rate": timedelta(hours=4),
    "spo2": timedelta(hours=4),
    "heart_rate": timedelta(hours=4),
    "body_temperature": timedelta(hours=12),
    "systolic_bp": timedelta(hours=24),
    "supplemental_oxygen": timedelta(hours=24),
    "consciousness": timedelta(hours=24),
}
"""How long a reading stays current. The two entries of people hold for a day: they are asked
once a day by the home-monitoring questionnaire (an assumption of this project)."""

ACTIVE = "active"
AVERAGES = frozenset({"night", "day"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading in the vital's own unit.

    context      sleep, rest, active or unknown: what the wearer was doing
    granularity  sample, interval, night or day: the stretch of time it stands for
    """

    vital: Vital
    value: float
    time: datetime
    context: str = "unknown"
    granularity: str = "sample"

    def __post_init__(self) -> None:
        _refuse_naive(self.vital, self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a person wrote: a questionnaire answer or a doctor's entry, as text."""

    item: str
    value: str
    time: datetime

    def __post_init__(self) -> None:
        _refuse_naive(self.item, self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Inputs of the score now. Each of `PARAMETERS` has either an age or a reason to be missing."""

    inputs: Inputs
    ages_minutes: Mapping[str, float]
    reasons: Mapping[str, str]


def is_current_kind(reading: Reading) -> bool:
    """Whether a reading may stand for the moment: resting, plausible, no nightly or daily mean."""
    return (reading.context != ACTIVE and reading.granularity not in AVERAGES
            and SPECS[reading.vital].plausible(reading.value))


def current_inputs(
    readings: Sequence[Reading],
    now: datetime,
    expiry: Mapping[str, timedelta] = DEFAULT_EXPIRY,
    *,
    entries: Sequence[Entry] = (),
    spo2_scale: int = 1,
) -> Current:
    """The latest valid resting reading of each vital at `now`, and the latest entries.

    A reading whose age is exactly its expiry is still used. Readings after `now` are not.
    `entries` may supply `supplemental_oxygen` and `consciousness`; `spo2_scale` 2 is a clinician's.
    """
    _refuse_naive("now", now)
    chosen = {name: _reading(name, readings, now, expiry[name]) if name in MEASURED
              else _entry(name, entries, now, expiry[name]) for name in PARAMETERS}
    found = {name: one for name, one in chosen.items() if not isinstance(one, str)}
    return Current(
        inputs=_inputs(found, spo2_scale),
        ages_minutes={name: (now - one.time) / timedelta(minutes=1) for name, one in found.items()},
        reasons={name: one for name, one in chosen.items() if isinstance(one, str)},
    )


def age_text(age: timedelta) -> str:
    """An age as a person says it: `35 min`, `6 h 10 min`, `3 days`."""
    minutes = round(age / timedelta(minutes=1))
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _reading(
    name: str, readings: Sequence[Reading], now: datetime, expiry: timedelta,
) -> Reading | str:
    """The reading to score, or why there is none."""
    past = [one for one in readings if one.vital == name and one.time <= now]
    usable = [one for one in past if is_current_kind(one)]
    if past and not usable:
        return "only readings in exercise, nightly or daily means, or implausible ones"
    if not usable:
        return "never measured"
    latest = max(usable, key=lambda one: (one.time, one.value))
    return _expired(now - latest.time, expiry) or latest


def _entry(name: str, entries: Sequence[Entry], now: datetime, expiry: timedelta) -> Entry | str:
    """The entry that holds, or why there is none."""
    past = [one for one in entries if one.item == name and one.time <= now and one.value.strip()]
    if not past:
        return "never entered"
    latest = max(past, key=lambda one: one.time)
    return _expired(now - latest.time, expiry) or latest


def _expired(age: timedelta, expiry: timedelta) -> str:
    """Why a value of this age is not used; empty while it is."""
    if age <= expiry:
        return ""
    return f"last known {age_text(age)} ago, expires after {age_text(expiry)}"


def _inputs(found: Mapping[str, Reading | Entry], spo2_scale: int) -> Inputs:
    measured = {name: float(found[name].value) for name in MEASURED if name in found}
    written = {name: str(one.value).strip() for name, one in found.items()}
    return Inputs(
        **measured,
        spo2_scale=spo2_scale,
        supplemental_oxygen=parse_oxygen(written.get("supplemental_oxygen", "")),
        consciousness=parse_consciousness(written.get("consciousness", "")),
    )


def _refuse_naive(name: str, time: datetime) -> None:
    if time.utcoffset() is None:
        raise InputError(name, f"{time.isoformat()} has no zone; give a timezone-aware time")
