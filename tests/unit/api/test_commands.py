"""The commands refuse before they open anything."""

import pytest
import typer

from api import commands
from vitalcast.errors import UserError


@pytest.mark.parametrize(("host", "near"), [
    ("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
    ("192.168.1.5", False), ("example.org", False),
])
def test_loopback_is_told_from_the_world(host: str, near: bool) -> None:
    assert commands.is_loopback(host) is near


def test_serving_the_world_has_to_be_meant() -> None:
    with pytest.raises(UserError, match="--allow-remote"):
        commands.serve(host="0.0.0.0", port=8000, allow_remote=False)


def test_only_doctors_have_patients_in_care() -> None:
    with pytest.raises(UserError, match="--role doctor"):
        commands.add_user("watcher", role="operator", patients="all")


def test_the_commands_join_the_command_line() -> None:
    app = typer.Typer()
    commands.add_to(app)
    group = typer.main.get_group(app)
    assert set(group.commands) == {"serve", "report", "user"}
