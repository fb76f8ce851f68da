"""Import: the readings of one file, in one transaction: all of them or none.

The same file again changes nothing; a newer file of the same readings revises them.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from providers.imports import Format, Item, Owner
from providers.imports.reading import FileRefused
from providers.observation import Observation, Refusal
from registry.database import transaction
from registry.file_imports import (
    MOST_RAW_BYTES,
    SourceFile,
    WrongPatient,
    open_file_connection,
    save_items,
    save_source,
)
from registry.patients import Patient, save_patients
from registry.runs import run
from vitalcast.cycle import last_full_hour
from vitalcast.memory import collector_paused
from vitalcast.wiring import System

Figures = dict[str, Any]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is asked: a file of a format, for a patient, who may be new."""

    name: str
    format: Format
    file: BinaryIO
    zone: ZoneInfo | None
    patient_id: str
    new_patient: bool = False


def import_readings(system: System, asked: Import) -> Figures:
    """Store the file's readings. FileRefused or WrongPatient leave nothing of it behind."""
    hour = last_full_hour(datetime.now(UTC))
    with run(system.engine, job="import", cycle=hour, shard="1/1") as figures:
        source = _source(asked)
        owner = _owner(asked)
        asked.file.seek(0)
        with transaction(system.engine) as conn, collector_paused():
            if asked.new_patient:
                save_patients(conn, [Patient(patient_id=asked.patient_id,
                                             birth_date=_birth_date(owner))])
            connection_id = open_file_connection(
                conn, asked.patient_id, asked.format.provider, user_id=owner.user_id,
                birth_date=_birth_date(owner))
            save_source(conn, source)
            saved, refused = save_items(conn, _readings(asked), source, connection_id=connection_id,
                                        patient_id=asked.patient_id)
        figures.update(inserted=saved.inserted, revised=saved.revised,
                       unchanged=saved.unchanged, refused=refused)
    return dict(figures)


def _source(asked: Import) -> SourceFile:
    """The file's hash, and its bytes where it is small enough to keep."""
    digest, kept, size = hashlib.sha256(), [], 0
    asked.file.seek(0)
    while block := asked.file.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if size <= MOST_RAW_BYTES:
            kept.append(block)
    body = b"".join(kept) if size <= MOST_RAW_BYTES else None
    return SourceFile(provider=asked.format.provider, format=asked.name,
                      sha256=digest.hexdigest(), body=body)


def _owner(asked: Import) -> Owner:
    """Whose the file says it is, from a first reading of it. WrongPatient for several people.

    The first reading also finds a file that is cut off or damaged before anything is written.
    """
    asked.file.seek(0)
    users: set[str] = set()
    births: set[str] = set()
    for one in _read(asked):
        if isinstance(one, Owner):
            users.update(filter(None, [one.user_id]))
            births.update(filter(None, [one.birth_date]))
    if len(users) > 1 or len(births) > 1:
        raise WrongPatient("the file holds readings of several people: split it by patient")
    return Owner(user_id=next(iter(users), None), birth_date=next(iter(births), None))


def _birth_date(owner: Owner) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(owner.birth_date) if owner.birth_date else None
    return None


def _readings(asked: Import) -> Iterator[Observation | Refusal]:
    asked.file.seek(0)
    for one in _read(asked):
        if not isinstance(one, Owner):
            yield one


def _read(asked: Import) -> Iterator[Item]:
    return asked.format.read(asked.file, asked.zone)


__all__ = ["FileRefused", "Import", "import_readings"]
