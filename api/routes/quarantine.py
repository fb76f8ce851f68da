"""Payloads that were not understood, for those who watch the quality of the data."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.answers import Answer
from api.schemas import ProblemOut, with_example
from api.security import Operator, Readings
from providers.observation import Provider

Kind = Literal["page", "discrepancy", "event", "records"]
Status = Literal["held", "replayed", "dismissed"]

router = APIRouter(
    prefix="/v1", tags=["data quality"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 422, 503)},
)


class QuarantineEntryOut(BaseModel):
    """A payload of one connection and resource. No patient, no reading."""

    entry_id: str
    provider: str
    resource: Annotated[str, Field(description="webhook for a push, file … for an import")]
    kind: Annotated[Kind, Field(description="page: not understood as a whole; discrepancy: too "
                                "much of the fetch was refused; records: single ones were; event: "
                                "a webhook that was refused")]
    reason: str | None
    records: Annotated[int, Field(description="refused, 1 for a whole page or event")]
    first_cycle: AwareDatetime
    last_cycle: AwareDatetime
    cycles: Annotated[int, Field(description="cycles that it came in")]
    parser_version: Annotated[int | None, Field(
        description="that did not understand it; of a replayed one, the one that did")]
    status: Status
    decided_at: AwareDatetime | None
    decided_by: str | None
    why: str | None


class QuarantineOut(BaseModel):
    model_config = with_example({"entries": [{
        "entry_id": "81681718b1a6bc5a", "provider": "oura", "resource": "heartrate",
        "kind": "page", "reason": "top-level key missing: data", "records": 1,
        "first_cycle": "2026-11-20T13:00:00Z", "last_cycle": "2026-11-20T14:00:00Z", "cycles": 2,
        "parser_version": 1, "status": "held", "decided_at": None, "decided_by": None,
        "why": None}]})

    entries: list[QuarantineEntryOut]


@router.get("/quarantine", response_model=QuarantineOut)
def quarantine(
    _: Operator, readings: Readings,
    provider: Annotated[Provider | None, Query(description="of this vendor alone")] = None,
    since: Annotated[AwareDatetime | None, Query(
        description="seen in a cycle from then on")] = None,
    kind: Annotated[list[Kind] | None, Query(
        description="default: all but records")] = None,
    status: Annotated[list[Status] | None, Query(description="default: held")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Answer:
    """What was not understood, the latest first; `vitalcast quarantine` shows and replays it."""
    found = readings.quarantine(provider=provider, since=since, kinds=kind, statuses=status,
                                limit=limit)
    return Answer({"entries": [asdict(one) for one in found]})
