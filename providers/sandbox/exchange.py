"""One request to a vendor: who asks, what goes wrong on purpose, and the answer.

Every vendor module gives a `Dialect` (how this vendor says no) and handlers that turn a `Call`
into an `Answer`; nothing else knows about faults, limits or tokens.
"""

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from providers.observation import Provider
from providers.sandbox.faults import Fault, Kind
from providers.sandbox.grants import GrantError, Token
from providers.sandbox.readings import Channel, Readings, Subject
from providers.sandbox.world import World

HANG_S = 3600.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response before it is written: `body` is JSON values."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authorised request; `path` is the vendor's own, `params` are form and query fields."""

    world: World
    subject: Subject
    path: str
    params: Mapping[str, str]
    path_params: Mapping[str, str]

    def visible(self, channel: Channel) -> Readings:
        """What the vendor knows of the patient's channel."""
        return self.world.visible(self.subject, channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one vendor refuses, and what of its shapes the faults may spoil.

    `scope_of` is the scope that a call needs, if any, `scope_missing` what comes without it.
    `records` names the keys whose lists hold records; `renamed` is what `changed_schema` renames.
    """

    provider: Provider
    unauthorised: Answer
    internal_error: Answer
    rate_limited: Callable[[int | None], Answer]
    vendor_error: Callable[[int | None], Answer]
    empty_page: Callable[[Call], Answer]
    grant_refused: Callable[[GrantError], Answer]
    scope_of: Callable[[Call], str | None]
    scope_missing: Answer
    records: frozenset[str]
    renamed: Mapping[str, str]


Handler = Callable[[Call], Answer]
TokenHandler = Callable[[World, Mapping[str, str]], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]


def data_endpoint(world: World, dialect: Dialect, handler: Handler) -> Endpoint:
    """A route that needs an access token."""

    async def endpoint(request: Request) -> Response:
        params = await _params(request)
        token = _token(world, dialect.provider, request)
        subject = world.subjects.get(token.subject_id) if token else None
        fault = _fault(world, dialect, request, subject, token_request=False)
        if subject is None or token is None:
            return written(dialect.unauthorised)
        call = Call(world=world, subject=subject, path=_path(dialect, request), params=params,
                    path_params=request.path_params)

        def answer() -> Answer:
            if not token.allows(dialect.scope_of(call)):
                return dialect.scope_missing
            return _limited(dialect, handler, call)

        return await _answered(request, dialect, fault, answer, lambda: dialect.empty_page(call))

    return endpoint


def token_endpoint(world: World, dialect: Dialect, handler: TokenHandler, *,
                   signed: Sequence[str] = ()) -> Endpoint:
    """A token route: client credentials by HTTP Basic or in the form.

    Requests whose `action` is in `signed` carry a signature instead, which the handler checks.
    """

    async def endpoint(request: Request) -> Response:
        params = {**await _params(request), **_basic(request)}
        fault = _fault(world, dialect, request, None, token_request=True)

        def answer() -> Answer:
            try:
                if params.get("action") not in signed:
                    _check_client(world, params)
                return handler(world, params)
            except GrantError as error:
                return dialect.grant_refused(error)

        return await _answered(request, dialect, fault, answer, answer)

    return endpoint


def written(answer: Answer) -> Response:
    """The answer as a response."""
    return Response(orjson.dumps(answer.body), answer.status, dict(answer.headers),
                    media_type="application/json")


async def _answered(request: Request, dialect: Dialect, fault: Fault | None,
                    answer: Callable[[], Answer], empty: Callable[[], Answer]) -> Response:
    if fault is None:
        return written(answer())
    match fault.kind:
        case Kind.HTTP_429:
            return written(dialect.rate_limited(fault.retry_after))
        case Kind.HTTP_500:
            return written(dialect.internal_error)
        case Kind.VENDOR_ERROR:
            return written(dialect.vendor_error(fault.status))
        case Kind.EMPTY_PAGE:
            return written(empty())
        case Kind.HANG:
            await _hang(request, HANG_S if fault.seconds is None else fault.seconds)
    return _spoilt(answer(), dialect, fault.kind)


def _spoilt(answer: Answer, dialect: Dialect, kind: Kind) -> Response:
    body = answer.body
    if kind is Kind.DUPLICATES:
        body = _doubled(body, dialect.records)
    elif kind is Kind.CHANGED_SCHEMA:
        body = _renamed(body, dialect.renamed)
    response = written(Answer(body=body, status=answer.status, headers=answer.headers))
    if kind is Kind.TRUNCATED_BODY:
        text = orjson.dumps(body)
        response = Response(text[:len(text) // 2], answer.status, dict(answer.headers),
                            media_type="application/json")
    return response


async def _hang(request: Request, seconds: float) -> None:
    """Say nothing for a while, or until the client gives up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not await request.is_disconnected():
        await asyncio.sleep(POLL_S)


def _doubled(body: Any, records: frozenset[str]) -> Any:
    if not isinstance(body, dict):
        return body
    return {
        key: [record for record in value for _ in range(2)]
        if key in records and isinstance(value, list) else _doubled(value, records)
        for key, value in body.items()
    }


def _renamed(body: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(body, list):
        return [_renamed(item, renamed) for item in body]
    if isinstance(body, dict):
        return {renamed.get(key, key): _renamed(value, renamed) for key, value in body.items()}
    return body


def _limited(dialect: Dialect, handler: Handler, call: Call) -> Answer:
    wait = call.world.over_limit(dialect.provider, call.subject.subject_id)
    return handler(call) if wait is None else dialect.rate_limited(wait)


def _fault(world: World, dialect: Dialect, request: Request, subject: Subject | None, *,
           token_request: bool) -> Fault | None:
    world.requests[f"{request.method} {request.url.path}"] += 1
    return world.faults.take(dialect.provider, _path(dialect, request),
                             subject.subject_id if subject else None, token_request=token_request)


def _path(dialect: Dialect, request: Request) -> str:
    return request.url.path.removeprefix(f"/{dialect.provider}")


def _token(world: World, provider: Provider, request: Request) -> Token | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return world.grants.used(provider, token.strip())


async def _params(request: Request) -> dict[str, str]:
    params = dict(request.query_params)
    if request.method == "POST":
        async with request.form() as form:
            params.update({key: value for key, value in form.items() if isinstance(value, str)})
    return params


def _basic(request: Request) -> dict[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": client_id, "client_secret": secret}


def _check_client(world: World, params: Mapping[str, str]) -> None:
    known = world.settings
    if (params.get("client_id"), params.get("client_secret")) != (
            known.client_id, known.client_secret):
        raise GrantError("invalid_client", "unknown client_id or wrong client_secret")
