"""Links between patients and vendors, with their tokens.

Tokens are stored encrypted only (Fernet; several keys, the newest encrypts). A refresh happens in
one place, `refreshing`: whoever comes second waits for the row's lock and finds the new pair. The
new pair is committed before its first use, because most vendors' refresh tokens work once.

A link's status: `active`; `reauth_required` and `revoked` wait for a consent; `not_linked` and
`subscription_lapsed` are asked again by themselves after a while (`due_connections`); `file` is
where readings came by file, and nobody is asked.

    WrongKey      no key opens a stored token
    AccountTaken  the vendor's account is linked with another patient
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import text

from providers.errors import AuthorisationError, ConsentRevoked, ReauthorisationRequired
from providers.observation import Provider
from registry.database import Connection as Transaction
from registry.database import Engine, NotFound, RegistryError, transaction
from registry.event_words import known
from registry.events import Event, record

_COLUMNS = """connection_id, patient_id, provider, provider_user_id, scopes_granted, status,
    expires_at, token_version, last_refresh_at, consented_at"""

ASK_AGAIN = timedelta(hours=24)
"""How long an account that cannot be read is left alone."""

_LIST = f"""
SELECT {_COLUMNS} FROM connections WHERE patient_id = ANY(:patients) ORDER BY connection_id"""  # noqa: S608 -- constants of this file

# A lapsed account is asked again a day after the newest cycle that asked it; a cycle run again
# finds the same ones due, since only earlier cycles count. An open circuit asked nobody.
_DUE = f"""
SELECT {_COLUMNS} FROM connections c WHERE patient_id = ANY(:patients) AND (
    status = 'active' OR status IN ('not_linked', 'subscription_lapsed') AND NOT EXISTS (
        SELECT 1 FROM fetches f WHERE f.connection_id = c.connection_id
          AND f.cycle < :cycle AND f.cycle > :cycle - CAST(:again AS interval)
          AND coalesce(f.reason, '') NOT LIKE 'circuit_open%'))
ORDER BY connection_id"""  # noqa: S608 -- constants of this file

_ACTIVE = f"""
SELECT {_COLUMNS} FROM connections WHERE provider = :provider AND status = 'active'
ORDER BY connection_id"""  # noqa: S608 -- constants of this file

_LINKED = f"""
SELECT {_COLUMNS} FROM connections WHERE provider = :provider
    AND provider_user_id = ANY(:accounts) AND status <> 'revoked' ORDER BY connection_id"""  # noqa: S608 -- constants of this file

_LOCK = "SELECT 1 FROM connections WHERE connection_id = :connection_id FOR NO KEY UPDATE"

_LOCK_ACCOUNT = """
SELECT pg_advisory_xact_lock(hashtextextended(:provider || ' ' || :provider_user_id, 4))"""

_TAKEN = """
SELECT 1 FROM connections WHERE provider = :provider AND provider_user_id = :provider_user_id
    AND status <> 'revoked' AND connection_id <> :connection_id"""

# Where the last account's readings ended says nothing of another's: it is read from the start.
_READ_ANEW = """
UPDATE fetches f SET cursor_after = NULL FROM connections c
WHERE f.connection_id = :connection_id AND c.connection_id = f.connection_id
    AND c.provider_user_id IS DISTINCT FROM :provider_user_id AND f.cursor_after IS NOT NULL"""

_SAVE = """
INSERT INTO connections (connection_id, patient_id, provider, provider_user_id,
                         provider_legacy_id, scopes_granted, access_enc, refresh_enc, key_id,
                         expires_at, token_version, consented_at)
VALUES (:connection_id, :patient_id, :provider, :provider_user_id, :provider_legacy_id, :scopes,
        :access, :refresh, :key_id, :expires_at, 1, clock_timestamp())
ON CONFLICT (connection_id) DO UPDATE SET
    provider_user_id = excluded.provider_user_id,
    provider_legacy_id = excluded.provider_legacy_id, scopes_granted = excluded.scopes_granted,
    status = 'active', access_enc = excluded.access_enc, refresh_enc = excluded.refresh_enc,
    key_id = excluded.key_id, expires_at = excluded.expires_at,
    token_version = connections.token_version + 1, consented_at = excluded.consented_at"""

# What a fetch found out is about the consent that it fetched with, not about a later one.
_CONCLUDE = """
UPDATE connections SET status = :status
WHERE connection_id = :connection_id AND status NOT IN (:status, 'revoked')
    AND consented_at IS NOT DISTINCT FROM :consented_at"""

_REVOKE = """
UPDATE connections SET status = 'revoked', access_enc = NULL, refresh_enc = NULL, key_id = NULL,
    expires_at = NULL, token_version = token_version + 1
WHERE connection_id = :connection_id"""

_SET_STATUS = """
UPDATE connections SET status = :status
WHERE connection_id = :connection_id AND status <> :status"""

_TOKENS = """
SELECT access_enc, refresh_enc, expires_at, token_version, status FROM connections
WHERE connection_id = :connection_id"""

_LOCK_TOKENS = _TOKENS + " FOR NO KEY UPDATE"

_REFRESHED = """
UPDATE connections SET access_enc = :access, refresh_enc = :refresh, key_id = :key_id,
    expires_at = :expires_at,
    scopes_granted = CASE WHEN :scopes = CAST('{}' AS text[]) THEN scopes_granted ELSE :scopes END,
    token_version = token_version + 1, last_refresh_at = now()
WHERE connection_id = :connection_id AND token_version = :version"""


class WrongKey(RegistryError):
    """None of the keys opens the stored token; VITALCAST_TOKEN_KEYS must keep the old ones."""


class AccountTaken(RegistryError):
    """That account is linked with another patient; choose the patient's own account."""


class TokenSetLike(Protocol):
    """What a vendor grants; no scopes means: as granted before."""

    @property
    def access_token(self) -> str: ...
    @property
    def refresh_token(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A patient's link to a vendor, without its tokens."""

    connection_id: str
    patient_id: str
    provider: str
    provider_user_id: str | None
    scopes_granted: tuple[str, ...]
    status: str
    expires_at: datetime | None
    token_version: int
    last_refresh_at: datetime | None = None
    consented_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """Both tokens of a link, in the open."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """An access token and the version of the pair it belongs to."""

    access_token: str = field(repr=False)
    expires_at: datetime
    version: int


class TokenCipher:
    """Encrypts with the first key, decrypts with any: a new key is put in front of the old ones."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.key_ids = tuple(key_id(key) for key in keys)
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise WrongKey("VITALCAST_TOKEN_KEYS must hold at least one Fernet key "
                           "(32 bytes in url-safe base64), newest first") from None

    def encrypt(self, token: str) -> bytes:
        """A token as it may be stored."""
        return self._fernet.encrypt(token.encode())

    def decrypt(self, stored: bytes) -> str:
        """The token. WrongKey when no key opens it."""
        try:
            return self._fernet.decrypt(bytes(stored)).decode()
        except InvalidToken:
            raise WrongKey from None

    def rotate(self, stored: bytes) -> bytes:
        """The same token under the first key. WrongKey when no key opens it."""
        return self.encrypt(self.decrypt(stored))


def key_id(key: str) -> str:
    """What a key is called: tells keys apart and nothing about them."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def list_connections(conn: Transaction, patients: Sequence[str]) -> list[Connection]:
    """Every link of these patients, whatever its status, in the order of the ids."""
    return _connections(conn, _LIST, {"patients": list(patients)})


def active_connections(conn: Transaction, provider: Provider) -> list[Connection]:
    """Every active link to a vendor, in the order of the ids."""
    return _connections(conn, _ACTIVE, {"provider": provider.value})


def linked_accounts(conn: Transaction, provider: Provider,
                    accounts: Sequence[str]) -> dict[str, Connection]:
    """The link of each account that has one, by the vendor's id of it."""
    found = _connections(conn, _LINKED, {"provider": provider.value, "accounts": list(accounts)})
    return {one.provider_user_id: one for one in found if one.provider_user_id}


def lock_connection(conn: Transaction, connection_id: str) -> None:
    """Let no one else store readings of this link until the transaction ends."""
    conn.execute(text(_LOCK), {"connection_id": connection_id})


def due_connections(conn: Transaction, patients: Sequence[str],
                    cycle: datetime) -> list[Connection]:
    """The links to fetch from in this cycle: active ones, and after a while those that lapsed."""
    return _connections(conn, _DUE, {"patients": list(patients), "cycle": cycle,
                                     "again": ASK_AGAIN})


def save_connection(
    conn: Transaction, cipher: TokenCipher, *, patient_id: str, provider: str,
    tokens: TokenSetLike, provider_user_id: str | None = None,
    provider_legacy_id: str | None = None,
) -> str:
    """Store a patient's consent, new or renewed, and make the link active; returns its id.

    Another account than before is fetched from the start of its history.
    AccountTaken when the account is another patient's.
    """
    link = {"connection_id": f"{provider}:{patient_id}", "provider": str(provider),
            "provider_user_id": provider_user_id}
    if provider_user_id is not None:
        conn.execute(text(_LOCK_ACCOUNT), link)
        if conn.execute(text(_TAKEN), link).first() is not None:
            raise AccountTaken
    conn.execute(text(_READ_ANEW), link)
    conn.execute(text(_SAVE), {
        **link, "patient_id": patient_id, "provider_legacy_id": provider_legacy_id,
        **_encrypted(cipher, tokens)})
    _tell(conn, f"{provider}:{patient_id}", "active")
    return str(link["connection_id"])


def set_status(conn: Transaction, connection_id: str, status: str) -> None:
    """Write what became of a link: active, reauth_required, subscription_lapsed, ..."""
    if conn.execute(text(_SET_STATUS), {
            "connection_id": connection_id, "status": status}).rowcount:
        _tell(conn, connection_id, status)


def conclude(conn: Transaction, connection: Connection, status: str) -> None:
    """Write what a fetch with the consent of `connection` found out; a later consent stands."""
    if conn.execute(text(_CONCLUDE), {
            "connection_id": connection.connection_id, "consented_at": connection.consented_at,
            "status": status}).rowcount:
        _tell(conn, connection.connection_id, status)


def revoking(engine: Engine, cipher: TokenCipher, connection_id: str,
             revoke: Callable[[TokenPair], None]) -> None:
    """End a link: `revoke` tells the vendor, then the tokens go.

    A refresh that runs at the same time comes before or finds nothing left. Once more changes
    nothing. NotFound without such a link.
    """
    with transaction(engine) as conn:
        row = conn.execute(text(_LOCK_TOKENS), {"connection_id": connection_id}).first()
        if row is None:
            raise NotFound(f"there is no connection {connection_id}")
        if row.refresh_enc is not None:
            revoke(TokenPair(access_token=cipher.decrypt(row.access_enc),
                             refresh_token=cipher.decrypt(row.refresh_enc)))
        conn.execute(text(_REVOKE), {"connection_id": connection_id})
        if row.status != "revoked":
            _tell(conn, connection_id, "revoked")


def _tell(conn: Transaction, connection_id: str, status: str) -> None:
    """Leave an event of a change, in its transaction: there are as many of them as changes."""
    record(conn, [Event(kind="link.changed", provider=connection_id.partition(":")[0],
                        reason=known(status), series=(connection_id,),
                        once=secrets.token_hex(16))])


def stored_token(engine: Engine, cipher: TokenCipher, connection_id: str) -> StoredToken:
    """The access token as it stands. NotFound without consent on record."""
    with transaction(engine) as conn:
        return _opened(cipher, _row(conn, _TOKENS, connection_id))


def refreshing(
    engine: Engine, cipher: TokenCipher, connection_id: str, stale_version: int,
    refresh: Callable[[str], TokenSetLike],
) -> StoredToken:
    """A newer token than the pair `stale_version`; `refresh` spends the refresh token at most once.

    Somebody else's refresh since then is used as it is. When the vendor refuses for good, the
    link's status says so and the vendor's error is raised.
    """
    with transaction(engine) as conn:
        row = _row(conn, _LOCK_TOKENS, connection_id)
        if row.token_version != stale_version:
            return _opened(cipher, row)
        if row.status == ReauthorisationRequired.connection_status:
            raise ReauthorisationRequired
        try:
            tokens = refresh(cipher.decrypt(row.refresh_enc))
        except AuthorisationError as error:
            refusal = error
        else:
            conn.execute(text(_REFRESHED), {
                "connection_id": connection_id, "version": stale_version,
                **_encrypted(cipher, tokens)})
            return StoredToken(access_token=tokens.access_token, expires_at=tokens.expires_at,
                               version=stale_version + 1)
        if refusal.connection_status is not None:
            set_status(conn, connection_id, refusal.connection_status)
    raise refusal


class StoredTokens:
    """The token source of one link's HTTP session (see `providers.http.TokenSource`)."""

    def __init__(self, engine: Engine, cipher: TokenCipher, connection_id: str,
                 refresh: Callable[[str], TokenSetLike]) -> None:
        self._engine = engine
        self._cipher = cipher
        self._connection_id = connection_id
        self._refresh = refresh
        self._held: StoredToken | None = None

    def access_token(self) -> str:
        """The token in use; read from the database at the first call."""
        if self._held is None:
            self._held = stored_token(self._engine, self._cipher, self._connection_id)
        return self._held.access_token

    def refresh(self, stale: str) -> str:
        """Another token than `stale`. ReauthorisationRequired when the patient must consent."""
        if self._held is None or self._held.access_token == stale:
            held = self._held or stored_token(self._engine, self._cipher, self._connection_id)
            self._held = refreshing(self._engine, self._cipher, self._connection_id,
                                    held.version, self._refresh)
        return self._held.access_token


def _connections(conn: Transaction, query: str, values: dict[str, Any]) -> list[Connection]:
    return [Connection(**{**row._mapping, "scopes_granted": tuple(row.scopes_granted)})
            for row in conn.execute(text(query), values)]


def _row(conn: Transaction, query: str, connection_id: str) -> Any:
    row = conn.execute(text(query), {"connection_id": connection_id}).first()
    if row is not None and row.status == ConsentRevoked.connection_status:
        raise ConsentRevoked
    if row is None or row.access_enc is None:
        raise NotFound(f"connection {connection_id} has no consent on record; link the account")
    return row


def _opened(cipher: TokenCipher, row: Any) -> StoredToken:
    return StoredToken(access_token=cipher.decrypt(row.access_enc), expires_at=row.expires_at,
                       version=row.token_version)


def _encrypted(cipher: TokenCipher, tokens: TokenSetLike) -> dict[str, Any]:
    return {"access": cipher.encrypt(tokens.access_token),
            "refresh": cipher.encrypt(tokens.refresh_token), "key_id": cipher.key_ids[0],
            "expires_at": tokens.expires_at, "scopes": list(tokens.scopes)}
