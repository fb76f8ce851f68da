"""Secrets are made once per installation."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vitalcast.errors import UserError
from vitalcast.keys import load_keys


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "home")
    assert load_keys(tmp_path / "home") == first
    assert stat.S_IMODE((tmp_path / "home" / "keys.json").stat().st_mode) == 0o600


def test_two_first_starts_agree_on_one_set(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_keys(tmp_path), range(8)))
    assert len({keys.secret_key for keys in found}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_keys_do_not_show_in_repr(tmp_path: Path) -> None:
    keys = load_keys(tmp_path)
    assert keys.secret_key not in repr(keys)


@pytest.mark.parametrize("content", ["", "{", '{"unknown": "key"}'])
def test_a_damaged_file_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(UserError, match="Restore it from a backup"):
        load_keys(tmp_path)
    assert (tmp_path / "keys.json").read_text() == content
