"""Cycles and shards."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalcast.cycle import (
    Shard,
    all_shards,
    blocks,
    last_full_hour,
    parse_cycle,
    partition_key,
)
from vitalcast.errors import UserError


def test_a_key_without_a_zone_is_utc() -> None:
    assert parse_cycle("2026-11-21T03:00:00") == datetime(2026, 11, 21, 3, tzinfo=UTC)


def test_a_key_in_another_zone_is_converted() -> None:
    assert parse_cycle("2026-11-21T03:00:00+02:00") == datetime(2026, 11, 21, 1, tzinfo=UTC)


@pytest.mark.parametrize(("key", "says"), [
    ("yesterday", "is not a time"),
    ("2026-11-21T03:05:00", "is not a full hour"),
    ("0001-01-01T00:00:00", "between 1970 and 2999"),
    ("9999-12-31T23:00:00-05:00", "between 1970 and 2999"),
])
def test_a_key_that_is_no_full_hour_is_refused(key: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse_cycle(key)


def test_a_cycle_survives_its_partition_key() -> None:
    cycle = last_full_hour(datetime(2026, 3, 1, 4, 59, tzinfo=timezone(timedelta(hours=-5))))
    assert parse_cycle(partition_key(cycle)) == cycle == datetime(2026, 3, 1, 9, tzinfo=UTC)


@given(st.lists(st.text(min_size=1)), st.integers(1, 9))
def test_blocks_hold_every_patient_in_order(patients: list[str], size: int) -> None:
    parts = list(blocks(patients, size))
    assert [name for part in parts for name in part] == patients
    assert all(1 <= len(part) <= size for part in parts)


@given(st.sets(st.text(min_size=1)), st.integers(1, 9))
def test_every_patient_is_in_exactly_one_shard(patients: set[str], count: int) -> None:
    parts = [Shard.parse(text).pick(patients) for text in all_shards(count)]
    assert sorted(name for part in parts for name in part) == sorted(patients)


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "a/b", "-1/2", "1/2/3"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a shard"):
        Shard.parse(text)
