"""Another key for the tokens: every token once, no key printed, a killed rotation taken up."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from registry.connections import (
    TokenCipher,
    key_id,
    refreshing,
    revoking,
    save_connection,
    stored_token,
)
from registry.database import transaction
from registry.patients import Patient, save_patients
from registry.token_keys import encrypt_anew, links_by_key
from tests.integration.test_registry_connections import Tokens
from vitalcast.keys import add_token_key, drop_old_token_keys, load_keys

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
EXPIRES = datetime(2026, 11, 21, 3, tzinfo=UTC)
MAIN = "from vitalcast.cli import main; main()"
PATIENTS = tuple(f"p{number}" for number in range(7))


@pytest.fixture
def linked(engine: Engine) -> Engine:
    """Links whose tokens are under the old key; one of them was ended."""
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id=name) for name in PATIENTS])
        for name in PATIENTS:
            save_connection(conn, TokenCipher([OLD]), patient_id=name, provider="oura",
                            tokens=Tokens(access_token=f"access-{name}",
                                          refresh_token=f"refresh-{name}"))
    revoking(engine, TokenCipher([OLD]), "oura:p6", lambda _pair: None)
    return engine


def by_key(engine: Engine) -> dict[str, int]:
    with transaction(engine) as conn:
        return dict(links_by_key(conn))


def test_every_token_goes_under_the_first_key(linked: Engine) -> None:
    assert by_key(linked) == {key_id(OLD): 6}
    cipher = TokenCipher([NEW, OLD])
    assert encrypt_anew(linked, cipher, batch=2).links == 6
    assert by_key(linked) == {key_id(NEW): 6}
    alone = TokenCipher([NEW])
    assert stored_token(linked, alone, "oura:p3").access_token == "access-p3"
    spent: list[str] = []

    def refresh(token: str) -> Tokens:
        spent.append(token)
        return Tokens(access_token="a", refresh_token="r")

    refreshing(linked, alone, "oura:p3", 1, refresh)
    assert spent == ["refresh-p3"]


def test_a_second_rotation_finds_nothing_to_do(linked: Engine) -> None:
    cipher = TokenCipher([NEW, OLD])
    encrypt_anew(linked, cipher)
    with transaction(linked) as conn:
        before = conn.execute(text("SELECT access_enc FROM connections ORDER BY 1")).all()
    assert encrypt_anew(linked, cipher).links == 0
    with transaction(linked) as conn:
        after = conn.execute(text("SELECT access_enc FROM connections ORDER BY 1")).all()
    assert [bytes(one[0] or b"") for one in before] == [bytes(one[0] or b"") for one in after]


def test_rows_from_before_keys_had_names_are_taken_along(linked: Engine) -> None:
    with transaction(linked) as conn:
        conn.execute(text("UPDATE connections SET key_id = NULL"))
    assert encrypt_anew(linked, TokenCipher([NEW, OLD])).links == 6


def test_a_token_that_no_key_opens_is_named_and_left(linked: Engine) -> None:
    lost = TokenCipher([Fernet.generate_key().decode()])
    with transaction(linked) as conn:
        save_connection(conn, lost, patient_id="p2", provider="oura",
                        tokens=Tokens(access_token="x", refresh_token="y"))
    done = encrypt_anew(linked, TokenCipher([NEW, OLD]), batch=2)
    assert (done.links, done.unreadable) == (5, ("oura:p2",))
    assert by_key(linked) == {key_id(NEW): 5, lost.key_ids[0]: 1}


def command(action: str, home: Path, url: str, keys: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VITALCAST_HOME": str(home), "VITALCAST_DATABASE_URL": url,
                   "VITALCAST_TOKEN_KEYS": keys}
    return subprocess.run([sys.executable, "-c", MAIN, "keys", action], text=True,
                          env=environment, capture_output=True, timeout=120, check=False)


def test_the_command_with_keys_of_the_environment(
        linked: Engine, database_url: str, tmp_path: Path) -> None:
    first = command("rotate", tmp_path, database_url, f"{NEW},{OLD}")
    assert first.returncode == 0, first.stderr
    assert "6 links encrypted anew" in first.stdout
    assert f"key {key_id(OLD)} may be removed from VITALCAST_TOKEN_KEYS" in first.stdout
    again = command("rotate", tmp_path, database_url, NEW)
    assert "0 links" in again.stdout and "put a new one in front" in again.stdout
    told = first.stdout + first.stderr + again.stdout + again.stderr
    assert not any(secret in told for secret in (NEW, OLD, "access-", "refresh-"))
    assert command("drop-old", tmp_path, database_url, NEW).returncode == 2


def test_the_command_with_keys_of_the_home(
        linked: Engine, database_url: str, tmp_path: Path) -> None:
    old = load_keys(tmp_path).token_key
    with transaction(linked) as conn:
        for name in PATIENTS:
            save_connection(conn, TokenCipher([old]), patient_id=name, provider="oura",
                            tokens=Tokens(access_token="a", refresh_token="r"))
    add_token_key(tmp_path)                                      # killed right after this
    new = load_keys(tmp_path).token_key.split(",")[0]
    rotated = command("rotate", tmp_path, database_url)
    assert "7 links encrypted anew" in rotated.stdout, rotated.stderr
    assert load_keys(tmp_path).token_key == f"{new},{old}"
    dropped = command("drop-old", tmp_path, database_url)
    assert f"key {key_id(old)} removed" in dropped.stdout, dropped.stderr
    assert load_keys(tmp_path).token_key == new
    assert stored_token(linked, TokenCipher([new]), "oura:p1").access_token == "a"
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_keys_are_added_once_until_the_old_ones_are_dropped(tmp_path: Path) -> None:
    before = load_keys(tmp_path)
    added = add_token_key(tmp_path)
    assert add_token_key(tmp_path) == added
    assert added.token_key.endswith(f",{before.token_key}")
    assert drop_old_token_keys(tmp_path).token_key == added.token_key.split(",")[0]
    assert load_keys(tmp_path).secret_key == before.secret_key
