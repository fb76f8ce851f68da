"""A cycle is one full UTC hour; a shard is a part of the patients, fixed by their ids."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from vitalcast.errors import UserError

HOUR = timedelta(hours=1)
FIRST_YEAR, LAST_YEAR = 1970, 2999


def last_full_hour(now: datetime) -> datetime:
    """The start of the hour that `now` lies in: every hour before it is over."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def parse_cycle(text: str | datetime) -> datetime:
    """A cycle's hour from a partition key such as `2026-11-21T03:00:00` (UTC when no zone is said).

    UserError when it is not a full hour, or so far away that windows around it leave the calendar.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a time: write 2026-11-21T03:00:00") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise UserError(f"{text} is no hour of a cycle: its year must lie between {FIRST_YEAR} and "
                        f"{LAST_YEAR}")
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment != last_full_hour(moment):
        raise UserError(f"{moment.isoformat()} is not a full hour: write {last_full_hour(moment)}")
    return moment


def partition_key(cycle: datetime) -> str:
    """The partition key of a cycle, as the DAGs' timetable writes it."""
    return cycle.astimezone(UTC).strftime("%Y-%m-%dT%H:00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Part `index` (from 1) of `count`; every patient belongs to exactly one."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A shard written `1/2`. UserError for anything else."""
        index, _, count = text.partition("/")
        if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise UserError(f"{text!r} is not a shard: write 1/2 for the first of two")
        return cls(index=int(index), count=int(count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def pick(self, patient_ids: Iterable[str]) -> list[str]:
        """The patients of this shard, sorted."""
        return sorted(name for name in patient_ids if _slot(name, self.count) == self.index - 1)


def _slot(patient_id: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8]) % count


def blocks(patient_ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The patients, so many at a time, in order: what a job holds in memory at once."""
    for first in range(0, len(patient_ids), size):
        yield patient_ids[first:first + size]


def all_shards(count: int) -> list[str]:
    """Every shard of `count`, written out."""
    return [str(Shard(index=index, count=count)) for index in range(1, count + 1)]
