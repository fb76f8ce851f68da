"""Patients: work list, series, forecasts, severity, models, entries. Doctors see their own only."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request

from api.answers import Answer, age_minutes
from api.cache import BriefCache
from api.entries import EntryIn, EntryOut, record
from api.errors import HorizonTooLongError, NoForecastError
from api.explanation_schemas import ForecastExplanationOut
from api.explanations import Explained, explain_forecasts
from api.routes.models import UtcOffset, as_offset
from api.schemas import (
    ACCURACY_DAYS,
    AccuracyOut,
    ForecastOut,
    ForecastsOut,
    ForecastVital,
    ModelsOut,
    PatientOut,
    PatientsOut,
    ProblemOut,
    SeriesOut,
    SeverityOut,
)
from api.security import Doctor, Principal, Reader, Readings, SignedIn
from api.settings import ApiSettings
from api.standing import Standing, standing
from clinical.vitals import FORECAST_VITALS, SPECS
from registry.people import People
from registry.reading import Reading

UNITS = {vital.value: SPECS[vital].unit for vital in FORECAST_VITALS}
LONGEST_SERIES_HOURS = 24 * 90

router = APIRouter(
    prefix="/v1/patients", tags=["patients"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


@router.get("", response_model=PatientsOut)
def patients(
    request: Request, principal: Reader, readings: Readings,
    limit: Annotated[int, Query(ge=1, le=500)] = 50, offset: Annotated[int, Query(ge=0)] = 0,
) -> Answer:
    """The work list: worst severity first, patients without a cycle last."""
    found = readings.patients(principal.access, limit=limit, offset=offset)
    now = _now(request)
    listed = [_patient(standing(patient), now) for patient in found.patients]
    return Answer({"total": found.total, "limit": limit, "offset": offset, "patients": listed})


@router.get("/{patient_id}", response_model=PatientOut)
def patient(request: Request, patient_id: str, principal: Reader, readings: Readings) -> Answer:
    """One patient's place in the work list."""
    found = standing(readings.patient(principal.access, patient_id))
    return Answer(_patient(found, _now(request)))


@router.get("/{patient_id}/series/{vital}", response_model=SeriesOut)
def series(
    request: Request, patient_id: str, vital: ForecastVital, principal: Reader, readings: Readings,
    hours: Annotated[int, Query(ge=1, le=LONGEST_SERIES_HOURS)] = 168,
) -> Answer:
    """Hourly means up to and with the hour that runs now; gaps are null."""
    end = _now(request).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    start = end - timedelta(hours=hours)
    found = readings.series(principal.access, patient_id, [vital], start, end)[vital]
    flagged = readings.quality.flagged_hours(principal.access, patient_id, [vital], start, end)
    return Answer({
        "patient_id": patient_id, "vital": vital, "unit": UNITS[vital], "start": start,
        "step_hours": 1, "mean": [hour.mean for hour in found],
        "count": [hour.readings for hour in found],
        "flags": [{"hour": one.hour, "flag": one.flag, "readings": one.readings,
                   "reason": one.reason, "keeps_out": one.keeps_out} for one in flagged],
    })


@router.get("/{patient_id}/forecasts", response_model=ForecastsOut)
def forecasts(patient_id: str, principal: Reader, readings: Readings) -> Answer:
    """The latest forecast of every vital that has one."""
    found = readings.forecast_bodies(principal.access, patient_id, UNITS)
    bodies = [orjson.Fragment(body) for body in found]
    return Answer({"patient_id": patient_id, "forecasts": bodies})


@router.get("/{patient_id}/forecasts/{vital}", response_model=ForecastOut)
async def forecast(
    request: Request, patient_id: str, vital: ForecastVital, principal: Reader,
    horizon: Annotated[
        int | None, Query(ge=1, le=1000, description="hours; default all stored")] = None,
) -> Answer:
    """The latest forecast of one vital; may be two seconds old."""
    recent: BriefCache[bytes] = request.app.state.recent_forecasts
    key = (principal.username, patient_id, vital, horizon)
    body = recent.get(key)
    if body is None:
        readings: Reading = request.app.state.reading
        body = await _latest_forecast(readings, principal, patient_id, vital, horizon)
        recent.put(key, body)
    return Answer(orjson.Fragment(body))


async def _latest_forecast(
    readings: Reading, principal: Principal, patient_id: str, vital: str, horizon: int | None
) -> bytes:
    found = await readings.latest_forecast(
        principal.access, patient_id, vital, UNITS[vital], horizon)
    if found is None:
        raise NoForecastError
    stored, body = found
    if horizon is not None and horizon > stored:
        raise HorizonTooLongError(
            f"the stored forecast has {stored} hours: ask for a horizon of 1 to {stored}, or raise "
            "'horizon_hours' in the model configuration")
    return body.encode()


@router.get("/{patient_id}/forecasts/{vital}/explanation", response_model=ForecastExplanationOut)
def explanation(
    patient_id: str, vital: ForecastVital, principal: Reader, readings: Readings,
    utc_offset_minutes: UtcOffset = None,
) -> Answer:
    """How the latest forecast of one vital was made: what each member said and counted for, why
    others are absent, and level, trend and daily pattern of the leading one in words and numbers.
    """
    found = readings.forecasts(principal.access, patient_id, [vital])
    if not found:
        raise NoForecastError
    offset = as_offset(utc_offset_minutes)
    (one,) = explain_forecasts(readings, principal.access, patient_id, found,
                               {} if offset is None else {vital: offset})
    return Answer(_explanation(patient_id, one))


@router.get("/{patient_id}/accuracy", response_model=AccuracyOut)
def accuracy(patient_id: str, principal: Reader, readings: Readings) -> Answer:
    """How the forecasts of the last seven days did, beside the best baseline."""
    span = timedelta(days=ACCURACY_DAYS)
    found = readings.accuracy(principal.access, patient_id, list(UNITS), span)
    vitals = [{**asdict(one), "unit": UNITS[one.vital]} for one in found]
    return Answer({"patient_id": patient_id, "days": ACCURACY_DAYS, "vitals": vitals})


@router.get("/{patient_id}/severity", response_model=SeverityOut)
def severity(patient_id: str, principal: Reader, readings: Readings) -> Answer:
    """Severity now and over the forecast, with its inputs, their ages and the explanation."""
    found = readings.severity(principal.access, patient_id)
    if found is None:
        raise NoForecastError
    return Answer(found)


@router.get("/{patient_id}/models", response_model=ModelsOut)
def models(patient_id: str, principal: SignedIn, readings: Readings) -> Answer:
    """The newest model document of each vital and member. Operators see every patient's."""
    found = readings.models(principal.access, patient_id)
    return Answer({"patient_id": patient_id, "models": found})


@router.post("/{patient_id}/entries", response_model=EntryOut, status_code=201,
             responses={409: {"model": ProblemOut}})
def enter(request: Request, patient_id: str, principal: Doctor, entry: EntryIn) -> Answer:
    """Store what a clinician found; the next cycle scores with it."""
    people: People = request.app.state.people
    stored = record(people, principal, patient_id, entry, _now(request))
    return Answer(stored.model_dump(), status_code=201)


def _explanation(patient_id: str, one: Explained) -> dict[str, Any]:
    forecast, champion = one.forecast, one.champion
    return {
        "patient_id": patient_id, "vital": forecast.vital, "unit": UNITS[forecast.vital],
        "cutoff": forecast.cutoff, "horizon": forecast.horizon,
        "document_id": forecast.document_id, "reason": forecast.reason, "members": one.members,
        "absent": one.absent, "leading": one.leading, "unexplained": one.unexplained or None,
        "champion": champion and {"member": champion.member, "why": champion.why,
                                  "document_id": champion.document_id},
    }


def _patient(found: Standing, now: datetime) -> dict[str, Any]:
    return {**asdict(found),
            "newest_reading_age_minutes": age_minutes(found.newest_reading, now)}


def _now(request: Request) -> datetime:
    settings: ApiSettings = request.app.state.settings
    return settings.clock()
