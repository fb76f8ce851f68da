"""`vitalcast events`: reading works without Elasticsearch; delivery tells what to look at."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from registry.database import transaction
from registry.events import Event, record
from registry.runs import run
from tests.reference.cycles import KEYS
from tests.reference.elastic_stub import elasticsearch
from vitalcast.cli import app
from vitalcast.errors import UserError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def happened(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", KEYS.token_key)
    with run(engine, job="train", cycle=NOON, shard="1/1"), transaction(engine) as conn:
        record(conn, [
            Event(kind="fit.ended", member="arima", vital="spo2", reason="timeout",
                  series=("p-17", "spo2")),
            Event(kind="fits.ended", member="tbats", reason="constant", data={"count": 3})])


def events(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["events", *arguments])


def kinds(*arguments: str) -> list[str]:
    said = events(*arguments, "--json")
    assert said.exit_code == 0, said.output
    return [json.loads(line)["event"]["action"] for line in said.stdout.splitlines()]


def test_tail_shows_the_newest_last_in_words() -> None:
    lines = events("tail").stdout.splitlines()
    assert "train began on shard 1/1" in lines[0]
    assert "2026-11-21T12 train is done on shard 1/1" in lines[-2]
    assert kinds("tail", "-n", "2") == ["job.done", "stage.done"]


@pytest.mark.parametrize(("options", "found"), [
    (("--kind", "job"), ["job.started", "job.done"]),
    (("--kind", "job.done", "--kind", "fit"), ["fit.ended", "job.done"]),
    (("--level", "warning", "--kind", "fit.ended"), ["fit.ended"]),
    (("--since", "1h", "--kind", "job.done"), ["job.done"]),
    (("--since", "2100-01-01"), []),
    (("--series", "p-17:spo2"), ["fit.ended"]),
    (("--series", "p-18:spo2"), []),
    (("--kind", "%"), []),
])
def test_tail_takes_what_is_asked_for(options: tuple[str, ...], found: list[str]) -> None:
    assert kinds("tail", *options) == found


@pytest.mark.parametrize(("words", "found"), [
    (("ARIMA", "timeout"), ["fit.ended"]), (("constant",), ["fits.ended"]),
    (("arima constant",), []), (("arima", "constant"), []),
    (("2026-11-21T12", "began"), ["job.started"]), (("%",), []), (("p-17",), []),
])
def test_search_wants_every_word(words: tuple[str, ...], found: list[str]) -> None:
    assert kinds("search", *words) == found


@pytest.mark.parametrize("arguments", [
    ("search",), ("tail", "--since", "yesterday"), ("tail", "--level", "loud"),
    ("tail", "--series", "p-17"), ("deliver", "--once"), ("setup",)])
def test_what_cannot_be_done_says_what_to_write(
        arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITALCAST_ELASTICSEARCH_URL", raising=False)
    told = events(*arguments)
    assert isinstance(told.exception, UserError)
    assert any(part in str(told.exception) for part in (
        "write", "there are", "vitalcast events search", "set VITALCAST_ELASTICSEARCH_URL"))


def test_delivery_by_hand_tells_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(events("deliver", "--once", "--json").stdout)
        return told

    with elasticsearch() as (url, cluster):
        monkeypatch.setenv("VITALCAST_ELASTICSEARCH_URL", url)
        cluster.down = True
        failed = events("deliver", "--once")
        assert failed.exit_code == 1
        assert "none is lost" in failed.stderr
        assert json.loads(events("status", "--json").stdout)["fault"] == "overloaded"
        cluster.down = False
        assert deliver()["waiting"] == 0
        assert deliver()["delivered"] == 0
        assert json.loads(events("status", "--json").stdout)["failures"] == 0


def test_a_dry_run_puts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with elasticsearch() as (url, cluster):
        monkeypatch.setenv("VITALCAST_ELASTICSEARCH_URL", url)
        bodies = json.loads(events("setup", "--dry-run").stdout)
        assert cluster.requests == []
        assert events("setup").exit_code == 0
    put = {unquote(path.rpartition("/")[2]): body for path, body in cluster.put.items()
           if "template" in path}
    assert put == bodies
