"""The state of one hour of one series, by plain ifs: the oracle of `providers.coverage`."""

from collections.abc import Sequence
from dataclasses import dataclass

from providers.coverage import State
from providers.measures import Coverage

HOUR, DAY = 3600, 86400


@dataclass(frozen=True, kw_only=True)
class Source:
    how: Coverage
    pushed: bool
    read_from_s: int
    read_until_s: int
    beyond: State
    synced_until_s: int
    offset_s: int
    worn: Sequence[bool]
    asleep: Sequence[bool]


def said_by(source: Source, hour: int, start_s: int, now_s: int) -> State:
    """What one source says of hour number `hour`, which has no reading."""
    begin = start_s + hour * HOUR
    end = begin + HOUR
    if source.how is Coverage.NONE:
        return State.UNSUPPORTED
    if end > source.read_until_s:
        return source.beyond
    if end <= source.read_from_s:
        return State.NOT_EXPECTED
    synced = end <= source.synced_until_s
    at_night = source.asleep[hour] or 0 <= (begin + source.offset_s) % DAY // HOUR < 6
    if source.how is Coverage.NIGHTLY and not at_night:
        return State.NOT_EXPECTED
    if source.how is Coverage.SPOT and (synced or not source.pushed):
        return State.NOT_MEASURED
    if not synced:
        return State.NOT_SYNCED
    if source.how is Coverage.NIGHTLY and final(begin + source.offset_s) - source.offset_s > now_s:
        return State.NOT_EXPECTED
    return State.WORN_NO_READING if source.worn[hour] else State.NOT_WORN


def final(local_s: int) -> int:
    """The first noon after a moment."""
    noon = local_s - local_s % DAY + DAY // 2
    return noon if noon > local_s else noon + DAY


def state(sources: Sequence[Source], arrived: State, hour: int, start_s: int, now_s: int) -> State:
    """Of several sources the lowest state; nobody at all measures nothing."""
    if arrived:
        return arrived
    said = [said_by(source, hour, start_s, now_s) for source in sources]
    return min(said, default=State.UNSUPPORTED)
