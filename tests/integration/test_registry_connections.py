"""Vendor tokens on a real server: encrypted, and a refresh token is spent once."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert, text

from providers.errors import ConsentRevoked, ReauthorisationRequired, TransportError
from registry import tables
from registry.connections import (
    AccountTaken,
    StoredTokens,
    TokenCipher,
    WrongKey,
    conclude,
    due_connections,
    list_connections,
    refreshing,
    revoking,
    save_connection,
    set_status,
    stored_token,
)
from registry.database import NotFound, transaction
from registry.fetch_ledger import read_before
from registry.patients import Patient, save_patients

EXPIRES = datetime(2026, 11, 21, 3, tzinfo=UTC)
LINK = "oura:p1"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_at: datetime = EXPIRES
    scopes: tuple[str, ...] = ()


class Vendor:
    """Rotates refresh tokens: each works once."""

    def __init__(self) -> None:
        self.valid = "refresh-1"
        self.calls: list[str] = []

    def refresh(self, refresh_token: str) -> Tokens:
        self.calls.append(refresh_token)
        time.sleep(0.05)
        if refresh_token != self.valid:
            raise ReauthorisationRequired
        number = int(self.valid.removeprefix("refresh-")) + 1
        self.valid = f"refresh-{number}"
        return Tokens(access_token=f"access-{number}", refresh_token=self.valid,
                      expires_at=EXPIRES + timedelta(hours=number))


@pytest.fixture
def cipher() -> TokenCipher:
    return TokenCipher([Fernet.generate_key().decode()])


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def linked(engine: Engine, cipher: TokenCipher) -> Engine:
    """A database with one patient, linked with the first pair of tokens."""
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1"), Patient(patient_id="p2")])
        save_connection(conn, cipher, patient_id="p1", provider="oura", provider_user_id="u1",
                        tokens=Tokens(access_token="access-1", refresh_token="refresh-1",
                                      scopes=("daily", "heartrate")))
    return engine


def status(engine: Engine) -> str:
    with transaction(engine) as conn:
        return list_connections(conn, ["p1"])[0].status


def stored_bytes(engine: Engine) -> Sequence[bytes]:
    with transaction(engine) as conn:
        row = conn.execute(text("SELECT access_enc, refresh_enc FROM connections")).one()
    return [bytes(column) for column in row]


def test_tokens_are_stored_encrypted_and_hidden(linked: Engine, cipher: TokenCipher) -> None:
    assert not any(b"access-1" in one or b"refresh-1" in one for one in stored_bytes(linked))
    token = stored_token(linked, cipher, LINK)
    assert token.access_token == "access-1"
    assert "access-1" not in repr(token)


def test_a_link_is_listed_without_its_tokens(linked: Engine) -> None:
    with transaction(linked) as conn:
        (one,) = list_connections(conn, ["p2", "p1"])
    assert (one.connection_id, one.patient_id, one.provider) == (LINK, "p1", "oura")
    assert one.scopes_granted == ("daily", "heartrate")
    assert (one.status, one.token_version, one.expires_at) == ("active", 1, EXPIRES)


def test_a_refresh_is_stored_before_it_is_returned(
        linked: Engine, cipher: TokenCipher, vendor: Vendor) -> None:
    token = refreshing(linked, cipher, LINK, 1, vendor.refresh)
    assert (token.access_token, token.version) == ("access-2", 2)
    assert stored_token(linked, cipher, LINK) == token
    with transaction(linked) as conn:
        assert list_connections(conn, ["p1"])[0].scopes_granted == ("daily", "heartrate")


def test_many_refreshers_spend_one_refresh_token(
        linked: Engine, cipher: TokenCipher, vendor: Vendor) -> None:
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(
        refreshing(linked, cipher, LINK, 1, vendor.refresh).access_token)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["access-2"] * 4
    assert vendor.calls == ["refresh-1"]


def test_a_refusal_for_good_is_the_links_status(
        linked: Engine, cipher: TokenCipher, vendor: Vendor) -> None:
    vendor.valid = "refresh-9"
    for _ in range(2):
        with pytest.raises(ReauthorisationRequired):
            refreshing(linked, cipher, LINK, 1, vendor.refresh)
    assert status(linked) == "reauth_required"
    assert vendor.calls == ["refresh-1"]


def test_a_passing_failure_changes_nothing(linked: Engine, cipher: TokenCipher) -> None:
    def fail(_: str) -> Tokens:
        raise TransportError

    before = stored_bytes(linked)
    with pytest.raises(TransportError):
        refreshing(linked, cipher, LINK, 1, fail)
    assert stored_bytes(linked) == before
    assert status(linked) == "active"


def test_a_session_refreshes_the_token_that_was_refused(
        linked: Engine, cipher: TokenCipher, vendor: Vendor) -> None:
    one, other = (StoredTokens(linked, cipher, LINK, vendor.refresh) for _ in range(2))
    assert one.access_token() == other.access_token() == "access-1"
    assert one.refresh("access-1") == "access-2"
    assert other.refresh("access-1") == "access-2"
    assert other.refresh("access-1") == "access-2"
    assert vendor.calls == ["refresh-1"]


def test_consent_again_makes_the_link_active(linked: Engine, cipher: TokenCipher) -> None:
    with transaction(linked) as conn:
        set_status(conn, LINK, "reauth_required")
        save_connection(conn, cipher, patient_id="p1", provider="oura",
                        tokens=Tokens(access_token="access-7", refresh_token="refresh-7"))
    assert status(linked) == "active"
    assert stored_token(linked, cipher, LINK).access_token == "access-7"


def test_an_account_belongs_to_one_patient(linked: Engine, cipher: TokenCipher) -> None:
    with pytest.raises(AccountTaken, match="another patient"), transaction(linked) as conn:
        save_connection(conn, cipher, patient_id="p2", provider="oura", provider_user_id="u1",
                        tokens=Tokens(access_token="a", refresh_token="r"))


def test_an_old_key_still_opens_and_a_strange_one_does_not() -> None:
    old, new, strange = (Fernet.generate_key().decode() for _ in range(3))
    stored = TokenCipher([old]).encrypt("secret")
    assert TokenCipher([new, old]).decrypt(stored) == "secret"
    with pytest.raises(WrongKey, match="VITALCAST_TOKEN_KEYS"):
        TokenCipher([strange]).decrypt(stored)
    for keys in ([], ["short"]):
        with pytest.raises(WrongKey, match="Fernet key"):
            TokenCipher(keys)


def test_without_consent_there_is_no_token(linked: Engine, cipher: TokenCipher) -> None:
    with pytest.raises(NotFound, match="link the account"):
        stored_token(linked, cipher, "oura:p2")


# --- what becomes of a link ----------------------------------------------------------------

CYCLE = datetime(2026, 11, 21, 6, tzinfo=UTC)


def asked(engine: Engine, cycle: datetime, reason: str = "subscription_lapsed: 403") -> None:
    """A row of the ledger."""
    with transaction(engine) as conn:
        conn.execute(insert(tables.fetches), [{
            "connection_id": LINK, "resource": "sleep", "cycle": cycle, "window_start": cycle,
            "outcome": "not_entitled", "reason": reason, "pages": 0, "received": 0, "parsed": 0,
            "refused": 0}])


def due(engine: Engine, cycle: datetime) -> bool:
    with transaction(engine) as conn:
        return bool(due_connections(conn, ["p1"], cycle))


@pytest.mark.parametrize("lapsed", ["subscription_lapsed", "not_linked"])
def test_a_lapsed_account_is_asked_again_a_day_later(linked: Engine, lapsed: str) -> None:
    asked(linked, CYCLE)
    with transaction(linked) as conn:
        set_status(conn, LINK, lapsed)
    hours = [hour for hour in range(30) if due(linked, CYCLE + timedelta(hours=hour))]
    assert hours == [0, *range(24, 30)]            # the cycle itself, if it is run again
    asked(linked, CYCLE + timedelta(hours=24))
    assert due(linked, CYCLE + timedelta(hours=24))
    assert not due(linked, CYCLE + timedelta(hours=25))


def test_a_cycle_that_asked_nobody_puts_nothing_off(linked: Engine) -> None:
    asked(linked, CYCLE, "circuit_open: not asked")
    with transaction(linked) as conn:
        set_status(conn, LINK, "not_linked")
    assert due(linked, CYCLE + timedelta(hours=1))


@pytest.mark.parametrize(("account", "cursor"), [("u1", "there"), ("u2", None), (None, None)])
def test_another_account_is_read_from_the_start(
        linked: Engine, cipher: TokenCipher, account: str | None, cursor: str | None) -> None:
    asked(linked, CYCLE, "")
    with transaction(linked) as conn:
        conn.execute(text("UPDATE fetches SET outcome = 'complete', cursor_after = 'there'"))
        save_connection(conn, cipher, patient_id="p1", provider="oura", provider_user_id=account,
                        tokens=Tokens(access_token="access-7", refresh_token="refresh-7"))
        assert read_before(conn, LINK, "sleep", CYCLE + timedelta(hours=1)).cursor == cursor


@pytest.mark.parametrize("over", ["reauth_required", "revoked", "file"])
def test_what_waits_for_a_consent_is_not_asked(linked: Engine, over: str) -> None:
    with transaction(linked) as conn:
        set_status(conn, LINK, over)
    assert not due(linked, CYCLE + timedelta(days=9))


def test_what_an_older_consent_led_to_says_nothing_of_a_newer(
        linked: Engine, cipher: TokenCipher) -> None:
    with transaction(linked) as conn:
        (before,) = list_connections(conn, ["p1"])
        save_connection(conn, cipher, patient_id="p1", provider="oura",
                        tokens=Tokens(access_token="access-7", refresh_token="refresh-7"))
        conclude(conn, before, "reauth_required")
        (after,) = list_connections(conn, ["p1"])
        assert after.status == "active"
        conclude(conn, after, "not_linked")
    assert status(linked) == "not_linked"


def test_a_revoked_link_keeps_no_tokens_and_frees_the_account(
        linked: Engine, cipher: TokenCipher) -> None:
    told: list[tuple[str, str]] = []
    for _ in range(2):
        revoking(linked, cipher, LINK,
                 lambda pair: told.append((pair.access_token, pair.refresh_token)))
    assert told == [("access-1", "refresh-1")]
    assert status(linked) == "revoked"
    with pytest.raises(ConsentRevoked, match="connect the account again"):
        stored_token(linked, cipher, LINK)
    with transaction(linked) as conn:
        (row,) = conn.execute(text("SELECT access_enc, refresh_enc FROM connections")).all()
        save_connection(conn, cipher, patient_id="p2", provider="oura", provider_user_id="u1",
                        tokens=Tokens(access_token="a", refresh_token="r"))
    assert tuple(row) == (None, None)


def test_a_fetch_under_way_ends_when_the_link_does(linked: Engine, cipher: TokenCipher,
                                                   vendor: Vendor) -> None:
    session = StoredTokens(linked, cipher, LINK, vendor.refresh)
    assert session.access_token() == "access-1"
    revoking(linked, cipher, LINK, lambda _pair: None)
    with pytest.raises(ConsentRevoked):
        session.refresh("access-1")
    assert vendor.calls == []
    with transaction(linked) as conn:
        conclude(conn, list_connections(conn, ["p1"])[0], "active")
    assert status(linked) == "revoked"
