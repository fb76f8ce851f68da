"""Drift by cohort, for those who watch the models: which series changed is no part of it."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.answers import Answer
from api.schemas import ProblemOut, with_example
from api.security import Operator, Readings

router = APIRouter(
    prefix="/v1", tags=["data quality"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 422, 503)},
)

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


@router.get("/drift", response_model=DriftOut)
def drift(
    _: Operator, readings: Readings,
    until: Annotated[date | None, Query(description="UTC; default: the newest day")] = None,
    days: Annotated[int, Query(ge=1, le=92, description="so many days up to it")] = 7,
) -> Answer:
    """Data, errors and training against serving by day, provider, vital and age; newest first."""
    found = readings.drift(until=until, span=timedelta(days=days - 1))
    return Answer({"cohorts": found})
