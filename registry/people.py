"""What the doors write: logins, who cares for whom, and clinical entries.

    UserExists   the name is taken
    UserNotFound there is no such login
    UnknownRole  a role other than doctor, operator or service
    EntryExists  another value of that item stands at that very time
and the errors of `registry.reading` and `registry.database`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, text

from registry import people_sql as sql
from registry.database import Connection, NotFound, RegistryError, database_url, transaction
from registry.passwords import hash_password
from registry.reading import CONNECT_TIMEOUT_S, NUL, PatientNotFound
from registry.views import Access

ROLES = ("doctor", "operator", "service")


class UserExists(RegistryError):
    """The user name is taken; choose another."""


class UserNotFound(NotFound):
    """There is no such login."""


class UnknownRole(RegistryError):
    """The role is not doctor, operator or service."""


class EntryExists(RegistryError):
    """Another value of that item is stored at that very time; send a later effective_at."""


class People:
    """Writes of the doors, each method one transaction."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            database_url(url), pool_size=2, pool_pre_ping=True, hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def add_user(
        self, username: str, password: str, role: str, patients: Sequence[str] | None = (),
    ) -> tuple[str, ...]:
        """A new login, with patients in care as `give_care` takes and returns them."""
        if role not in ROLES:
            raise UnknownRole(f"'{role}' is no role: use one of {', '.join(ROLES)}")
        values = {"username": username, "password_hash": hash_password(password), "role": role}
        with transaction(self._engine) as connection:
            if connection.execute(text(sql.ADD_USER), values).first() is None:
                raise UserExists(f"the user '{username}' exists: choose another name")
            return _give_care(connection, username, patients)

    def set_password(self, username: str, password: str) -> bool:
        """Replace a login's password and end its sessions; False when there is no such login."""
        values = {"username": username, "password_hash": hash_password(password)}
        with transaction(self._engine) as connection:
            return bool(connection.execute(text(sql.SET_PASSWORD), values).rowcount)

    def remove_user(self, username: str) -> bool:
        """End a login and its sessions; what it entered stays. False when there is none."""
        with transaction(self._engine) as connection:
            return bool(connection.execute(
                text(sql.REMOVE_USER), {"username": username}).rowcount)

    def users(self) -> list[dict[str, Any]]:
        """Every login: name, role, number of patients in care, when it was made."""
        with transaction(self._engine) as connection:
            return [dict(row) for row in connection.execute(text(sql.USERS)).mappings()]

    def give_care(self, username: str, patients: Sequence[str] | None) -> tuple[str, ...]:
        """Put patients, or with None all there are now, into a doctor's care; returns the list."""
        with transaction(self._engine) as connection:
            if connection.execute(text(sql.IS_DOCTOR), {"username": username}).first() is None:
                raise UserNotFound(f"there is no doctor '{username}': add one with "
                                   "`vitalcast user add`")
            return _give_care(connection, username, patients)

    def record(
        self, access: Access, patient_id: str, items: Mapping[str, str], effective_at: datetime
    ) -> None:
        """Store clinical entries, all or none; sending the same again changes nothing."""
        with transaction(self._engine) as connection:
            values = {"viewer": access.username, "patient": patient_id}
            if NUL in patient_id or connection.execute(text(sql.MAY_SEE), values).first() is None:
                raise PatientNotFound
            for item, value in items.items():
                entry = {**values, "item": item, "value": value, "effective_at": effective_at}
                if connection.execute(text(sql.RECORD), entry).first() is None:
                    raise EntryExists(
                        f"another '{item}' is stored at {effective_at.isoformat()}: "
                        "send a later effective_at"
                    )
            if "spo2_scale" in items:
                connection.execute(text(sql.SET_SCALE), values)


def _give_care(
    connection: Connection, username: str, patients: Sequence[str] | None
) -> tuple[str, ...]:
    asked = None if patients is None else list(patients)
    known = tuple(connection.execute(text(sql.KNOWN), {"patients": asked}).scalars())
    missing = sorted(set(asked or ()) - set(known))
    if missing:
        raise PatientNotFound(f"no such patient: {', '.join(missing)}; patients appear when their "
                              "vendor account is linked")
    connection.execute(text(sql.GIVE_CARE), {"username": username, "patients": list(known)})
    return known
