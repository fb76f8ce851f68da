"""The wire, continued: explanations of forecasts and of models."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas import CYCLE, with_example

_MAKING = {
    "made_by": "refit", "engine": "native", "searched_at": "2026-11-17T02:00:00Z",
    "fitted_from": "2026-11-06T02:00:00Z", "fitted_until": "2026-11-16T02:00:00Z",
    "state_hours": 108, "missing": 12, "criterion": "evidence", "criterion_value": 1213.4,
    "evaluations": 9, "capped": False, "warm_start_from": "41d0…",
}
_EXPLANATION = {
    "member": "ets", "structure": "ETS(A,N,A)", "unit": "/min", "as_of": CYCLE, "level": 72.34,
    "has_trend": False, "trend_per_hour": 0.0, "trend_per_day": 0.0,
    "daily_pattern": [
        -2.2, -3.1, -3.8, -4.2, -4.4, -4.2, -3.8, -3.1, -2.2, -1.2, 0.0, 1.2,
        2.2, 3.1, 3.8, 4.2, 4.4, 4.5, 3.8, 3.1, 2.2, 1.2, 0.0, -1.3],
    "pattern_from": "state", "highest_hour": 17, "lowest_hour": 4, "amplitude": 8.9,
    "pattern_share": 0.67, "added_next_hour": 0.1, "added_half_life_hours": 3,
    "one_hour_error": 2.2, "making": _MAKING,
    "sentences": [
        "The level is 72 /min; the model has no trend.",
        "The day swings by 9 /min, highest about 17:00 UTC, lowest about 04:00 UTC. That is 67 % "
        "of the variance of an hour; the rest is the one-hour error."],
    "making_sentences": [
        "Its parameters were fitted again to the hours from 6 Nov 2026, 02:00 to 16 Nov 2026, "
        "02:00 UTC; its structure was searched on 17 Nov 2026, 02:00 UTC."],
}


class MakingOut(BaseModel):
    """How a model document was made."""

    model_config = with_example(_MAKING)

    made_by: Annotated[str, Field(
        description="search (of the structure) or refit (of the parameters)")]
    engine: str
    searched_at: Annotated[AwareDatetime, Field(
        description="end of the window on which the structure was searched")]
    fitted_from: AwareDatetime
    fitted_until: Annotated[AwareDatetime, Field(
        description="first hour that the parameters have not seen")]
    state_hours: Annotated[int, Field(description="hours since then, which moved the state alone")]
    missing: Annotated[int, Field(description="hours without a reading among all of these")]
    criterion: Annotated[str | None, Field(description="what structures were compared by")]
    criterion_value: float | None
    evaluations: Annotated[int | None, Field(description="passes over the data that it took")]
    capped: Annotated[bool, Field(description="the fit ended at its limit of evaluations")]
    warm_start_from: Annotated[str | None, Field(
        description="the document whose parameters it started from")]


class ExplanationOut(BaseModel):
    """A model's level, trend and daily pattern at `as_of`, in `unit`, and in words."""

    model_config = with_example(_EXPLANATION)

    member: str
    structure: Annotated[str, Field(description="in one phrase of the field")]
    unit: Annotated[str, Field(description="UCUM")]
    as_of: Annotated[AwareDatetime, Field(description="the first hour the model has not seen")]
    level: Annotated[float, Field(description="at the last hour seen, as a mean over a day")]
    has_trend: bool
    trend_per_hour: Annotated[float, Field(description="change of the level in the next hour")]
    trend_per_day: Annotated[float, Field(description="change of the level in the next 24 hours")]
    daily_pattern: Annotated[list[float], Field(
        description="deviation from the day's mean by UTC hour, 0 to 23",
        min_length=24, max_length=24)]
    pattern_from: Annotated[Literal["parameters", "state", "path", "none"], Field(
        description="where it was found: the model's parameters, its state, its own path over the "
                    "next days; or there is none")]
    highest_hour: Annotated[int | None, Field(description="UTC hour of day")]
    lowest_hour: Annotated[int | None, Field(description="UTC hour of day")]
    amplitude: Annotated[float, Field(description="highest minus lowest hour")]
    pattern_share: Annotated[float, Field(
        description="the pattern's share of the variance of an hour, 0 to 1")]
    added_next_hour: Annotated[float, Field(
        description="what the latest readings add to level, trend and pattern in the next hour")]
    added_half_life_hours: Annotated[int | None, Field(
        description="hours until half of that is gone; null: it lasts a day or longer")]
    one_hour_error: Annotated[float | None, Field(description="root mean square")]
    making: MakingOut
    sentences: Annotated[list[str], Field(description="the numbers in words")]
    making_sentences: Annotated[list[str], Field(description="how it was made, in words")]


_PART = {"share": 0.61, "weights": {"1": 0.5, "2-6": 0.6}, "path": [72.0, 72.4],
         "structure": "ETS(A,N,A)", "document_id": "9f2c…"}
_CHAMPION = {"member": "ets", "document_id": "9f2c…",
             "why": "lowest rolling-origin error over the day: 2.31"}


class MemberPartOut(BaseModel):
    """What one member said, and how much it counted."""

    model_config = with_example(_PART)

    share: Annotated[float, Field(description="part in the forecast over its horizon, 0 to 1")]
    weights: Annotated[dict[str, float], Field(description="per horizon bucket, hours ahead")]
    path: Annotated[list[float], Field(description="what it said, hour by hour")]
    structure: Annotated[str | None, Field(
        description="null where its document is not stored any more")]
    document_id: str | None


class ChampionOut(BaseModel):
    """The member that the last training found best."""

    model_config = with_example(_CHAMPION)

    member: str
    document_id: str
    why: str


class ForecastExplanationOut(BaseModel):
    """How the latest forecast was made: members in the order of their part in it."""

    model_config = with_example({
        "patient_id": "p03", "vital": "heart_rate", "unit": "/min", "cutoff": CYCLE, "horizon": 2,
        "document_id": "51ab…", "reason": None, "members": {"ets": _PART},
        "absent": {"tbats": "timeout: no fit within 20 s"}, "leading": _EXPLANATION,
        "unexplained": None, "champion": _CHAMPION})

    patient_id: str
    vital: str
    unit: Annotated[str, Field(description="UCUM")]
    cutoff: AwareDatetime
    horizon: int
    document_id: Annotated[str | None, Field(description="the ensemble's model document")]
    reason: Annotated[str | None, Field(description="why there is no forecast")]
    members: dict[str, MemberPartOut]
    absent: Annotated[dict[str, str], Field(description="members left out, and why")]
    leading: Annotated[ExplanationOut | None, Field(
        description="the member with the largest part, in the state that the forecast began from")]
    unexplained: Annotated[str | None, Field(description="why `leading` is null")]
    champion: ChampionOut | None


class ModelExplanationOut(BaseModel):
    """A model document, and what it says in the state at the end of its window."""

    model_config = with_example({
        "document_id": "9f2c…", "vital": "heart_rate", "member": "ets",
        "document": {"schema": "vitalcast.model", "version": 1, "member": "ets"},
        "explanation": _EXPLANATION, "unexplained": None})

    document_id: str
    vital: str
    member: str
    document: Annotated[dict[str, Any], Field(description="as it is stored")]
    explanation: ExplanationOut | None
    unexplained: Annotated[str | None, Field(description="why `explanation` is null")]
