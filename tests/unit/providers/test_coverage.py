"""Why a reading is missing: all hours at once beside one hour at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from providers.coverage import (
    ALWAYS_S,
    HOUR_S,
    NEVER_S,
    STATES,
    Sources,
    State,
    classify,
    place_of,
)
from providers.measures import Coverage
from tests.reference import coverage as oracle

START_S = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
HOURS = 30
BEYOND = (State.FETCH_FAILED, State.FORMAT_DISCREPANCY, State.NOT_ENTITLED)

readings = st.lists(st.sampled_from((State.NOT_JUDGED, State.OK, State.KEPT_OUT)),
                    min_size=HOURS, max_size=HOURS)
flags = st.lists(st.booleans(), min_size=HOURS, max_size=HOURS)
moments = st.one_of(
    st.sampled_from((NEVER_S, ALWAYS_S)),
    st.integers(-1, HOURS + 1).map(lambda hour: START_S + hour * HOUR_S),
    st.integers(START_S, START_S + HOURS * HOUR_S))
one_source = st.builds(
    oracle.Source, how=st.sampled_from(Coverage), pushed=st.booleans(), read_from_s=moments,
    read_until_s=moments, beyond=st.sampled_from(BEYOND), synced_until_s=moments,
    offset_s=st.integers(-12, 14).map(lambda hours: hours * HOUR_S), worn=flags, asleep=flags)


def as_arrays(sources: Sequence[Sequence[oracle.Source]]) -> Sources:
    flat = [(row, one) for row, several in enumerate(sources) for one in several]

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    def hours(values: list[Sequence[bool]]) -> np.ndarray:
        return np.array(values, dtype=np.bool_).reshape(len(flat), HOURS)

    return Sources(
        series=column([row for row, _ in flat]),
        how=column([place_of(one.how) for _, one in flat]),
        pushed=np.array([one.pushed for _, one in flat], dtype=np.bool_),
        read_from_s=column([one.read_from_s for _, one in flat]),
        read_until_s=column([one.read_until_s for _, one in flat]),
        beyond=np.array([one.beyond for _, one in flat], dtype=np.uint8),
        synced_until_s=column([one.synced_until_s for _, one in flat]),
        offset_s=column([one.offset_s for _, one in flat]),
        worn=hours([one.worn for _, one in flat]), asleep=hours([one.asleep for _, one in flat]))


@given(sources=st.lists(st.lists(one_source, max_size=3), min_size=1, max_size=4),
       arrived=st.lists(readings, min_size=4, max_size=4),
       now_hour=st.integers(HOURS, HOURS + 48))
def test_every_hour_is_judged_as_the_oracle_does(
    sources: list[list[oracle.Source]], arrived: list[list[State]], now_hour: int,
) -> None:
    now_s = START_S + now_hour * HOUR_S
    seen = np.array(arrived[:len(sources)], dtype=np.uint8)
    states, speakers = classify(as_arrays(sources), seen, START_S, now_s)
    owners = [row for row, several in enumerate(sources) for _ in several]
    flat = [one for several in sources for one in several]
    for row, several in enumerate(sources):
        for hour in range(HOURS):
            expected = oracle.state(several, arrived[row][hour], hour, START_S, now_s)
            assert states[row, hour] == expected
            speaker = int(speakers[row, hour])
            if not several:
                assert speaker == -1
            elif expected not in (State.OK, State.KEPT_OUT):
                assert owners[speaker] == row
                assert oracle.said_by(flat[speaker], hour, START_S, now_s) is expected


def source(**known: object) -> oracle.Source:
    given = {"how": Coverage.CONTINUOUS, "pushed": False, "read_from_s": NEVER_S,
             "read_until_s": ALWAYS_S, "beyond": State.FETCH_FAILED, "synced_until_s": ALWAYS_S,
             "offset_s": 0, "worn": [False] * HOURS, "asleep": [False] * HOURS}
    return oracle.Source(**given | known)  # type: ignore[arg-type]


def test_what_may_still_come_is_not_hidden_by_a_source_that_has_nothing_to_tell() -> None:
    """A cuff of which nobody took a pulse knows nothing of a ring that cannot be read, nor does a
    watch that was not worn of a ring that synced within the day; of a ring in a drawer it does."""
    cuff, off = source(how=Coverage.SPOT), source()
    nightly = source(how=Coverage.NIGHTLY)
    failed = source(read_until_s=START_S)
    ring, drawer = source(synced_until_s=START_S + 6 * HOUR_S), source(synced_until_s=NEVER_S)
    arrived = np.zeros((1, HOURS), dtype=np.uint8)
    for several, state in (
            ([cuff, failed], State.FETCH_FAILED), ([nightly, failed], State.FETCH_FAILED),
            ([cuff, drawer], State.NOT_SYNCED), ([off, ring], State.NOT_SYNCED),
            ([off, drawer], State.NOT_WORN), ([off, failed], State.NOT_WORN),
            ([cuff, source(read_until_s=START_S, beyond=State.NOT_ENTITLED)],
             State.NOT_MEASURED)):
        for order in (several, several[::-1]):
            states, _ = classify(as_arrays([order]), arrived, START_S, START_S + HOURS * HOUR_S)
            assert State(states[0, 20]) is state


def test_no_source_and_no_series() -> None:
    states, speakers = classify(as_arrays([[]]), np.zeros((1, HOURS), dtype=np.uint8), START_S,
                                START_S)
    assert (states == State.UNSUPPORTED).all()
    assert (speakers == -1).all()
    states, _ = classify(as_arrays([]), np.zeros((0, HOURS), dtype=np.uint8), START_S, START_S)
    assert states.shape == (0, HOURS)


def test_states_fit_a_byte_and_keep_their_numbers() -> None:
    """They are stored: docs/coverage.md and the columns' comments name them."""
    assert [(state.value, state.word) for state in STATES] == [
        (1, "ok"), (2, "worn_no_reading"), (3, "not_worn"), (4, "not_measured"),
        (5, "not_expected"), (6, "not_synced"), (7, "fetch_failed"), (8, "format_discrepancy"),
        (9, "not_entitled"), (10, "unsupported"), (11, "kept_out")]
