"""A day's, or two weeks', readings summed up: by patient and vital, and by provider and vital.

`gather` puts the readings of a block of patients into a temporary table; what follows reads it.
Providers are summed block by block in a `Tally`, which keeps counts of values, so that memory does
not grow with the patients and the quantiles are those of all readings (values to two decimals).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any, Self

import orjson
from sqlalchemy import text

from clinical.vitals import Vital
from registry.database import Connection, execute_rows, raw_cursor

PROFILE_DAYS = 14
"""As far as models look back by default."""

LATE = timedelta(hours=72)
"""Later than vendors are read again by themselves."""

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LATENESS = (0.5, 0.95, 1.0)
_HOUR = timedelta(hours=1)

# Late is what came after the patient consented; before that it is history. A revision does not make
# a reading late: its first version counts.
_GATHER = """
CREATE TEMPORARY TABLE gathered ON COMMIT DROP AS
SELECT p.patient_id, o.provider, o.vital, o.value, o.effective_start, o.device_model, o.quality,
       CASE WHEN o.effective_end >= c.consented_at THEN CAST(greatest(0, extract(
           epoch FROM o.arrived - o.effective_end)) AS double precision) END AS late_s
FROM unnest(CAST(:patients AS text[])) AS p (patient_id)
CROSS JOIN unnest(CAST(:vitals AS text[])) AS v (vital)
CROSS JOIN LATERAL (
    SELECT r.provider, r.vital, CAST(r.value AS double precision) AS value, r.effective_start,
           r.effective_end, r.device_model, r.quality, r.connection_id,
           coalesce((SELECT min(x.fetched_at) FROM observation_revisions x WHERE x.key = r.key),
                    r.fetched_at) AS arrived
    FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital
      AND r.effective_start >= :since AND r.effective_start < :until
      AND r.granularity IN ('sample', 'interval') AND r.statistic IN ('instant', 'mean')
    OFFSET 0) AS o
LEFT JOIN connections c ON c.connection_id = o.connection_id"""

_PATIENTS = """
SELECT patient_id, vital, count(*), count(DISTINCT date_trunc('hour', effective_start)),
       min(effective_start),
       percentile_disc(CAST(%(quantiles)s AS float8[])) WITHIN GROUP (ORDER BY value),
       percentile_disc(CAST(%(lateness)s AS float8[])) WITHIN GROUP (ORDER BY late_s),
       count(*) FILTER (WHERE late_s > %(late_s)s), array_agg(DISTINCT device_model)
FROM gathered WHERE quality = 'ok' GROUP BY patient_id, vital ORDER BY patient_id, vital"""

_PROVIDERS = """
SELECT provider, vital, count(*), sum(ok), sum(hours), sum(ceil(extract(
           epoch FROM %(until)s - date_trunc('hour', first)) / 3600)),
       (SELECT array_agg(DISTINCT device_model) FROM gathered g
        WHERE (g.provider, g.vital) = (one.provider, one.vital)),
       sum(rows) - sum(ok)
FROM (SELECT provider, vital, patient_id, count(*) AS rows,
             count(*) FILTER (WHERE quality = 'ok') AS ok,
             count(DISTINCT date_trunc('hour', effective_start)) FILTER (WHERE quality = 'ok')
                 AS hours,
             min(effective_start) AS first
      FROM gathered GROUP BY provider, vital, patient_id) AS one
GROUP BY provider, vital"""

_COUNTED = """
SELECT provider, vital, round(CAST({what} AS numeric), {digits}), count(*) FROM gathered
WHERE quality = 'ok' AND {what} IS NOT NULL GROUP BY 1, 2, 3"""
_VALUES = _COUNTED.format(what="value", digits=2)
_LATE_SECONDS = _COUNTED.format(what="late_s", digits=0)

_FLAGS = """
SELECT {by}, vital, flag, count(*) FROM quality_flags
WHERE patient_id = ANY(%(patients)s) AND cleared_at IS NULL
  AND effective_start >= %(since)s AND effective_start < %(until)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
_PATIENT_FLAGS = _FLAGS.format(by="patient_id")
_PROVIDER_FLAGS = _FLAGS.format(by="provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the readings of a patient, or provider, and vital are like; see the table `profiles`."""

    scope: str
    subject: str
    vital: str
    day: date
    days: int
    patients: int
    readings: int
    hours: int
    missing_share: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    lateness_median_s: float | None
    lateness_q95_s: float | None
    lateness_max_s: float | None
    late: int
    devices: tuple[str, ...]
    flags: Mapping[str, int]


COLUMNS = tuple(one.name for one in fields(Profile))

_SAVE = f"""
INSERT INTO profiles ({", ".join(COLUMNS)}) VALUES %s
ON CONFLICT (scope, subject, vital) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[3:])}
WHERE profiles.day <= excluded.day"""  # noqa: S608 -- constants of this file


@dataclass(slots=True, kw_only=True)
class Tally:
    """A provider's readings of a vital, of as many blocks of patients as were added."""

    patients: int = 0
    readings: int = 0
    hours: int = 0
    expected_hours: int = 0
    not_accepted: int = 0
    devices: set[str] = field(default_factory=set)
    values: Counter[float] = field(default_factory=Counter)
    late_s: Counter[float] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)

    def add(self, other: Self) -> None:
        """Count the other's readings here too; no patient may be in both."""
        for one in fields(self):
            mine, more = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, int):
                setattr(self, one.name, mine + more)
            else:
                mine.update(more)

    @property
    def late(self) -> int:
        """Readings that came later than `LATE`."""
        return sum(count for seconds, count in self.late_s.items()
                   if seconds > LATE.total_seconds())


Tallies = dict[tuple[str, str], Tally]
"""By provider and vital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Full UTC days."""

    since: datetime
    until: datetime

    @property
    def last(self) -> date:
        """The last of them."""
        return (self.until - _HOUR).date()

    @property
    def count(self) -> int:
        """How many they are."""
        return (self.until - self.since).days


def gather(conn: Connection, patients: Sequence[str], days: Days) -> None:
    """Put the block's readings into the temporary table; anew in each transaction."""
    conn.execute(text("DROP TABLE IF EXISTS gathered"))
    conn.execute(text(_GATHER), {
        "patients": list(patients), "vitals": [vital.value for vital in Vital],
        "since": days.since, "until": days.until})


def patient_profiles(conn: Connection, patients: Sequence[str], days: Days) -> list[Profile]:
    """A profile of each gathered patient and vital."""
    flags = _flags(conn, _PATIENT_FLAGS, patients, days)
    found = []
    for patient, vital, readings, hours, first, quantiles, lateness, late, devices in _rows(
            conn, _PATIENTS, {"quantiles": list(_QUANTILES), "lateness": list(_LATENESS),
                              "late_s": LATE.total_seconds()}):
        expected = math.ceil((days.until - first.replace(minute=0, second=0, microsecond=0))
                             / _HOUR)
        found.append(_profile(
            "patient", patient, vital, days, quantiles, lateness or (None,) * 3, patients=1,
            readings=readings, hours=hours, missing_share=1 - hours / expected, late=late,
            devices=tuple(filter(None, devices)), flags=flags.get((patient, vital), {})))
    return found


def tallies(conn: Connection, patients: Sequence[str], days: Days) -> Tallies:
    """A tally of each provider and vital of what was gathered."""
    found: Tallies = {}
    for provider, vital, count, ok, hours, expected, devices, refused in _rows(
            conn, _PROVIDERS, {"until": days.until}):
        found[provider, vital] = Tally(
            patients=count, readings=int(ok), hours=int(hours), expected_hours=int(expected),
            not_accepted=int(refused), devices=set(filter(None, devices)))
    for query, name in ((_VALUES, "values"), (_LATE_SECONDS, "late_s")):
        for provider, vital, number, count in _rows(conn, query, {}):
            getattr(found[provider, vital], name)[float(number)] += count
    for key, flags in _flags(conn, _PROVIDER_FLAGS, patients, days).items():
        found.setdefault(key, Tally()).flags.update(flags)
    return found


def add_tallies(to: Tallies, more: Tallies) -> None:
    """Add each of the tallies to the one of its provider and vital."""
    for key, tally in more.items():
        to.setdefault(key, Tally()).add(tally)


def provider_profiles(of: Tallies, days: Days) -> list[Profile]:
    """A profile of each provider and vital that has a reading."""
    return [_profile(
        "provider", provider, vital, days, quantiles(tally.values, _QUANTILES),
        quantiles(tally.late_s, _LATENESS), patients=tally.patients, readings=tally.readings,
        hours=tally.hours, missing_share=1 - tally.hours / tally.expected_hours, late=tally.late,
        devices=tuple(sorted(tally.devices)), flags=dict(sorted(tally.flags.items())))
        for (provider, vital), tally in sorted(of.items()) if tally.readings]


def quantiles(counted: Counter[float], shares: Iterable[float]) -> list[Any]:
    """The least value that such a share of all does not exceed, each; None without values."""
    total, ordered = counted.total(), sorted(counted)
    found: list[Any] = []
    for share in shares:
        seen = 0
        for value in ordered:
            seen += counted[value]
            if seen >= share * total:
                found.append(value)
                break
        else:
            found.append(None)
    return found


def save_profiles(conn: Connection, profiles: Sequence[Profile]) -> int:
    """Store profiles; one of an earlier day does not replace a later one. How many were stored."""
    return execute_rows(conn, _SAVE, [
        tuple(_stored(getattr(one, name)) for name in COLUMNS) for one in profiles])


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


def _profile(scope: str, subject: str, vital: str, days: Days, values: Sequence[float],
             lateness: Sequence[float | None], **more: Any) -> Profile:
    q05, q25, median, q75, q95 = values
    late_median, late_q95, late_max = lateness
    return Profile(
        scope=scope, subject=subject, vital=vital, day=days.last, days=days.count, q05=q05, q25=q25,
        median=median, q75=q75, q95=q95, lateness_median_s=late_median, lateness_q95_s=late_q95,
        lateness_max_s=late_max, **more)


def _flags(conn: Connection, query: str, patients: Sequence[str],
           days: Days) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for subject, vital, flag, count in _rows(conn, query, {
            "patients": list(patients), "since": days.since, "until": days.until}):
        found.setdefault((subject, vital), {})[flag] = count
    return found


def _rows(conn: Connection, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with raw_cursor(conn) as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
