"""The sandbox's own endpoints: its clock, its subjects, its faults, what was asked of it."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from providers.observation import Provider
from providers.sandbox import SandboxClockError
from providers.sandbox.faults import Fault, Kind
from providers.sandbox.readings import VITAL_OF, Subject
from providers.sandbox.world import World, iso


class Clock(BaseModel):
    """The sandbox's time; a time without a zone is refused."""

    model_config = ConfigDict(extra="forbid")
    now: AwareDatetime


class FaultIn(BaseModel):
    """A fault to activate; see `faults.Fault`. Late data begins at the clock's time by default."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    provider: Provider | None = None
    resource: str | None = Field(None, pattern="^/")
    subject_id: str | None = None
    times: int | None = Field(None, ge=1)
    after: int = Field(0, ge=0)
    retry_after: int | None = Field(None, ge=0)
    status: int | None = None
    seconds: float | None = Field(None, ge=0)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class FaultOut(FaultIn):
    """An active fault; `left` is how many requests it will still take, null without end."""

    fault_id: int
    left: int | None


class SubjectOut(BaseModel):
    """A subject as far as the clock lets it be known."""

    subject_id: str
    provider: Provider
    birth_date: date | None
    vitals: list[str]
    first: str | None
    last: str | None
    readings: int


class Removed(BaseModel):
    """How many faults were removed."""

    removed: int


def router(world: World) -> APIRouter:
    """Routes under `/sandbox`."""
    routes = APIRouter(prefix="/sandbox", tags=["sandbox"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "now": iso(world.now), "anchor": iso(world.anchor)}

    @routes.get("/clock")
    async def clock() -> dict[str, str]:
        return {"now": iso(world.now)}

    @routes.post("/clock")
    async def set_clock(clock: Clock) -> dict[str, str]:
        try:
            world.set_now(int(clock.now.timestamp()))
        except SandboxClockError as error:
            raise HTTPException(422, str(error)) from error
        return {"now": iso(world.now)}

    @routes.get("/subjects")
    async def subjects() -> list[SubjectOut]:
        return [_subject(world, subject) for subject in world.subjects.values()]

    @routes.get("/requests")
    async def requests() -> dict[str, int]:
        return dict(world.requests)

    _fault_routes(routes, world)
    return routes


def _fault_routes(routes: APIRouter, world: World) -> None:
    @routes.get("/faults")
    async def faults() -> list[FaultOut]:
        return [_shown(fault, left) for fault, left in world.faults.active()]

    @routes.post("/faults", status_code=201)
    async def add_fault(given: FaultIn) -> FaultOut:
        if given.subject_id is not None and given.subject_id not in world.subjects:
            raise HTTPException(404, f"no subject {given.subject_id}; see /sandbox/subjects")
        fault = world.faults.add(_fault(given, world.now))
        return _shown(fault, fault.times)

    @routes.delete("/faults")
    async def clear_faults(fault_id: Annotated[int | None, Query()] = None) -> Removed:
        return Removed(removed=world.faults.clear(fault_id))


def _fault(given: FaultIn, now: int) -> Fault:
    since = now if given.since is None else int(given.since.timestamp())
    until = None if given.until is None else int(given.until.timestamp())
    fields = given.model_dump(exclude={"since", "until"})
    return Fault(**fields, since=since, until=until)


def _shown(fault: Fault, left: int | None) -> FaultOut:
    return FaultOut(
        fault_id=fault.fault_id, left=left, kind=fault.kind, provider=fault.provider,
        resource=fault.resource, subject_id=fault.subject_id, times=fault.times,
        after=fault.after, retry_after=fault.retry_after, status=fault.status,
        seconds=fault.seconds, since=_utc(fault.since), until=_utc(fault.until))


def _utc(moment: int | None) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC)


def _subject(world: World, subject: Subject) -> SubjectOut:
    known = {channel: readings for channel in sorted(subject.channels & VITAL_OF.keys())
             if len(readings := world.visible(subject, channel))}
    first = min((int(readings.t[0]) for readings in known.values()), default=None)
    last = max((int(readings.t[-1]) for readings in known.values()), default=None)
    return SubjectOut(
        subject_id=subject.subject_id, provider=subject.provider, birth_date=subject.birth_date,
        vitals=sorted({VITAL_OF[channel].value for channel in known}),
        first=None if first is None else iso(first), last=None if last is None else iso(last),
        readings=sum(len(readings) for readings in known.values()))
