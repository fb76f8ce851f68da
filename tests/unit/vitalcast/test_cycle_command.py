"""What a job did is told in tables that can be read."""

import json
from datetime import UTC, datetime

import pytest

from vitalcast.commands.cycle import _print

HOUR = datetime(2026, 11, 21, 6, tzinfo=UTC)
FIGURES = {"series": 2, "too_little_data": 1, "members": {
    "arima": {"fitted": 1, "searched": 1}, "ets": {"too_little_data": 1}}}


def test_figures_by_member_are_a_table_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    _print("train", HOUR, FIGURES, as_json=False)
    said = capsys.readouterr().out
    assert "{" not in said and said.index("too little data") < said.index("members")
    (ets,) = (line for line in said.splitlines() if " ets " in line)
    assert ets.split("│")[1:-1] == [" ets   ", "        ", "          ", " 1               "]


def test_json_tells_the_figures_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    _print("train", HOUR, FIGURES, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "job": "train", "cycle": "2026-11-21T06:00:00", **FIGURES}


def test_counts_by_name_are_a_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    _print("watch", HOUR, {"series": 2, "events": {"level": 4, "error_size": 1}}, as_json=False)
    said = capsys.readouterr().out
    assert [line.split("│")[1:-1] for line in said.splitlines() if "error size" in line] == [
        [" error size ", " 1 "]]


def test_things_with_many_figures_are_a_table_each(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    vitals = {vital: {"state": "not_synced", "since": "2026-11-20T05:00:00+00:00",
                      "why": "the ring has not synced since yesterday morning",
                      "shares": {"ok": 0.5, "not_worn": 0.5}}
              for vital in ("heart_rate", "spo2")}
    _print("coverage", HOUR, {"vitals": vitals}, as_json=False)
    said = capsys.readouterr().out
    assert said.count("the ring has not synced since yesterday morning") == 2
    assert said.index("heart_rate") < said.index("ok 0.5, not worn 0.5") < said.index("spo2")
