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
    """Of several sources the one that is heard first; nobody at all measures nothing."""
    if arrived:
        return arrived
    said = [(heard(source, hour, start_s, now_s), said_by(source, hour, start_s, now_s))
            for source in sources]
    return min(said, default=(0, State.UNSUPPORTED))[1]


def heard(source: Source, hour: int, start_s: int, now_s: int) -> int:
    """The place in the order in which sources are heard."""
    said = said_by(source, hour, start_s, now_s)
    end = start_s + (hour + 1) * HOUR
    if (said is State.NOT_SYNCED and source.how is not Coverage.SPOT
            and end <= source.synced_until_s + DAY):
        return 2
    return {State.WORN_NO_READING: 1, State.NOT_WORN: 3, State.NOT_SYNCED: 4,
            State.FETCH_FAILED: 5, State.FORMAT_DISCREPANCY: 6, State.NOT_MEASURED: 7,
            State.NOT_EXPECTED: 8, State.NOT_ENTITLED: 9, State.UNSUPPORTED: 10}[said]
