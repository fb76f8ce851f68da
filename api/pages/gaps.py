"""What the report tells of hours without a reading: the strip under a chart, and words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.coverage import HOUR, Run, hours_of, runs_of, words
from api.pages.render import moment
from providers.coverage import STATES, State
from registry.views import CoverageDay

MOST_GAPS = 12
EXPLAINED = {
    State.OK: "a reading",
    State.WORN_NO_READING: "worn, but no reading",
    State.NOT_WORN: "not worn",
    State.NOT_MEASURED: "nobody measured",
    State.NOT_EXPECTED: "none to be expected",
    State.NOT_SYNCED: "not synced: may still come",
    State.FETCH_FAILED: "vendor not read: may still come",
    State.FORMAT_DISCREPANCY: "answer not understood",
    State.NOT_ENTITLED: "access not granted",
    State.UNSUPPORTED: "no device measures it",
    State.KEPT_OUT: "a reading, but kept out",
}
_QUIET = (State.OK, State.NOT_EXPECTED, State.UNSUPPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A run in the strip: from hour `at` of the chart on, `hours` wide."""

    at: float
    hours: int
    kind: str
    words: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A run in words; `until` has a date where it ends on another day than it began."""

    start: datetime
    until: str
    length: str
    state: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Of one vital. `now` is why the last hour has no reading, empty when it has one.

    `width` is the chart's in hours; `summary` counts the hours of each state; `gaps` are the
    latest, `more` how many there are besides.
    """

    bars: tuple[Bar, ...]
    width: int
    now: str
    summary: str
    gaps: tuple[Gap, ...]
    more: int


def gaps_of(vital: str, days: Sequence[CoverageDay], start: datetime, as_of: datetime,
            width: int) -> Gaps:
    """The gaps of a vital between `start` and `as_of`, for a chart of `width` hours."""
    runs = runs_of(hours_of(day for day in days if day.vital == vital), start, as_of)
    gaps = [run for run in reversed(runs) if run.state not in _QUIET]
    last = runs[-1] if runs and runs[-1].end == as_of else None
    return Gaps(
        bars=tuple(_bar(run, start) for run in runs if run.state is not State.OK), width=width,
        now="" if last is None else last.why or "", summary=_summary(runs),
        gaps=tuple(_gap(run) for run in gaps[:MOST_GAPS]),
        more=max(0, len(gaps) - MOST_GAPS))


def _gap(run: Run) -> Gap:
    same_day = run.start.date() == run.end.date()
    return Gap(start=run.start, until=f"{run.end:%H:%M UTC}" if same_day else moment(run.end),
               length=f"{run.hours} h", state=words(run.state), why=run.why or "")


def legend(gaps: Mapping[str, Gaps]) -> tuple[tuple[str, str], ...]:
    """(kind, words) of the states that any of the strips shows."""
    shown = {bar.kind for one in gaps.values() for bar in one.bars}
    return tuple((state.word, EXPLAINED[state]) for state in STATES if state.word in shown)


def _bar(run: Run, start: datetime) -> Bar:
    return Bar(at=(run.start - start) / HOUR, hours=run.hours, kind=run.state.word,
               words=words(run.state),
               title=f"{run.start:%a %d %b %H:%M} to {run.end:%a %d %b %H:%M} UTC, "
                     f"{words(run.state)}: {run.why or ''}")


def _summary(runs: Sequence[Run]) -> str:
    counts: Counter[State] = Counter()
    for run in runs:
        counts[run.state] += run.hours
    return ", ".join(f"{'a reading' if state is State.OK else words(state)} {hours} h"
                     for state, hours in sorted(counts.items()) if hours)
