"""What the work list shows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.coverage import Lack, lacks_of
from api.pages.render import age
from api.standing import Standing, standing
from registry.views import Patient, PatientList

# A cycle is due every hour; one that is two hours old has missed its turn.
STALE_CYCLE = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A patient's line; `reading_age` and `stale` are against the clock on the wall.

    `lacks` are the vitals that are missing as of the latest cycle, and why.
    """

    standing: Standing
    reading_age: str
    stale: bool
    lacks: tuple[Lack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkListView:
    """A page of lines; `cutoff` is the newest cycle among them."""

    lines: tuple[Line, ...]
    total: int
    first: int
    previous_offset: int | None
    next_offset: int | None
    cutoff: datetime | None
    cycle_age: str
    stale: bool


def work_list_view(found: PatientList, offset: int, size: int, now: datetime) -> WorkListView:
    """Lines in the order given, with where the neighbouring pages begin."""
    lines = tuple(_line(patient, now) for patient in found.patients)
    cutoff = max((line.standing.cutoff for line in lines if line.standing.cutoff), default=None)
    end = offset + len(lines)
    return WorkListView(
        lines=lines, total=found.total, first=offset + 1, cutoff=cutoff,
        previous_offset=max(0, offset - size) if offset else None,
        next_offset=end if end < found.total else None,
        cycle_age=age(cutoff, now), stale=is_stale(cutoff, now),
    )


def is_stale(cutoff: datetime | None, now: datetime) -> bool:
    """Whether the latest cycle is so old that the next one must have failed."""
    return cutoff is not None and now - cutoff >= STALE_CYCLE


def _line(patient: Patient, now: datetime) -> Line:
    found = standing(patient)
    return Line(standing=found, reading_age=age(found.newest_reading, now),
                stale=is_stale(found.cutoff, now), lacks=lacks_of(patient.coverage))
