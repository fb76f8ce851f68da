"""Cycles as operators see them: how each went, why one was late or wrong. No patient is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.cycles import JOBS, CycleLine
from vitalcast.cycle_figures import Line
from vitalcast.explain import Explanation
from vitalcast.findings import duration

KEY = "%Y-%m-%dT%H"

_STATES = {"good": ("Good", "band-low"), "late": ("Late", "band-low-medium"),
           "incomplete": ("Not done", "band-low-medium"), "failed": ("Failed", "band-high")}


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRow:
    """A line of the list; `key` is the last part of its address."""

    key: str
    cycle: datetime
    state: str
    band: str
    took: str
    jobs: str
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A table of counts beside those of the last good cycle."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleView:
    """One cycle explained; `state` and `band` for its badge."""

    told: Explanation
    state: str
    band: str
    took: str
    good_took: str
    good_key: str
    counts: Sequence[Counts]


def cycle_row(line: CycleLine, now: datetime) -> CycleRow:
    """A cycle in the list."""
    name = "failed" if line.failed else "good" if line.good else (
        "late" if line.done else "incomplete")
    state, band = _STATES[name]
    took = ((line.ended_at if not line.running and line.ended_at else now)
            - line.started_at).total_seconds()
    return CycleRow(key=f"{line.cycle:{KEY}}", cycle=line.cycle, state=state, band=band,
                    took=duration(took), jobs=", ".join(job for job in JOBS if job in line.jobs),
                    cpu_seconds=line.cpu_seconds)


def cycle_view(told: Explanation) -> CycleView:
    """A cycle's page."""
    state, band = _STATES[told.state]
    tables = (("Fits", told.fits), ("Failed fits", told.failed_fits),
              ("Fetches that were not complete", told.fetches),
              ("Series of the last hour, by state", told.gaps))
    return CycleView(
        told=told, state=state, band=band, took=duration(told.seconds),
        good_took="" if told.good_seconds is None else duration(told.good_seconds),
        good_key="" if told.good is None else f"{told.good:{KEY}}",
        counts=[Counts(title=title, lines=lines) for title, lines in tables if lines])
