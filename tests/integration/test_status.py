"""`vitalcast status` on a real database: well, wrong, and where there is none to ask."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from registry.database import transaction
from registry.migrate import NEWEST
from registry.runs import run
from tests.reference.cycles import KEYS
from vitalcast.cli import app
from vitalcast.cycle import HOUR, last_full_hour

NOW = last_full_hour(datetime.now(UTC))


@pytest.fixture(autouse=True)
def place(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", KEYS.token_key)
    with transaction(engine) as conn:
        conn.execute(text("INSERT INTO patients (patient_id) VALUES ('p-17')"))
        conn.execute(text("INSERT INTO rollup_cycles (cycle, patients) VALUES (:at, 1)"),
                     {"at": NOW})
    with run(engine, job="forecast", cycle=NOW, shard="1/1"):
        pass


def told() -> tuple[int, dict[str, Any]]:
    said = CliRunner().invoke(app, ["status", "--json"])
    return said.exit_code, json.loads(said.stdout)


def fail(engine: Engine, shard: str) -> None:
    with pytest.raises(KeyError), run(engine, job="train", cycle=NOW, shard=shard):
        raise KeyError


def test_it_is_well_when_the_last_hour_was_forecast() -> None:
    code, found = told()
    assert (code, found["state"], found["figures"]["patients"]) == (0, "ok", 1)
    said = CliRunner().invoke(app, ["status"])
    assert said.exit_code == 0 and f"version {NEWEST}" in said.stdout


def test_a_failed_run_is_wrong_until_it_is_done(engine: Engine) -> None:
    fail(engine, "1/2")
    fail(engine, "2/2")
    code, found = told()
    assert (code, found["state"], found["figures"]["failed"]) == (1, "wrong", {"train": 2})
    for shard in ("1/2", "2/2"):
        with run(engine, job="train", cycle=NOW, shard=shard):
            pass
    assert told()[0] == 0


def test_a_failure_that_later_cycles_made_up_for_is_well(engine: Engine) -> None:
    with pytest.raises(KeyError), run(engine, job="ingest", cycle=NOW - HOUR, shard="1/1"):
        raise KeyError
    assert told()[0] == 1
    with run(engine, job="ingest", cycle=NOW, shard="1/1"):
        pass
    assert told()[0] == 0


def test_a_cycle_with_a_missing_shard_is_not_forecast(engine: Engine) -> None:
    """One that was killed leaves no failure; its patients have no forecast."""
    with transaction(engine) as conn:
        conn.execute(text("UPDATE runs SET shard = '1/2' WHERE job = 'forecast'"))
    code, found = told()
    assert (code, found["state"], found["figures"]["forecast"]) == (1, "wrong", None)


def test_links_to_renew_are_counted_by_vendor_and_nobody_is_named(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text("""
            INSERT INTO connections (connection_id, patient_id, provider, status)
            VALUES ('oura:p-17', 'p-17', 'oura', 'reauth_required'),
                   ('withings:p-17', 'p-17', 'withings', 'active')"""))
    code, found = told()
    assert (code, found["figures"]["to_reauthorise"]) == (1, {"oura": 1})
    wrong = [one for one in found["checks"] if one["state"] == "wrong"]
    assert [(one["name"], one["told"]) for one in wrong] == [
        ("vendors", "no OAuth client of withings")]
    assert "p-17" not in json.dumps(found) + CliRunner().invoke(app, ["status"]).output
