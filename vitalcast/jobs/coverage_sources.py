"""What is known of every source of a block of patients, as the arrays that are judged."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from clinical.vitals import FORECAST_VITALS
from providers.checks import night_of
from providers.coverage import (
    ALWAYS_S,
    HOUR_S,
    NEVER_S,
    BoolArray,
    Delivery,
    Sources,
    State,
    StateArray,
    place_of,
)
from providers.coverage_facts import Facts, facts, is_polled
from providers.measures import WORN_BY, Coverage
from registry.coverage import (
    Link,
    entered_by_hand,
    read_hours,
    read_links,
    read_nights,
    read_wear,
)
from registry.database import Connection
from registry.readings import civil_offsets
from vitalcast.cycle import HOUR

Night = tuple[str, str, datetime, datetime]

VITALS = tuple(vital.value for vital in FORECAST_VITALS)
LONGEST_NIGHT = timedelta(hours=24)
OFFSET_WINDOW = timedelta(hours=72)
_NO_ACCOUNT = ("file", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """L sources, whose facts are `facts`, and what arrived in each hour.

    arrived   (S, n) as `classify` takes it
    links     (L,) which of the C links a source belongs to
    charging  (C, n) hours in which a link's device was in its charger
    """

    sources: Sources
    facts: tuple[Facts, ...]
    arrived: StateArray
    links: npt.NDArray[np.int64]
    charging: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whole hours from midnight `start` to `end`, the cycle's hour."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """How many there are."""
        return (self.end - self.start) // HOUR

    def place(self, moment: datetime) -> int:
        """The hour that `moment` lies in, held within the window; its end for later ones."""
        return min(max((moment - self.start) // HOUR, 0), self.hours)


def read_known(conn: Connection, patients: Sequence[str], window: Window,
               arrived: StateArray, since: datetime) -> Known:
    """Everything about these patients; `arrived` (S, n) are the hours with readings.

    Nights, and readings by link, are read from `since` on, before which nothing is judged anew.
    """
    links = read_links(conn, patients)
    place = {name: row for row, name in enumerate(patients)}
    sources = _sources(links)
    told = [one for _, one in sources]
    owners = np.array([owner for owner, _ in sources], dtype=np.int64)
    series = np.array([place[link.patient_id] for link in links], dtype=np.int64)
    worn, charging = read_wear(conn, links, window.start, window.hours)
    worn_then, sent = _by_readings(conn, links, place, window, arrived > 0, since)
    worn |= worn_then
    nightly = [one.how is Coverage.NIGHTLY for one in told]
    sleepers = sorted({links[owner].patient_id
                       for owner, yes in zip(owners.tolist(), nightly, strict=True) if yes})
    asleep, nights = _nights(conn, sleepers, place, window, since)
    offsets = civil_offsets(conn, sleepers, VITALS[:1], window.end - OFFSET_WINDOW, window.end)
    rows = series[owners] * len(VITALS) + np.array(
        [FORECAST_VITALS.index(one.vital) for one in told], dtype=np.int64)
    by_night = np.zeros(len(arrived), dtype=np.bool_)
    by_night[rows[np.array(nightly, dtype=np.bool_)]] = True
    return Known(
        facts=tuple(told), links=owners, charging=charging,
        arrived=np.where(nights & by_night[:, None], np.uint8(State.OK), arrived),
        sources=Sources(
            series=rows, how=np.array([place_of(one.how) for one in told], dtype=np.int64),
            pushed=np.array([one.delivery is Delivery.PUSHED for one in told], dtype=np.bool_),
            read_from_s=np.array([_seconds(one.read_from) for one in told], dtype=np.int64),
            read_until_s=np.array([_read_until_s(one) for one in told], dtype=np.int64),
            beyond=np.array([one.beyond for one in told], dtype=np.uint8),
            synced_until_s=np.maximum(
                np.array([_seconds(one.last_sync) for one in told], dtype=np.int64),
                _seen_until_s(worn | sent, window)[owners]),
            offset_s=np.array([int(offsets.get(link.patient_id, timedelta()).total_seconds())
                               for link in links], dtype=np.int64)[owners],
            worn=worn[owners], asleep=asleep[series][owners]))


def _sources(links: Sequence[Link]) -> list[tuple[int, Facts]]:
    """Each link, by its place, as a source of each vital.

    A file speaks by its readings alone where a linked account measures the vital: what it lacks
    would pass for known while the account cannot be read.
    """
    told = [(owner, facts(link.provider, vital, link.status, link.fetched, link.devices,
                          link.last_sync))
            for owner, link in enumerate(links) for vital in FORECAST_VITALS]
    live = {(links[owner].patient_id, one.vital) for owner, one in told
            if links[owner].status not in _NO_ACCOUNT and one.how is not Coverage.NONE}
    return [(owner, one) for owner, one in told if links[owner].status != "file"
            or (links[owner].patient_id, one.vital) not in live]


def _by_readings(
    conn: Connection, links: Sequence[Link], place: Mapping[str, int], window: Window,
    present: BoolArray, since: datetime,
) -> tuple[BoolArray, BoolArray]:
    """Hours whose readings show that a link's device was worn, and that it had synced, (C, n).

    A patient's only link brought all of the patient's readings; of several it is asked which, and
    of one where some were entered by hand, for those tell nothing of a device.
    """
    of_patient = Counter(link.patient_id for link in links)
    by_hand = entered_by_hand(conn, list(place), since, window.end)
    hours = present.reshape(-1, len(VITALS), window.hours)
    first = window.place(since)
    found = []
    for places_of in (_wear_places, _sync_places):
        rows = np.zeros((len(links), window.hours), dtype=np.bool_)
        asked = []
        for row, link in enumerate(links):
            if of_patient[link.patient_id] == 1 and link.patient_id not in by_hand:
                rows[row] = hours[place[link.patient_id], places_of(link)].any(axis=0)
            elif places_of(link):
                asked.append(row)
        if asked:
            rows[asked, first:] = read_hours(
                conn, [links[row] for row in asked],
                [[VITALS[one] for one in places_of(links[row])] for row in asked],
                window.start + first * HOUR, window.hours - first)
        found.append(rows)
    return found[0], found[1]


def _wear_places(link: Link) -> list[int]:
    return [place for place, vital in enumerate(FORECAST_VITALS)
            if vital in WORN_BY.get(link.provider, ())]


def _sync_places(link: Link) -> list[int]:
    """Whatever a source that sends has sent; of one that is asked, a cuff tells of no watch."""
    return [] if is_polled(link.provider, link.status) else list(range(len(VITALS)))


def _nights(
    conn: Connection, patients: Sequence[str], place: Mapping[str, int], window: Window,
    since: datetime,
) -> tuple[BoolArray, BoolArray]:
    """Hours asleep by patient, (P, n), and those of nights with a value by series, (S, n)."""
    asleep = np.zeros((len(place), window.hours), dtype=np.bool_)
    valued = np.zeros((len(place), len(VITALS), window.hours), dtype=np.bool_)
    told = read_nights(conn, patients, VITALS, since - 2 * LONGEST_NIGHT, window.end) \
        if patients else []
    for patient, vital, start, end in _timed(told):
        hours = slice(window.place(max(start, since)),
                      window.place(end + HOUR - timedelta.resolution))
        asleep[place[patient], hours] = True
        valued[place[patient], VITALS.index(vital), hours] = True
    return asleep, valued.reshape(-1, window.hours)


def _timed(nights: Sequence[Night]) -> Iterator[Night]:
    """Nights told without times take those of the patient's night that they overlap, if any."""
    times = defaultdict(set)
    for patient, _, start, end in nights:
        if (start, end) != night_of(start.date()):
            times[patient].add((start, end))
    for patient, vital, start, end in nights:
        real = max((one for one in times[patient] if one[0] < end and start < one[1]),
                   key=lambda one: min(one[1], end) - max(one[0], start), default=(start, end))
        yield patient, vital, *real


def _seen_until_s(told: BoolArray, window: Window) -> npt.NDArray[np.int64]:
    """When each link last told anything: what came shows that all before it was synced."""
    last = window.hours - 1 - np.argmax(told[:, ::-1], axis=1)
    start_s = int(window.start.timestamp())
    found: npt.NDArray[np.int64] = np.where(told.any(axis=1), start_s + HOUR_S * last, NEVER_S)
    return found


def _read_until_s(one: Facts) -> int:
    return ALWAYS_S if one.delivery is Delivery.PUSHED else _seconds(one.read_until)


def _seconds(moment: datetime | None) -> int:
    return NEVER_S if moment is None else int(moment.astimezone(UTC).timestamp())
