"""What the read side hands out: frozen values, never rows. Times are UTC, values in own units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks. A doctor's name reaches the patients in `care`, a service's reaches all.

    None is the person at this machine's command line, who holds the database's password anyway.
    """

    username: str | None


LOCAL = Access(username=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    username: str
    password_hash: str
    role: str
    session_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient with the latest severity; the severity's fields are None before the first cycle."""

    patient_id: str
    spo2_scale: int
    newest_reading: datetime | None
    cutoff: datetime | None
    band: str | None
    rank: float | None
    current: Json | None
    outlook: Json | None
    coverage: tuple["CoverageDay", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDay:
    """Why each hour of a UTC day has a reading or none; a byte of `states` an hour, 0 = not judged.

    reasons      (first hour, why): each holds until the next one
    replaced_at  of an earlier version, when it gave way
    """

    vital: str
    day: date
    states: bytes
    reasons: tuple[tuple[int, str | None], ...]
    version: int
    computed_cycle: datetime
    replaced_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientList:
    """One page of a work list; `total` counts all pages."""

    patients: tuple[Patient, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    patient_id: str
    cutoff: datetime
    band: str
    rank: float
    current: Json
    outlook: Json
    protocol: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Mean of the readings that began in the hour from `start`; None and 0 where there is none."""

    start: datetime
    mean: float | None
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A vendor's mean over a night or a day: neither scored nor forecast from."""

    vital: str
    start: datetime
    until: datetime
    mean: float
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A central prediction interval; one bound per hour of the forecast."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The latest forecast of one vital; `reason` tells why when the tuples are empty.

    `members` and `absent` are the stored JSON texts, passed on without being read.
    """

    vital: str
    cutoff: datetime
    horizon: int
    document_id: str | None
    reason: str | None
    point: tuple[float, ...]
    intervals: Mapping[int, Interval]
    members: str
    absent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How one vital's forecasts did, over the forecast hours that were observed.

    since, until  cutoffs of the oldest and the newest forecast counted
    hours         forecast hours beside a reading: an observed hour counts for every forecast of it
    mae           mean absolute error of the ensemble, in the vital's unit
    baseline      the best of the baselines that forecast each of these hours; None without one
    coverage_*    share of the hours whose value lay in the interval
    """

    vital: str
    since: datetime
    until: datetime
    forecasts: int
    hours: int
    mae: float
    baseline: str | None
    baseline_mae: float | None
    coverage_80: float
    coverage_95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Where a vital's readings come from and how far they reach; None = never one.

    `utc_offset_s` is the patient's own at the newest reading, where the vendor tells it.
    """

    vital: str
    newest: datetime | None
    newest_value: float | None
    provider: str | None
    utc_offset_s: int | None
    last_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A patient's link to a vendor, with the last fetch's outcome where there was one."""

    provider: str
    status: str
    last_fetch: datetime | None
    outcome: str | None
    reason: str | None
    last_sync: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A stored model document without its text; `alias` is champion, ensemble or None."""

    document_id: str
    vital: str
    member: str
    engine: str
    cutoff: datetime
    made_by: str
    alias: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model document with its text, byte for byte as it was hashed."""

    document_id: str
    vital: str
    member: str
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The member that the last training of a vital found best, and why."""

    vital: str
    member: str
    document_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One shard of one job; `exception` is a class and a place."""

    run_id: int
    job: str
    cycle: datetime
    shard: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    cpu_seconds: float | None
    exception: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A vital departed from what its models were trained on; `closed_at` None while it lasts."""

    vital: str
    kind: str
    detected: datetime
    began: datetime
    score: float
    threshold: float
    words: str
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One clinical entry: an item of the questionnaire or of the bedside, and its value."""

    item: str
    value: str
    effective_at: datetime
    entered_by: str
