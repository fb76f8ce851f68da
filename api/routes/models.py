"""Model documents, and the runs of the jobs that operators watch."""

from datetime import timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Query

from api.answers import Answer
from api.explanation_schemas import ModelExplanationOut
from api.explanations import explain_model
from api.schemas import ProblemOut, RunsOut
from api.security import Readings, SignedIn, Watcher

UtcOffset = Annotated[int | None, Query(
    ge=-14 * 60, le=14 * 60,
    description="the patient's own offset from UTC, for the times of day in the sentences")]

router = APIRouter(
    prefix="/v1", tags=["models"],
    responses={status: {"model": ProblemOut} for status in (401, 403, 404, 422, 503)},
)


@router.get("/models/{document_id}")
def document(document_id: str, principal: SignedIn, readings: Readings) -> Answer:
    """The JSON document of a fitted model, as it is stored. Operators see all of them."""
    return Answer(orjson.Fragment(readings.model(principal.access, document_id).document))


@router.get("/models/{document_id}/explanation", response_model=ModelExplanationOut)
def explanation(
    document_id: str, principal: SignedIn, readings: Readings, utc_offset_minutes: UtcOffset = None,
) -> Answer:
    """A model's structure, level, trend and daily pattern, and how it was made, in words too."""
    found = readings.model(principal.access, document_id)
    explained, unexplained = explain_model(found, as_offset(utc_offset_minutes))
    return Answer({
        "document_id": found.document_id, "vital": found.vital, "member": found.member,
        "document": orjson.Fragment(found.document),
        "explanation": explained, "unexplained": unexplained or None,
    })


@router.get("/runs", response_model=RunsOut)
def runs(
    _: Watcher, readings: Readings, limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Answer:
    """The newest runs of the jobs: what ran, when, and what failed."""
    return Answer({"runs": readings.runs(limit=limit)})


def as_offset(minutes: int | None) -> timedelta | None:
    """An offset from UTC as it was sent."""
    return None if minutes is None else timedelta(minutes=minutes)
