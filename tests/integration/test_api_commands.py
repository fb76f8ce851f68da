"""`vitalcast user` and `vitalcast report` on a real database."""

import io
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api import commands
from registry.passwords import verify_password
from registry.people import UserExists, UserNotFound
from registry.reading import PatientNotFound, open_reading
from registry.views import Access
from tests.clinic import PATIENTS, open_ward
from vitalcast.errors import UserError

NEW_PASSWORD = "a new password"


@pytest.fixture(autouse=True)
def _ward(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_ward(engine)
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(NEW_PASSWORD + "\n"))


def listed(url: str, username: str) -> list[str]:
    reading = open_reading(url)
    try:
        found = reading.patients(Access(username=username), limit=99)
        return sorted(patient.patient_id for patient in found.patients)
    finally:
        reading.close()


def stored_password(url: str, username: str) -> str | None:
    reading = open_reading(url)
    try:
        user = reading.user(username)
        return user.password_hash if user else None
    finally:
        reading.close()


def test_a_new_doctor_sees_the_patients_named(database_url: str) -> None:
    commands.add_user("miller", role="doctor", patients="ill, well", password_stdin=True)
    assert listed(database_url, "miller") == ["ill", "well"]
    assert verify_password(NEW_PASSWORD, stored_password(database_url, "miller"))
    commands.give_care("miller", patients="all")
    assert listed(database_url, "miller") == sorted(PATIENTS)


def test_logins_are_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    commands.add_user("miller", role="doctor", patients="ill, well", password_stdin=True)
    capsys.readouterr()
    commands.list_users(as_json=True)
    (listed,) = [user for user in json.loads(capsys.readouterr().out)
                 if user["username"] == "miller"]
    assert (listed["role"], listed["patients"]) == ("doctor", 2)
    commands.remove_user("miller")
    with pytest.raises(UserError, match="vitalcast user list"):
        commands.remove_user("miller")
    capsys.readouterr()
    commands.list_users()
    assert "miller" not in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give another --out"):
        commands.report("ill", out=tmp_path / "none" / "ill.html")


def test_an_unknown_patient_leaves_no_half_made_user(database_url: str) -> None:
    with pytest.raises(PatientNotFound, match="nobody"):
        commands.add_user("miller", role="doctor", patients="ill,nobody", password_stdin=True)
    assert stored_password(database_url, "miller") is None


def test_a_name_is_given_once(database_url: str) -> None:
    before = stored_password(database_url, "doctor")
    with pytest.raises(UserExists, match="another name"):
        commands.add_user("doctor", role="operator", password_stdin=True)
    assert stored_password(database_url, "doctor") == before


def test_a_password_is_changed(database_url: str) -> None:
    commands.change_password("doctor", password_stdin=True)
    assert verify_password(NEW_PASSWORD, stored_password(database_url, "doctor"))


def test_who_does_not_exist_is_named() -> None:
    with pytest.raises(UserNotFound, match="ghost"):
        commands.give_care("ghost", patients="all")
    with pytest.raises(UserError, match="ghost"):
        commands.change_password("ghost", password_stdin=True)


def test_the_report_is_one_file_for_its_owners_eyes(tmp_path: Path) -> None:
    file = tmp_path / "ill.html"
    commands.report("ill", out=file)
    text = file.read_text(encoding="utf-8")
    assert "Patient ill" in text
    assert 'src="/' not in text
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(PatientNotFound):
        commands.report("nobody", out=tmp_path / "nobody.html")
    assert not (tmp_path / "nobody.html").exists()
