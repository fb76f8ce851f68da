"""Why a cycle was late or wrong, for programs; `/runs/{hour}` shows the same to operators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import Answer
from api.routes.runs import cycle_named, now_of
from api.schemas import ProblemOut, with_example
from api.security import Operator, Readings
from vitalcast.explain import explain

router = APIRouter(
    prefix="/v1", tags=["runs"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 503)},
)

Beside = Annotated[float | None, Field(description="of the last good cycle")]


class StageOut(BaseModel):
    """One job of the cycle: its newest run of every shard."""

    job: str
    status: Literal["done", "failed", "running"]
    shards: int
    started_at: AwareDatetime
    seconds: Annotated[float, Field(description="first start to last end, or so far")]
    good_seconds: Beside
    cpu_seconds: float
    slowest: Annotated[str, Field(description="the shard that took longest")]
    slowest_seconds: float


class LineOut(BaseModel):
    """A count of this cycle beside the last good one's."""

    name: str
    count: int
    good: int | None


class ChangeOut(BaseModel):
    """A key of the model configuration that changed since the last good cycle."""

    at: AwareDatetime
    key: str
    before: str
    after: str


class RunExplanationOut(BaseModel):
    """A cycle beside the last good one before it. No patient."""

    model_config = with_example({
        "cycle": "2026-11-21T09:00:00Z", "good": "2026-11-21T08:00:00Z", "state": "late",
        "seconds": 4310.0, "good_seconds": 1220.5, "patients": 812, "cpu_per_patient": 3.1,
        "good_cpu_per_patient": 2.9,
        "findings": ["Train took 58 min, 3.4 times the last good cycle's."],
        "stages": [{"job": "train", "status": "done", "shards": 4,
                    "started_at": "2026-11-21T09:06:10Z", "seconds": 3490.2,
                    "good_seconds": 1020.0, "cpu_seconds": 2210.8, "slowest": "2/4",
                    "slowest_seconds": 3490.2}],
        "fits": [{"name": "arima refit", "count": 4870, "good": 4866}], "failed_fits": [],
        "fetches": [{"name": "oura: rate_limited", "count": 12, "good": 0}],
        "gaps": [{"name": "not_synced", "count": 310, "good": 288}], "changes": []})

    cycle: AwareDatetime
    good: Annotated[AwareDatetime | None, Field(description="the last good cycle before it")]
    state: Literal["good", "late", "incomplete", "failed"]
    seconds: float
    good_seconds: Beside
    patients: int | None
    cpu_per_patient: Annotated[float | None, Field(description="CPU seconds")]
    good_cpu_per_patient: Beside
    findings: Annotated[list[str], Field(description="what stands out, most telling first")]
    stages: list[StageOut]
    fits: list[LineOut]
    failed_fits: list[LineOut]
    fetches: Annotated[list[LineOut], Field(description="those that were not complete")]
    gaps: Annotated[list[LineOut], Field(description="series of the last hour, by state")]
    changes: list[ChangeOut]


@router.get("/runs/{hour}/explanation", response_model=RunExplanationOut)
def run_explanation(
    request: Request, _: Operator, readings: Readings,
    hour: Annotated[str, Path(description="2026-11-21T09, or latest")],
) -> Answer:
    """Why a cycle was late or wrong: what stands out beside the last good one of the week before.

    The same as `vitalcast explain --json`.
    """
    cycles = readings.cycles
    return Answer(explain(cycles.compared(cycle_named(cycles, hour)), now_of(request)))
