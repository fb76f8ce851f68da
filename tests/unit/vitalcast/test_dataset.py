"""What a demo serves, and in which database it lives."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vitalcast.dataset import Dataset, open_dataset
from vitalcast.errors import UserError

CYCLE = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("readings.parquet", "subjects.csv"):
        (folder / name).touch()
    return folder


def test_the_generated_cohort_needs_no_folder() -> None:
    Dataset(data=None).check()


def test_a_folder_of_recordings_is_accepted(tmp_path: Path) -> None:
    for name in ("readings.parquet", "subjects.csv"):
        (tmp_path / name).touch()
    Dataset(data=tmp_path).check()


@pytest.mark.parametrize("missing", ["readings.parquet", "subjects.csv"])
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(tmp_path: Path, missing: str) -> None:
    for name in {"readings.parquet", "subjects.csv"} - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"holds no {missing}.*name a folder"):
        Dataset(data=tmp_path).check()


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a folder of recordings"):
        Dataset(data=tmp_path / "nowhere").check()


def test_every_dataset_has_a_database_of_its_own() -> None:
    names = {Dataset(data=data).name for data in (None, Path("/a"), Path("/b"))}
    assert len(names) == 3
    assert all(name.isidentifier() for name in names)


def test_a_second_demo_on_the_same_day_goes_on_with_the_first(
    recordings: Path, tmp_path: Path,
) -> None:
    first = open_dataset(recordings, CYCLE, tmp_path / "home")
    assert first.anchor == CYCLE
    assert open_dataset(recordings, CYCLE + timedelta(hours=3), tmp_path / "home") == first


@pytest.mark.parametrize("later", [timedelta(hours=24), timedelta(days=30), timedelta(hours=-1)])
def test_recordings_meet_a_clock_that_has_moved_far(
    recordings: Path, tmp_path: Path, later: timedelta,
) -> None:
    first = open_dataset(recordings, CYCLE, tmp_path / "home")
    second = open_dataset(recordings, CYCLE + later, tmp_path / "home")
    assert second.anchor == CYCLE + later
    assert second.name != first.name


def test_the_generated_cohort_is_the_same_at_any_clock(tmp_path: Path) -> None:
    assert open_dataset(None, CYCLE, tmp_path) == Dataset(data=None)
    assert Dataset(data=None).name == "demo"


def test_a_folder_without_recordings_leaves_no_anchor(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no readings"):
        open_dataset(tmp_path / "nowhere", CYCLE, tmp_path / "home")
    assert not (tmp_path / "home").exists()
