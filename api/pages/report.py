"""What one patient's report shows, read in a handful of queries and laid out for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.explanations import explain_forecasts
from api.pages.accuracy import AccuracyLine, accuracy_line
from api.pages.entries import RECENT, EntryLine, entry_lines
from api.pages.gaps import Gaps, gaps_of, legend
from api.pages.making import Making, making
from api.pages.remarks import Remarks, mark_kinds, remarks_of
from api.pages.render import age, duration
from api.pages.worklist import is_stale
from api.schemas import ACCURACY_DAYS
from api.standing import Standing, standing
from clinical.news2 import PARAMETERS
from clinical.severity import INTENDED_USE
from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from registry.outlook_document import OutlookDocument
from registry.reading import Reading
from registry.views import Access, CoverageDay, Forecast, Freshness, Hour, Json, Link, Night

HISTORY = timedelta(days=7)
HOUR = timedelta(hours=1)
VITALS = tuple(vital.value for vital in FORECAST_VITALS)
PARAMETER_LABELS = {
    **{vital.value: SPECS[vital].label for vital in FORECAST_VITALS},
    "supplemental_oxygen": "Supplemental oxygen", "consciousness": "Consciousness",
}
NO_FORECAST = "no cycle has made one yet"
YES_NO = {True: "yes", False: "no (air)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """One of the seven inputs: the value used and its points, or why there is none."""

    label: str
    value: str
    age: str
    points: int | None
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HourAhead:
    """One hour of the outlook; `bands` are shares from low to high."""

    lead: int
    start: datetime
    p_medium: float
    p_high: float
    bands: tuple[tuple[str, float], ...]
    likely: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Freshness of one vital; `night` where only a vendor's mean of a night or a day is known."""

    label: str
    value: str
    age: str
    newest: datetime | None
    provider: str
    last_day: int
    night: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """Everything of the report. `protocol` is stored JSON, {} where absent.

    nights_alone  whether any chart shows means of nights, for want of hourly ones
    changed       the scored vitals that have departed from what their models were trained on
    """

    standing: Standing
    now: datetime
    as_of: datetime
    cycle_age: str
    stale: bool
    lines: tuple[ScoreLine, ...]
    sentences: tuple[str, ...]
    deviations: tuple[str, ...]
    caveats: tuple[str, ...]
    hours: tuple[HourAhead, ...]
    outlook: OutlookDocument
    drivers: tuple[tuple[str, float, float], ...]
    protocol: Json
    sources: tuple[Source, ...]
    links: tuple[Link, ...]
    makings: tuple[Making, ...]
    accuracy: tuple[AccuracyLine, ...]
    accuracy_days: int
    entries: tuple[EntryLine, ...]
    entry_days: int
    charts: Mapping[str, Any]
    nights_alone: bool
    changed: tuple[str, ...]
    gaps: Mapping[str, Gaps]
    gap_kinds: tuple[tuple[str, str], ...]
    remarks: Mapping[str, Remarks]
    mark_kinds: tuple[tuple[bool, str], ...]
    intended_use: str


def report_view(
    reading: Reading, access: Access, patient_id: str, now: datetime
) -> ReportView:
    """The report of a patient. PatientNotFound outside `access`."""
    place = standing(reading.patient(access, patient_id))
    severity = reading.severity(access, patient_id)
    forecasts = reading.forecasts(access, patient_id, VITALS)
    as_of = severity.cutoff if severity else now.replace(minute=0, second=0, microsecond=0)
    series = reading.series(access, patient_id, VITALS, as_of - HISTORY, as_of)
    nights = _nights_alone(series, reading.nights(access, patient_id, VITALS, as_of - HISTORY,
                                                  as_of))
    fresh = reading.freshness(access, patient_id, VITALS, as_of)
    entries = reading.entries(access, patient_id, now - RECENT)
    scored = reading.accuracy(access, patient_id, VITALS, timedelta(days=ACCURACY_DAYS))
    gaps = _gaps(reading.coverage(access, patient_id, VITALS, (as_of - HISTORY).date(),
                                  as_of.date()), forecasts, as_of)
    flagged = reading.quality.flagged_hours(access, patient_id, VITALS, as_of - HISTORY, as_of)
    changes = reading.changes(access, patient_id, timedelta())
    remarks = {vital: remarks_of(vital, flagged, changes, as_of - HISTORY) for vital in VITALS}
    current = severity.current if severity else {}
    outlook = OutlookDocument.from_json(severity.outlook if severity else None)
    return ReportView(
        standing=place, now=now, as_of=as_of, cycle_age=age(place.cutoff, now),
        stale=is_stale(place.cutoff, now),
        lines=_score_lines(current), sentences=tuple(current.get("explanation") or ()),
        deviations=tuple(one["sentence"] for one in current.get("baseline") or ()),
        caveats=tuple(current.get("caveats") or ()),
        hours=_hours(outlook, as_of), outlook=outlook, drivers=_drivers(outlook),
        protocol=severity.protocol if severity else {},
        sources=tuple(_source(one, nights.get(one.vital), now) for one in fresh),
        links=reading.links(access, patient_id),
        makings=_makings(reading, access, patient_id, forecasts, fresh),
        accuracy=tuple(accuracy_line(one) for one in scored), accuracy_days=ACCURACY_DAYS,
        entries=entry_lines(entries, place.cutoff), entry_days=RECENT.days,
        charts=_charts(series, nights, forecasts, as_of, gaps, remarks),
        nights_alone=bool(nights), changed=_changed(outlook, remarks), gaps=gaps,
        gap_kinds=legend(gaps), remarks=remarks, mark_kinds=mark_kinds(remarks),
        intended_use=INTENDED_USE,
    )


def _score_lines(current: Json) -> tuple[ScoreLine, ...]:
    """The seven inputs in the order of the chart; none where NEWS2 does not apply."""
    score = current.get("score")
    if not score:
        return ()
    inputs, points = current.get("inputs") or {}, score.get("points") or {}
    return tuple(_score_line(name, inputs.get(name) or {}, points.get(name))
                 for name in PARAMETERS)


def _score_line(name: str, used: Json, points: int | None) -> ScoreLine:
    age_hours = used.get("age_hours")
    return ScoreLine(
        label=PARAMETER_LABELS[name], value=_input_text(name, used.get("value")),
        age="" if age_hours is None else duration(60 * age_hours), points=points,
        missing=str(used.get("missing") or "not known") if points is None else "",
    )


def _input_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "supplemental_oxygen":
        return YES_NO[bool(value)]
    return str(value) if name == "consciousness" else _with_unit(name, float(value))


def _with_unit(vital: str, value: float) -> str:
    spec = SPECS[Vital(vital)]
    digits = 1 if spec.resolution < 1 else 0
    return f"{value:.{digits}f} {spec.display_unit}"


def _hours(outlook: OutlookDocument, as_of: datetime) -> tuple[HourAhead, ...]:
    return tuple(
        HourAhead(
            lead=hour.lead, start=as_of + timedelta(hours=hour.lead - 1),
            p_medium=hour.p_medium_or_more, p_high=hour.p_high, bands=hour.bands,
            likely=hour.most_likely_band,
        )
        for hour in outlook.hours
    )


def _drivers(outlook: OutlookDocument) -> tuple[tuple[str, float, float], ...]:
    return tuple((PARAMETER_LABELS[one.vital], one.mean_points, one.expected_points)
                 for one in outlook.drivers)


def _nights_alone(series: Mapping[str, Sequence[Hour]],
                  nights: Sequence[Night]) -> dict[str, list[Night]]:
    """By vital, where it has no hour in the chart: there a night's mean is all that is known."""
    found: dict[str, list[Night]] = {}
    for one in nights:
        if not any(hour.readings for hour in series[one.vital]):
            found.setdefault(one.vital, []).append(one)
    return found


def _changed(outlook: OutlookDocument, remarks: Mapping[str, Remarks]) -> tuple[str, ...]:
    return tuple(SPECS[Vital(one.vital)].noun for one in outlook.drivers
                 if remarks[one.vital].changes)


def _source(one: Freshness, nights: Sequence[Night] | None, now: datetime) -> Source:
    """The newest reading; where there is none, the newest mean of a night."""
    if one.newest is None and nights:
        last = nights[-1]
        return Source(
            label=PARAMETER_LABELS[one.vital], value=_with_unit(one.vital, last.mean),
            age=age(last.until, now), newest=last.until, provider=last.provider, last_day=0,
            night=True)
    value = "" if one.newest_value is None else _with_unit(one.vital, one.newest_value)
    return Source(
        label=PARAMETER_LABELS[one.vital], value=value, age=age(one.newest, now),
        newest=one.newest, provider=one.provider or "", last_day=one.last_day, night=False,
    )


def _makings(
    reading: Reading, access: Access, patient_id: str, forecasts: Sequence[Forecast],
    fresh: Sequence[Freshness],
) -> tuple[Making, ...]:
    """With times of day as the patient's own clock has them, where the newest reading tells it."""
    offsets = {one.vital: timedelta(seconds=one.utc_offset_s) for one in fresh
               if one.utc_offset_s is not None}
    found = explain_forecasts(reading, access, patient_id, forecasts, offsets)
    return tuple(making(one) for one in found)


def _gaps(days: Sequence[CoverageDay], forecasts: Sequence[Forecast],
          as_of: datetime) -> dict[str, Gaps]:
    """By vital, laid out as wide as its chart."""
    start = as_of - HISTORY
    ends = {one.vital: one.cutoff + len(one.point) * HOUR for one in forecasts}
    return {vital: gaps_of(vital, days, start, as_of,
                           (max(ends.get(vital, as_of), as_of) - start) // HOUR)
            for vital in VITALS}


def _charts(
    series: Mapping[str, Sequence[Hour]], nights: Mapping[str, Sequence[Night]],
    forecasts: Sequence[Forecast], as_of: datetime, gaps: Mapping[str, Gaps],
    remarks: Mapping[str, Remarks],
) -> dict[str, Any]:
    """The data block that `charts.js` draws: seconds since 1970 and values, null for a gap."""
    ahead = {forecast.vital: forecast for forecast in forecasts}
    return {
        "now": as_of.timestamp(),
        "vitals": [
            {**_chart(vital, series[vital], ahead.get(vital), gaps[vital].now),
             "nights": [[_middle(one, series[vital]), one.mean] for one in nights.get(vital, ())],
             "gaps": [[bar.at, bar.at + bar.hours, bar.words] for bar in gaps[vital].bars],
             "flags": [[one.at, one.keeps_out, one.words] for one in remarks[vital].marks]}
            for vital in VITALS],
    }


def _middle(night: Night, hours: Sequence[Hour]) -> int:
    """The number of the hour that a night's mean is drawn in, at most the last one."""
    middle = night.start + (night.until - night.start) / 2
    return min((middle - hours[0].start) // HOUR, len(hours) - 1)


def _chart(vital: str, hours: Sequence[Hour], forecast: Forecast | None,
           missing: str) -> dict[str, Any]:
    """`missing` is why there is no reading now: that also tells why there is no forecast."""
    spec = SPECS[Vital(vital)]
    chart: dict[str, Any] = {
        "vital": vital, "label": spec.label, "unit": spec.display_unit,
        "digits": 1 if spec.resolution < 1 else 0,
        "start": hours[0].start.timestamp(), "history": [hour.mean for hour in hours],
        "reason": forecast.reason if forecast else None if missing else NO_FORECAST,
        "forecast": None,
    }
    if forecast is not None and forecast.point:
        chart["forecast"] = {
            "start": forecast.cutoff.timestamp(), "median": forecast.point,
            "fans": {str(level): [interval.lower, interval.upper]
                     for level, interval in forecast.intervals.items()},
        }
    return chart
