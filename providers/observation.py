"""The canonical observation: one row per scalar, whatever vendor it came from.

Parse functions return `Parsed`: what was understood, and what was refused with the reason.
Times are timezone-aware UTC; a naive time is refused at this edge (`NaiveTimeError`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson
from msgspec import Struct

from clinical.vitals import Vital


class Provider(StrEnum):
    """Where readings come from: vendors whose APIs are spoken, those that push, and files."""

    WITHINGS = "withings"
    GOOGLE_HEALTH = "google_health"
    OURA = "oura"
    GARMIN = "garmin"
    TERRA = "terra"
    FITBIT = "fitbit"
    APPLE_HEALTH = "apple_health"
    OPEN_MHEALTH = "open_mhealth"
    FHIR = "fhir"
    IHEALTH = "ihealth"


class Granularity(StrEnum):
    """What stretch of time one value stands for."""

    SAMPLE = "sample"
    INTERVAL = "interval"
    NIGHT = "night"
    DAY = "day"


class Statistic(StrEnum):
    """How the value sums its stretch of time up."""

    INSTANT = "instant"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"


class Context(StrEnum):
    """What the wearer was doing, as far as the vendor tells."""

    SLEEP = "sleep"
    REST = "rest"
    ACTIVE = "active"
    UNKNOWN = "unknown"


class Method(StrEnum):
    """Who or what took the reading; `ambiguous` may be another person (Withings attrib 1)."""

    DEVICE = "device"
    MANUAL = "manual"
    DERIVED = "derived"
    AMBIGUOUS = "ambiguous"


class Quality(StrEnum):
    """`suspect` readings are stored but not forecast from; `quarantined` ones wait for a person."""

    OK = "ok"
    SUSPECT = "suspect"
    QUARANTINED = "quarantined"


class NaiveTimeError(ValueError):
    """A time without a zone reached the provider edge; pass timezone-aware UTC."""


def utc_text(moment: datetime) -> str:
    """`moment.isoformat()` of a time in UTC, in a third of its time."""
    return orjson.dumps(moment)[1:-1].decode()


class Observation(Struct, frozen=True, kw_only=True, gc=False):
    """One scalar reading of one vital, in the vital's own unit.

    A msgspec structure, because readings come by the ten thousand: it is made in a third of a
    dataclass's time. `msgspec.structs.replace` makes a changed copy.
    """

    vital: Vital
    value: Decimal
    effective_start: datetime
    effective_end: datetime
    utc_offset_s: int | None = None
    civil_date: date | None = None
    granularity: Granularity = Granularity.SAMPLE
    statistic: Statistic = Statistic.INSTANT
    context: Context = Context.UNKNOWN
    method: Method = Method.DEVICE
    body_site: str | None = None
    device_id: str | None = None
    device_model: str | None = None
    source_record_id: str | None = None
    group_id: str | None = None
    provider_modified_at: datetime | None = None
    quality: Quality = Quality.OK
    quality_reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        modified = self.provider_modified_at
        if (self.effective_start.tzinfo is UTC is self.effective_end.tzinfo
                and (modified is None or modified.tzinfo is UTC)):
            return                                  # the common case, on the hot path
        for moment in (self.effective_start, self.effective_end, modified):
            if moment is not None and moment.utcoffset() != timedelta(0):
                raise NaiveTimeError(f"{moment.isoformat()} is not in UTC; convert it first")

    def key(self, patient_id: str, provider: Provider) -> bytes:
        """Natural key, 32 bytes: the same reading fetched twice has the same key.

        The value is no part of it: a vendor's revision of a reading keeps its key.
        """
        parts = (
            patient_id, provider, self.vital, self.statistic, self.granularity,
            utc_text(self.effective_start),
            self.device_id or self.device_model or "", self.source_record_id or "",
        )
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A record that was not understood: which one, and why. Never holds the reading itself.

    `vital` is told where a record holds one of several: all of one kind refused is a changed unit.
    """

    record: str
    reason: str
    vital: Vital | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What one payload held. `received` counts vendor records, understood or not."""

    observations: Sequence[Observation] = ()
    refused: Sequence[Refusal] = ()
    received: int = 0
    next_page: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
