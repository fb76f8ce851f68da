"""Is the process alive, and can it answer."""

from fastapi import APIRouter

from api.answers import Answer
from api.schemas import ProblemOut, StateOut
from api.security import Readings

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=StateOut)
async def healthz() -> Answer:
    """The process runs. Asks nothing of the database."""
    return Answer({"status": "ok"})


@router.get("/readyz", response_model=StateOut, responses={503: {"model": ProblemOut}})
def readyz(readings: Readings) -> Answer:
    """The database is reachable and has this release's tables."""
    readings.require_migrated()
    return Answer({"status": "ok"})
