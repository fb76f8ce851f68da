"""Who a request comes from: a token of ours, whose sign-in still stands.

The database is asked again after `SESSION_AGE_S` at the latest: so long another process than the
one signed out of may still let somebody in.
"""

import time
from datetime import UTC, datetime

from api.cache import BriefCache
from api.errors import NotSignedInError
from api.security import Principal, Tokens
from registry.sessions import Sessions

SESSION_AGE_S = 2.0
_REMEMBERED = 4096


class SignIns:
    """Tokens, and whether their sign-ins stand."""

    def __init__(self, tokens: Tokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._standing = BriefCache[bool](
            seconds=SESSION_AGE_S, size=_REMEMBERED, clock=time.monotonic)

    async def read(self, token: str | None) -> Principal:
        """Who the token names; NotSignedInError when it is none of ours or the session ended."""
        session = self._tokens.read(token)
        stands = self._standing.get(session.session_id)
        if stands is None:
            who = session.principal
            stands = await self._sessions.stands(
                who.username, who.role.value, who.version, session.session_id)
            # Whoever signed out while this was asked has put the newer answer.
            stands = stands and self._standing.get(session.session_id) is not False
            self._standing.put(session.session_id, stands)
        if not stands:
            raise NotSignedInError
        return session.principal

    def end(self, token: str | None) -> None:
        """Sign out; a token that is none of ours has nothing to end."""
        try:
            session = self._tokens.read(token)
        except NotSignedInError:
            return
        self._sessions.end(session.session_id, datetime.fromtimestamp(session.expires, UTC))
        self._standing.put(session.session_id, False)
