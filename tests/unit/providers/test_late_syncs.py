"""A device that syncs late, however late: what it held back is read at the cycle that can."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinical.vitals import Vital
from providers.errors import VendorUnavailable
from providers.fetching import FetchRequest, Outcome, Page, VendorClient, reread_from
from providers.observation import Granularity, Observation, Parsed, Provider, Statistic

START = datetime(2026, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HISTORY = timedelta(days=60)


class Ring(VendorClient):
    """One reading an hour, known from the first sync after it on."""

    provider = Provider.OURA
    known = ("heartrate",)

    def __init__(self, syncs: list[datetime], *, down: bool, mute: bool) -> None:
        session: Any = None
        super().__init__(session, ("heartrate",))
        self.syncs, self.down, self.mute = syncs, down, mute

    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        if self.mute:
            raise VendorUnavailable("no answer", http_status=500)
        return max((sync for sync in self.syncs if sync <= as_of), default=None)

    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        if self.down:
            raise VendorUnavailable("no answer", http_status=500)
        synced = max((sync for sync in self.syncs if sync <= request.end), default=START)
        moment, found = reread_from(request), []
        while moment < min(synced, request.end):
            if moment >= START:
                found.append(reading(moment))
            moment += HOUR
        yield Page(body=b"", sha256="", parsed=Parsed(observations=found))


def reading(moment: datetime) -> Observation:
    return Observation(vital=Vital.HEART_RATE, value=Decimal(60), effective_start=moment,
                       effective_end=moment, granularity=Granularity.SAMPLE,
                       statistic=Statistic.INSTANT)


hours = st.integers(1, 40 * 24)


@settings(max_examples=60, deadline=None)
@given(syncs=st.lists(hours, min_size=1, max_size=6), down=st.sets(hours, max_size=6),
       mute=st.sets(hours, max_size=6), every=st.integers(1, 12))
@example(syncs=[30, 500], down=set(), mute=set(), every=1)
@example(syncs=[30, 500], down={501, 502}, mute={503, 504}, every=1)
@example(syncs=[700], down=set(), mute={0}, every=1)
def test_whatever_a_device_held_back_is_read_once_it_has_synced(
        syncs: list[int], down: set[int], mute: set[int], every: int) -> None:
    moments = sorted(START + hour * HOUR for hour in syncs)
    read: set[datetime] = set()
    cursor: str | None = None
    synced: datetime | None = None
    for hour in range(0, 40 * 24 + 2 * every, every):
        quiet = hour >= 40 * 24
        client = Ring(moments, down=hour in down and not quiet, mute=hour in mute and not quiet)
        end = START + hour * HOUR
        result = client.fetch(FetchRequest(
            resource="heartrate", start=START - HISTORY, end=end, cursor=cursor, synced=synced))
        read |= {one.effective_start for page in result.pages for one in page.parsed.observations}
        if result.outcome is Outcome.COMPLETE:        # as the ledger keeps them
            cursor = result.cursor_after
            synced = result.last_sync or synced
    held = {START + hour * HOUR for hour in range(max(syncs))}
    assert read == held


def test_a_device_that_syncs_each_hour_costs_no_longer_reading() -> None:
    end = START + 30 * 24 * HOUR
    client = Ring([end - HOUR, end], down=False, mute=False)
    request = FetchRequest(resource="heartrate", start=START, end=end,
                           cursor=(end - HOUR).isoformat(), synced=end - HOUR)
    (page,) = client.fetch(request).pages
    first = page.parsed.observations[0].effective_start
    assert end - first <= timedelta(hours=97)


def test_a_sync_that_has_not_moved_is_no_reason_to_read_further_back() -> None:
    end = START + 30 * 24 * HOUR
    client = Ring([START + HOUR], down=False, mute=False)
    request = FetchRequest(resource="heartrate", start=START, end=end,
                           cursor=(end - HOUR).isoformat(), synced=START + HOUR)
    (page,) = client.fetch(request).pages
    assert page.parsed.observations == []
