"""Why a reading is missing: the state of every hour of every vital, from what is known of it.

A *source* is one connection as it stands to one vital of its patient; a *series* is a vital of a
patient. `classify` judges all hours of all series at once. Rules: docs/coverage.md.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

from providers.measures import Coverage

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
StateArray = npt.NDArray[np.uint8]

HOUR_S = 3600
DAY_S = 24 * HOUR_S
NEVER_S = int(np.iinfo(np.int64).min // 4)
"""Before every time, also when a few days are added."""

ALWAYS_S = -NEVER_S
BEDTIME_H, RISING_H, FINAL_H = 0, 6, 12
"""Main sleep by the patient's clock where no night tells it, and when a night's values are final:
vendors tell them hours after waking (Google: noon of the next day)."""


class State(IntEnum):
    """Why an hour has a reading or none; `OK` and `KEPT_OUT` are said by readings alone."""

    NOT_JUDGED = 0
    OK = 1
    WORN_NO_READING = 2
    NOT_WORN = 3
    NOT_MEASURED = 4
    NOT_EXPECTED = 5
    NOT_SYNCED = 6
    FETCH_FAILED = 7
    FORMAT_DISCREPANCY = 8
    NOT_ENTITLED = 9
    UNSUPPORTED = 10
    KEPT_OUT = 11

    @property
    def word(self) -> str:
        """As it stands on the wire."""
        return self.name.lower()


STATES = tuple(State)[1:]

_ORDER = (State.WORN_NO_READING, State.NOT_WORN, State.NOT_SYNCED, State.FETCH_FAILED,
          State.FORMAT_DISCREPANCY, State.NOT_MEASURED, State.NOT_EXPECTED, State.NOT_ENTITLED,
          State.UNSUPPORTED)
"""Of several sources the first speaks: what shows how the patient was goes before readings that may
still come, these before a source of which none was to come, and last what somebody has to mend."""

_RANKS = np.zeros(len(State), dtype=np.int64)
_RANKS[list(_ORDER)] = 2 * np.arange(len(_ORDER))
_AWAITED = _RANKS[State.NOT_WORN] - 1
MISSING = frozenset({State.NOT_WORN, State.NOT_SYNCED, State.FETCH_FAILED,
                     State.FORMAT_DISCREPANCY, State.NOT_ENTITLED, State.KEPT_OUT})
"""States in which a reading was to be expected and somebody may have to act."""


class Delivery(StrEnum):
    """`polled` sources are asked each cycle; `pushed` ones send, or bring files, when they like."""

    POLLED = "polled"
    PUSHED = "pushed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sources:
    """What is known of L sources; rows of the (L, n) arrays are the n hours that are judged.

    series          which of the S series the source belongs to
    how             its `Coverage`, as its place in that enumeration
    pushed          whether nobody asks it
    read_from_s     from when on readings were asked for, seconds since 1970 UTC
    read_until_s    end of what was fetched and understood
    beyond          state of the hours after that
    synced_until_s  when its device last spoke to the vendor, as far as anything tells
    offset_s        the patient's clock against UTC
    worn            evidence that the device was worn in the hour
    asleep          hours of a night that a vendor told
    """

    series: IntArray
    how: IntArray
    pushed: BoolArray
    read_from_s: IntArray
    read_until_s: IntArray
    beyond: StateArray
    synced_until_s: IntArray
    offset_s: IntArray
    worn: BoolArray
    asleep: BoolArray


def place_of(how: Coverage) -> int:
    """The number that stands for `how` in `Sources.how`."""
    return _PLACES[how]


_PLACES = {how: place for place, how in enumerate(Coverage)}


def classify(sources: Sources, arrived: StateArray, start_s: int,
             now_s: int) -> tuple[StateArray, IntArray]:
    """State of each hour, (S, n), and the source that speaks, -1 where none does.

    arrived  (S, n): OK where the hour has a reading that counts or lies in a night with a value,
             KEPT_OUT where flags keep out all that it has, NOT_JUDGED where there is none
    start_s  where the first hour begins; `now_s` is the end of the last hour that is over
    """
    states = np.full(arrived.shape, State.UNSUPPORTED, dtype=np.uint8)
    speakers = np.full(arrived.shape, -1, dtype=np.int64)
    hours_s = start_s + HOUR_S * np.arange(arrived.shape[1])
    told = _absent(sources, hours_s, now_s)
    ranks = _ranks(sources, told, hours_s + HOUR_S)
    best = np.full(arrived.shape, ranks.max(initial=0) + 1, dtype=np.int64)
    for chosen in _one_a_series(sources.series):
        rows = sources.series[chosen]
        better = ranks[chosen] < best[rows]
        best[rows] = np.where(better, ranks[chosen], best[rows])
        states[rows] = np.where(better, told[chosen], states[rows])
        speakers[rows] = np.where(better, chosen[:, None], speakers[rows])
    return np.where(arrived > 0, arrived, states), speakers


def _absent(of: Sources, hours_s: IntArray, now_s: int) -> StateArray:
    """What each source says of an hour without a reading, (L, n); the first rule that fits."""
    ends_s = hours_s + HOUR_S
    how = of.how[:, None]
    nightly, spot = how == place_of(Coverage.NIGHTLY), how == place_of(Coverage.SPOT)
    pushed = of.pushed[:, None]
    local_s = hours_s[None, :] + of.offset_s[:, None]
    asleep = of.asleep | _main_sleep(local_s)
    pending = nightly & (_final(local_s) - of.offset_s[:, None] > now_s)
    unsynced = ends_s > of.synced_until_s[:, None]
    rules = (
        (how == place_of(Coverage.NONE), State.UNSUPPORTED),
        (ends_s > of.read_until_s[:, None], of.beyond[:, None]),
        ((ends_s <= of.read_from_s[:, None]) | (nightly & ~asleep), State.NOT_EXPECTED),
        (spot & ~(pushed & unsynced), State.NOT_MEASURED),
        (unsynced, State.NOT_SYNCED),
        (pending, State.NOT_EXPECTED),
        (of.worn, State.WORN_NO_READING),
    )
    told = np.full(of.worn.shape, State.NOT_WORN, dtype=np.uint8)
    for fits, state in reversed(rules):
        told = np.where(fits, np.uint8(state), told) if isinstance(state, State) \
            else np.where(fits, state, told)
    return told


def _ranks(of: Sources, told: StateArray, ends_s: IntArray) -> IntArray:
    """The lower, the sooner a source is heard, (L, n).

    For a day after its last sync a device is expected to bring readings yet: that another one was
    not worn does not go before it.
    """
    awaited = (told == State.NOT_SYNCED) & (of.how != place_of(Coverage.SPOT))[:, None] \
        & (ends_s <= of.synced_until_s[:, None] + DAY_S)
    found: IntArray = np.where(awaited, _AWAITED, _RANKS[told])
    return found


def _main_sleep(local_s: IntArray) -> BoolArray:
    hour: IntArray = local_s // HOUR_S % 24
    return (hour >= BEDTIME_H) & (hour < RISING_H)


def _final(local_s: IntArray) -> IntArray:
    """The noon after each time, by the clock that the times are of."""
    return (local_s - FINAL_H * HOUR_S) // DAY_S * DAY_S + DAY_S + FINAL_H * HOUR_S


def _one_a_series(series: IntArray) -> list[IntArray]:
    """The sources in groups of which none holds two of the same series."""
    order = np.argsort(series, kind="stable")
    ranked = series[order]
    rank = np.arange(ranked.size) - np.searchsorted(ranked, ranked)
    return [order[rank == one] for one in range(int(rank.max(initial=-1)) + 1)]
