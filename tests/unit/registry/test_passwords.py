"""Password hashes: salted, self-describing, and no oracle for names."""

import pytest

from registry.passwords import WeakPassword, hash_password, verify_password


def test_only_the_password_itself_is_verified() -> None:
    stored = hash_password("correct horse")
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)


def test_the_same_password_is_never_hashed_to_the_same_text() -> None:
    assert hash_password("correct horse") != hash_password("correct horse")


def test_the_hash_tells_its_cost_and_not_the_password() -> None:
    stored = hash_password("correct horse")
    assert stored.startswith("scrypt$16384$8$1$")
    assert "horse" not in stored


def test_an_unknown_user_is_refused_whatever_the_password() -> None:
    assert not verify_password("", None)
    assert not verify_password("correct horse", None)


def test_a_short_password_is_refused() -> None:
    with pytest.raises(WeakPassword, match="8 characters"):
        hash_password("short")
