"""Logins: passwords to short-lived tokens, tokens to sessions, roles to what they may do.

The API takes the token as a bearer, the pages as a cookie that scripts cannot read; neither takes
the other's, so that no foreign page can make a browser use the API.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated
from urllib.parse import urlsplit
from uuid import uuid4

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
from registry.consents import Login
from registry.passwords import verify_password
from registry.reading import Reading
from registry.views import Access

ALGORITHM = "HS256"
COOKIE = "vitalcast_session"
REMEMBERED_TOKENS = 1024


class Role(StrEnum):
    """Doctors see their patients, operators models and runs, services everything but forms."""

    DOCTOR = "doctor"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is signed in. The login's `version` is another one once its password is."""

    username: str
    role: Role
    version: int = 0

    @property
    def access(self) -> Access:
        """What the read side is asked with."""
        return Access(username=self.username)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a token says: who signed in, which session it is, until when (seconds of the epoch)."""

    principal: Principal
    session_id: str
    expires: float


class Tokens:
    """Signs and reads login tokens (JWT, HS256). Whether the session was ended: `api.sessions`."""

    def __init__(self, *, secret: str, minutes: int, clock: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._life = timedelta(minutes=minutes)
        self._clock = clock
        # A signature is checked once; failures are not remembered, the expiry is looked at always.
        self._verified = lru_cache(maxsize=REMEMBERED_TOKENS)(self._verify)

    @property
    def seconds(self) -> int:
        """How long a token lasts."""
        return int(self._life.total_seconds())

    def issue(self, principal: Principal) -> str:
        """A token for `principal` that expires by itself."""
        now = self._clock()
        claims = {
            "sub": principal.username, "role": principal.role.value, "ver": principal.version,
            "jti": uuid4().hex,
            "iat": int(now.timestamp()), "exp": int((now + self._life).timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str | None) -> Session:
        """What the token says. NotSignedInError when it is missing, forged or has expired."""
        session = self._verified(token or "")
        if session.expires <= self._clock().timestamp():
            raise NotSignedInError
        return session

    def _verify(self, token: str) -> Session:
        try:
            claims = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM],
                options={"require": ["sub", "exp", "jti"], "verify_exp": False,
                         "verify_iat": False},
            )
            principal = Principal(username=claims["sub"], role=Role(claims["role"]),
                                  version=int(claims["ver"]))
            return Session(principal=principal, session_id=claims["jti"],
                           expires=float(claims["exp"]))
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
        return Principal(username=user.username, role=Role(user.role),
                         version=user.session_version)


async def signed_in(request: Request, token: str | None) -> Principal:
    """Who the token names, as long as the session stands. NotSignedInError."""
    read: Callable[[str | None], Awaitable[Principal]] = request.app.state.sign_ins.read
    principal = await read(token)
    request.state.username = principal.username     # for the page of an error that may follow
    return principal


class Bearer(OAuth2PasswordBearer):
    """The bearer of the API, where the role is one of `roles`; `refusal` tells the others."""

    def __init__(self, *roles: Role, refusal: str = "") -> None:
        super().__init__(tokenUrl="/v1/token", auto_error=False, scheme_name="login",
                         description="Sign in with POST /v1/token; a token lasts an hour.")
        self._roles = roles or tuple(Role)
        self._refusal = refusal

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        """NotSignedInError or NotAllowedError. Asynchronous to stay off the thread pool."""
        principal = await signed_in(request, await super().__call__(request))
        if principal.role not in self._roles:
            raise NotAllowedError(self._refusal)
        return principal


NOT_A_LINKER = "vendor accounts are linked by doctors and operators: sign in as one"

NOT_A_READER = ("operators see cycles, data quality and accounts, not patients' readings: sign in "
                "as a doctor or a service")

NOT_A_DOCTOR = "clinical entries are made by doctors: sign in as one"

SignedIn = Annotated[Principal, Depends(Bearer())]
Reader = Annotated[Principal, Depends(
    Bearer(Role.DOCTOR, Role.SERVICE, refusal=NOT_A_READER))]
Doctor = Annotated[Principal, Depends(
    Bearer(Role.DOCTOR, refusal=NOT_A_DOCTOR))]
Watcher = Annotated[Principal, Depends(
    Bearer(Role.OPERATOR, Role.SERVICE,
           refusal="runs are for operators and services: sign in as one"))]
Operator = Annotated[Principal, Depends(
    Bearer(Role.OPERATOR, refusal="this is for operators: sign in as one"))]


async def linker(request: Request) -> Login:
    """Who links accounts: by bearer, or in a browser, which comes back from a vendor, by cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    principal = await signed_in(request, token)
    if principal.role is Role.SERVICE:
        raise NotAllowedError(NOT_A_LINKER)
    return Login(username=principal.username, token=token)


async def page_linker(request: Request) -> Principal:
    """Who sees a patient's links on a page, by cookie: doctors and operators."""
    principal = await signed_in(request, request.cookies.get(COOKIE))
    if principal.role is Role.SERVICE:
        raise NotAllowedError(NOT_A_LINKER)
    return principal


async def page_user(request: Request) -> Principal:
    """Whoever is signed in to the pages, by cookie."""
    return await signed_in(request, request.cookies.get(COOKIE))


async def page_reader(request: Request) -> Principal:
    """The reader of the pages, by cookie."""
    principal = await signed_in(request, request.cookies.get(COOKIE))
    if principal.role is Role.OPERATOR:
        raise NotAllowedError(NOT_A_READER)
    return principal


async def page_doctor(request: Request) -> Principal:
    """The doctor who fills in a form of the pages, by cookie."""
    principal = await page_reader(request)
    if principal.role is not Role.DOCTOR:
        raise NotAllowedError(NOT_A_DOCTOR)
    return principal


async def page_operator(request: Request) -> Principal:
    """The operator of the pages, by cookie."""
    principal = await signed_in(request, request.cookies.get(COOKIE))
    if principal.role is not Role.OPERATOR:
        raise NotAllowedError("cycles are for operators: sign in as one")
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


Linker = Annotated[Login, Depends(linker)]
LinkEnder = Annotated[Principal, Depends(
    Bearer(Role.DOCTOR, Role.OPERATOR, refusal=NOT_A_LINKER))]
PageLinker = Annotated[Principal, Depends(page_linker)]
PageUser = Annotated[Principal, Depends(page_user)]
PageReader = Annotated[Principal, Depends(page_reader)]
PageOperator = Annotated[Principal, Depends(page_operator)]
PageDoctor = Annotated[Principal, Depends(page_doctor)]
Readings = Annotated[Reading, Depends(reading_of)]
