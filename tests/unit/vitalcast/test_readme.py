"""What README says to type first works in a fresh clone, without a database."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinical.entries import COLUMNS
from vitalcast.cli import app

ROOT = Path(__file__).resolve().parents[3]
BLOCK = (ROOT / "README.md").read_text().split("Without anything running:\n\n```\n")[1]
COMMANDS = [line.removeprefix(".venv/bin/vitalcast ")
            for line in BLOCK.split("```")[0].splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works_without_anything_running(
        command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("VITALCAST_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VITALCAST_DATABASE_URL", raising=False)
    said = CliRunner().invoke(app, shlex.split(command, comments=True))
    assert said.exit_code == 0, said.output
    assert said.stdout
    assert not (tmp_path / "home").exists()


def test_help_names_every_column_of_an_observation_set() -> None:
    said = CliRunner().invoke(app, ["score", "--help"]).stdout
    assert [column for column in COLUMNS if column not in said] == []
