"""A device that syncs late, however late: what it held back is read at the cycle that can."""

from collections.abc import Iterator, Mapping
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


class Rings(VendorClient):
    """Each device has one reading an hour, known from its first sync after it on."""

    provider = Provider.OURA
    known = ("heartrate",)

    def __init__(self, syncs: dict[str, list[datetime]], *, down: bool = False,
                 mute: bool = False, named: bool = True) -> None:
        session: Any = None
        super().__init__(session, ("heartrate",))
        self.syncs, self.down, self.mute, self.named = syncs, down, mute, named

    def _ask_last_sync(self, as_of: datetime) -> datetime | None:
        if self.mute:
            raise VendorUnavailable("no answer", http_status=500)
        told = {name: last for name in self.syncs if (last := self.last(name, as_of))}
        if self.named:
            self._devices[as_of] = [Parsed(figures={"syncs": list(told.items())})]
        return max(told.values(), default=None)

    def last(self, name: str, as_of: datetime) -> datetime | None:
        return max((sync for sync in self.syncs[name] if sync <= as_of), default=None)

    def _pages(self, request: FetchRequest) -> Iterator[Page]:
        if self.down:
            raise VendorUnavailable("no answer", http_status=500)
        found = []
        for minute, name in enumerate(self.syncs):
            synced = self.last(name, request.end) or START
            moment = max(START, reread_from(request))
            while moment < min(synced, request.end):
                found.append(reading(moment + timedelta(minutes=minute)))
                moment += HOUR
        yield Page(body=b"", sha256="", parsed=Parsed(observations=found))


def reading(moment: datetime) -> Observation:
    return Observation(vital=Vital.HEART_RATE, value=Decimal(60), effective_start=moment,
                       effective_end=moment, granularity=Granularity.SAMPLE,
                       statistic=Statistic.INSTANT)


hours = st.integers(1, 40 * 24)


@settings(max_examples=60, deadline=None)
@given(ring=st.lists(hours, min_size=1, max_size=6), watch=st.lists(hours, max_size=60),
       down=st.sets(hours, max_size=6), mute=st.sets(hours, max_size=6), every=st.integers(1, 12))
@example(ring=[30, 500], watch=[], down=set(), mute=set(), every=1)
@example(ring=[30, 500], watch=[], down={501, 502}, mute={503, 504}, every=1)
@example(ring=[700], watch=[], down=set(), mute={0}, every=1)
@example(ring=[30, 500], watch=list(range(1, 600)), down={501}, mute={502}, every=1)
def test_whatever_a_device_held_back_is_read_once_it_has_synced(
        ring: list[int], watch: list[int], down: set[int], mute: set[int], every: int) -> None:
    """Whatever the other device of the account does."""
    moments = {name: sorted(START + hour * HOUR for hour in several)
               for name, several in (("ring", ring), ("watch", watch))}
    read: set[datetime] = set()
    cursor: str | None = None
    synced: Mapping[str, datetime] = {}
    for hour in range(0, 40 * 24 + 2 * every, every):
        quiet = hour >= 40 * 24
        client = Rings(moments, down=hour in down and not quiet, mute=hour in mute and not quiet)
        end = START + hour * HOUR
        result = client.fetch(FetchRequest(
            resource="heartrate", start=START - HISTORY, end=end, cursor=cursor, synced=synced))
        read |= {one.effective_start for page in result.pages for one in page.parsed.observations}
        if result.outcome is Outcome.COMPLETE:        # as the ledger keeps them
            cursor = result.cursor_after
            synced = result.device_syncs or synced
    assert read == {START + hour * HOUR + timedelta(minutes=minute)
                    for minute, several in enumerate((ring, watch))
                    for hour in range(max(several, default=0))}


def test_a_device_that_syncs_each_hour_costs_no_longer_reading() -> None:
    """Neither does one of which only the account's last sync was known."""
    end = START + 30 * 24 * HOUR
    for named, known in ((True, "ring"), (True, ""), (False, "")):
        client = Rings({"ring": [end - HOUR, end]}, named=named)
        request = FetchRequest(resource="heartrate", start=START, end=end,
                               cursor=(end - HOUR).isoformat(), synced={known: end - HOUR})
        (page,) = client.fetch(request).pages
        first = page.parsed.observations[0].effective_start
        assert end - first <= timedelta(hours=97)


def test_a_sync_that_has_not_moved_is_no_reason_to_read_further_back() -> None:
    end = START + 30 * 24 * HOUR
    client = Rings({"ring": [START + HOUR]})
    request = FetchRequest(resource="heartrate", start=START, end=end,
                           cursor=(end - HOUR).isoformat(), synced={"ring": START + HOUR})
    (page,) = client.fetch(request).pages
    assert page.parsed.observations == []
