"""Judged hours as runs: stretches of time with one state and one cause; and what is missing now."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby

from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from providers.coverage import MISSING, State
from registry.views import CoverageDay

HOUR = timedelta(hours=1)
ALL = ("all vitals",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One judged hour; `why` is None where nothing is missing."""

    start: datetime
    state: State
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hours from `start` to `end` that share a state and a cause."""

    start: datetime
    end: datetime
    state: State
    why: str | None

    @property
    def hours(self) -> int:
        """How many there are."""
        return (self.end - self.start) // HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Vitals that are missing now in one state; `why` is the cause of the first of them."""

    state: str
    vitals: tuple[str, ...]
    why: str


def hours_of(days: Iterable[CoverageDay]) -> Iterator[Hour]:
    """The judged hours of one vital's days, in order."""
    for day in days:
        midnight = datetime.combine(day.day, time(), UTC)
        causes = dict(day.reasons)
        why = None
        for hour, state in enumerate(day.states):
            why = causes.get(hour, why)
            if state:
                yield Hour(start=midnight + hour * HOUR, state=State(state), why=why)


def runs_of(hours: Iterable[Hour], start: datetime, end: datetime) -> tuple[Run, ...]:
    """The hours of [start, end) as runs; hours that were not judged end one."""
    found: list[Run] = []
    for hour in hours:
        if not start <= hour.start < end:
            continue
        last = found[-1] if found else None
        if last and (last.end, last.state, last.why) == (hour.start, hour.state, hour.why):
            found[-1] = Run(start=last.start, end=hour.start + HOUR, state=hour.state,
                            why=hour.why)
        else:
            found.append(Run(start=hour.start, end=hour.start + HOUR, state=hour.state,
                             why=hour.why))
    return tuple(found)


def shares_of(runs: Sequence[Run]) -> dict[str, float]:
    """Share of the judged hours in each state that occurs, the most frequent first."""
    total = sum(run.hours for run in runs)
    counts = {state: sum(run.hours for run in runs if run.state is state)
              for state in {run.state for run in runs}}
    return {state.word: round(count / total, 4)
            for state, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))}


def lacks_of(days: Sequence[CoverageDay]) -> tuple[Lack, ...]:
    """What is missing in the last judged hour of each vital, and may need somebody to act.

    `days` are the newest of each vital; the most urgent state stands first.
    """
    last = [(day.vital, hours[-1]) for day in days if (hours := list(hours_of([day])))]
    lacking = sorted(((hour.state, vital, hour.why) for vital, hour in last
                      if hour.state in MISSING), key=lambda one: -one[0])
    return tuple(
        Lack(state=words(state), why=several[0][2] or "", vitals=ALL if
             len(several) == len(FORECAST_VITALS) else
             tuple(SPECS[Vital(one)].noun for _, one, _ in several))
        for state, group in groupby(lacking, key=lambda one: one[0]) for several in [list(group)])


def words(state: State) -> str:
    """The state as a person reads it."""
    return "ok" if state is State.OK else state.word.replace("_", " ")
