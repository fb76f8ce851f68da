"""What is wrong with an installation is told, with what to do about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.health import Health
from vitalcast.health import Check, checks, worst

NOW = datetime(2026, 11, 21, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
WELL = Health(
    server="18.4", size_bytes=12 * 2**20, revision="0010", patients=8, forecast=NOW - HOUR,
    rolled=NOW - HOUR, failed={}, links={"oura": 3, "withings": 5}, to_reauthorise={},
    quarantined=0, drifting=2, events_waiting=7, delivery_fault=None)


def judged(health: Health, *unknown: str, delivering: bool = True) -> dict[str, Check]:
    return {one.name: one for one in checks(
        health, NOW, unknown_vendors=frozenset(unknown), delivering=delivering)}


def test_an_installation_that_is_well_has_nothing_to_do() -> None:
    found = judged(WELL, "google_health")
    assert {one.state for one in found.values()} == {"ok"}
    assert not [one for one in found.values() if one.todo]
    assert found["forecasts"].told == "of 2026-11-21 08:20 UTC, 1.0 h ago"
    assert "8 active links" in found["patients"].told and worst([*found.values()]) == "ok"


@pytest.mark.parametrize(("changed", "name", "state", "told", "todo"), [
    ({"forecast": NOW - 3 * HOUR}, "forecasts", "wrong", "3.0 h ago", "explain latest"),
    ({"forecast": None}, "forecasts", "wrong", "none yet", "Airflow"),
    ({"rolled": NOW - 4 * HOUR}, "boards", "wrong", "4.0 h ago", "vitalcast rollup"),
    ({"failed": {"train": 2, "ingest": 1}}, "runs", "wrong", "ingest 1, train 2", "events tail"),
    ({"to_reauthorise": {"oura": 1}}, "consents", "look", "oura 1", "connect again"),
    ({"quarantined": 1200}, "quarantine", "look", "1,200 payloads", "quarantine list"),
    ({"delivery_fault": "unreachable"}, "events", "look", "unreachable; 7 wait", "deliver"),
    ({"patients": 0, "forecast": None, "rolled": None}, "patients", "look", "0 enrolled",
     "patients add"),
])
def test_what_is_not_well_is_told_with_what_to_do(
        changed: dict[str, Any], name: str, state: str, told: str, todo: str) -> None:
    found = judged(replace(WELL, **changed))
    assert {one.name for one in found.values() if one.state != "ok"} == {name}
    one = found[name]
    assert (one.state, told in one.told, todo in one.todo) == (state, True, True)
    assert worst([*found.values()]) == state


def test_a_vendor_without_a_client_matters_where_it_is_asked() -> None:
    one = judged(WELL, "oura", "google_health")["vendors"]
    assert (one.state, one.told) == ("wrong", "no OAuth client of oura")
    assert "VITALCAST_CLIENTS" in one.todo


def test_delivery_is_told_of_where_events_are_delivered() -> None:
    assert "events" not in judged(replace(WELL, delivery_fault="unreachable"), delivering=False)
