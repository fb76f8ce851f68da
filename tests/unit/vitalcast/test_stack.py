"""What the stack is told, before anything starts."""

import json
from pathlib import Path

import pytest

from vitalcast.settings import Settings
from vitalcast.stack import child_environment


def test_settings_survive_the_environment_of_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    given = Settings(home=tmp_path, database_url="postgresql://a:b@127.0.0.1:5/c", shards=3,
                     rate_limits={"withings": "120/60"}, token_keys="key", secret_key="secret")
    for name, value in child_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert json.loads(child_environment(given)["VITALCAST_RATE_LIMITS"]) == given.rate_limits
