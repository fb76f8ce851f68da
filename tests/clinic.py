"""A small ward in a real database: patients of every kind that the pages must show well.

ill     high score, fever, low oxygen           well    all known, all normal
gaps    half the hours missing, no SpO2         mother  pregnant: NEWS2 not applicable
empty   never a reading                         other   in nobody's care
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert

from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from forecasting import members
from forecasting.config import EngineConfig
from forecasting.documents import document_id, dumps
from forecasting.provenance import Provenance
from providers.measures import CARRIED_BY
from providers.observation import Provider
from registry import tables
from registry.database import Connection, transaction
from registry.forecasts import (
    EvaluationRow,
    ForecastRow,
    save_evaluations,
    save_forecasts,
    save_severities,
)
from registry.panels import HourlyPanel, read_panels
from registry.passwords import hash_password
from vitalcast.jobs.coverage import cover
from vitalcast.jobs.evaluate import score_forecast
from vitalcast.jobs.forecast import told
from vitalcast.jobs.severity import severity_rows
from vitalcast.model_config import ModelConfig

CYCLE = datetime(2026, 11, 20, 14, tzinfo=UTC)
NOW = CYCLE + timedelta(minutes=12)
HOUR = timedelta(hours=1)
DAYS = 9
HORIZON = 24
PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
USERS = {"doctor": "doctor", "colleague": "doctor", "operator": "operator", "service": "service"}
PATIENTS = ("empty", "gaps", "ill", "mother", "other", "well")
IN_CARE = PATIENTS[:4] + PATIENTS[5:]

LEVELS: dict[str, dict[str, float]] = {
    "well": {"heart_rate": 68, "respiratory_rate": 15, "systolic_bp": 124, "diastolic_bp": 78,
             "body_temperature": 36.7, "spo2": 97},
    "ill": {"heart_rate": 118, "respiratory_rate": 25, "systolic_bp": 104, "diastolic_bp": 62,
            "body_temperature": 38.9, "spo2": 90},
    "gaps": {"heart_rate": 82, "respiratory_rate": 17, "systolic_bp": 132},
}
LEVELS["mother"] = LEVELS["other"] = LEVELS["well"]
SPREAD = {"heart_rate": 6, "respiratory_rate": 1.2, "systolic_bp": 6, "diastolic_bp": 4,
          "body_temperature": 0.2, "spo2": 0.8}
SCORED = ("ill", "well")
SCORED_EVERY_HOURS = 6
# What each member says of the median, in units of the interval, and its weight per bucket.
MEMBERS: dict[str, tuple[float, tuple[float, ...]]] = {
    "profile": (0.0, (0.20, 0.40, 0.55, 0.60)), "revert": (-0.3, (0.30, 0.20, 0.15, 0.10)),
    "ets": (0.2, (0.10, 0.15, 0.15, 0.15)), "theta": (0.3, (0.10, 0.10, 0.05, 0.05)),
    "last_value": (0.0, (0.30, 0.15, 0.10, 0.10)),
}
WITH_DOCUMENTS = ("profile", "revert", "last_value")
BUCKETS = ("1", "2-6", "7-12", "13-24")
CHAMPION_WHY = "lowest rolling-origin error over the day"


def open_ward(engine: Engine) -> None:
    """Fill an emptied database with users, patients, readings, models, forecasts, severity."""
    with transaction(engine) as conn:
        _people(conn)
        for patient in LEVELS:
            _readings(conn, patient)
        _entries(conn)
        rows = [_forecast(patient, vital.value, _document(conn, patient, vital.value))
                for patient in LEVELS for vital in FORECAST_VITALS]
        panels = read_panels(conn, list(LEVELS), [vital.value for vital in FORECAST_VITALS],
                             CYCLE - 14 * 24 * HOUR, CYCLE)
        for panel in panels.values():
            _member_documents(conn, panel)
        covered = cover(conn, PATIENTS, CYCLE, 14 * 24 * HOUR, panels)
        save_forecasts(conn, [told(row, covered) for row in rows])
        scored = severity_rows(conn, [name for name in PATIENTS if name != "empty"], CYCLE,
                               ModelConfig(), rows, panels)
        save_severities(conn, scored)
        save_evaluations(conn, [row for panel in panels.values()
                                for row in _evaluations(panel)])
        conn.execute(insert(tables.runs), [
            {"job": "forecast", "cycle": CYCLE, "shard": "0/1", "status": "done", "figures": {}}])


def _people(conn: Connection) -> None:
    conn.execute(insert(tables.patients), [
        {"patient_id": name, "birth_date": date(1961, 5, 4), "pregnant": name == "mother"}
        for name in PATIENTS])
    conn.execute(insert(tables.users), [
        {"username": name, "password_hash": HASH, "role": role} for name, role in USERS.items()])
    conn.execute(insert(tables.care), [
        {"username": "doctor", "patient_id": name} for name in IN_CARE])


def _readings(conn: Connection, patient: str) -> None:
    conn.execute(insert(tables.connections), [{
        "connection_id": f"withings:{patient}", "patient_id": patient, "provider": "withings"}])
    conn.execute(insert(tables.fetches), [{
        "connection_id": f"withings:{patient}", "resource": resource, "cycle": CYCLE,
        "window_start": CYCLE - 24 * DAYS * HOUR, "outcome": "complete", "pages": 1,
        "received": 12, "parsed": 12, "refused": 0, "cursor_after": CYCLE.isoformat(),
        "last_sync": CYCLE - timedelta(minutes=9)} for resource in CARRIED_BY[Provider.WITHINGS]])
    rows = [row for vital in LEVELS[patient] for row in _vital_readings(patient, vital)]
    conn.execute(insert(tables.observations), rows)


def _vital_readings(patient: str, vital: str) -> list[dict[str, Any]]:
    every = {"body_temperature": 4, "systolic_bp": 6, "diastolic_bp": 6}.get(vital, 1)
    rows = []
    for hours_ago in range(1, 24 * DAYS, every):
        if patient == "gaps" and _gap(hours_ago):
            continue
        moment = CYCLE - hours_ago * HOUR + timedelta(minutes=48)
        key = hashlib.sha256(f"{patient}{vital}{moment}".encode()).digest()
        rows.append({
            "key": key, "patient_id": patient, "vital": vital, "provider": "withings",
            "value": _value(patient, vital, hours_ago), "effective_start": moment,
            "effective_end": moment, "granularity": "sample", "statistic": "instant",
            "context": "rest", "method": "device", "parser_version": 1, "quality": "ok",
            "quality_reasons": []})
    return rows


def _gap(hours_ago: int) -> bool:
    return hours_ago < 3 or 20 < hours_ago < 48 or hours_ago % 7 in (0, 3, 4)


def _value(patient: str, vital: str, hours_ago: int) -> float:
    """A daily rhythm and fixed noise about the patient's level; the ill grew so in four days."""
    level, spread = LEVELS[patient][vital], SPREAD[vital]
    if patient == "ill":
        usual = LEVELS["well"][vital]
        level = usual + (level - usual) * max(0.0, 1 - max(0, hours_ago - 4) / 96)
    noise = np.random.default_rng(hash_of(patient, vital, hours_ago)).normal(0, 0.45)
    value = level + spread * (0.7 * np.sin(2 * np.pi * (-hours_ago + 20) / 24) + noise)
    spec = SPECS[Vital(vital)]
    return float(np.clip(np.round(value, 1 if spec.resolution < 1 else 0), spec.low, spec.high))


def hash_of(*parts: object) -> int:
    """A seed that is the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])


def _entries(conn: Connection) -> None:
    items: Sequence[tuple[str, str, str]] = (
        ("well", "supplemental_oxygen", "false"), ("well", "consciousness", "alert"),
        ("ill", "supplemental_oxygen", "true"), ("ill", "chest_pain", "true"),
        ("ill", "coloured_sputum", "false"), ("ill", "assessed_condition", "severe"))
    conn.execute(insert(tables.clinical_entries), [
        {"patient_id": patient, "effective_at": CYCLE - 3 * HOUR, "item": item, "value": value,
         "entered_by": "doctor"} for patient, item, value in items])


def _forecast(
    patient: str, vital: str, document: str | None, *, hours_ago: int = 0,
    level: float | None = None,
) -> ForecastRow:
    """The forecast made so many hours ago, when the patient was at that level."""
    cutoff = CYCLE - hours_ago * HOUR
    if document is None:
        return ForecastRow(
            patient_id=patient, vital=vital, cutoff=cutoff, horizon=HORIZON, bounds={}, members={},
            absent={}, reason="too little data: 0 of the 24 hours that a forecast needs")
    leads = np.arange(1, HORIZON + 1)
    level, spread = level or LEVELS[patient][vital], SPREAD[vital]
    median = level + 0.7 * spread * np.sin(2 * np.pi * (leads - hours_ago + 19) / 24)
    width = spread * (0.5 + 0.5 * np.sqrt(leads / HORIZON))
    spec = SPECS[Vital(vital)]

    def bound(score: float) -> list[float]:
        return [float(one) for one in np.clip(median + score * width, spec.low, spec.high)]

    paths = {name: bound(side) for name, (side, _) in MEMBERS.items()}
    paths["last_value"] = [bound(0)[0]] * HORIZON
    return ForecastRow(
        patient_id=patient, vital=vital, cutoff=cutoff, horizon=HORIZON, point=bound(0),
        document_id=document,
        bounds={level: (bound(-z), bound(z)) for level, z in ((50, .67), (80, 1.28), (95, 1.96))},
        members={name: {"weights": dict(zip(BUCKETS, MEMBERS[name][1], strict=True)),
                        "path": path} for name, path in paths.items()},
        absent={"tbats": "timeout: no fit within 20 s", "arima": "switched off for this vital"})


def _evaluations(panel: HourlyPanel) -> list[EvaluationRow]:
    """Forecasts of the days before, each from the level of the day that it was made on."""
    rows = []
    for patient, observed in zip(panel.patients, panel.y, strict=True):
        for hours_ago in range(1, 8 * 24, SCORED_EVERY_HOURS) if patient in SCORED else ():
            level = float(np.nanmean(observed[-hours_ago - 24:-hours_ago]))
            made = _forecast(patient, panel.vital.value, "earlier", hours_ago=hours_ago,
                             level=level)
            rows.append(score_forecast(made, observed, CYCLE))
    return rows


def _document(conn: Connection, patient: str, vital: str) -> str | None:
    if vital not in LEVELS[patient]:
        return None
    text = f'{{"schema":"vitalcast.model/1","member":"ensemble","series":"{patient} {vital}"}}'
    name = hashlib.sha256(text.encode()).hexdigest()
    _save_document(conn, patient, vital, "ensemble", name, text)
    _save_alias(conn, patient, vital, "ensemble", name, "first")
    return name


def _member_documents(conn: Connection, panel: HourlyPanel) -> None:
    """Documents of the members that are quickly fitted; `profile` is the champion."""
    for patient, y in zip(panel.patients, panel.y, strict=True):
        first = int(np.flatnonzero(~np.isnan(y))[0])
        for member in WITH_DOCUMENTS:
            document = members.fit(
                member, y[first:], start=panel.start + first * HOUR,
                config=EngineConfig(members=(member,)), provenance=Provenance(
                    code_version="test"))
            text = dumps(document)
            name = document_id(text)
            _save_document(conn, patient, panel.vital.value, member, name, text)
            if member == "profile":
                _save_alias(conn, patient, panel.vital.value, "champion", name, CHAMPION_WHY)


def _save_document(
    conn: Connection, patient: str, vital: str, member: str, name: str, text: str
) -> None:
    conn.execute(insert(tables.model_documents), [{
        "document_id": name, "patient_id": patient, "vital": vital, "member": member,
        "engine": "native", "cutoff": CYCLE, "made_by": "search", "document": text}])


def _save_alias(
    conn: Connection, patient: str, vital: str, alias: str, name: str, why: str
) -> None:
    conn.execute(insert(tables.model_aliases), [{
        "patient_id": patient, "vital": vital, "alias": alias, "document_id": name,
        "cutoff": CYCLE, "why": why}])
