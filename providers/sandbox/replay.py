"""Recorded readings as subjects: `readings.parquet` and `subjects.csv` of one folder.

Each subject is shifted by a whole number of hours, the largest that leaves its last reading before
the anchor: hourly means stay what they were, and the hour before the anchor holds a reading.
Times without a zone are taken as UTC. Values are served as recorded, dirty ones too.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from providers.observation import Provider
from providers.sandbox import ReplayDataError
from providers.sandbox.readings import HOUR_S, SERVED, Channel, Readings, Subject

_COLUMNS = ("subject_id", "ts", "vital", "value")
_VITALS = frozenset(Channel) & {
    Channel.HEART_RATE, Channel.RESPIRATORY_RATE, Channel.SYSTOLIC_BP, Channel.DIASTOLIC_BP,
    Channel.BODY_TEMPERATURE, Channel.SPO2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySubject:
    """One recorded subject. `unserved` vitals were recorded but the vendor's API has none such."""

    subject_id: str
    provider: Provider
    recorded: dict[Channel, Readings]
    unserved: tuple[str, ...] = ()
    birth_date: date | None = None

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset(self.recorded)

    def readings(self, channel: Channel, now: int) -> Readings:  # noqa: ARG002 - Subject's shape
        return self.recorded.get(channel, Readings())

    def last_sync(self, now: int) -> int | None:
        known = [visible.seen.max() for readings in self.recorded.values()
                 if len(visible := readings.visible(now))]
        return int(max(known)) if known else None

    def shifted_to(self, anchor: int) -> "ReplaySubject":
        """The same subject with its last reading in the hour before `anchor`."""
        last = max((int(r.t[-1]) for r in self.recorded.values()), default=anchor - 1)
        shift = (anchor - 1 - last) // HOUR_S * HOUR_S
        moved = {
            channel: Readings(t=r.t + shift, value=r.value, seen=r.seen + shift)
            for channel, r in self.recorded.items()
        }
        return ReplaySubject(subject_id=self.subject_id, provider=self.provider, recorded=moved,
                             unserved=self.unserved)


def replay(folder: Path) -> Callable[[int], Sequence[Subject]]:
    """Read `folder`; the result gives its subjects shifted to an anchor. `ReplayDataError`."""
    providers = _providers(folder / "subjects.csv")
    recorded = _recorded(folder / "readings.parquet")
    unknown = sorted(set(recorded) - set(providers))
    if unknown:
        raise ReplayDataError(
            f"subjects.csv of {folder} lacks {', '.join(unknown[:5])}, which has readings; add it")
    subjects = [_subject(name, provider, recorded.get(name, {}))
                for name, provider in providers.items()]
    return lambda anchor: [subject.shifted_to(anchor) for subject in subjects]


def _subject(name: str, provider: Provider, recorded: dict[Channel, Readings]) -> ReplaySubject:
    served = {channel: r for channel, r in recorded.items() if channel in SERVED[provider]}
    unserved = tuple(sorted(channel.value for channel in recorded if channel not in served))
    return ReplaySubject(subject_id=name, provider=provider, recorded=served, unserved=unserved)


def _providers(path: Path) -> dict[str, Provider]:
    if not path.is_file():
        raise ReplayDataError(f"{path} is missing; --data needs subjects.csv and readings.parquet")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["subject_id"]: Provider(row["provider"]) for row in rows}
    except KeyError as error:
        raise ReplayDataError(f"{path} lacks the column {error.args[0]}") from error
    except ValueError as error:
        known = ", ".join(Provider)
        raise ReplayDataError(f"{path}: {error}; the sandbox speaks {known}") from error


def _recorded(path: Path) -> dict[str, dict[Channel, Readings]]:
    if not path.is_file():
        raise ReplayDataError(f"{path} is missing; --data needs subjects.csv and readings.parquet")
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
    except (pa.ArrowInvalid, KeyError) as error:
        raise ReplayDataError(f"{path} needs the columns {', '.join(_COLUMNS)}: {error}") from error
    vitals = {str(name) for name in pc.unique(table["vital"]).to_pylist()}
    unknown = sorted(vitals - {channel.value for channel in _VITALS})
    if unknown:
        raise ReplayDataError(f"{path} holds unknown vitals: {', '.join(unknown)}")
    return _split(table)


def _split(table: pa.Table) -> dict[str, dict[Channel, Readings]]:
    """Rows to one `Readings` per subject and vital, times ascending."""
    subject = table["subject_id"].combine_chunks().dictionary_encode()
    vital = table["vital"].combine_chunks().dictionary_encode()
    t = pc.cast(table["ts"], pa.timestamp("s"), safe=False).cast(pa.int64()).to_numpy()
    value = table["value"].to_numpy().astype(np.float64)
    codes = subject.indices.to_numpy() * len(vital.dictionary) + vital.indices.to_numpy()
    order = np.lexsort((t, codes))
    found: dict[str, dict[Channel, Readings]] = {}
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, bounds) if len(order) else []:
        who, what = divmod(int(codes[rows[0]]), len(vital.dictionary))
        times = t[rows].astype(np.int64)
        channels = found.setdefault(subject.dictionary[who].as_py(), {})
        channels[Channel(vital.dictionary[what].as_py())] = Readings(
            t=times, value=value[rows], seen=times)
    return found
