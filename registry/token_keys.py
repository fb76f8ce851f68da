"""Changing the key that vendors' tokens are stored with, while everything goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from registry.connections import TokenCipher, WrongKey
from registry.database import Connection, Engine, transaction

BATCH = 500

_OLD = """
SELECT connection_id, access_enc, refresh_enc FROM connections
WHERE refresh_enc IS NOT NULL AND key_id IS DISTINCT FROM :key AND connection_id > :after
ORDER BY connection_id LIMIT :batch FOR NO KEY UPDATE"""

_RENEW = """
UPDATE connections SET access_enc = :access, refresh_enc = :refresh, key_id = :key
WHERE connection_id = :connection_id"""

_IN_USE = """
SELECT coalesce(key_id, '') AS key, count(*) AS links FROM connections
WHERE refresh_enc IS NOT NULL GROUP BY 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """How many links' tokens were encrypted anew, and which links no key opens."""

    links: int
    unreadable: tuple[str, ...]


def encrypt_anew(engine: Engine, cipher: TokenCipher, *, batch: int = BATCH) -> Rotated:
    """Bring every token under the first key, a batch a transaction; once more changes nothing.

    A refresh that runs meanwhile keeps its row: whoever comes second sees what the first wrote.
    """
    done, unreadable, after = 0, list[str](), ""
    while True:
        with transaction(engine) as conn:
            rows = conn.execute(text(_OLD), {
                "key": cipher.key_ids[0], "after": after, "batch": batch}).all()
            for row in rows:
                try:
                    values = {"access": cipher.rotate(row.access_enc),
                              "refresh": cipher.rotate(row.refresh_enc)}
                except WrongKey:
                    unreadable.append(row.connection_id)
                    continue
                conn.execute(text(_RENEW), {
                    **values, "key": cipher.key_ids[0], "connection_id": row.connection_id})
                done += 1
        if not rows:
            return Rotated(links=done, unreadable=tuple(unreadable))
        after = rows[-1].connection_id


def links_by_key(conn: Connection) -> Mapping[str, int]:
    """How many links' tokens each key encrypts, by the key's id; '' where it is not on record."""
    return {row.key: row.links for row in conn.execute(text(_IN_USE))}
