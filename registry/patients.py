"""Patients, and what people entered about them. Logins: `people`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from clinical.current import Entry
from registry.database import Connection, execute_rows

_SAVE = """
INSERT INTO patients (patient_id, birth_date, pregnant) VALUES %s
ON CONFLICT (patient_id) DO UPDATE SET birth_date = excluded.birth_date
WHERE patients.birth_date IS DISTINCT FROM excluded.birth_date"""

_ADD = "INSERT INTO patients (patient_id) VALUES (:patient_id) ON CONFLICT DO NOTHING"

_BORN = """
UPDATE patients SET birth_date = :birth_date
WHERE patient_id = :patient_id AND birth_date IS NULL"""

_IDS = "SELECT patient_id FROM patients ORDER BY patient_id"

_LOAD = """
SELECT patient_id, birth_date, pregnant, spo2_scale FROM patients
WHERE patient_id = ANY(:patients)"""

_ENTRIES = """
SELECT patient_id, item, value, effective_at FROM clinical_entries
WHERE patient_id = ANY(:patients) AND effective_at >= :since AND effective_at < :until
ORDER BY patient_id, effective_at, item"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What decides whether and how a patient is scored. `spo2_scale` 2 is a clinician's entry."""

    patient_id: str
    birth_date: date | None = None
    pregnant: bool = False
    spo2_scale: int = 1


def save_patients(conn: Connection, patients: Sequence[Patient]) -> None:
    """Store patients; of one who is there already, only the birth date changes.

    Pregnancy and SpO2 scale are what people entered since.
    """
    execute_rows(conn, _SAVE, [(one.patient_id, one.birth_date, one.pregnant) for one in patients])


def add_patient(conn: Connection, patient_id: str) -> None:
    """Store a patient of whom nothing else is known; one who is there already stays as they are."""
    conn.execute(text(_ADD), {"patient_id": patient_id})


def set_birth_date(conn: Connection, patient_id: str, birth_date: date) -> None:
    """Keep when a patient was born, unless that is known."""
    conn.execute(text(_BORN), {"patient_id": patient_id, "birth_date": birth_date})


def patient_ids(conn: Connection) -> list[str]:
    """Every patient, sorted."""
    return list(conn.execute(text(_IDS)).scalars())


def load_patients(conn: Connection, patients: Sequence[str]) -> dict[str, Patient]:
    """The patients that exist among `patients`, by id."""
    found = conn.execute(text(_LOAD), {"patients": list(patients)})
    return {row.patient_id: Patient(**row._mapping) for row in found}


def load_entries(
    conn: Connection, patients: Sequence[str], since: datetime, until: datetime,
) -> dict[str, list[Entry]]:
    """Clinical entries that took effect in [since, until), by patient, in time order."""
    found: dict[str, list[Entry]] = {patient: [] for patient in patients}
    for row in conn.execute(text(_ENTRIES), {
            "patients": list(patients), "since": since, "until": until}):
        found[row.patient_id].append(
            Entry(item=row.item, value=row.value, time=row.effective_at))
    return found
