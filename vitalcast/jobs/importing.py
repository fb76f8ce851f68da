"""Import: the readings of one file, in one transaction: all of them or none.

The file is parsed once, as a stream: readings are stored while it is read, and what it says of its
owner is checked before anything is committed. The same file again changes nothing; a newer file of
the same readings revises them.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from providers.imports import Format, Item, Owner
from providers.observation import Observation, Refusal
from providers.stored import FILE
from providers.versions import PARSER_VERSIONS
from registry.database import Connection, transaction
from registry.file_imports import (
    MOST_RAW_BYTES,
    SourceFile,
    WrongPatient,
    check_owner,
    open_file_connection,
    save_items,
    save_source,
)
from registry.patients import add_patient, set_birth_date
from registry.quality import Spans, check_arrivals, noting
from registry.quarantine import hold_refusals
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


@dataclass(slots=True)
class Owners:
    """Whose the file says it is, noted while its readings go by."""

    users: set[str] = field(default_factory=set)
    births: set[str] = field(default_factory=set)

    def passed(self, items: Iterable[Item]) -> Iterator[Observation | Refusal]:
        """Everything but the owners. WrongPatient as soon as there are several."""
        for one in items:
            if isinstance(one, Owner):
                self._note(one)
            else:
                yield one

    def _note(self, owner: Owner) -> None:
        self.users.update(filter(None, [owner.user_id]))
        self.births.update(filter(None, [owner.birth_date]))
        if len(self.users) > 1 or len(self.births) > 1:
            raise WrongPatient("the file holds readings of several people: split it by patient")

    @property
    def user_id(self) -> str | None:
        """The account."""
        return next(iter(self.users), None)

    @property
    def birth_date(self) -> date | None:
        """None also for a text that is no date."""
        with suppress(ValueError):
            return date.fromisoformat(next(iter(self.births), ""))
        return None


def import_readings(system: System, asked: Import) -> Figures:
    """Store the file's readings. FileRefused or WrongPatient leave nothing of it behind."""
    hour = last_full_hour(datetime.now(UTC))
    with run(system.engine, job="import", cycle=hour, shard="1/1") as figures:
        source = _source(asked)
        with transaction(system.engine) as conn, collector_paused():
            figures.update(_store(conn, asked, source, hour))
    return dict(figures)


def _store(conn: Connection, asked: Import, source: SourceFile, hour: datetime) -> Figures:
    if asked.new_patient:
        add_patient(conn, asked.patient_id)
    connection_id = open_file_connection(conn, asked.patient_id, source.provider)
    save_source(conn, source)
    owners = Owners()
    spans: Spans = {}
    asked.file.seek(0)
    saved, refused = save_items(
        conn, noting(owners.passed(asked.format.read(asked.file, asked.zone)), spans), source,
        connection_id=connection_id, patient_id=asked.patient_id)
    hold_refusals(conn, source.sha256, refused=refused, connection_id=connection_id, cycle=hour,
                  resource=f"{FILE}{asked.name}", zone=asked.zone.key if asked.zone else None,
                  parser_version=PARSER_VERSIONS[source.provider])
    check_owner(conn, asked.patient_id, source.provider, user_id=owners.user_id,
                birth_date=owners.birth_date)
    if asked.new_patient and owners.birth_date:
        set_birth_date(conn, asked.patient_id, owners.birth_date)
    return {"inserted": saved.inserted, "revised": saved.revised, "unchanged": saved.unchanged,
            "refused": refused, "flagged": check_arrivals(conn, asked.patient_id, spans).raised}


def _source(asked: Import) -> SourceFile:
    """The file's hash, and its bytes where it is small enough to keep."""
    digest, kept, size = hashlib.sha256(), bytearray(), 0
    asked.file.seek(0)
    while block := asked.file.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if size <= MOST_RAW_BYTES:
            kept += block
        else:
            kept.clear()
    return SourceFile(provider=asked.format.provider, format=asked.name,
                      sha256=digest.hexdigest(),
                      body=bytes(kept) if size <= MOST_RAW_BYTES else None)
