"""Clinical entries: what is sent, and the one way in for the API and for the page's form."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from api.errors import EntryInFutureError
from api.schemas import CYCLE, with_example
from api.security import Principal
from clinical.news2 import Consciousness
from registry.people import People

CLOCKS_DIFFER = timedelta(minutes=2)

Condition = Literal["mild", "moderate", "severe"]


class EntryIn(BaseModel):
    """What a clinician found, or the patient answered. Only the items given are stored."""

    model_config = with_example({
        "effective_at": CYCLE, "supplemental_oxygen": False, "consciousness": "alert"})

    effective_at: Annotated[
        AwareDatetime | None, Field(description="when it was so, with a zone; default now")] = None
    supplemental_oxygen: bool | None = None
    consciousness: Consciousness | None = None
    spo2_scale: Annotated[
        Literal[1, 2] | None, Field(description="2: hypercapnic respiratory failure")] = None
    chest_pain: bool | None = None
    chest_pain_moderate_exercise: bool | None = None
    chest_pain_at_rest: bool | None = None
    shortness_of_breath: bool | None = None
    shortness_of_breath_light_exercise: bool | None = None
    shortness_of_breath_at_rest: bool | None = None
    coloured_sputum: bool | None = None
    assessed_condition: Annotated[
        Condition | None, Field(description="the doctor's own verdict")] = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.items():
            raise ValueError("no item is given: send at least one, such as consciousness")
        return self

    def items(self) -> dict[str, str]:
        """The given items as stored text: true and false, numbers, words."""
        given = self.model_dump(mode="json", exclude={"effective_at"}, exclude_none=True)
        return {item: _as_text(value) for item, value in given.items()}

    def at(self, now: datetime) -> datetime:
        """When the entry holds from, in UTC."""
        return (self.effective_at or now).astimezone(UTC)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class EntryOut(BaseModel):
    model_config = with_example({
        "patient_id": "p03", "effective_at": CYCLE, "items": {"consciousness": "alert"},
        "entered_by": "doctor"})

    patient_id: str
    effective_at: AwareDatetime
    items: dict[str, str]
    entered_by: str


def record(
    people: People, doctor: Principal, patient_id: str, entry: EntryIn, now: datetime
) -> EntryOut:
    """Store all of `entry` or nothing. EntryInFutureError, and the errors of `People.record`."""
    effective_at, items = entry.at(now), entry.items()
    if effective_at > now + CLOCKS_DIFFER:
        raise EntryInFutureError
    people.record(doctor.access, patient_id, items, effective_at)
    return EntryOut(patient_id=patient_id, effective_at=effective_at, items=items,
                    entered_by=doctor.username)
