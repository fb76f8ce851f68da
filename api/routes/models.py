"""Model documents, and the runs of the jobs that operators watch."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query

from api.answers import Answer
from api.schemas import ProblemOut, RunsOut
from api.security import Readings, SignedIn, Watcher

router = APIRouter(
    prefix="/v1", tags=["models"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


@router.get("/models/{document_id}")
def document(document_id: str, principal: SignedIn, readings: Readings) -> Answer:
    """The JSON document of a fitted model, as it is stored. Operators see all of them."""
    return Answer(orjson.Fragment(readings.document(principal.access, document_id)))


@router.get("/runs", response_model=RunsOut)
def runs(
    _: Watcher, readings: Readings, limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Answer:
    """The newest runs of the jobs: what ran, when, and what failed."""
    return Answer({"runs": readings.runs(limit=limit)})
