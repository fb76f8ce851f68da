"""Coverage: why each hour of each patient and vital has a reading or none; docs/coverage.md.

Part of the forecast job, block by block, so that a forecast tells what it was made from; alone it
does the same without forecasting. Run again it writes nothing, unless more is known by then. The
last 72 h are judged anew each time; what is older stands, unless readings come: single readings
within the window by themselves, nights and what is older through when they were stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical.vitals import FORECAST_VITALS, Vital
from providers.coverage import STATES, State, StateArray, classify
from providers.coverage_facts import Facts, why
from registry.coverage import (
    Day,
    coverages_begun,
    late_days,
    read_days,
    read_reasons,
    save_days,
)
from registry.database import Connection, transaction
from registry.panels import HourlyPanel, kept_out_hours, read_panels
from registry.patients import patient_ids
from registry.runs import run
from vitalcast.cycle import HOUR, Shard, blocks, parse_cycle
from vitalcast.errors import UserError
from vitalcast.jobs.coverage_rows import (
    Merged,
    Reason,
    day_of,
    merged,
    overlaid,
    reasons_text,
    runs,
    shares,
    since_when,
)
from vitalcast.jobs.coverage_sources import VITALS, Known, Window, read_known
from vitalcast.model_config import ModelConfig
from vitalcast.wiring import System

Figures = dict[str, Any]
Panels = Mapping[Vital, HourlyPanel]

JUDGED_ANEW = timedelta(hours=72)
"""As far back as vendors are read again (`providers.fetching.TRAILING_REREAD`)."""

BLOCK = 200
_DAY = timedelta(days=1)
_CHARGING = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covered:
    """The judged hours of a block of patients, and the words for the last of them."""

    window: Window
    place: Mapping[str, int]
    states: StateArray
    last_why: Callable[[int], str | None]
    last_s: npt.NDArray[np.int64]
    written: int
    shares: npt.NDArray[np.float64]
    since: npt.NDArray[np.int64]

    def why(self, patient_id: str, vital: str) -> str | None:
        """Why the last hour has no reading; None when it has one."""
        return self.last_why(self._row(patient_id, vital))

    def summary(self, patient_id: str, vital: str) -> dict[str, Any]:
        """State of the last hour, since when, why; the newest reading; shares of the window."""
        row = self._row(patient_id, vital)
        last_s, why_now = int(self.last_s[row]), self.last_why(row)
        last = datetime.fromtimestamp(last_s, UTC) if last_s else None
        return {
            "state": State(self.states[row, -1]).word,
            "since": _iso(self.window.start + int(self.since[row]) * HOUR),
            "why": why_now, "note": _note(last, why_now, self.window.end),
            "last_reading": None if last is None else _iso(last),
            "hours": self.window.hours,
            "shares": {state.word: round(share, 4) for state, share
                       in zip(STATES, self.shares[row].tolist(), strict=True) if share > 0}}

    def _row(self, patient_id: str, vital: str) -> int:
        return self.place[patient_id] * len(VITALS) + VITALS.index(vital)


def coverage(system: System, *, cycle: str | datetime, shard: str,
             patient: str | None = None) -> Figures:
    """Judge this shard's hours up to `cycle`; figures: patients, days written, days reopened.

    Of one `patient`, what is said of each vital comes with them.

    UserError for a `patient` who does not exist.
    """
    hour = parse_cycle(cycle)
    window = timedelta(hours=ModelConfig().window_hours)
    with run(system.engine, job="coverage", cycle=hour, shard=shard) as figures:
        with transaction(system.engine) as conn:
            patients = Shard.parse(shard).pick(patient_ids(conn))
        if patient is not None:
            patients = _only(patient, patients)
        written, last, reopened = 0, None, 0
        if patient is None:
            reopened = reopen(system, shard, hour)
        for block in blocks(patients, BLOCK):
            with transaction(system.engine) as conn:
                panels = read_panels(conn, block, VITALS, hour - window, hour)
                last = cover(conn, block, hour, window, panels)
                written += last.written
        figures.update(patients=len(patients), written=written)
        if patient is None:
            figures.update(covered=written, reopened=reopened)
    if patient is None or last is None:
        return dict(figures)
    return figures | {"vitals": {vital: last.summary(patient, vital) for vital in VITALS}}


def _only(patient: str, patients: Sequence[str]) -> list[str]:
    if patient not in patients:
        raise UserError("there is no such patient in this shard; `vitalcast coverage` without "
                        "--patient judges all")
    return [patient]


def cover(conn: Connection, patients: Sequence[str], hour: datetime, span: timedelta,
          panels: Panels) -> Covered:
    """Judge these patients' hours up to `hour` and store what changed.

    `panels` are the readings of `span` before `hour`; whole days of it are judged.
    """
    window = Window(start=_next_midnight(hour - span), end=hour)
    arrived = _arrived(conn, patients, panels, window)
    days = -(-window.hours // 24)
    stored, versions = read_days(conn, patients, VITALS, window.start.date(), days)
    anew = max(0, (_midnight(hour - JUDGED_ANEW) - window.start) // _DAY)
    judged_before = bool((stored[:, :anew] > 0).all())
    since = window.start + anew * _DAY if judged_before else window.start
    known = read_known(conn, patients, window, arrived, since)
    states, speakers = classify(known.sources, known.arrived, int(window.start.timestamp()),
                                int(hour.timestamp()))
    found = merged(states, known.arrived, stored, versions, anew)
    words = _Words(known=known, speakers=speakers, hours=window.hours)
    rows = list(_days(conn, patients, window.start.date(), found, words))
    if rows:
        save_days(conn, rows, hour)
    flat = found.states.reshape(len(states), -1)[:, :window.hours]
    return Covered(
        window=window, place={name: row for row, name in enumerate(patients)}, states=flat,
        last_why=lambda row: words.of(row, window.hours - 1, State(flat[row, -1])),
        last_s=_last_s(patients, panels), written=len(rows), shares=shares(flat),
        since=since_when(flat))


def reopen(system: System, shard: str, hour: datetime) -> int:
    """Mark hours that are judged no more and got readings since the last coverage, however old;
    days written. A month at a time, for a file may bring the readings of years."""
    before = _midnight(hour - JUDGED_ANEW)
    with transaction(system.engine) as conn:
        since = _since(coverages_begun(conn), Shard.parse(shard).pick(patient_ids(conn)))
        late = late_days(conn, sorted(since), VITALS, min(since.values()), before) if since else []
    written = 0
    for _, month in groupby(late, key=lambda one: one[1].replace(day=1)):
        told = list(month)
        window = Window(start=_at_midnight(told[0][1]), end=_at_midnight(told[-1][1]) + _DAY)
        for block in blocks(sorted({patient for patient, _ in told}), BLOCK):
            with transaction(system.engine) as conn:
                written += _reopen(conn, block, window, hour)
    return written


def _since(begun: Mapping[str, Sequence[tuple[datetime, int, datetime]]],
           patients: Sequence[str]) -> dict[str, datetime]:
    """When the last coverage but one of each patient began, whatever the shards were then.

    The last but one, for a reading is dated by the beginning of its transaction, and the last
    coverage may have looked before its end. A patient who was never covered has none.
    """
    mine: dict[str, list[tuple[datetime, int, datetime]]] = defaultdict(list)
    for shard, several in begun.items():
        for patient in Shard.parse(shard).pick(patients):
            mine[patient] += several
    return {patient: min(at for _, _, at in sorted(several)[-2:])
            for patient, several in mine.items()}


def _reopen(conn: Connection, patients: Sequence[str], window: Window, hour: datetime) -> int:
    panels = read_panels(conn, patients, VITALS, window.start, window.end)
    arrived = read_known(conn, patients, window, _arrived(conn, patients, panels, window),
                         window.start).arrived
    days, first = window.hours // 24, window.start.date()
    stored, versions = read_days(conn, patients, VITALS, first, days)
    found = merged(stored.reshape(len(stored), -1), arrived, stored, versions, days)
    rows = list(_days(conn, patients, first, found, None))
    if rows:
        save_days(conn, rows, hour)
    return len(rows)


# --- days --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Words:
    """The sentences of a block: hours that share a source, a state and a charger share one."""

    known: Known
    speakers: npt.NDArray[np.int64]
    hours: int

    def of(self, row: int, hour: int, state: State) -> str | None:
        """The sentence for one hour of a series."""
        if state in (State.OK, State.NOT_JUDGED):
            return None
        speaker = int(self.speakers[row, hour])
        charging = speaker >= 0 and bool(self.known.charging[self.known.links[speaker], hour])
        return self._said(row, state, speaker, charging=charging)

    def _said(self, row: int, state: State, speaker: int, *, charging: bool) -> str:
        facts: Facts | None = self.known.facts[speaker] if speaker >= 0 else None
        return why(state, facts, FORECAST_VITALS[row % len(VITALS)], charging=charging)

    def keys(self, rows: npt.NDArray[np.int64], days: npt.NDArray[np.int64],
             states: StateArray) -> npt.NDArray[np.int64]:
        """(R, 24) numbers that differ where the sentence may: 0 where there is none."""
        hours = days[:, None] * 24 + np.arange(24)
        judged = np.minimum(hours, self.hours - 1)
        speakers = self.speakers[rows[:, None], judged]
        charging = np.zeros(speakers.shape, dtype=np.bool_)
        if self.known.links.size:
            charging = self.known.charging[self.known.links[speakers], judged] & (speakers >= 0)
        keys = (speakers + 1) * 2 * _CHARGING + charging * _CHARGING + states
        silent = (states <= State.OK) | (hours >= self.hours)
        found: npt.NDArray[np.int64] = np.where(silent, 0, keys)
        return found

    def reasons(self, row: int, several: Sequence[tuple[int, int]],
                made: dict[tuple[int, int], str]) -> list[Reason]:
        """The runs of a day of series `row` in words; `made` keeps those that were needed."""
        found: list[Reason] = []
        for hour, key in several:
            if key == 0:
                found.append((hour, None))
                continue
            place = row % len(VITALS), key
            if place not in made:
                made[place] = self._said(
                    row, State(key % _CHARGING), key // (2 * _CHARGING) - 1,
                    charging=bool(key // _CHARGING % 2))
            found.append((hour, made[place]))
        return found


def _days(conn: Connection, patients: Sequence[str], start: date, found: Merged,
          words: _Words | None) -> Iterator[Day]:
    """The days that changed. `words` None: the only news are readings, which need none."""
    rows, days = np.nonzero(found.changed)
    if not rows.size:
        return
    states = found.states[rows, days]
    versions = (found.versions[rows, days] + (found.revised[rows, days] | (
        found.versions[rows, days] == 0))).tolist()
    settled = found.settled[rows, days].tolist()
    names = [(patients[row // len(VITALS)], VITALS[row % len(VITALS)], day_of(start, day))
             for row, day in zip(rows.tolist(), days.tolist(), strict=True)]
    old = read_reasons(conn, [name for name, before in zip(names, settled, strict=True)
                              if before]) if any(settled) else {}
    made: dict[tuple[int, int], str] = {}
    keys = np.zeros(states.shape, dtype=np.int64) if words is None \
        else words.keys(rows, days, states)
    for index, several in runs(keys):
        fresh = words.reasons(int(rows[index]), several, made) if words else []
        said = states[index].tobytes()
        patient, vital, day = name = names[index]
        yield Day(patient_id=patient, vital=vital, day=day, states=said,
                  version=versions[index],
                  reasons=overlaid(old.get(name, ()), said, fresh)
                  if settled[index] or words is None else reasons_text(fresh))


# --- readings ----------------------------------------------------------------------------------


def _arrived(conn: Connection, patients: Sequence[str], panels: Panels,
             window: Window) -> StateArray:
    """(S, n): OK in hours with a reading that counts, KEPT_OUT in those with others only."""
    place = {name: row for row, name in enumerate(patients)}
    kept_out = kept_out_hours(conn, patients, VITALS, window.start, window.hours)
    found = np.where(kept_out, np.uint8(State.KEPT_OUT), np.uint8(State.NOT_JUDGED)).reshape(
        len(patients), len(VITALS), window.hours)
    for position, vital in enumerate(FORECAST_VITALS):
        if vital in panels:
            panel = panels[vital]
            first = (window.start - panel.start) // HOUR
            rows = [place[name] for name in panel.patients]
            counts = ~np.isnan(panel.y[:, first:first + window.hours])
            found[rows, position] = np.where(counts, np.uint8(State.OK), found[rows, position])
    return found.reshape(-1, window.hours)


def _last_s(patients: Sequence[str], panels: Panels) -> npt.NDArray[np.int64]:
    """(S,): when the newest reading begins, 0 where there is none."""
    place = {name: row for row, name in enumerate(patients)}
    found = np.zeros((len(patients), len(VITALS)), dtype=np.int64)
    for position, vital in enumerate(FORECAST_VITALS):
        if vital in panels:
            found[[place[name] for name in panels[vital].patients], position] = \
                panels[vital].last_s
    return found.ravel()


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _next_midnight(moment: datetime) -> datetime:
    """The first midnight that is not before `moment`."""
    midnight = _midnight(moment)
    return midnight if midnight == moment else midnight + _DAY


def _note(last: datetime | None, why_now: str | None, end: datetime) -> str | None:
    """How old the newest reading is and why there is none since; None when nothing is missing."""
    if why_now is None:
        return None
    if last is None:
        return f"no reading in the window: {why_now}"
    return f"the last reading is {(end - last) / HOUR:.0f} h old: {why_now}"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
