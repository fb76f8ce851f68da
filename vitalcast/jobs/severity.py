"""Severity of every patient of a shard: now, over the forecast, and by the protocol's table.

What is stored is the wire form that the API and the pages read; docs/severity.md explains it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from clinical import protocols
from clinical.current import Current, Entry, Reading, current_inputs
from clinical.news2 import MEASURED
from clinical.outlook import Outlook, forecast_severity
from clinical.severity import (
    Deviation,
    Severity,
    baseline_deviation,
    severity_now,
    work_list_rank,
)
from clinical.vitals import FORECAST_VITALS
from forecasting.grid import Grid
from registry.database import Connection
from registry.forecasts import ForecastRow, SeverityRow
from registry.observations import Series
from registry.patients import Patient, load_entries, load_patients
from registry.readings import DailyReading, daily_readings, last_readings, nightly_readings
from vitalcast.model_config import ModelConfig

Json = dict[str, Any]

CURRENT_WINDOW = timedelta(hours=72)
SHOWN_DAYS = 5
PROTOCOL_WINDOW = timedelta(days=SHOWN_DAYS + 3)   # a prolonged fever may have begun before
NIGHTS_WINDOW = timedelta(days=30)
NIGHTLY = ("heart_rate", "respiratory_rate", "skin_temperature", "skin_temperature_deviation")


def severity_rows(
    conn: Connection, patients: Sequence[str], hour: datetime, config: ModelConfig,
    forecasts: Sequence[ForecastRow], grids: Sequence[tuple[Series, Grid]],
) -> list[SeverityRow]:
    """Severity of each patient at `hour`, from their readings, entries and forecasts."""
    known = load_patients(conn, patients)
    readings = last_readings(conn, patients, hour - CURRENT_WINDOW, hour)
    entries = load_entries(conn, patients, hour - PROTOCOL_WINDOW, hour)
    vitals = [vital.value for vital in FORECAST_VITALS]
    daily = daily_readings(conn, patients, vitals, hour - PROTOCOL_WINDOW, hour)
    nights = nightly_readings(conn, patients, NIGHTLY, hour - NIGHTS_WINDOW, hour)
    ahead = _by_patient(forecasts)
    usual = _usual(grids)
    return [
        _severity_row(
            known[name], hour, config, readings=readings[name], entries=entries[name],
            daily=daily[name], nights=nights[name], forecasts=ahead[name], usual=usual[name])
        for name in patients
    ]


def _by_patient(rows: Sequence[ForecastRow]) -> dict[str, list[ForecastRow]]:
    found: dict[str, list[ForecastRow]] = defaultdict(list)
    for row in rows:
        if row.reason is None:
            found[row.patient_id].append(row)
    return found


def _usual(grids: Sequence[tuple[Series, Grid]]) -> dict[str, dict[str, float]]:
    """Each vital's median hour before the last day: what protocols call the patient's baseline."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for series, grid in grids:
        before = grid.values[:-24]
        if not np.isnan(before).all():
            found[series.patient_id][series.vital] = float(np.nanmedian(before))
    return found


def _severity_row(
    patient: Patient, hour: datetime, config: ModelConfig, *, readings: Sequence[Reading],
    entries: Sequence[Entry], daily: Sequence[DailyReading], nights: Sequence[DailyReading],
    forecasts: Sequence[ForecastRow], usual: Mapping[str, float],
) -> SeverityRow:
    current = current_inputs(readings, hour, entries=entries, spo2_scale=patient.spo2_scale)
    now = severity_now(current, age_years=age_years(patient.birth_date, hour.date()),
                       pregnant=patient.pregnant, deviations=last_night(nights))
    scored = {row.vital: quantiles(row) for row in forecasts if row.vital in MEASURED}
    ahead = None
    if now.score is not None and scored:
        ahead = forecast_severity(scored, current.inputs, alert_threshold=config.alert_threshold)
    report = protocols.assess(protocols.load(protocols.DEFAULT_PROTOCOL),
                              protocol_days(daily, entries, hour), usual)
    return SeverityRow(
        patient_id=patient.patient_id, cutoff=hour, band=now.band,
        rank=work_list_rank(now.score, ahead.peak_p_at_least_5 if ahead else 0.0),
        current=current_json(now, current, hour), outlook=outlook_json(ahead, now),
        protocol=protocol_json(report))


def age_years(birth_date: date | None, today: date) -> float | None:
    """Completed years."""
    if birth_date is None:
        return None
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return float(today.year - birth_date.year - (not had_birthday))


def quantiles(row: ForecastRow) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A forecast's quantiles at `QUANTILE_LEVELS`, shape (horizon, 7)."""
    lower = [row.bounds[level][0] for level in (95, 80, 50)]
    upper = [row.bounds[level][1] for level in (50, 80, 95)]
    return np.array([*lower, row.point, *upper], dtype=np.float64).T


def last_night(nights: Sequence[DailyReading]) -> tuple[Deviation, ...]:
    """The newest night of each vital against the nights before it."""
    by_vital: dict[str, list[float]] = defaultdict(list)
    for one in nights:
        by_vital[one.vital].append(one.value)
    return baseline_deviation({vital: values[-1] for vital, values in by_vital.items()},
                              {vital: values[:-1] for vital, values in by_vital.items()})


def protocol_days(
    daily: Sequence[DailyReading], entries: Sequence[Entry], hour: datetime,
) -> list[protocols.Day]:
    """The patient's civil days up to the one that `hour` closes, oldest first.

    Entries are dated by the offset of the patient's newest reading, UTC where there is none.
    """
    offset = civil_offset(daily)
    readings: dict[date, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    answers: dict[date, dict[str, bool]] = defaultdict(dict)
    assessed: dict[date, str] = {}
    for one in daily:
        readings[one.civil_date][one.vital].append(one.value)
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


def civil_offset(daily: Sequence[DailyReading]) -> timedelta:
    """How far the patient's calendar is from UTC, by the newest reading that tells."""
    newest = max((one for one in daily if one.utc_offset is not None),
                 key=lambda one: one.time, default=None)
    return newest.utc_offset or timedelta() if newest else timedelta()


def current_json(now: Severity, current: Current, hour: datetime) -> Json:
    """Severity now: the score, each input with its age or why it is missing, and sentences."""
    values = asdict(now.inputs)
    inputs: Json = {}
    for name in (*current.ages_minutes, *current.reasons):
        age = current.ages_minutes.get(name)
        inputs[name] = {
            "value": values.get(name) if age is not None else None,
            "age_hours": None if age is None else round(age / 60, 3),
            "time": None if age is None else (hour - timedelta(minutes=age)).isoformat(),
            "missing": current.reasons.get(name),
        }
    return {
        "applicable": now.score is not None, "reason": now.reason,
        "score": asdict(now.score) if now.score else None,
        "inputs": inputs, "spo2_scale": now.inputs.spo2_scale,
        "explanation": list(now.sentences), "caveats": list(now.caveats),
        "baseline": [asdict(one) for one in now.deviations],
    }


def outlook_json(ahead: Outlook | None, now: Severity) -> Json:
    """Severity over the horizon, hour by hour; only the reason where there is none."""
    if ahead is None:
        return {"hours": [], "first_alert_lead": None,
                "explanation": [now.reason or "No vital that NEWS2 scores could be forecast."]}
    hours = [
        {"lead": one.lead, "p_medium_or_more": one.p_at_least_5, "p_high": one.p_at_least_7,
         "band_probabilities": dict(one.bands), "most_likely_band": one.most_likely_band,
         "expected_points": dict(one.expected_points)}
        for one in ahead.leads
    ]
    return {
        "hours": hours, "first_alert_lead": ahead.alert_lead, "threshold": ahead.alert_threshold,
        "peak_lead": ahead.peak_lead, "peak_probability": ahead.peak_p_at_least_5,
        "within": asdict(ahead.within), "missing": list(ahead.missing),
        "missing_points": ahead.missing_points, "method": ahead.dependence,
        "drivers": [{"vital": one.vital, "expected_points": one.points_at_peak,
                     "mean_points": one.mean_points} for one in ahead.drivers],
        "explanation": list(ahead.sentences),
    }


def protocol_json(report: protocols.Report) -> Json:
    """The protocol's table, the last days of it, as it is printed."""
    shown = slice(-SHOWN_DAYS, None)
    return {
        "name": report.title, "id": report.protocol, "version": report.version,
        "source": report.source, "days": list(report.dates[shown]),
        "rows": [
            {"id": row.id, "label": row.label, "unit": row.unit,
             "values": [cell.text for cell in row.cells[shown]],
             "levels": [cell.level for cell in row.cells[shown]],
             "worst": [cell.worst for cell in row.cells[shown]]}
            for row in (*report.rows, *report.derived_rows)
        ],
        "verdicts": [one.text for one in report.verdicts[shown]],
        "explanations": [[reached.sentence for reached in one.reached]
                         for one in report.verdicts[shown]],
    }
