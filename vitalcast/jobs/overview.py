"""What a cycle came to, patient by patient, for whoever ran it at a terminal."""

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clinical.current import age_text
from clinical.vitals import FORECAST_VITALS
from clinical.words import TOO_LITTLE, chance
from registry.outlook_document import OutlookDocument
from registry.reading import Reading, open_reading
from registry.views import LOCAL, Forecast, Patient
from vitalcast.wiring import System

MOST_PATIENTS = 200

_VITALS = [vital.value for vital in FORECAST_VITALS]
_BAND_STYLE = {"high": "bold red", "medium": "red", "low-medium": "yellow", "low": "green"}


def show_patients(system: System, console: Console) -> str | None:
    """Print the patients, most severe first; returns the first one's id, None without any.

    Each stands as its newest cycle left it.
    """
    reading = open_reading(system.settings.database_url)
    try:
        found = reading.patients(LOCAL, limit=MOST_PATIENTS)
        console.print(_table(reading, found.patients))
        if found.total > len(found.patients):
            console.print(f"… and {found.total - len(found.patients)} more")
        return found.patients[0].patient_id if found.patients else None
    finally:
        reading.close()


def _table(reading: Reading, patients: tuple[Patient, ...]) -> Table:
    table = Table(title="Patients by severity")
    widest = max((len(patient.patient_id) for patient in patients), default=0)
    table.add_column("patient", no_wrap=True, min_width=widest)
    for heading in ("cycle (UTC)", "NEWS2 now", "band", "highest P(≥ 5) ahead",
                    "heart rate in 1 h / 24 h (80 %)", "forecasts", "newest reading"):
        table.add_column(heading)
    for patient in patients:
        forecasts = reading.forecasts(LOCAL, patient.patient_id, _VITALS)
        made = [one for one in forecasts if one.reason is None]
        table.add_row(
            escape(patient.patient_id), _cycle(patient), _points(patient),
            _band(patient), _peak(patient), _heart_rate(made),
            f"{len(made)} of {len(forecasts)}", _age(patient))
    return table


def _points(patient: Patient) -> str:
    score: dict[str, Any] | None = (patient.current or {}).get("score")
    if not score:
        return "–"
    return str(score["total"]) if score["complete"] else f"{score['total']} to {score['max']}"


def _band(patient: Patient) -> str:
    """Both ends of a partial score, in the colour of the lower one where it is not low."""
    band = patient.band or "not scored"
    worst = ((patient.current or {}).get("score") or {}).get("band_max", band)
    if worst == band:
        return f"[{_BAND_STYLE.get(band, 'dim')}]{band}[/]"
    return f"[{'dim' if band == 'low' else _BAND_STYLE[band]}]{band} to {worst}[/]"


def _peak(patient: Patient) -> str:
    outlook = OutlookDocument.from_json(patient.outlook)
    if outlook.peak_probability is None:
        return "–"
    told = chance(outlook.peak_probability, outlook.missing, outlook.threshold)
    return told if told == TOO_LITTLE else f"{told} in {outlook.peak_lead} h"


def _heart_rate(forecasts: list[Forecast]) -> str:
    one = next((each for each in forecasts if each.vital == "heart_rate"), None)
    if one is None:
        return "–"
    band = one.intervals[80]
    return " / ".join(f"{one.point[lead]:.0f} ({band.lower[lead]:.0f}–{band.upper[lead]:.0f})"
                      for lead in (0, -1))


def _cycle(patient: Patient) -> str:
    return "–" if patient.cutoff is None else f"{patient.cutoff:%d %b %H:%M}"


def _age(patient: Patient) -> str:
    """The newest reading's age at the patient's cycle."""
    newest, cutoff = patient.newest_reading, patient.cutoff
    if newest is None or cutoff is None:
        return "never" if newest is None else f"{newest:%d %b %H:%M}"
    return age_text(max(cutoff - newest, timedelta()))
