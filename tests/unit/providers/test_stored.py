"""Stored bodies are read again as they were read when they came."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from clinical.vitals import Vital
from providers.catalogue import CATALOGUE
from providers.imports import FORMATS
from providers.observation import Provider
from providers.stored import FILE, PUSHED, is_fetched, read_stored
from providers.versions import PARSER_VERSIONS

END = datetime(2026, 11, 21, 6, tzinfo=UTC)
UNREAD = "nothing here reads this resource any more"


def beats(*times: str) -> bytes:
    return orjson.dumps({"data": [{"bpm": 60, "timestamp": time} for time in times]})


def test_every_resource_that_is_fetched_can_be_read_again() -> None:
    for provider, entry in CATALOGUE.items():
        for resource in entry.client.known:  # type: ignore[attr-defined]
            page = read_stored(provider, resource, b"[]", end=END)
            assert page.problem
            assert str(page.problem) != UNREAD, resource


def test_every_source_has_a_version_and_what_is_pushed_a_format() -> None:
    assert set(PARSER_VERSIONS) == set(Provider)
    for provider in (Provider.GARMIN, Provider.TERRA):
        assert FORMATS[provider.value].provider is provider


def test_what_is_not_over_by_the_end_is_withheld_of_a_fetch_alone() -> None:
    body = beats("2026-11-21T05:59:00Z", "2026-11-21T06:01:00Z")
    page = read_stored(Provider.OURA, "heartrate", body, end=END)
    assert [one.effective_start.minute for one in page.parsed.observations] == [59]
    assert [one.effective_start.minute for one in page.withheld] == [1]
    file = read_stored(Provider.OURA, f"{FILE}oura", body, end=END)
    assert (len(file.parsed.observations), list(file.withheld)) == (2, [])
    assert page.sha256 == file.sha256


def test_a_push_is_read_by_its_vendors_format() -> None:
    body = orjson.dumps({"pulseox": [{"summaryId": "s", "startTimeInSeconds": 1782000000,
                                      "timeOffsetSpo2Values": {"0": 98, "60": "97"}}]})
    page = read_stored(Provider.GARMIN, PUSHED, body, end=END)
    assert [(one.vital, one.value) for one in page.parsed.observations] == [
        (Vital.SPO2, Decimal(98))]
    assert len(page.parsed.refused) == 1


def test_local_times_of_a_file_are_read_in_its_zone() -> None:
    body = orjson.dumps({
        "activities-heart": [{"dateTime": "2026-11-20"}],
        "activities-heart-intraday": {"dataset": [{"time": "08:00:00", "value": 61}]}})
    page = read_stored(Provider.FITBIT, f"{FILE}fitbit", body, end=END, zone="Europe/Berlin")
    assert [one.effective_start.hour for one in page.parsed.observations] == [7]


@pytest.mark.parametrize(("provider", "resource", "reason"), [
    (Provider.OURA, "no-such", UNREAD), (Provider.FITBIT, "heartrate", UNREAD),
    (Provider.FITBIT, f"{FILE}no-such", "there is no such format any more"),
    (Provider.FITBIT, f"{FILE}fitbit", "line 1: not JSON, or cut off")])
def test_what_cannot_be_read_is_a_problem_and_not_an_error(
        provider: Provider, resource: str, reason: str) -> None:
    page = read_stored(provider, resource, b"{", end=END)
    assert str(page.problem).startswith(reason)


def test_pushes_and_files_are_told_from_what_is_fetched() -> None:
    assert is_fetched("sleep")
    assert not is_fetched(PUSHED)
    assert not is_fetched("file fitbit")
