"""Logins: passwords to short-lived tokens, tokens to principals, roles to what they may do.

The API takes the token as a bearer, the pages as a cookie that scripts cannot read; neither takes
the other's, so that no foreign page can make a browser use the API.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import jwt
from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from api.errors import (
    ForeignOriginError,
    NotAllowedError,
    NotSignedInError,
    WrongLoginError,
)
from api.throttle import LoginThrottle
from registry.passwords import verify_password
from registry.reading import Reading
from registry.views import Access

ALGORITHM = "HS256"
COOKIE = "vitalcast_session"


class Role(StrEnum):
    """Doctors see their patients, operators models and runs, services everything but forms."""

    DOCTOR = "doctor"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is signed in."""

    username: str
    role: Role

    @property
    def access(self) -> Access:
        """What the read side is asked with."""
        return Access(username=self.username)


class Tokens:
    """Signs and reads login tokens (JWT, HS256)."""

    def __init__(self, *, secret: str, minutes: int, clock: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._life = timedelta(minutes=minutes)
        self._clock = clock

    @property
    def seconds(self) -> int:
        """How long a token lasts."""
        return int(self._life.total_seconds())

    def issue(self, principal: Principal) -> str:
        """A token for `principal` that expires by itself."""
        now = self._clock()
        claims = {
            "sub": principal.username, "role": principal.role.value,
            "iat": int(now.timestamp()), "exp": int((now + self._life).timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str | None) -> Principal:
        """Who the token names. NotSignedInError when it is missing, forged or has expired."""
        try:
            claims = jwt.decode(
                token or "", self._secret, algorithms=[ALGORITHM],
                options={"require": ["sub", "exp"], "verify_exp": False, "verify_iat": False},
            )
            if claims["exp"] <= self._clock().timestamp():
                raise NotSignedInError
            return Principal(username=claims["sub"], role=Role(claims["role"]))
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
            raise NotSignedInError from error


class Logins:
    """Checks a name and a password, slowly and no oftener than the throttle lets."""

    def __init__(self, reading: Reading, throttle: LoginThrottle) -> None:
        self._reading = reading
        self._throttle = throttle

    def sign_in(self, username: str, password: str, address: str) -> Principal:
        """WrongLoginError tells neither whether the name exists nor, by its time, that it does."""
        keys = (f"name:{username}", f"address:{address}")
        self._throttle.check(*keys)
        user = self._reading.user(username)
        if not verify_password(password, user.password_hash if user else None) or user is None:
            self._throttle.failed(*keys)
            raise WrongLoginError
        self._throttle.passed(*keys)
        return Principal(username=user.username, role=Role(user.role))


_bearer = OAuth2PasswordBearer(
    tokenUrl="/v1/token", auto_error=False,
    description="Sign in with POST /v1/token; a token lasts an hour by default.",
)


async def signed_in(request: Request, token: Annotated[str | None, Depends(_bearer)]) -> Principal:
    """The bearer of the API. Asynchronous only to stay off the thread pool."""
    tokens: Tokens = request.app.state.tokens
    return tokens.read(token)


async def signed_in_browser(request: Request) -> Principal:
    """The reader of the pages, by cookie."""
    tokens: Tokens = request.app.state.tokens
    return tokens.read(request.cookies.get(COOKIE))


SignedIn = Annotated[Principal, Depends(signed_in)]
Browser = Annotated[Principal, Depends(signed_in_browser)]


async def reader(principal: SignedIn) -> Principal:
    """Doctors and services may read patients."""
    if principal.role is Role.OPERATOR:
        raise NotAllowedError("operators see models and runs, not patients' readings: "
                              "sign in as a doctor or a service")
    return principal


async def page_reader(principal: Browser) -> Principal:
    """The pages are for those who may read patients."""
    return await reader(principal)


async def doctor(principal: SignedIn) -> Principal:
    """Only doctors make clinical entries."""
    if principal.role is not Role.DOCTOR:
        raise NotAllowedError("clinical entries are made by doctors: sign in as one")
    return principal


async def own_form(request: Request) -> None:
    """A form must come from a page of this very site (cross-site request forgery)."""
    origin = request.headers.get("origin", "")
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise ForeignOriginError


async def reading_of(request: Request) -> Reading:
    """The read side this application was built with."""
    found: Reading = request.app.state.reading
    return found


Reader = Annotated[Principal, Depends(reader)]
PageReader = Annotated[Principal, Depends(page_reader)]
Doctor = Annotated[Principal, Depends(doctor)]
Readings = Annotated[Reading, Depends(reading_of)]
