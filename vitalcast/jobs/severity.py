"""Severity of every patient of a shard: now, over the forecast, and by the protocol's table.

What is stored is the wire form that the API and the pages read; docs/severity.md explains it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical import protocols
from clinical.current import Current, Entry, Reading, current_inputs
from clinical.distributions import quantiles_of
from clinical.news2 import MEASURED, Score
from clinical.outlook import Outlook, forecast_severities
from clinical.severity import (
    Deviation,
    Severity,
    baseline_deviation,
    severity_now,
    work_list_rank,
)
from clinical.vitals import Vital
from registry.database import Connection
from registry.forecasts import ForecastRow, SeverityRow
from registry.outlook_document import HourAhead, OutlookDocument, VitalsPart, WithinHours
from registry.panels import HourlyPanel
from registry.patients import Patient, load_entries, load_patients
from registry.readings import (
    DailyReading,
    civil_offsets,
    daily_readings,
    last_readings,
    nightly_readings,
)
from vitalcast.model_config import ModelConfig

Json = dict[str, Any]
FloatArray = npt.NDArray[np.float64]
Nights = Mapping[str, Sequence[tuple[datetime, float]]]

CURRENT_WINDOW = timedelta(hours=72)
SHOWN_DAYS = 5
PROTOCOL_WINDOW = timedelta(days=SHOWN_DAYS + 3)   # a prolonged fever may have begun before
NIGHTS_WINDOW = timedelta(days=30)
RECENT_NIGHT = timedelta(hours=48)
"""An older night than that is no sign of how a patient is: rings and watches sync late."""
BASELINE = Vital.SYSTOLIC_BP
"""The vital whose usual value protocols compare a day with."""
NIGHTLY = ("heart_rate", "respiratory_rate", "skin_temperature", "skin_temperature_deviation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of one patient up to the hour that is scored."""

    patient: Patient
    readings: Sequence[Reading]
    entries: Sequence[Entry]
    daily: Sequence[DailyReading]
    offset: timedelta
    nights: Nights


def severity_rows(
    conn: Connection, patients: Sequence[str], hour: datetime, config: ModelConfig,
    forecasts: Sequence[ForecastRow], panels: Mapping[Vital, HourlyPanel],
) -> list[SeverityRow]:
    """Severity of each patient at `hour`, from their readings, entries, hours and forecasts."""
    usual = np.full(len(patients), np.nan)
    if BASELINE in panels:
        place = {name: row for row, name in enumerate(patients)}
        panel = panels[BASELINE]
        usual[[place[name] for name in panel.patients]] = usual_values(panel.y)
    return list(severities(conn, patients, hour, config, forecast_quantiles(patients, forecasts),
                           usual))


def forecast_quantiles(
    patients: Sequence[str], forecasts: Sequence[ForecastRow],
) -> dict[str, FloatArray]:
    """Per vital that NEWS2 scores, (P, h, 7) of the P patients; NaN where there is no forecast."""
    place = {name: row for row, name in enumerate(patients)}
    by_vital: dict[str, list[ForecastRow]] = defaultdict(list)
    for one in forecasts:
        if one.reason is None and one.vital in MEASURED:
            by_vital[one.vital].append(one)
    found = {}
    for vital, rows in by_vital.items():
        stacked = quantiles_of(
            np.array([row.point for row in rows]),
            *({level: np.array([row.bounds[level][side] for row in rows])
               for level in rows[0].bounds} for side in (0, 1)))
        found[vital] = np.full((len(patients), *stacked.shape[1:]), np.nan)
        found[vital][[place[row.patient_id] for row in rows]] = stacked
    return found


def severities(
    conn: Connection, patients: Sequence[str], hour: datetime, config: ModelConfig,
    quantiles: Mapping[str, FloatArray], usual: FloatArray,
) -> Iterator[SeverityRow]:
    """Severity of P patients at `hour`: all is read at once, each row is made as it is taken.

    quantiles  per vital, shape (P, h, 7), as `clinical.distributions.quantiles_of` stacks them;
               a patient's rows are NaN where there is no forecast
    usual      (P,) of `BASELINE`, as `usual_values` gives them; NaN = unknown
    """
    read = _read(conn, patients, hour)
    now = [_now(one, hour) for one in read]
    ahead = _ahead(now, quantiles, config)
    return (_row(one, hour, *scored, outlook, baseline) for one, scored, outlook, baseline
            in zip(read, now, ahead, usual.tolist(), strict=True))


def _row(read: Read, hour: datetime, current: Current, now: Severity, ahead: Outlook | None,
         usual: float) -> SeverityRow:
    return SeverityRow(
        patient_id=read.patient.patient_id, cutoff=hour, band=now.band,
        rank=work_list_rank(now.score, ahead.peak_p_at_least_5 if ahead else 0.0,
                            now.deviations),
        current=current_json(now, current, hour), outlook=outlook_document(ahead, now).to_json(),
        protocol=not_assessed_json(now.reason) if now.reason
        else protocol_json(_protocol(read, hour, usual)))


def usual_values(hours: FloatArray) -> FloatArray:
    """The median hour before the last day, (S,) of hours (S, n): a patient's baseline.

    NaN where no such hour was observed.
    """
    before = np.sort(hours[:, :-24], axis=1)      # NaN last
    counts = np.isfinite(before).sum(axis=1)
    found = np.full(len(hours), np.nan)
    rows = np.flatnonzero(counts)
    found[rows] = (before[rows, (counts[rows] - 1) // 2] + before[rows, counts[rows] // 2]) / 2
    return found


def _read(conn: Connection, patients: Sequence[str], hour: datetime) -> list[Read]:
    protocol = protocols.load(protocols.DEFAULT_PROTOCOL)
    known = load_patients(conn, patients)
    entries = load_entries(conn, patients, hour - PROTOCOL_WINDOW, hour)
    readings = last_readings(conn, patients, MEASURED, hour - CURRENT_WINDOW, hour)
    days = conn, patients, protocol.vitals, hour - PROTOCOL_WINDOW, hour
    daily, offsets = daily_readings(*days), civil_offsets(*days)
    nights = nightly_readings(conn, patients, NIGHTLY, hour - NIGHTS_WINDOW, hour)
    return [
        Read(patient=known[name], readings=readings[name], entries=entries[name],
             daily=daily[name], offset=offsets.get(name, timedelta()), nights=nights[name])
        for name in patients
    ]


def _now(read: Read, hour: datetime) -> tuple[Current, Severity]:
    patient = read.patient
    current = current_inputs(read.readings, hour, entries=read.entries,
                             spo2_scale=patient.spo2_scale)
    return current, severity_now(
        current, age_years=age_years(patient.birth_date, hour.date()), pregnant=patient.pregnant,
        deviations=last_night(read.nights, hour))


def _ahead(now: Sequence[tuple[Current, Severity]], quantiles: Mapping[str, FloatArray],
           config: ModelConfig) -> Iterator[Outlook | None]:
    """The outlooks; none where NEWS2 does not apply or nothing that it scores is forecast."""
    inputs = [current.inputs for current, _ in now]
    made: Iterable[Outlook | None] = (
        forecast_severities(quantiles, inputs, alert_threshold=config.alert_threshold)
        if quantiles else repeat(None, len(now)))
    for outlook, (_, severity) in zip(made, now, strict=True):
        yield outlook if severity.score is not None else None


def _protocol(read: Read, hour: datetime, usual: float) -> protocols.Report:
    return protocols.assess(
        protocols.load(protocols.DEFAULT_PROTOCOL),
        protocol_days(read.daily, read.entries, hour, read.offset),
        {} if np.isnan(usual) else {BASELINE: usual}, shown=SHOWN_DAYS)


def age_years(birth_date: date | None, today: date) -> float | None:
    """Completed years."""
    if birth_date is None:
        return None
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return float(today.year - birth_date.year - (not had_birthday))


def last_night(nights: Nights, hour: datetime) -> tuple[Deviation, ...]:
    """The newest night of each vital against the nights before it, where it is recent."""
    recent = {vital: [value for _, value in values] for vital, values in nights.items()
              if hour - values[-1][0] <= RECENT_NIGHT}
    return baseline_deviation({vital: values[-1] for vital, values in recent.items()},
                              {vital: values[:-1] for vital, values in recent.items()})


def protocol_days(
    daily: Sequence[DailyReading], entries: Sequence[Entry], hour: datetime,
    offset: timedelta = timedelta(),
) -> list[protocols.Day]:
    """The patient's civil days up to the one that `hour` closes, oldest first.

    `offset` is how far the patient's calendar is from UTC; entries are dated by it.
    """
    readings: dict[date, dict[str, tuple[float, float, float]]] = defaultdict(dict)
    answers: dict[date, dict[str, bool]] = defaultdict(dict)
    assessed: dict[date, str] = {}
    for one in daily:
        readings[one.civil_date][one.vital] = one.lowest, one.highest, one.last
    for entry in entries:
        day = (entry.time + offset).date()
        if entry.item == "assessed_condition":
            assessed[day] = entry.value
        elif entry.value in ("yes", "no", "true", "false"):
            answers[day][entry.item] = entry.value in ("yes", "true")
    last = (hour + offset - timedelta(microseconds=1)).date()
    days = [last - timedelta(days=back) for back in range(PROTOCOL_WINDOW.days - 1, -1, -1)]
    return [protocols.Day(date=day, readings=readings[day], answers=answers[day],
                          assessed=assessed.get(day)) for day in days]


def current_json(now: Severity, current: Current, hour: datetime) -> Json:
    """Severity now: the score, each input with its age or why it is missing, and sentences."""
    inputs: Json = {}
    for name in (*current.ages_minutes, *current.reasons):
        age = current.ages_minutes.get(name)
        inputs[name] = {
            "value": getattr(now.inputs, name) if age is not None else None,
            "age_hours": None if age is None else round(age / 60, 3),
            "time": None if age is None else (hour - timedelta(minutes=age)).isoformat(),
            "missing": current.reasons.get(name),
        }
    return {
        "applicable": now.score is not None, "reason": now.reason,
        "score": _fields(now.score) if now.score else None,
        "inputs": inputs, "spo2_scale": now.inputs.spo2_scale,
        "explanation": list(now.sentences), "caveats": list(now.caveats),
        "baseline": [_fields(one) for one in now.deviations],
    }


def _fields(one: Score | Deviation) -> Json:
    return {name: getattr(one, name) for name in one.__slots__}


def outlook_document(ahead: Outlook | None, now: Severity) -> OutlookDocument:
    """Severity over the horizon, hour by hour; only the reason where there is none."""
    if ahead is None:
        return OutlookDocument(explanation=(
            now.reason or "No vital that NEWS2 scores could be forecast.",))
    within = ahead.within
    return OutlookDocument(
        hours=tuple(HourAhead(
            lead=one.lead, p_medium_or_more=one.p_at_least_5, p_high=one.p_at_least_7,
            band_probabilities=dict(one.bands), most_likely_band=one.most_likely_band,
            expected_points=dict(one.expected_points)) for one in ahead.leads),
        first_alert_lead=ahead.alert_lead, threshold=ahead.alert_threshold,
        peak_lead=ahead.peak_lead, peak_probability=ahead.peak_p_at_least_5,
        within=WithinHours(hours=within.hours, probability=within.probability,
                           lower=within.lower, upper=within.upper, method=within.method),
        missing=ahead.missing, missing_points=ahead.missing_points, method=ahead.dependence,
        drivers=tuple(VitalsPart(vital=one.vital, expected_points=one.points_at_peak,
                                 mean_points=one.mean_points) for one in ahead.drivers),
        explanation=ahead.sentences)


def not_assessed_json(reason: str) -> Json:
    """No table: the protocol's limits are those of adults, as those of NEWS2 are."""
    protocol = protocols.load(protocols.DEFAULT_PROTOCOL)
    return {"name": protocol.title, "id": protocol.name, "version": protocol.version,
            "source": protocol.source, "reason": reason, "days": [], "rows": [], "verdicts": [],
            "explanations": []}


def protocol_json(report: protocols.Report) -> Json:
    """The protocol's table as it is printed."""
    return {
        "reason": None, "name": report.title, "id": report.protocol, "version": report.version,
        "source": report.source, "days": list(report.dates),
        "rows": [
            {"id": row.id, "label": row.label, "unit": row.unit,
             "values": [cell.text for cell in row.cells],
             "levels": [cell.level for cell in row.cells],
             "worst": [cell.worst for cell in row.cells]}
            for row in (*report.rows, *report.derived_rows)
        ],
        "verdicts": [one.text for one in report.verdicts],
        "explanations": [[reached.sentence for reached in one.reached]
                         for one in report.verdicts],
    }
