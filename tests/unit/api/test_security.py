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
DOCTOR = Principal(username="miller", role=Role.DOCTOR, version=3)
CLAIMS = {"sub": "miller", "role": "doctor", "exp": 4102444800, "jti": "x", "ver": 0}


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
    assert ours.read(ours.issue(DOCTOR)).principal == DOCTOR


def test_every_token_is_a_session_of_its_own() -> None:
    ours = tokens()
    one, other = (ours.read(ours.issue(DOCTOR)).session_id for _ in range(2))
    assert one != other


def test_our_own_claims_are_accepted() -> None:
    token = jwt.encode(CLAIMS, SECRET, algorithm="HS256")
    assert tokens().read(token).principal.username == "miller"


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
    with pytest.raises(NotSignedInError):
        tokens().read(jwt.encode(CLAIMS, "", algorithm="none"))


@pytest.mark.parametrize("claims", [
    {lacking: value for lacking, value in CLAIMS.items() if lacking != name} for name in CLAIMS
] + [
    CLAIMS | {"role": "chief"}, CLAIMS | {"exp": "soon"}, CLAIMS | {"ver": "x"},
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
