"""Sign-ins that ended before their token did: by signing out, another password, role or removal."""

from datetime import datetime

from sqlalchemy import create_engine, text

from registry.database import database_url, transaction
from registry.prepared import Prepared
from registry.reading import CONNECT_TIMEOUT_S, NUL

_AT_ONCE = 4

_STANDS = """
PREPARE stands (text, text, integer, text) AS
SELECT EXISTS (SELECT 1 FROM users WHERE username = $1 AND role = $2 AND session_version = $3)
    AND NOT EXISTS (SELECT 1 FROM ended_sessions WHERE session_id = $4)"""

_END = """
WITH over AS (DELETE FROM ended_sessions WHERE expires_at < now())
INSERT INTO ended_sessions (session_id, expires_at) VALUES (:session_id, :expires_at)
ON CONFLICT DO NOTHING"""


class Sessions:
    """Asked with every request that is signed in, so without a thread."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            database_url(url), pool_size=1, pool_pre_ping=True, hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
        self._prepared = Prepared(
            self._engine, {"options": "-c default_transaction_read_only=on"}, prepare=_STANDS,
            execute="EXECUTE stands (%s, %s, %s, %s)", size=_AT_ONCE,
            connect_timeout_s=CONNECT_TIMEOUT_S)

    def close(self) -> None:
        """Give the connections back."""
        self._prepared.close()
        self._engine.dispose()

    async def stands(self, username: str, role: str, version: int, session_id: str) -> bool:
        """Whether the login is still what it was at the sign-in, and nobody has signed out."""
        if NUL in username:
            return False
        row = await self._prepared.ask((username, role, version, session_id))
        return row is not None and bool(row[0])

    def end(self, session_id: str, expires_at: datetime) -> None:
        """Nobody comes in with this session again; it is remembered until its token expires."""
        with transaction(self._engine) as conn:
            conn.execute(text(_END), {"session_id": session_id, "expires_at": expires_at})
