"""Hourly means of many series at once, straight from the readings into arrays.

Without a loop over series: the server sends (series, time, value) from an index alone (see
docs/decisions/0005).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical.vitals import Vital
from registry.database import Connection, copy_out

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

QUERY_PATIENTS = 50
"""Patients a query: with a reading a minute, their two weeks of six vitals are 200 MB."""

_HOUR = timedelta(hours=1)
_HOUR_US = 3_600_000_000
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UNIX_OFFSET_S = int(_POSTGRES_EPOCH.timestamp())

# What is forecast from: single readings and intervals of accepted quality. OFFSET 0 keeps the
# planner from turning the lookups into one pass over all readings.
_READINGS = """
SELECT CAST((p.position - 1) * %(count)s + v.position - 1 AS integer),
       o.effective_start, CAST(o.value AS double precision)
FROM unnest(CAST(%(patients)s AS text[])) WITH ORDINALITY AS p (patient_id, position)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)
CROSS JOIN LATERAL (
    SELECT r.effective_start, r.value FROM observations r
    WHERE r.patient_id = p.patient_id AND r.vital = v.vital
      AND r.effective_start >= %(start)s AND r.effective_start < %(end)s
      AND r.quality = 'ok' AND r.granularity IN ('sample', 'interval')
      AND r.statistic IN ('instant', 'mean')
    OFFSET 0) AS o"""

# Readings that cannot be, as flagged: few, so that a query of their own costs the other nothing.
_KEPT_OUT = """
SELECT CAST((p.position - 1) * %(count)s + v.position - 1 AS integer),
       f.effective_start, CAST(f.value AS double precision)
FROM unnest(CAST(%(patients)s AS text[])) WITH ORDINALITY AS p (patient_id, position)
CROSS JOIN unnest(CAST(%(vitals)s AS text[])) WITH ORDINALITY AS v (vital, position)
JOIN quality_flags f ON f.patient_id = p.patient_id AND f.vital = v.vital
WHERE f.effective_start >= %(start)s AND f.effective_start < %(end)s
  AND f.keeps_out AND f.cleared_at IS NULL"""

# A row of PostgreSQL's binary COPY: the number of fields, then each field's length and bytes.
_ROW = np.dtype([("fields", ">i2"), ("n1", ">i4"), ("series", ">i4"), ("n2", ">i4"),
                 ("time_us", ">i8"), ("n3", ">i4"), ("value", ">f8")])
_COPY_HEADER_BYTES = 19
_COPY_TRAILER_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HourlyPanel:
    """Series of one vital with a reading in the window, one a row, S > 0, in the order asked.

    patients            S names
    y                   (S, n) hourly means from `start` on, NaN = no reading
    entries             (S,) readings
    first_s, last_s     (S,) when the first and the last begin, seconds since 1970 UTC
    minimum … std       (S,) of the readings, `std` the population's
    """

    vital: Vital
    start: datetime
    patients: tuple[str, ...]
    y: FloatArray
    entries: IntArray
    first_s: IntArray
    last_s: IntArray
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    std: FloatArray

    @property
    def mean_gap_s(self) -> FloatArray:
        """Mean seconds between neighbouring readings, (S,); NaN for a single one."""
        gaps = self.entries - 1
        found = np.full(gaps.size, np.nan)
        np.divide(self.last_s - self.first_s, gaps, out=found, where=gaps > 0)
        return found


def read_panels(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], start: datetime,
    end: datetime,
) -> dict[Vital, HourlyPanel]:
    """The panel of each vital of which any of the patients has a reading in [start, end).

    `start` and `end` are full hours, UTC. Samples and intervals of accepted quality, instants
    and means, without those that a flag keeps out: a nightly average is no reading of an hour.
    """
    return panels_of(partial(_readings, conn), patients, vitals, start, end)


def kept_out_hours(
    conn: Connection, patients: Sequence[str], vitals: Sequence[str], start: datetime, hours: int,
) -> npt.NDArray[np.bool_]:
    """Hours from `start` on with a reading that a flag keeps out, (S, hours); the S series are
    patient by patient, vital by vital in the orders given."""
    found = np.zeros((len(patients) * len(vitals), hours), dtype=np.bool_)
    rows = copied_rows(conn, _KEPT_OUT, {
        "patients": list(patients), "vitals": [str(vital) for vital in vitals],
        "count": len(vitals), "start": start, "end": start + hours * _HOUR})
    found[rows["series"], _hour_of(rows, start)] = True
    return found


def panels_of(
    read: Callable[[dict[str, Any]], npt.NDArray[Any]], patients: Sequence[str],
    vitals: Sequence[str], start: datetime, end: datetime,
) -> dict[Vital, HourlyPanel]:
    """The panels of the readings that `read` finds, as `_ROW`, for the parameters of a block."""
    hours = (end - start) // _HOUR
    parts = []
    for first in range(0, len(patients), QUERY_PATIENTS):
        block = list(patients[first:first + QUERY_PATIENTS])
        rows = read({"patients": block, "vitals": [str(vital) for vital in vitals],
                     "count": len(vitals), "start": start, "end": end})
        parts.append(_summed(rows[np.isfinite(rows["value"])], len(block) * len(vitals), start,
                             hours))
    if not parts:
        return {}
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {
        Vital(vital): panel for position, vital in enumerate(vitals)
        if (panel := _panel(Vital(vital), start, patients,
                            {name: one[position::len(vitals)] for name, one in whole.items()}))
    }


def _readings(conn: Connection, asked: dict[str, Any]) -> npt.NDArray[Any]:
    rows, kept_out = (copied_rows(conn, query, asked) for query in (_READINGS, _KEPT_OUT))
    return _without(rows, kept_out) if kept_out.size else rows


def copied_rows(conn: Connection, query: str, asked: dict[str, Any]) -> npt.NDArray[Any]:
    """What a query of (series, time, value) gives, as `_ROW`."""
    copied = copy_out(conn, query, asked)
    rows: npt.NDArray[Any] = np.frombuffer(
        copied[_COPY_HEADER_BYTES:-_COPY_TRAILER_BYTES], dtype=_ROW)
    return rows


def _without(rows: npt.NDArray[Any], kept_out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The rows but those of the same series, time and value as one that is kept out."""
    names = ["series", "time_us", "value"]
    out = set(kept_out[names].tolist())
    maybe = np.flatnonzero(np.isin(rows["time_us"], kept_out["time_us"]))
    gone = [i for i, one in zip(maybe.tolist(), rows[maybe][names].tolist(), strict=True)
            if one in out]
    return np.delete(rows, gone)


def _summed(rows: npt.NDArray[Any], count: int, start: datetime, hours: int) -> dict[str, Any]:
    """Hours and figures of `count` series; figures of a series without readings mean nothing."""
    series, time_us = rows["series"].astype(np.int64), rows["time_us"].astype(np.int64)
    value = rows["value"].astype(np.float64)
    cell = series * hours + _hour_of(rows, start)
    counts = np.bincount(cell, minlength=count * hours)
    order = _settled(cell, value, counts)
    series, time_us, value, cell = series[order], time_us[order], value[order], cell[order]
    sums = np.bincount(cell, weights=value, minlength=counts.size)
    y = np.full(counts.size, np.nan)
    np.divide(sums, counts, out=y, where=counts > 0)
    entries = counts.reshape(count, hours).sum(axis=1)
    some = np.maximum(entries, 1)
    mean = sums.reshape(count, hours).sum(axis=1) / some
    squares = np.bincount(cell, weights=(value - mean[series]) ** 2, minlength=counts.size)
    seconds = time_us // 1_000_000 + _UNIX_OFFSET_S
    return {
        "y": y.reshape(count, hours), "entries": entries, "mean": mean,
        "std": np.sqrt(squares.reshape(count, hours).sum(axis=1) / some),
        "first_s": _extreme(np.minimum, series, seconds, np.iinfo(np.int64).max, count),
        "last_s": _extreme(np.maximum, series, seconds, np.iinfo(np.int64).min, count),
        "minimum": _extreme(np.minimum, series, value, np.inf, count),
        "maximum": _extreme(np.maximum, series, value, -np.inf, count),
    }


def _hour_of(rows: npt.NDArray[Any], start: datetime) -> IntArray:
    """How many full hours after `start` each row is."""
    since_us = int((start - _POSTGRES_EPOCH) / timedelta(microseconds=1))
    found: IntArray = (rows["time_us"].astype(np.int64) - since_us) // _HOUR_US
    return found


def _settled(cell: IntArray, value: FloatArray, counts: IntArray) -> IntArray | slice:
    """Rows in an order in which sums do not depend on the order of arrival.

    One or two readings add up to the same either way; of three and more, the least comes first.
    """
    many = counts[cell] > 2
    if not many.any():
        return slice(None)
    tied = np.flatnonzero(many)
    tied = tied[np.lexsort((value[tied], cell[tied]))]
    return np.concatenate((np.flatnonzero(~many), tied))


def _extreme(of: np.ufunc, series: IntArray, values: npt.NDArray[Any], none: Any,
             count: int) -> npt.NDArray[Any]:
    found = np.full(count, none, dtype=values.dtype)
    of.at(found, series, values)
    return found


def _panel(vital: Vital, start: datetime, patients: Sequence[str],
           rows: dict[str, Any]) -> HourlyPanel | None:
    present = np.flatnonzero(rows["entries"])
    if not present.size:
        return None
    return HourlyPanel(
        vital=vital, start=start, patients=tuple(patients[index] for index in present.tolist()),
        **{name: np.ascontiguousarray(one[present]) for name, one in rows.items()})
