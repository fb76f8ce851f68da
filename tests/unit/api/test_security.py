"""Tokens: signed, short-lived, and read back as who they name."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import NotSignedInError
from api.security import Principal, Role, Tokens
from api.settings import ApiSettings

SECRET = "s" * 40
START = datetime(2026, 11, 20, tzinfo=UTC)
DOCTOR = Principal(username="miller", role=Role.DOCTOR)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


def tokens(secret: str = SECRET, clock: Clock | None = None) -> Tokens:
    return Tokens(secret=secret, minutes=60, clock=clock or Clock())


def test_a_token_is_read_back_as_its_principal() -> None:
    ours = tokens()
    assert ours.read(ours.issue(DOCTOR)) == DOCTOR


def test_a_token_expires_even_after_it_was_read() -> None:
    clock = Clock()
    ours = tokens(clock=clock)
    token = ours.issue(DOCTOR)
    ours.read(token)
    clock.time += timedelta(minutes=60)
    with pytest.raises(NotSignedInError):
        ours.read(token)


def test_another_secrets_token_is_refused() -> None:
    with pytest.raises(NotSignedInError):
        tokens().read(tokens("t" * 40).issue(DOCTOR))


def test_an_unsigned_token_is_refused() -> None:
    claims = {"sub": "miller", "role": "doctor", "exp": 4102444800}
    with pytest.raises(NotSignedInError):
        tokens().read(jwt.encode(claims, "", algorithm="none"))


@pytest.mark.parametrize("claims", [
    {"role": "doctor", "exp": 4102444800}, {"sub": "miller", "exp": 4102444800},
    {"sub": "miller", "role": "doctor"}, {"sub": "miller", "role": "chief", "exp": 4102444800},
    {"sub": "miller", "role": "doctor", "exp": "soon"},
])
def test_a_token_that_lacks_a_claim_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(NotSignedInError):
        tokens().read(jwt.encode(claims, SECRET, algorithm="HS256"))


@given(st.text())
def test_any_other_text_is_no_token(text: str) -> None:
    with pytest.raises(NotSignedInError):
        tokens().read(text)


def test_a_short_secret_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="VITALCAST_SECRET_KEY"):
        ApiSettings(database_url="postgresql://", secret_key="short")
