"""The wire: what goes out is documented here. What comes in is in `api.entries`."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ForecastVital = Literal["heart_rate", "respiratory_rate", "systolic_bp", "diastolic_bp",
                        "body_temperature", "spo2"]

StateWord = Literal[
    "ok", "worn_no_reading", "not_worn", "not_measured", "not_expected", "not_synced",
    "fetch_failed", "format_discrepancy", "not_entitled", "unsupported", "kept_out"]

CYCLE = "2026-11-20T14:00:00Z"
ACCURACY_DAYS = 7


def with_example(value: dict[str, Any]) -> ConfigDict:
    """Unknown fields are refused; the example stands in the documentation."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [value]})


class ProblemOut(BaseModel):
    """RFC 9457. `detail` says what to do about it."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{
        "type": "urn:vitalcast:problem:patient-not-found", "title": "Patient not found",
        "status": 404, "detail": "There is no such patient among those you may see."}]})

    type: str
    title: str
    status: int
    detail: str


class TokenOut(BaseModel):
    """Send it as `Authorization: Bearer …`."""

    model_config = with_example(
        {"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_in": 3600})

    access_token: str
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Field(description="seconds")]


class MeOut(BaseModel):
    model_config = with_example({"username": "doctor", "role": "doctor"})

    username: str
    role: Literal["doctor", "operator", "service"]


class StateOut(BaseModel):
    model_config = with_example({"status": "ok"})

    status: Literal["ok"]


_PATIENT = {
    "patient_id": "p03", "cutoff": CYCLE, "applicable": True, "band": "medium",
    "band_max": "high", "total": 5, "max": 10, "complete": False, "peak_probability": 0.62,
    "peak_lead": 3, "peak_told": "≥ 62 %", "inputs_ahead": 5, "first_alert_lead": 1,
    "unusual_nights": [], "newest_reading": "2026-11-20T13:52:00Z",
    "newest_reading_age_minutes": 8,
    "main_reason": "Oxygen saturation 91 % (≤ 91): 3 points, 12 min old.",
}


class PatientOut(BaseModel):
    """A patient's place in the work list. Null: not applicable, or not known yet."""

    model_config = with_example(_PATIENT)

    patient_id: str
    cutoff: Annotated[AwareDatetime | None, Field(description="hour of the latest cycle")]
    applicable: bool
    band: str
    band_max: Annotated[str | None, Field(description="with what is missing at its worst")]
    total: Annotated[int | None, Field(description="NEWS2 points of what is known")]
    max: Annotated[int | None, Field(description="with what is missing at its worst")]
    complete: bool
    peak_probability: Annotated[
        float | None, Field(description="highest P(score ≥ 5) of any forecast hour; at least "
                                        "so high where inputs_ahead is below 7")]
    peak_told: Annotated[
        str, Field(description="the same in words; not known where most inputs are missing")]
    inputs_ahead: Annotated[
        int | None, Field(description="of the seven inputs, how many the probability knows")]
    peak_lead: int | None
    first_alert_lead: Annotated[
        int | None, Field(description="first hour whose P(≥ 5) passes the threshold")]
    main_reason: str
    unusual_nights: Annotated[
        list[str], Field(description="the newest night (48 h) where unlike the patient's own")]
    newest_reading: AwareDatetime | None
    newest_reading_age_minutes: int | None


class PatientsOut(BaseModel):
    """A page of the work list, worst first."""

    model_config = with_example({"total": 1, "limit": 50, "offset": 0, "patients": [_PATIENT]})

    total: int
    limit: int
    offset: int
    patients: list[PatientOut]


class FlaggedHourOut(BaseModel):
    """Readings of one hour with the same flag."""

    hour: AwareDatetime
    flag: str
    readings: int
    reason: Annotated[str, Field(description="of one of them")]
    keeps_out: Annotated[bool, Field(description="not forecast from nor scored")]


class SeriesOut(BaseModel):
    """Hourly means; an hour without a reading is null and has the count 0."""

    model_config = with_example({
        "patient_id": "p03", "vital": "heart_rate", "unit": "/min",
        "start": "2026-11-20T12:00:00Z", "step_hours": 1, "mean": [71.5, None], "count": [4, 0],
        "flags": [{"hour": "2026-11-20T12:00:00Z", "flag": "jump", "readings": 1,
                   "reason": "up by 80 /min in 2 min, and back with the next reading",
                   "keeps_out": False}]})

    patient_id: str
    vital: str
    unit: Annotated[str, Field(description="UCUM")]
    start: Annotated[AwareDatetime, Field(description="of the first hour")]
    step_hours: Literal[1]
    mean: list[float | None]
    count: list[int]
    flags: Annotated[list[FlaggedHourOut], Field(
        description="what checks found; readings that are kept out count in no mean")]


class IntervalOut(BaseModel):
    lower: list[float]
    upper: list[float]


class CoverageSummaryOut(BaseModel):
    """What was known of the hours before a forecast, at its cutoff."""

    state: Annotated[StateWord, Field(description="of the last hour")]
    since: Annotated[AwareDatetime, Field(description="from when on every hour was in it")]
    why: Annotated[str | None, Field(description="null where there is a reading")]
    note: Annotated[str | None, Field(description="age of the newest reading, and why")]
    last_reading: AwareDatetime | None
    hours: Annotated[int, Field(description="hours of the window that were judged")]
    shares: dict[StateWord, float]


class ForecastOut(BaseModel):
    """The latest forecast: value i is for the hour that starts at cutoff + i hours."""

    model_config = with_example({
        "patient_id": "p03", "vital": "heart_rate", "unit": "/min", "cutoff": CYCLE, "horizon": 2,
        "stored_horizon": 24, "document_id": "9f2c…", "reason": None, "point": [72.0, 72.4],
        "intervals": {"50": {"lower": [70, 70], "upper": [74, 75]},
                      "80": {"lower": [68, 67], "upper": [77, 78]},
                      "95": {"lower": [64, 63], "upper": [81, 83]}},
        "members": {"profile": {"weights": {"1": 0.4, "2-6": 0.6}, "path": [72.0, 72.4]}},
        "absent": {"tbats": "timeout: no fit within 20 s"},
        "coverage": {"state": "ok", "since": "2026-11-19T07:00:00Z", "why": None, "note": None,
                     "last_reading": "2026-11-20T13:58:00Z", "hours": 326,
                     "shares": {"ok": 0.97, "not_worn": 0.03}}})

    patient_id: str
    vital: str
    unit: str
    cutoff: AwareDatetime
    horizon: Annotated[int, Field(description="hours returned")]
    stored_horizon: int
    document_id: Annotated[str | None, Field(description="the ensemble's model document")]
    reason: Annotated[str | None, Field(description="why there is no forecast")]
    point: Annotated[list[float], Field(description="median per hour")]
    intervals: Annotated[
        dict[Literal["50", "80", "95"], IntervalOut], Field(description="central, per cent")]
    members: Annotated[
        dict[str, Any], Field(description="weights per horizon bucket, path over stored_horizon")]
    absent: Annotated[dict[str, str], Field(description="members left out, and why")]
    coverage: Annotated[CoverageSummaryOut | None, Field(
        description="null for forecasts of releases that did not tell it")]


class ForecastsOut(BaseModel):
    patient_id: str
    forecasts: list[ForecastOut]


class VitalAccuracyOut(BaseModel):
    vital: str
    unit: Annotated[str, Field(description="UCUM")]
    since: Annotated[AwareDatetime, Field(description="cutoff of the oldest forecast counted")]
    until: Annotated[AwareDatetime, Field(description="cutoff of the newest")]
    forecasts: Annotated[int, Field(description="forecasts counted")]
    hours: Annotated[int, Field(
        description="forecast hours beside a reading; each forecast of an hour counts it")]
    mae: Annotated[float, Field(description="mean absolute error of the ensemble, in `unit`")]
    baseline: Annotated[str | None, Field(
        description="the best baseline among those that forecast every one of these hours")]
    baseline_mae: float | None
    coverage_80: Annotated[float, Field(description="share of hours within the 80 % interval")]
    coverage_95: Annotated[float, Field(description="share of hours within the 95 % interval")]


class AccuracyOut(BaseModel):
    """How the forecasts of the last 7 days did; a vital without a scored forecast is left out."""

    model_config = with_example({
        "patient_id": "p03", "days": 7, "vitals": [{
            "vital": "heart_rate", "unit": "/min", "since": "2026-11-13T14:00:00Z",
            "until": "2026-11-20T13:00:00Z", "forecasts": 168, "hours": 3710, "mae": 3.42,
            "baseline": "hour_of_day", "baseline_mae": 4.18, "coverage_80": 0.81,
            "coverage_95": 0.94}]})

    patient_id: str
    days: Annotated[int, Field(description="back from the newest forecast that was scored")]
    vitals: list[VitalAccuracyOut]


class SeverityOut(BaseModel):
    """Severity as stored with the cycle: every part carries its explanation."""

    model_config = with_example({
        "patient_id": "p03", "cutoff": CYCLE, "band": "medium", "rank": 2.0506,
        "current": {
            "applicable": True, "reason": None,
            "score": {"total": 5, "max": 10, "complete": False, "band": "medium",
                      "band_max": "high", "points": {"respiratory_rate": 2, "spo2": 3},
                      "missing": ["supplemental_oxygen", "consciousness"]},
            "inputs": {"spo2": {"value": 91.0, "age_hours": 0.2, "missing": None,
                                "time": "2026-11-20T13:48:00Z"}},
            "explanation": ["NEWS2 is at least 5 and at most 10: band at least medium, at most "
                            "high (5 of 7 inputs known)."]},
        "outlook": {
            "hours": [{"lead": 1, "p_medium_or_more": 0.62, "p_high": 0.2,
                       "band_probabilities": {"low": 0.2, "low-medium": 0.18, "medium": 0.42,
                                              "high": 0.2}, "most_likely_band": "medium"}],
            "first_alert_lead": 1, "threshold": 0.3, "peak_lead": 1, "peak_probability": 0.62,
            "drivers": [{"vital": "spo2", "expected_points": 2.4, "mean_points": 2.1}]},
        "protocol": {"name": "Home monitoring of COVID-19", "days": ["2026-11-20"],
                     "rows": [{"label": "SYS", "values": ["120"]}], "verdicts": ["moderate"]}})

    patient_id: str
    cutoff: AwareDatetime
    band: str
    rank: Annotated[float, Field(description="order in the work list, worst highest")]
    current: Annotated[dict[str, Any], Field(description="NEWS2 now, inputs, ages, missing")]
    outlook: Annotated[dict[str, Any], Field(description="score of the forecast per hour")]
    protocol: Annotated[dict[str, Any], Field(description="home-monitoring table, verdicts")]


class ModelOut(BaseModel):
    model_config = with_example({
        "document_id": "9f2c…", "vital": "heart_rate", "member": "profile", "engine": "native",
        "cutoff": CYCLE, "made_by": "search", "alias": None})

    document_id: str
    vital: str
    member: str
    engine: str
    cutoff: AwareDatetime
    made_by: Annotated[str, Field(description="search or refit")]
    alias: str | None


class ModelsOut(BaseModel):
    patient_id: str
    models: list[ModelOut]


class RunOut(BaseModel):
    """One shard of one job. No patient data."""

    run_id: int
    job: str
    cycle: AwareDatetime
    shard: str
    status: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    cpu_seconds: float | None
    exception: Annotated[str | None, Field(description="class and place")]


class RunsOut(BaseModel):
    runs: list[RunOut]
