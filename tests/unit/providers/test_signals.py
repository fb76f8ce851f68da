"""Syncs and wear that the vendors tell beside readings, from the sandbox and from odd answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from providers.catalogue import make_client, make_limiter, sandbox_endpoints
from providers.errors import SchemaError
from providers.fetching import Client
from providers.google_health import parse_paired_devices, parse_steps
from providers.observation import Provider
from providers.oura import parse_ring_battery_level
from providers.signals import Signals, latest
from providers.withings_pages import parse_devices
from tests.reference.sandbox_user import SandboxUser, Tokens, sandbox_user

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as one:
        yield one


def client_of(user: SandboxUser, provider: Provider, patient: str) -> Client:
    return make_client(
        provider, endpoints=sandbox_endpoints(provider, user.root), account=patient,
        tokens=Tokens(user, provider, patient), limiter=make_limiter(provider))


def told(user: SandboxUser, provider: Provider, patient: str) -> Signals:
    client = client_of(user, provider, patient)
    try:
        return client.signals(NOW)
    finally:
        client.close()


def test_google_tells_steps_only_while_the_watch_is_worn(user: SandboxUser) -> None:
    found = told(user, Provider.GOOGLE_HEALTH, "demo-04")
    off = {NOW - hours * HOUR for hours in range(60, 65)}        # the watch off for five hours
    assert found.worn == {NOW - hours * HOUR for hours in range(1, 73)} - off
    assert found.devices == {"tracker": NOW}
    assert found.unknown == ()


def test_oura_tells_when_the_ring_is_in_its_charger(user: SandboxUser) -> None:
    found = told(user, Provider.OURA, "demo-08")
    assert found.devices == {"ring": NOW - 10 * HOUR}
    assert found.charging
    assert max(found.charging) <= NOW - 10 * HOUR
    assert {moment.hour for moment in found.charging} == {8}


def test_withings_tells_the_last_session_of_each_kind_of_device(user: SandboxUser) -> None:
    found = told(user, Provider.WITHINGS, "demo-02")
    assert found.devices.keys() == {"cuff", "watch", "thermometer", "mat"}
    assert found.devices["watch"] == NOW
    assert found.worn == found.charging == set()


def test_what_is_not_told_is_named(user: SandboxUser) -> None:
    for resource in ("/v4/users/me/pairedDevices", "/v4/users/me/dataTypes/steps"):
        user.post("/sandbox/faults", {"kind": "vendor_error", "status": 403, "times": 1,
                                      "resource": resource})
    found = told(user, Provider.GOOGLE_HEALTH, "demo-05")
    assert found.unknown == ("devices: scope_missing", "wear: scope_missing")
    assert (found.devices, found.worn) == ({}, frozenset())


def test_steps_that_are_not_understood_do_not_pass_for_none() -> None:
    page = {"dataPoints": [{"steps": {"interval": {"begin": "2026-11-21T05:00:00Z"}}}]}
    with pytest.raises(SchemaError, match=r"dataPoints\[0\]"):
        parse_steps(page)


def test_devices_by_kind() -> None:
    devices = [{"deviceType": "TRACKER", "name": "a", "lastSyncTime": "2026-11-21T05:00:00Z"},
               {"deviceType": "TRACKER", "lastSyncTime": "2026-11-20T05:00:00Z"},
               {"deviceType": "SCALE", "lastSyncTime": "2026-11-19T05:00:00Z"}, {}]
    found = parse_paired_devices({"pairedDevices": devices}).figures
    assert found == {"last_sync": NOW - HOUR, "devices": {
        "tracker": NOW - HOUR, "scale": NOW - 49 * HOUR, "other": None},
        "syncs": [("a", NOW - HOUR), ("tracker", NOW - 25 * HOUR)]}
    named = [{"type": "Activity Tracker", "deviceid": "w1",
              "last_session_date": int(NOW.timestamp())},
             {"type": "Blood Pressure Monitor", "deviceid": "c1",
              "last_session_date": int(NOW.timestamp()) - 3600},
             {"type": "Hair Brush", "last_session_date": None}]
    found = parse_devices({"status": 0, "body": {"devices": named}}).figures
    assert found == {"last_sync": NOW, "devices": {
        "watch": NOW, "cuff": NOW - HOUR, "other": None}, "syncs": [("w1", NOW)]}


def test_charging_is_told_by_either_word() -> None:
    levels = [{"timestamp": "2026-11-21T03:00:00Z", "level": 9, "in_charger": True},
              {"timestamp": "2026-11-21T04:00:00Z", "level": 9, "charging": True},
              {"timestamp": "2026-11-21T05:00:00Z", "level": 9, "charging": False}]
    found = parse_ring_battery_level({"data": levels, "next_token": None}).figures
    assert found["charging"] == [NOW - 3 * HOUR, NOW - 2 * HOUR]


def test_of_two_devices_of_a_kind_the_latest_sync_counts() -> None:
    pairs = [("watch", None), ("watch", NOW), ("watch", NOW - HOUR), ("cuff", None)]
    assert latest(pairs) == latest(reversed(pairs)) == {"watch": NOW, "cuff": None}
