"""Drift: by cohort for those who watch the models, without patients; by patient for doctors."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import Answer
from api.schemas import ProblemOut, with_example
from api.security import Operator, Reader, Readings

router = APIRouter(
    prefix="/v1", tags=["data quality"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 422, 503)},
)

CHANGE_DAYS = 14
"""A change that ended is told for so long."""

Deviations = Annotated[float | None, Field(description="in usual deviations of each series")]


class DriftCohortOut(BaseModel):
    """One day of a provider's series of one vital and one age band; medians of the series."""

    day: date
    provider: str
    vital: str
    age_band: str
    series: int
    drifting: Annotated[int, Field(description="series with an event open on that day")]
    missing: Annotated[float, Field(description="share of the hours")]
    missing_usual: float | None
    flagged: Annotated[float | None, Field(description="share of the readings")]
    psi: Annotated[float | None, Field(description="population stability index, last week")]
    wasserstein: Deviations
    level: Deviations
    spread: Annotated[float | None, Field(description="variance over the usual one")]
    error_ratio: Annotated[float | None, Field(
        description="errors an hour ahead over what was promised")]
    coverage_80: float | None
    skew: Deviations
    age_h: Annotated[float | None, Field(description="hours since the newest reading")]


class DriftOut(BaseModel):
    model_config = with_example({"cohorts": [{
        "day": "2026-11-20", "provider": "withings", "vital": "heart_rate",
        "age_band": "65 and over", "series": 412, "drifting": 9, "missing": 0.21,
        "missing_usual": 0.19, "flagged": 0.002, "psi": 0.14, "wasserstein": 0.17, "level": 0.05,
        "spread": 0.97, "error_ratio": 1.02, "coverage_80": 0.81, "skew": 0.01, "age_h": 0.7}]})

    cohorts: list[DriftCohortOut]


class ChangeOut(BaseModel):
    """A vital departed from what its models were trained on."""

    vital: str
    kind: Annotated[str, Field(description="level, spread, distribution, missing, gaps, error, "
                               "error_size, coverage, unit, skew")]
    detected: AwareDatetime
    began: Annotated[AwareDatetime, Field(description="the hour it seems to start at")]
    score: float
    threshold: float
    words: str
    closed_at: Annotated[AwareDatetime | None, Field(description="null while it lasts")]


class ChangesOut(BaseModel):
    model_config = with_example({"patient_id": "demo-01", "changes": [{
        "vital": "heart_rate", "kind": "level", "detected": "2026-11-20T14:00:00Z",
        "began": "2026-11-17T03:00:00Z", "score": 5.6, "threshold": 5.1,
        "words": "Heart rate: 9 /min higher than in the training window, at the same hours of the "
                 "day.", "closed_at": None}]})

    patient_id: str
    changes: list[ChangeOut]


@router.get("/patients/{patient_id}/drift", response_model=ChangesOut, tags=["patients"],
            responses={404: {"model": ProblemOut}})
def changes(patient_id: str, principal: Reader, readings: Readings) -> Answer:
    """Since when a patient's vitals are no longer what their models were trained on."""
    found = readings.changes(principal.access, patient_id, timedelta(days=CHANGE_DAYS))
    return Answer({"patient_id": patient_id, "changes": [asdict(one) for one in found]})


@router.get("/drift", response_model=DriftOut)
def drift(
    _: Operator, readings: Readings,
    until: Annotated[date | None, Query(description="UTC; default: the newest day")] = None,
    days: Annotated[int, Query(ge=1, le=92, description="so many days up to it")] = 7,
) -> Answer:
    """Data, errors and training against serving by day, provider, vital and age; newest first."""
    found = readings.drift(until=until, span=timedelta(days=days - 1))
    return Answer({"cohorts": found})
