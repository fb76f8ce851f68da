"""What ledger, link and devices tell of a source, and the sentences about it."""

from datetime import UTC, datetime, timedelta

import pytest

from clinical.vitals import FORECAST_VITALS, Vital
from providers import google_health, measures, oura, withings_pages
from providers.catalogue import CATALOGUE
from providers.coverage import Delivery, State
from providers.coverage_facts import Facts, Fetched, facts, why
from providers.errors import ProviderError
from providers.measures import CARRIED_BY, COVERED, Coverage
from providers.observation import Provider

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(resource: str, outcome: str = "complete", word: str = "", *, cycle: datetime = NOW,
        until: datetime | None = NOW) -> Fetched:
    return Fetched(resource=resource, cycle=cycle, outcome=outcome, word=word,
                   complete_until=until, read_from=NOW - timedelta(days=8))


def heart_rate(*fetched: Fetched, status: str = "active",
               devices: dict[str, datetime | None] | None = None,
               provider: Provider = Provider.WITHINGS) -> Facts:
    return facts(provider, Vital.HEART_RATE, status, fetched, devices or {}, NOW - HOUR)


def test_what_one_resource_left_out_is_not_known_from_the_others() -> None:
    found = heart_rate(row("getmeas"), row("intraday", "fetch_failed", "rate_limited",
                                           until=NOW - 3 * HOUR))
    assert (found.read_until, found.beyond) == (NOW - 3 * HOUR, State.FETCH_FAILED)
    assert "its limit of requests was used up" in why(State.FETCH_FAILED, found, found.vital)


def test_a_resource_that_was_not_granted_hides_nothing_that_others_tell() -> None:
    found = heart_rate(row("getmeas"),
                       row("intraday", "not_entitled", "scope_missing", until=None))
    assert found.read_until == NOW
    alone = facts(Provider.WITHINGS, Vital.RESPIRATORY_RATE, "active",
                  [row("getmeas"), row("intraday", "not_entitled", "scope_missing", until=None)],
                  {}, None)
    assert (alone.read_until, alone.beyond) == (None, State.NOT_ENTITLED)
    assert why(State.NOT_ENTITLED, alone, alone.vital) == \
        "access at Withings is missing: the patient has not granted it"


def test_a_resource_no_longer_asked_for_holds_nothing_back() -> None:
    old = NOW - timedelta(days=30)
    found = heart_rate(row("getmeas"), row("sleep-summary", cycle=old, until=old))
    assert found.read_until == NOW


def test_a_link_that_came_of_files_was_never_to_be_asked() -> None:
    found = facts(Provider.WITHINGS, Vital.HEART_RATE, "file", [], {}, None)
    assert (found.delivery, found.read_until) == (Delivery.PUSHED, None)
    assert why(State.NOT_SYNCED, found, found.vital) == \
        "nothing newer has come from the Withings device"


@pytest.mark.parametrize(("status", "state"), [
    ("active", State.FETCH_FAILED), ("revoked", State.NOT_ENTITLED),
    ("subscription_lapsed", State.NOT_ENTITLED), ("reauth_required", State.FETCH_FAILED)])
def test_hours_that_nobody_asked_for_are_told_by_the_link(status: str, state: State) -> None:
    found = heart_rate(row("getmeas", until=NOW - HOUR), status=status)
    assert (found.read_until, found.beyond) == (NOW - HOUR, state)
    never = heart_rate(status=status)
    assert (never.read_until, never.beyond) == (None, state)


def test_an_accounts_devices_say_how_it_measures() -> None:
    cuff = heart_rate(devices={"cuff": NOW})
    assert (cuff.how, cuff.last_sync) == (Coverage.SPOT, None)
    watch = heart_rate(devices={"cuff": NOW, "watch": NOW - 5 * HOUR, "scale": NOW})
    assert (watch.how, watch.last_sync) == (Coverage.CONTINUOUS, NOW - 5 * HOUR)
    unknown = heart_rate(devices={"cuff": NOW, "other": NOW - 2 * HOUR})
    assert (unknown.how, unknown.last_sync) == (Coverage.CONTINUOUS, NOW - 2 * HOUR)
    thermometer = heart_rate(devices={"thermometer": NOW})
    assert thermometer.how is Coverage.NONE
    assert heart_rate().last_sync == NOW - HOUR


def test_a_scale_does_not_sync_for_the_tracker() -> None:
    found = heart_rate(provider=Provider.GOOGLE_HEALTH,
                       devices={"tracker": NOW - 9 * HOUR, "scale": NOW})
    assert found.last_sync == NOW - 9 * HOUR


def test_nobody_asks_a_source_that_sends() -> None:
    found = facts(Provider.GARMIN, Vital.HEART_RATE, "file", [], {}, None)
    assert (found.delivery, found.read_until) == (Delivery.PUSHED, None)
    assert why(State.NOT_SYNCED, found, found.vital) == \
        "nothing newer has come from the Garmin watch"


def test_every_state_has_a_sentence_for_every_source() -> None:
    for provider in Provider:
        for vital in FORECAST_VITALS:
            one = facts(provider, vital, "active", [], {}, None)
            for state in set(State) - {State.NOT_JUDGED, State.OK}:
                said = why(state, one, vital)
                assert said[0] not in ".,;" and not said.endswith(".") and len(said) < 130
    assert why(State.UNSUPPORTED, None, Vital.SPO2) == \
        "no device and no account of the patient measures it"


def test_the_charger_is_named() -> None:
    ring = facts(Provider.OURA, Vital.HEART_RATE, "active", [], {"ring": NOW}, None)
    assert why(State.NOT_WORN, ring, ring.vital, charging=True) == \
        "the Oura ring was in its charger"
    assert why(State.NOT_SYNCED, ring, ring.vital) == "the Oura ring last synced 21 Nov 06:00 UTC"


def test_every_word_of_the_ledger_has_a_sentence() -> None:
    def all_of(kind: type[ProviderError]) -> set[type[ProviderError]]:
        return {kind}.union(*(all_of(below) for below in kind.__subclasses__()))

    for kind in all_of(ProviderError):
        for outcome, state in (("fetch_failed", State.FETCH_FAILED),
                               ("not_entitled", State.NOT_ENTITLED)):
            found = heart_rate(row("getmeas", outcome, kind.reason, until=None))
            assert why(state, found, found.vital)


def test_what_is_declared_is_what_the_clients_parse() -> None:
    carried = CARRIED_BY[Provider.WITHINGS]
    assert set(carried["getmeas"]) == set(withings_pages.MEASURES.values())
    assert set(carried["sleep"]) == set(withings_pages.SLEEP.values())
    assert set(carried["intraday"]) == set(withings_pages.INTRADAY.values())
    assert set(carried["sleep-summary"]) == {vital for vital, _ in withings_pages.NIGHT.values()}
    assert CARRIED_BY[Provider.GOOGLE_HEALTH] == {
        name: (kind.vital,) for name, kind in google_health.DATA_TYPES.items()}
    assert set(CARRIED_BY[Provider.OURA]) == set(oura.RESOURCES)
    for provider, entry in CATALOGUE.items():
        brought = {vital for vitals in CARRIED_BY[provider].values() for vital in vitals}
        assert brought == {vital for vital, how in COVERED[provider].items()
                           if how is not Coverage.NONE}
        assert set(entry.resources) <= set(CARRIED_BY[provider])
        assert set(measures.WORN_BY[provider]) <= brought
