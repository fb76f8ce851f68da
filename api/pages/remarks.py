"""What the report says of a vital beside its curve: flagged readings, and changes that last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from api.coverage import HOUR
from api.pages.render import moment
from clinical.quality import LABELS, Flag
from clinical.vitals import SPECS, Vital
from forecasting.detectors.charts import Kind
from registry.quality_reading import FlaggedHour
from registry.views import Change

MARKS = {True: "reading kept out", False: "reading flagged, but used"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The flags of hour number `at` of the chart; `words` are their reasons."""

    at: int
    keeps_out: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagLine:
    """The readings with one flag; `reason` is that of one of the last of them, at `last`."""

    words: str
    keeps_out: bool
    last: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarks:
    """Of one vital. Marks of what is kept out stand last, so that they are drawn on top.

    `changes` tell how the vital departed from what its models were trained on.
    """

    marks: tuple[Mark, ...]
    flags: tuple[FlagLine, ...]
    changes: tuple[str, ...]


def remarks_of(vital: str, flagged: Iterable[FlaggedHour], changes: Iterable[Change],
               start: datetime) -> Remarks:
    """The remarks on a vital, for a chart that begins at `start`; what is kept out first."""
    own = [one for one in flagged if one.vital == vital]
    lasting = [one for one in changes if one.vital == vital and one.closed_at is None]
    moved = any(one.kind == Kind.LEVEL for one in lasting)
    by_hour = groupby(sorted(own, key=attrgetter("hour")), key=attrgetter("hour"))
    by_flag = groupby(sorted(own, key=_kind), key=_kind)
    return Remarks(
        marks=tuple(sorted((_mark(hour, list(several), start) for hour, several in by_hour),
                           key=lambda one: (one.keeps_out, one.at))),
        flags=tuple(_line(list(several)) for _, several in by_flag),
        # What rises or falls varies too: its level says it all.
        changes=tuple(_since(one) for one in lasting if not (moved and one.kind == Kind.SPREAD)))


def mark_kinds(remarks: Mapping[str, Remarks]) -> tuple[tuple[bool, str], ...]:
    """(kept out, words) of the kinds of marks that any of the charts shows."""
    shown = {mark.keeps_out for one in remarks.values() for mark in one.marks}
    return tuple((keeps_out, said) for keeps_out, said in MARKS.items() if keeps_out in shown)


def _since(one: Change) -> str:
    """A change stands under its vital, whose name would be told twice."""
    said = one.words.removeprefix(f"{SPECS[Vital(one.vital)].label}: ")
    return f"Changed since {moment(one.began)}: {said} Found {moment(one.detected)}."


def _kind(one: FlaggedHour) -> tuple[bool, str]:
    return not one.keeps_out, one.flag


def _mark(hour: datetime, several: Sequence[FlaggedHour], start: datetime) -> Mark:
    return Mark(at=(hour - start) // HOUR, keeps_out=any(one.keeps_out for one in several),
                words="; ".join(f"{'kept out' if one.keeps_out else LABELS[Flag(one.flag)]}: "
                                f"{one.reason}" for one in sorted(several, key=_kind)))


def _line(several: Sequence[FlaggedHour]) -> FlagLine:
    last = max(several, key=attrgetter("hour"))
    count = sum(one.readings for one in several)
    done = "kept out" if last.keeps_out else "flagged, but used"
    return FlagLine(
        words=f"{count} reading{'' if count == 1 else 's'} {done}: {LABELS[Flag(last.flag)]}",
        keeps_out=last.keeps_out, last=last.hour, reason=last.reason)
