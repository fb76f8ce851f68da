"""Settings come from the environment, and each is documented."""

import json
from pathlib import Path

import pytest

from vitalcast.errors import UserError
from vitalcast.model_config import ModelConfig
from vitalcast.settings import Settings, child_environment, default_home, load_settings

ROOT = Path(__file__).resolve().parents[3]


def test_every_setting_is_documented() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    for name, spec in Settings.model_fields.items():
        assert f"`VITALCAST_{name.upper()}`" in table, f"{name} is missing in docs/settings.md"
        assert spec.description


@pytest.mark.parametrize("key", ModelConfig.model_fields)
def test_every_key_of_the_model_configuration_is_documented_with_its_default(key: str) -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "settings.md").read_text().splitlines()
            if line.startswith(f"| `{key}` |")]
    assert len(rows) == 1
    default = ModelConfig().model_dump(mode="json")[key]
    if isinstance(default, int | float):
        assert float(rows[0][2]) == default


def test_the_environment_sets_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VITALCAST_HOME", str(tmp_path))
    monkeypatch.setenv("VITALCAST_RATE_LIMITS", '{"withings": "120/60"}')
    settings = load_settings()
    assert settings.home == tmp_path
    assert settings.rate_limits == {"withings": "120/60"}


def test_settings_survive_the_environment_of_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    given = Settings(home=tmp_path, database_url="postgresql://a:b@127.0.0.1:5/c", shards=3,
                     rate_limits={"withings": "120/60"}, token_keys="key", secret_key="secret")
    for name, value in child_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert json.loads(child_environment(given)["VITALCAST_RATE_LIMITS"]) == given.rate_limits


def test_a_value_that_cannot_be_read_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_SHARDS", "many")
    with pytest.raises(UserError, match="VITALCAST_SHARDS"):
        load_settings()


def test_a_mapping_that_is_no_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_RATE_LIMITS", "120/60")
    with pytest.raises(UserError, match="VITALCAST_RATE_LIMITS"):
        load_settings()


def test_secrets_do_not_show_in_repr() -> None:
    settings = Settings(secret_key="hush", token_keys="quiet", client_secret="still",
                        clients={"oura": "id:mute"})
    assert not any(secret in repr(settings) for secret in ("hush", "quiet", "still", "mute"))


def test_clients_that_are_no_json_are_told_without_the_secret(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_CLIENTS", "oura=id:mute")
    with pytest.raises(UserError, match="VITALCAST_CLIENTS") as told:
        load_settings()
    assert "mute" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_user_keeps_data_in_their_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_home() == Path("/home/ada/.local/share/vitalcast")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_home() == Path("/var/lib/vitalcast")
