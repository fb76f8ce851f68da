"""The home folder is made, or refused with what to do."""

import os
from pathlib import Path

import pytest

from vitalcast.embedded_host import EmbeddedPostgresError
from vitalcast.errors import UserError
from vitalcast.home import make_home
from vitalcast.keys import load_keys


def test_a_missing_home_is_made(tmp_path: Path) -> None:
    make_home(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises((UserError, EmbeddedPostgresError), match="VITALCAST_HOME"):
            load_keys(home)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="VITALCAST_HOME"):
        make_home(tmp_path)
