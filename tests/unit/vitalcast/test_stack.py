"""What the stack is told, before anything starts."""

import json
from pathlib import Path

import pytest

from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.stack import Dataset, child_environment


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
    names = {Dataset(data=data).database for data in (None, Path("/a"), Path("/b"))}
    assert len(names) == 3
    assert all(name.isidentifier() for name in names)


def test_settings_survive_the_environment_of_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    given = Settings(home=tmp_path, database_url="postgresql://a:b@127.0.0.1:5/c", shards=3,
                     rate_limits={"withings": "120/60"}, token_keys="key", secret_key="secret")
    for name, value in child_environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert json.loads(child_environment(given)["VITALCAST_RATE_LIMITS"]) == given.rate_limits
