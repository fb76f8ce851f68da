"""Where compiled code is kept, and that a fresh process finds it there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import pytest

from forecasting.kernels import cache

config: Any = numba.config


@pytest.fixture(autouse=True)
def _numbas_setting() -> Iterator[None]:
    before = config.CACHE_DIR
    yield
    config.CACHE_DIR = before


def test_the_first_usable_place_is_taken(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    place = cache.choose_place((blocked, tmp_path / "free", tmp_path / "spare"))
    assert place.parent == tmp_path / "free" and place.is_dir()
    assert str(place) == config.CACHE_DIR


def test_without_a_usable_place_a_temporary_one_is_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    place = cache.choose_place((blocked,))
    assert place.is_dir() and place.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(place)


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert not cache.usable(shared)


def test_a_link_to_a_folder_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert not cache.usable(tmp_path / "link") and cache.usable(tmp_path / "real")


def _compiled(folder: Path, mode: int = 0o755) -> Path:
    (folder / "kernels").mkdir(parents=True)
    (folder / "kernels" / "kernel.nbc").write_bytes(b"compiled")
    folder.chmod(mode)
    return folder


def test_another_user_begins_with_what_the_owner_of_the_sources_compiled(tmp_path: Path) -> None:
    compiled, own = _compiled(tmp_path / "beside", mode=0o700), tmp_path / "own"
    own.mkdir()
    cache.open_to_readers(compiled)
    cache.take_over(compiled, own)
    assert (own / "kernels" / "kernel.nbc").read_bytes() == b"compiled"
    assert [path.stat().st_mode & 0o777 for path in (compiled, *compiled.rglob("*"))] == [
        0o755, 0o755, 0o644]


def test_code_that_others_could_have_written_is_not_copied(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    cache.take_over(_compiled(tmp_path / "beside", mode=0o777), own)
    cache.take_over(tmp_path / "nowhere", own)
    assert not list(own.iterdir())


def test_a_place_that_was_used_before_is_left_alone(tmp_path: Path) -> None:
    own = _compiled(tmp_path / "own")
    (own / "kernels" / "kernel.nbc").write_bytes(b"own")
    cache.take_over(_compiled(tmp_path / "beside"), own)
    assert (own / "kernels" / "kernel.nbc").read_bytes() == b"own"


def test_other_sources_have_another_digest(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text("x = 1")
    before = cache.digest(tmp_path)
    (tmp_path / "kernel.py").write_text("x = 2")
    assert cache.digest(tmp_path) != before


def test_a_fresh_process_compiles_nothing_again(tmp_path: Path) -> None:
    code = ("from forecasting.kernels import arima_errors, CACHE_PLACE; import numpy as np\n"
            "arima_errors.fill_head(np.ones(3), 1, 1)\n"
            "hits = arima_errors.fill_head.stats.cache_hits\n"
            "print(sum(hits.values()), CACHE_PLACE)")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path),
                   "PYTHONPATH": str(Path(cache.__file__).parents[2])}
    said = [subprocess.run([sys.executable, "-c", code], env=environment, text=True, check=True,
                           capture_output=True).stdout.split() for _ in range(2)]
    assert said[1][0] == "1"
    assert Path(said[0][1]).parent == tmp_path
