"""Patients on their way to a vendor's consent page, and whose links a person may make and end.

The `state` that goes with a patient to the vendor is good once, for ten minutes, and only for the
login it was given to. The table holds its hash alone.

    ConsentOver         unknown, spent or too old, or begun by another login
    ConnectionNotFound  no such link, or of a patient whom the asker may not link
and `registry.reading.PatientNotFound`.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from registry.connections import TokenCipher
from registry.database import Connection, NotFound, RegistryError
from registry.reading import NUL, PatientNotFound
from registry.reading_sql import MAY_SEE_MODELS
from registry.views import Access

LIVES = timedelta(minutes=10)

_BEGIN = """
WITH gone AS (DELETE FROM consents WHERE expires_at < now())
INSERT INTO consents (state_hash, provider, patient_id, username, session_hash, verifier_enc,
                      expires_at)
VALUES (:state, :provider, :patient, :username, :session, :verifier, now() + :lives)"""

_SPEND = """
DELETE FROM consents WHERE state_hash = :state
RETURNING provider, patient_id, username, session_hash, verifier_enc, expires_at > now() AS open"""

_LINKS = """
SELECT c.connection_id, c.provider, c.status, c.provider_user_id IS NOT NULL AS account_known,
       c.scopes_granted, c.consented_at, c.last_refresh_at, f.last_fetch
FROM connections c
LEFT JOIN LATERAL (SELECT max(cycle) AS last_fetch FROM fetches x
                   WHERE x.connection_id = c.connection_id AND x.outcome = 'complete') f ON true
WHERE c.patient_id = :patient ORDER BY c.connection_id"""

_WHOSE = """
SELECT patient_id, provider, provider_user_id FROM connections
WHERE connection_id = :connection_id"""


class ConsentOver(RegistryError):
    """This consent is over or was begun by another login; begin again at the patient's page."""


class ConnectionNotFound(NotFound):
    """There is no such connection among those you may see; GET /v1/connections lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks, and with which login token: a consent comes back to the one it began with."""

    username: str
    token: str = field(repr=False)

    @property
    def access(self) -> Access:
        """What the read side is asked with."""
        return Access(username=self.username)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent that was spent: for which patient, and PKCE's verifier where there is one."""

    patient_id: str
    verifier: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A patient's link as people may see it, without its tokens."""

    connection_id: str
    provider: str
    status: str
    account_known: bool
    scopes_granted: tuple[str, ...]
    consented_at: datetime | None
    last_refresh_at: datetime | None
    last_fetch: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose account a link is, here and at the vendor."""

    patient_id: str
    provider: str
    provider_user_id: str | None


def require_linkable(conn: Connection, access: Access, patient_id: str) -> None:
    """PatientNotFound unless it is a doctor's own patient, or an operator or a service asks."""
    if not _linkable(conn, access, patient_id):
        raise PatientNotFound


def begin_consent(conn: Connection, cipher: TokenCipher, login: Login, *, state: str,
                  provider: str, patient_id: str, verifier: str | None) -> None:
    """Remember who leaves for the vendor, for whom. PatientNotFound for others' patients."""
    require_linkable(conn, login.access, patient_id)
    conn.execute(text(_BEGIN), {
        "state": _hash(state), "provider": provider, "patient": patient_id,
        "username": login.username, "session": _hash(login.token), "lives": LIVES,
        "verifier": None if verifier is None else cipher.encrypt(verifier)})


def spend_consent(conn: Connection, cipher: TokenCipher, login: Login, *, state: str,
                  provider: str) -> Consent | None:
    """What the `state` stands for; None when it is over. In either case it is spent."""
    row = conn.execute(text(_SPEND), {"state": _hash(state)}).first()
    if row is None or not _fits(row, login, provider):
        return None
    if not _linkable(conn, login.access, row.patient_id):
        return None
    verifier = None if row.verifier_enc is None else cipher.decrypt(row.verifier_enc)
    return Consent(patient_id=row.patient_id, verifier=verifier)


def links_of(conn: Connection, access: Access, patient_id: str) -> list[Linked]:
    """Every link of a patient, whatever its status."""
    require_linkable(conn, access, patient_id)
    return [Linked(**{**row._mapping, "scopes_granted": tuple(row.scopes_granted)})
            for row in conn.execute(text(_LINKS), {"patient": patient_id})]


def owner_of(conn: Connection, access: Access, connection_id: str) -> Owner:
    """Whose link that is. ConnectionNotFound also where it may not be seen."""
    if NUL in connection_id:
        raise ConnectionNotFound
    row = conn.execute(text(_WHOSE), {"connection_id": connection_id}).first()
    if row is None or not _linkable(conn, access, row.patient_id):
        raise ConnectionNotFound
    return Owner(**row._mapping)


def _linkable(conn: Connection, access: Access, patient_id: str) -> bool:
    asked = {"viewer": access.username, "patient": patient_id}
    return NUL not in patient_id and conn.execute(
        text(MAY_SEE_MODELS), asked).first() is not None


def _fits(row: Any, login: Login, provider: str) -> bool:
    return bool(row.open and row.provider == provider and row.username == login.username
                and row.session_hash == _hash(login.token))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
