"""A command is imported when it is asked for, and only then."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from vitalcast.cli import COMMANDS, app

ROOT = Path(__file__).parents[3]
HEAVY = {"numba", "pandas", "sqlalchemy", "authlib", "fastapi", "statsforecast"}

ASK = """
import sys
sys.argv = ["vitalcast", *sys.argv[1:]]
from vitalcast.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_what_it_does(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"])
    assert said.exit_code == 0 and f" {name} " in said.stdout


def leaves(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    for name in group.list_commands(None):
        one = group.get_command(None, name)
        if hasattr(one, "list_commands"):
            yield from leaves(one, *path, name)
        else:
            yield " ".join((*path, name)), one


def test_every_command_of_every_room_shows_an_example() -> None:
    above = typer.Typer()
    for point in entry_points(group="vitalcast.commands"):
        point.load()(above)
    found = dict([*leaves(get_command(app)), *leaves(get_command(above))])
    assert {"status", "dashboards apply", "user add"} < set(found)
    assert [name for name, one in found.items()
            if f"vitalcast {name}" not in one.help.split("Example")[-1]] == []


def test_help_lists_every_command() -> None:
    said = CliRunner().invoke(app, ["--help"]).stdout
    assert all(f" {name} " in said for name in COMMANDS)


def test_the_version_is_the_package_s() -> None:
    said = CliRunner().invoke(app, ["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (said.exit_code, said.stdout) == (0, f"vitalcast {project['version']}\n")


@pytest.mark.parametrize("words", [
    ("sandbox", "mend", "http_429"), ("quarantine", "replay", "--provider", "oura", "--since",
                                      "2026-11-20"),
    ("events", "deliver", "--since", "2h"), ("webhooks", "process", "--end")])
def test_what_an_action_does_not_take_is_refused(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, list(words))
    assert said.exit_code == 2
    assert any(part in said.output for part in ("No such option", "unexpected extra argument"))


def test_an_unknown_command_is_refused() -> None:
    said = CliRunner().invoke(app, ["nonsense"])
    assert said.exit_code == 2 and "No such command 'nonsense'" in said.output


def test_help_of_one_command_imports_nothing_that_it_does_not_need() -> None:
    said = subprocess.run([sys.executable, "-c", ASK, "backtest", "--help"], capture_output=True,
                          text=True, check=True)
    assert HEAVY.intersection(said.stderr.split()) == set()
