"""The daily quality report as operators see it: totals, a fortnight's bars, tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from api.pages.render import duration
from clinical.quality import KEEPS_OUT, LABELS, Flag
from clinical.vitals import SPECS, Vital

TREND_DAYS = 14
# The picture of the days, in the units of its viewBox.
HEIGHT, DAY_WIDTH = 84.0, 24.0
TRENDS = {"readings": "Readings", "flagged": "Flags", "kept_out": "Kept out of forecasts",
          "late": "More than 72 h late", "refused": "Records refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBar:
    """One day: a bar from the bottom; `shown` marks the day of the report."""

    x: float
    y: float
    height: float
    text: str
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A total of each day, the oldest first; days without a report have no bar."""

    name: str
    label: str
    today: int
    most: int
    bars: tuple[DayBar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A provider's readings of a vital on the day."""

    provider: str
    vital: str
    patients: int
    readings: int
    hours: int
    late: int
    lateness: str
    flags: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """`report` is None where there is none of the day that was asked for, or none at all."""

    asked: date | None
    report: dict[str, Any] | None
    day: date | None = None
    before: date | None = None
    after: date | None = None
    trends: tuple[Trend, ...] = ()
    flags: tuple[tuple[str, int, bool], ...] = ()
    series: tuple[SeriesRow, ...] = ()
    gaps: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()


def quality_view(reports: Sequence[dict[str, Any]], *, asked: date | None) -> QualityView:
    """Lay out the newest of the reports, which come newest first."""
    days = [date.fromisoformat(one["day"]) for one in reports]
    if not reports or (asked is not None and days[0] != asked):
        return QualityView(asked=asked, report=None, before=days[0] if days else None)
    newest = reports[0]
    return QualityView(
        asked=asked, report=newest, day=days[0], before=days[1] if len(days) > 1 else None,
        after=days[0] + timedelta(days=1) if asked else None,
        trends=tuple(_trend(name, dict(zip(days, reports, strict=True)), days[0])
                     for name in TRENDS),
        flags=_flags(newest), series=tuple(_series(one) for one in newest["series"]),
        gaps=_gaps(newest))


def _trend(name: str, reports: dict[date, dict[str, Any]], last: date) -> Trend:
    totals = {day: int(one["totals"][name]) for day, one in reports.items()}
    most = max(totals.values())
    bars = []
    for place in range(TREND_DAYS):
        day = last - timedelta(days=TREND_DAYS - 1 - place)
        if day in totals:
            height = (HEIGHT - 4) * totals[day] / most if most else 0.0
            bars.append(DayBar(x=place * DAY_WIDTH, y=HEIGHT - height, height=height,
                               text=f"{day:%a %-d %b}: {totals[day]}", shown=day == last))
    return Trend(name=name, label=TRENDS[name], today=totals[last], most=most, bars=tuple(bars))


def _flags(report: dict[str, Any]) -> tuple[tuple[str, int, bool], ...]:
    counts: Counter[str] = Counter()
    for one in report["series"]:
        counts.update(one["flags"])
    return tuple((LABELS[Flag(flag)], count, Flag(flag) in KEEPS_OUT)
                 for flag, count in counts.most_common())


def _series(one: dict[str, Any]) -> SeriesRow:
    median, q95 = one["lateness_median_s"], one["lateness_q95_s"]
    return SeriesRow(
        provider=one["provider"].replace("_", " "), vital=_label(one["vital"]),
        patients=one["patients"], readings=one["readings"], hours=one["hours"], late=one["late"],
        lateness="–" if median is None else f"{duration(median / 60)}, {duration(q95 / 60)}",
        flags=", ".join(f"{LABELS[Flag(flag)]} {count}"
                        for flag, count in one["flags"].items()) or "–")


def _gaps(report: dict[str, Any]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    by_vital: dict[str, list[tuple[str, int]]] = {}
    for one in report["gaps"]:
        by_vital.setdefault(one["vital"], []).append(
            (one["state"].replace("_", " "), one["hours"]))
    return tuple((_label(vital), tuple(sorted(states, key=lambda state: -state[1])))
                 for vital, states in by_vital.items())


def _label(vital: str) -> str:
    return SPECS[Vital(vital)].label
