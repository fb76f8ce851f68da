"""Where a patient stands, in the few facts that the work list and the report's head show.

Read from the stored severity, whose parts may be absent: a score that does not apply has no
points, a patient without forecasts no outlook.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinical.news2 import PARAMETERS
from clinical.severity import UNUSUAL_NIGHT
from clinical.words import chance, inputs_known
from registry.outlook_document import OutlookDocument
from registry.views import Patient

NO_CYCLE = "No cycle has run for this patient yet."
NOTHING_CURRENT = "No current reading to score."
UNKNOWN = "no cycle yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`total`, `max` and the bands are None where NEWS2 does not apply or nothing is known.

    peak_probability  highest P(score ≥ 5) of any forecast hour, at least: see `inputs_ahead`
    peak_told         the same in words
    inputs_ahead      from how many of the seven inputs it is
    unusual_nights    what last night was unlike the patient's own nights, as sentences
    first_alert_lead  first forecast hour (1 …) in which P(≥ 5) passes the alert threshold
    """

    patient_id: str
    cutoff: datetime | None
    applicable: bool
    band: str
    band_max: str | None
    total: int | None
    max: int | None
    complete: bool
    peak_probability: float | None
    peak_told: str
    inputs_ahead: int | None
    peak_lead: int | None
    first_alert_lead: int | None
    main_reason: str
    unusual_nights: tuple[str, ...]
    newest_reading: datetime | None


def standing(patient: Patient) -> Standing:
    """The facts of `patient` for a list."""
    current, outlook = patient.current or {}, OutlookDocument.from_json(patient.outlook)
    score = current.get("score") or {}
    return Standing(
        patient_id=patient.patient_id,
        cutoff=patient.cutoff,
        applicable=bool(current.get("applicable", False)),
        band=patient.band or UNKNOWN,
        band_max=score.get("band_max"),
        total=score.get("total"),
        max=score.get("max"),
        complete=bool(score.get("complete", False)),
        peak_probability=outlook.peak_probability,
        peak_told=_peak_told(outlook),
        inputs_ahead=inputs_known(outlook.missing) if outlook.hours else None,
        peak_lead=outlook.peak_lead,
        first_alert_lead=outlook.first_alert_lead,
        main_reason=_main_reason(patient, current),
        unusual_nights=tuple(
            one["sentence"] for one in current.get("baseline") or ()
            if one["z"] is not None and abs(one["z"]) >= UNUSUAL_NIGHT),
        newest_reading=patient.newest_reading,
    )


def _peak_told(outlook: OutlookDocument) -> str:
    peak = outlook.peak_probability
    return "" if peak is None else chance(peak, outlook.missing, outlook.threshold)


def _main_reason(patient: Patient, current: Mapping[str, Any]) -> str:
    """The sentence of the input with the most points; the stored ones are in that order."""
    if patient.cutoff is None:
        return NO_CYCLE
    if current.get("reason"):
        return str(current["reason"])
    points = (current.get("score") or {}).get("points") or {}
    sentences = current.get("explanation") or [""]
    if not points:
        return NOTHING_CURRENT
    if not any(points.values()):
        return _no_points(len(points))
    return str(sentences[1] if len(sentences) > 1 else sentences[0])


def _no_points(known: int) -> str:
    if known == len(PARAMETERS):
        return "No input scores a point."
    return (f"Known inputs, {known} of {len(PARAMETERS)}, score no point; "
            "the others are missing.")
