"""Enrol: everybody the sandbox serves becomes a patient whose account is linked, and in care."""

from secrets import token_urlsafe

from providers.identity import account_of
from providers.oauth import authorisation_url, exchange_code
from registry.connections import save_connection
from registry.database import transaction
from registry.patients import Patient, save_patients
from registry.people import People, UserExists
from vitalcast.keys import Keys
from vitalcast.sandbox_admin import Subject, consent, subjects
from vitalcast.wiring import System

DOCTOR = "doctor"
OPERATOR = "operator"


def enrol_sandbox(system: System, root: str, keys: Keys) -> int:
    """Link every subject of the sandbox at `root`; returns how many there are.

    For a database of the sandbox's own: it gives the demo's doctor everybody there.
    """
    served = subjects(root)
    with transaction(system.engine) as conn:
        save_patients(conn, [Patient(patient_id=one.subject_id, birth_date=one.birth_date)
                             for one in served])
    for subject in served:
        link(system, subject)
    _ensure_logins(system, keys)
    return len(served)


def link(system: System, subject: Subject) -> None:
    """One patient's consent: the authorisation code flow, as gone through in a browser."""
    config = system.oauth(subject.provider)
    request = authorisation_url(config, token_urlsafe(16), login_hint=subject.subject_id)
    tokens = exchange_code(config, consent(request), request.code_verifier)
    account = account_of(subject.provider, system.endpoints(subject.provider), tokens,
                         system.limiter(subject.provider))
    with transaction(system.engine) as conn:
        save_connection(conn, system.cipher, patient_id=subject.subject_id,
                        provider=subject.provider, tokens=tokens,
                        provider_user_id=account.user_id, provider_legacy_id=account.legacy_id)


def _ensure_logins(system: System, keys: Keys) -> None:
    people = People(system.settings.database_url)
    try:
        for name, password, role in ((DOCTOR, keys.doctor_password, "doctor"),
                                     (OPERATOR, keys.operator_password, "operator")):
            try:
                people.add_user(name, password, role)
            except UserExists:
                people.set_password(name, password)
        people.give_care(DOCTOR, None)
    finally:
        people.close()
