"""Why each hour of a patient's vitals has a reading or none, and what was said of it before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from api.answers import Answer
from api.coverage import Run, hours_of, runs_of, shares_of
from api.coverage_schemas import CoverageOut
from api.errors import WindowInvalidError
from api.schemas import ForecastVital, ProblemOut
from api.security import Reader, Readings
from api.settings import ApiSettings
from clinical.vitals import FORECAST_VITALS
from registry.views import CoverageDay

LONGEST = timedelta(days=90)
USUAL = timedelta(days=7)

router = APIRouter(
    prefix="/v1/patients", tags=["patients"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


@router.get("/{patient_id}/coverage", response_model=CoverageOut)
def coverage(
    request: Request, patient_id: str, principal: Reader, readings: Readings,
    vital: Annotated[ForecastVital | None, Query(description="default: all six")] = None,
    start: Annotated[AwareDatetime | None, Query(
        description="default: seven days before `end`")] = None,
    end: Annotated[AwareDatetime | None, Query(
        description="default: the hour that runs now")] = None,
    history: Annotated[bool, Query(
        description="tell also what replaced versions of these days said")] = False,
) -> Answer:
    """State and cause of every judged hour, as runs; at most 90 days."""
    settings: ApiSettings = request.app.state.settings
    first, last = _window(start, end, settings.clock())
    vitals = [vital] if vital else [one.value for one in FORECAST_VITALS]
    asked = patient_id, vitals, first.date(), (last - timedelta.resolution).date()
    days = readings.coverage(principal.access, *asked)
    before = readings.coverage_revisions(principal.access, *asked) if history else ()
    return Answer({
        "patient_id": patient_id, "start": first, "end": last,
        "vitals": [_vital(one, _of(one, days), _of(one, before), first, last)
                   for one in vitals]})


def _window(start: datetime | None, end: datetime | None,
            now: datetime) -> tuple[datetime, datetime]:
    try:
        last = (end or now.replace(minute=0, second=0, microsecond=0)).astimezone(UTC)
        first = (start or last - USUAL).astimezone(UTC)
    except OverflowError:
        raise WindowInvalidError("`start` and `end` must lie within the calendar") from None
    if not timedelta() < last - first <= LONGEST:
        raise WindowInvalidError(
            f"`start` must lie before `end`, by {LONGEST.days} days at most; without `end` the "
            "window ends with the hour that runs now")
    return first, last


def _of(vital: str, days: Sequence[CoverageDay]) -> list[CoverageDay]:
    return [day for day in days if day.vital == vital]


def _vital(vital: str, days: Sequence[CoverageDay], before: Sequence[CoverageDay],
           start: datetime, end: datetime) -> dict[str, Any]:
    runs = runs_of(hours_of(days), start, end)
    return {
        "vital": vital, "runs": [_run(one) for one in runs], "shares": shares_of(runs),
        "revisions": [
            {"day": day.isoformat(), "version": one.version,
             "computed_cycle": one.computed_cycle, "replaced_at": one.replaced_at,
             "runs": [_run(run) for run in runs_of(hours_of([one]), start, end)]}
            for day, versions in groupby(before, key=attrgetter("day")) for one in versions]}


def _run(one: Run) -> dict[str, Any]:
    return {"start": one.start, "end": one.end, "state": one.state.word, "why": one.why}
