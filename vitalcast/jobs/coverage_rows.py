"""From judged hours to the days that are stored: what is kept, what is replaced, and in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from providers.coverage import STATES, BoolArray, IntArray, State, StateArray
from providers.coverage_facts import KEPT_OUT

Reason = tuple[int, str | None]

HOURS = 24
_ALL_WELL = "[]"
_READINGS = {int(State.OK): None, int(State.KEPT_OUT): KEPT_OUT}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """What days say now, beside what is stored; arrays are (S, days, 24) or (S, days).

    settled  days that are judged no more: only readings that come late change them
    """

    states: StateArray
    stored: StateArray
    versions: IntArray
    settled: BoolArray

    @property
    def changed(self) -> BoolArray:
        """(S, days): what must be written."""
        found: BoolArray = (self.states != self.stored).any(axis=2)
        return found

    @property
    def revised(self) -> BoolArray:
        """(S, days): an hour that was judged is judged otherwise."""
        found: BoolArray = ((self.states != self.stored) & (self.stored > 0)).any(axis=2)
        return found


def merged(judged: StateArray, arrived: StateArray, stored: StateArray, versions: IntArray,
           settled_days: int) -> Merged:
    """`judged` and `arrived` (S, n) laid over the stored days, from the first day on.

    Of the first `settled_days` days a judgement stands, unless a reading has come since. Hours
    after the n that were judged, which a later cycle has judged before, stay.
    """
    states = stored.copy()
    flat = states.reshape(len(states), -1)
    hours = judged.shape[1]
    fixed = (np.arange(hours) < HOURS * settled_days) & (stored.reshape(flat.shape)[:, :hours] > 0)
    flat[:, :hours] = np.where(fixed, flat[:, :hours], judged)
    flat[:, :hours] = np.where(arrived > 0, arrived, flat[:, :hours])
    settled = (np.arange(stored.shape[1]) < settled_days) & (versions > 0)
    return Merged(states=states, stored=stored, versions=versions, settled=settled)


def runs(keys: npt.NDArray[np.int64]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Each row of (R, 24) with the (hour, key) at which its key changes; hour 0 is one."""
    begins = np.ones(keys.shape, dtype=np.bool_)
    begins[:, 1:] = keys[:, 1:] != keys[:, :-1]
    rows, hours = np.nonzero(begins)
    found = zip(rows.tolist(), hours.tolist(), keys[rows, hours].tolist(), strict=True)
    for row, several in groupby(found, key=lambda one: one[0]):
        yield row, [(hour, key) for _, hour, key in several]


def reasons_text(reasons: Sequence[Reason]) -> str:
    """As JSON; a day on which nothing is missing needs no word."""
    if not any(why for _, why in reasons):
        return _ALL_WELL
    return orjson.dumps(reasons).decode()


def overlaid(reasons: Iterable[Sequence[Any]], states: bytes, fresh: Sequence[Reason]) -> str:
    """Stored reasons of a day whose hours now say `states`: readings speak for themselves.

    Hours of which nothing was stored take theirs from `fresh`.
    """
    old, new = _by_hour(reasons), _by_hour(fresh)
    hours = [_READINGS[state] if state in _READINGS else old[hour] or new[hour]
             for hour, state in enumerate(states)]
    return reasons_text([(hour, why) for hour, why in enumerate(hours)
                         if hour == 0 or why != hours[hour - 1]])


def _by_hour(reasons: Iterable[Sequence[Any]]) -> list[str | None]:
    found: list[str | None] = [None] * HOURS
    for first, why in reasons:
        found[first:] = [why] * (HOURS - first)
    return found


def shares(states: StateArray) -> npt.NDArray[np.float64]:
    """Share of the judged hours in each of `STATES`, (S, 11) of states (S, n); NaN without any."""
    counts = np.stack([(states == state).sum(axis=1) for state in STATES], axis=1)
    total = counts.sum(axis=1, keepdims=True)
    found = np.full(counts.shape, np.nan)
    np.divide(counts, total, out=found, where=total > 0)
    return found


def since_when(states: StateArray) -> IntArray:
    """The hour from which each row of (S, n) has said what its last hour says."""
    other = states != states[:, -1:]
    last = states.shape[1] - np.argmax(other[:, ::-1], axis=1)
    found: IntArray = np.where(other.any(axis=1), last, 0)
    return found


def day_of(start: date, number: int) -> date:
    """Day `number` from `start` on."""
    return start + timedelta(days=number)
