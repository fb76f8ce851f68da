"""Readings of a patient as arrays for the checks: what is stored, and what was just stored.

What a fetch has just stored is in memory and is not read back; only the others are, of whatever
link, in the same window.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical.vitals import Vital
from providers.observation import Granularity, Observation, Provider, Quality, Statistic
from providers.quality import FloatArray, IntArray, Readings, numbered
from registry.copytext import stored_text
from registry.database import Connection, raw_cursor
from registry.observations import Written

PAIR = (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)
"""The vitals whose readings are compared within a measurement: of others no group is noted."""

ObjectArray = npt.NDArray[np.object_]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 24 * 60 * 60 * 1_000_000

MICROSECONDS = "CAST(extract(epoch FROM {}) * 1000000 AS bigint)"

WINDOWS = """unnest(CAST(%(places)s AS int[]), CAST(%(vitals)s AS text[]),
    CAST(%(since)s AS timestamptz[]), CAST(%(until)s AS timestamptz[]))
    AS w (place, vital, since, until)"""

_ROUTED = Provider.GOOGLE_HEALTH
"""Its device ids are the platforms that a reading came through, of which it may be several."""

# A fetch withholds what is not over by its hour: only what was pushed or imported can come early.
# OFFSET 0 keeps the planner at the index, a window at a time, however few rows it expects.
_READINGS = f"""
SELECT w.place, o.* FROM {WINDOWS} CROSS JOIN LATERAL (
    SELECT o.key, {MICROSECONDS.format("o.effective_start")},
           CAST(o.value AS double precision),
           o.provider || CASE o.provider WHEN '{_ROUTED}' THEN coalesce(' ' || o.device_id, '')
               ELSE '' END,
           concat_ws(' ', o.provider, coalesce(o.device_id, o.device_model)),
           CASE WHEN o.vital = ANY(%(paired)s) THEN coalesce(o.group_id, '') ELSE '' END,
           CASE WHEN o.effective_start > o.fetched_at AND EXISTS (
               SELECT 1 FROM raw_payloads r WHERE r.sha256 = o.raw_sha256
                 AND (r.resource = 'webhook' OR r.resource LIKE 'file %%'))
           THEN CAST({MICROSECONDS.format("o.fetched_at")} AS double precision)
           ELSE 'infinity' END
    FROM observations o
    WHERE o.patient_id = %(patient)s AND o.vital = w.vital
      AND o.effective_start BETWEEN w.since AND w.until
      AND o.quality = 'ok' AND o.granularity IN ('sample', 'interval')
      AND o.statistic IN ('instant', 'mean')
      AND (o.fetched_at = now() AND o.connection_id = %(own)s) IS NOT TRUE
    OFFSET 0) AS o"""  # noqa: S608 -- constants of this file

_GRANULARITIES = (Granularity.SAMPLE, Granularity.INTERVAL)
_STATISTICS = (Statistic.INSTANT, Statistic.MEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Readings of a patient between two moments, both included."""

    patient_id: str
    vitals: Sequence[Vital]
    since: datetime
    until: datetime

    def wider(self, far: timedelta) -> "Window":
        """With so much more at either end."""
        return Window(patient_id=self.patient_id, vitals=self.vitals, since=self.since - far,
                      until=self.until + far)

    def holds(self, times_us: IntArray) -> npt.NDArray[np.bool_]:
        """Which of these moments lie in it."""
        return ((times_us >= (self.since - _EPOCH) // _MICROSECOND)
                & (times_us <= (self.until - _EPOCH) // _MICROSECOND))


def parameters(windows: Sequence[Window]) -> dict[str, Any]:
    """The windows, all of one patient, as `WINDOWS` names them: a place each window and vital."""
    rows = [(vital.value, one.since, one.until) for one in windows for vital in one.vitals]
    vitals, since, until = (list(column) for column in zip(*rows, strict=True))
    return {"patient": windows[0].patient_id, "places": list(range(len(rows))), "vitals": vitals,
            "since": since, "until": until}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Columns:
    """Readings of one vital in any order; arrays of shape (n,), names as texts."""

    keys: ObjectArray
    times_us: IntArray
    values: FloatArray
    platforms: ObjectArray
    sources: ObjectArray
    groups: ObjectArray
    arrived_us: FloatArray

    def of(self, chosen: npt.NDArray[Any]) -> "_Columns":
        """Those chosen by a mask or by their numbers."""
        return _Columns(**{name: getattr(self, name)[chosen] for name in _NAMES})

    def with_(self, other: "_Columns") -> "_Columns":
        """Both, in the order of time and key."""
        both = _Columns(**{
            name: np.concatenate((getattr(self, name), getattr(other, name)))
            for name in _NAMES})
        times = both.times_us
        order = np.argsort(times, kind="stable")
        if (np.diff(times[order]) == 0).any():
            order = np.lexsort((both.keys.astype("S32"), times))
        return both.of(order)


_NAMES = tuple(one.name for one in fields(_Columns))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Own:
    """What this transaction inserted of a link's readings, in memory, by vital."""

    connection_id: str
    readings: Mapping[Vital, _Columns]

    def days(self) -> Iterator[tuple[Vital, datetime, datetime]]:
        """The first and the last moment of each vital's days."""
        for vital, columns in self.readings.items():
            times = np.sort(columns.times_us)
            start = np.flatnonzero(np.append(True, np.diff(times // _DAY_US)))
            end = np.append(start[1:], times.size) - 1
            for first, last in zip(times[start].tolist(), times[end].tolist(), strict=True):
                yield vital, _moment(first), _moment(last)


def own_readings(written: Written) -> Own:
    """Of what was inserted, what forecasts could be made from."""
    by_vital: dict[Vital, list[tuple[bytes, Observation]]] = {}
    for key, (one, _) in written.new.items():
        if (one.quality is Quality.OK and one.granularity in _GRANULARITIES
                and one.statistic in _STATISTICS):
            by_vital.setdefault(one.vital, []).append((key, one))
    return Own(connection_id=written.connection_id, readings={
        vital: _columns(written.provider.value, rows, paired=vital in PAIR)
        for vital, rows in by_vital.items()})


def _columns(provider: str, rows: Sequence[tuple[bytes, Observation]], *,
             paired: bool) -> _Columns:
    count = len(rows)
    devices = [one.device_model if one.device_id is None else one.device_id for _, one in rows]
    source = {name: provider if name is None else f"{provider} {stored_text(name)}"
              for name in set(devices)}
    seconds = np.array([one.effective_start.timestamp() for _, one in rows])
    return _Columns(
        keys=_objects([key for key, _ in rows]),
        times_us=np.rint(seconds * 1e6).astype(np.int64),       # exact until 2106
        values=np.array([float(one.value) for _, one in rows]),
        platforms=np.full(count, provider, dtype=object) if provider != _ROUTED
        else _objects([provider if one.device_id is None
                       else f"{provider} {stored_text(one.device_id)}" for _, one in rows]),
        sources=_objects([source[name] for name in devices]),
        groups=(_objects([stored_text(one.group_id or "") for _, one in rows]) if paired
                else np.full(count, "", dtype=object)),
        arrived_us=np.full(count, np.inf))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """Readings of one vital, and the key of each, as the driver gives it."""

    keys: ObjectArray
    readings: Readings


def load(conn: Connection, windows: Sequence[Window], own: Own | None = None) -> list[list[Loaded]]:
    """Readings that forecasts could be made from: for each window, the vitals that have any.

    The windows are of one patient. What `own` holds is not read back.
    """
    asked = parameters(windows) | {"own": own.connection_id if own else None,
                                   "paired": [vital.value for vital in PAIR]}
    with raw_cursor(conn) as cursor:
        cursor.execute(_READINGS, asked)
        places, stored = _split(cursor.fetchall())
    at = iter(asked["places"])
    loaded = []
    for window in windows:
        parts = {vital: stored.of(places == next(at)).with_(_held(own, vital, window))
                 for vital in window.vitals}
        loaded.append(_numbered({vital: one for vital, one in parts.items() if one.keys.size}))
    return loaded


def _split(rows: Sequence[tuple[Any, ...]]) -> tuple[IntArray, _Columns]:
    """Rows of `_READINGS` as the place of each, and columns."""
    columns = zip(*rows, strict=True) if rows else ((),) * 8
    places, keys, times, values, platforms, sources, groups, arrived = columns
    return np.array(places, dtype=np.int64), _Columns(
        keys=_objects([bytes(key) for key in keys]), times_us=np.array(times, dtype=np.int64),
        values=np.array(values, dtype=np.float64), platforms=_objects(platforms),
        sources=_objects(sources), groups=_objects(groups),
        arrived_us=np.array(arrived, dtype=np.float64))


def _held(own: Own | None, vital: Vital, window: Window) -> _Columns:
    columns = own.readings.get(vital) if own else None
    if columns is None:
        return _split(())[1]
    return columns.of(window.holds(columns.times_us))


def _numbered(parts: Mapping[Vital, _Columns]) -> list[Loaded]:
    """Names as numbers, alike for all vitals of a window."""
    sizes = np.cumsum([one.keys.size for one in parts.values()])[:-1]
    named = {name: np.split(numbered([text for one in parts.values()
                                      for text in getattr(one, name).tolist()]), sizes)
             for name in ("platforms", "sources", "groups")}
    return [Loaded(keys=one.keys, readings=Readings(
        vital=vital, times_us=one.times_us, values=one.values, arrived_us=one.arrived_us,
        **{name: numbers[place] for name, numbers in named.items()}))
        for place, (vital, one) in enumerate(parts.items())]


def _objects(values: Sequence[Any]) -> ObjectArray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
