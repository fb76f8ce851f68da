"""Data quality: flags of a patient's readings, and the daily report, which names no patient."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import HTMLResponse

from api.answers import Answer
from api.pages import render
from api.pages.quality import TREND_DAYS, quality_view
from api.schemas import ForecastVital, ProblemOut, with_example
from api.security import PageOperator, Reader, Readings, Watcher
from api.settings import ApiSettings
from clinical.vitals import FORECAST_VITALS, SPECS, Vital

LONGEST_HOURS = 24 * 90

router = APIRouter(
    tags=["data quality"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


class FlagOut(BaseModel):
    """What a check found about a reading. The reading stays; see docs/quality.md."""

    vital: str
    unit: Annotated[str, Field(description="UCUM")]
    time: Annotated[AwareDatetime, Field(description="when the reading begins")]
    value: float
    provider: str
    flag: str
    reason: str
    keeps_out: Annotated[bool, Field(description="the reading is not forecast from nor scored")]
    flagged_at: AwareDatetime


class FlagsOut(BaseModel):
    """Flags that stand, newest first."""

    model_config = with_example({"patient_id": "p03", "flags": [{
        "vital": "heart_rate", "unit": "/min", "time": "2026-11-20T12:04:00Z", "value": 151.0,
        "provider": "withings", "flag": "jump", "keeps_out": False,
        "reason": "up by 80 /min in 2 min, and back with the next reading",
        "flagged_at": "2026-11-20T13:01:12Z"}]})

    patient_id: str
    flags: list[FlagOut]


class QualityOut(BaseModel):
    """Counts of one UTC day. No patient, no reading."""

    model_config = with_example({
        "day": "2026-11-20",
        "totals": {"readings": 1210, "late": 4, "not_accepted": 0, "flagged": 3, "kept_out": 1,
                   "refused": 2},
        "series": [{"provider": "withings", "vital": "heart_rate", "patients": 9,
                    "readings": 1210, "hours": 205, "not_accepted": 0, "late": 4,
                    "lateness_median_s": 540.0, "lateness_q95_s": 8100.0, "flagged": 3,
                    "kept_out": 1, "flags": {"clock_ahead": 1, "jump": 2}}],
        "refused": [{"provider": "withings", "reason": "out of plausible range", "records": 2}],
        "fetches": [{"provider": "withings", "outcome": "complete", "fetches": 432}],
        "quarantine": [{"provider": "oura", "kind": "page", "status": "held", "payloads": 1,
                        "records": 1}],
        "gaps": [{"vital": "heart_rate", "state": "not_worn", "hours": 11}]})

    day: date
    totals: dict[str, int]
    series: Annotated[list[dict[str, Any]], Field(description="readings of the day, by provider "
                                                  "and vital; lateness in seconds")]
    refused: Annotated[list[dict[str, Any]], Field(description="records not understood")]
    fetches: Annotated[list[dict[str, Any]], Field(description="by outcome")]
    quarantine: Annotated[list[dict[str, Any]], Field(
        description="payloads held now, or first seen on the day")]
    gaps: Annotated[list[dict[str, Any]], Field(
        description="patient-hours of the day by coverage state")]


@router.get("/v1/patients/{patient_id}/flags", response_model=FlagsOut)
def flags(
    request: Request, patient_id: str, principal: Reader, readings: Readings,
    vital: ForecastVital | None = None,
    hours: Annotated[int, Query(ge=1, le=LONGEST_HOURS)] = 168,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Answer:
    """What the checks found about the patient's readings up to now, newest first."""
    readings.patient(principal.access, patient_id)
    now = _now(request)
    vitals = [vital] if vital else [one.value for one in FORECAST_VITALS]
    found = readings.quality.flags(principal.access, patient_id, vitals,
                                   now - timedelta(hours=hours), now, limit=limit)
    return Answer({"patient_id": patient_id, "flags": [
        {"unit": SPECS[Vital(one.vital)].unit, "vital": one.vital, "time": one.time,
         "value": one.value, "provider": one.provider, "flag": one.flag, "reason": one.reason,
         "keeps_out": one.keeps_out, "flagged_at": one.flagged_at} for one in found]})


@router.get("/v1/quality/{day}", response_model=QualityOut)
def report(day: date, _: Watcher, readings: Readings) -> Answer:
    """The quality report of a UTC day, for operators and services."""
    return Answer(orjson.Fragment(readings.quality.report(day)))


@router.get("/quality", include_in_schema=False)
def page(
    request: Request, operator: PageOperator, readings: Readings, day: date | None = None,
) -> HTMLResponse:
    """The quality report of a day, or the newest, with the days before it."""
    until = day or _now(request).date()
    found = readings.quality.reports(until, TREND_DAYS)
    view = quality_view([orjson.loads(one) for _, one in found], asked=day)
    return render.page("quality.html", status=200 if view.report or day is None else 404,
                       username=operator.username, view=view)


def _now(request: Request) -> datetime:
    settings: ApiSettings = request.app.state.settings
    return settings.clock().astimezone(UTC)
