"""The wire of coverage; docs/coverage.md explains the states."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas import CYCLE, StateWord, with_example

_RUN = {"start": "2026-11-20T08:00:00Z", "end": CYCLE, "state": "not_synced",
        "why": "the Oura ring last synced 20 Nov 08:40 UTC"}


class RunOut(BaseModel):
    """Hours from `start` to before `end` that share a state and a cause."""

    model_config = with_example(_RUN)

    start: AwareDatetime
    end: AwareDatetime
    state: StateWord
    why: Annotated[str | None, Field(description="null where there is a reading")]


class RevisionOut(BaseModel):
    """What a UTC day said before an hour of it was judged otherwise."""

    day: str
    version: int
    computed_cycle: AwareDatetime
    replaced_at: AwareDatetime
    runs: list[RunOut]


class VitalCoverageOut(BaseModel):
    """`runs` leave out hours that were not judged."""

    vital: str
    runs: list[RunOut]
    shares: Annotated[
        dict[StateWord, float], Field(description="of the judged hours in each state")]
    revisions: list[RevisionOut]


class CoverageOut(BaseModel):
    """Why each hour of [start, end) has a reading or none."""

    model_config = with_example({
        "patient_id": "p03", "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z",
        "vitals": [{"vital": "heart_rate", "runs": [_RUN], "shares": {"not_synced": 1.0},
                    "revisions": []}]})

    patient_id: str
    start: AwareDatetime
    end: AwareDatetime
    vitals: list[VitalCoverageOut]
