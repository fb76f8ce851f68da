"""One request to a vendor: who asks, what goes wrong on purpose, and the answer.

Every vendor module gives a `Dialect` (how this vendor says no) and handlers that turn a `Call`
into an `Answer`; nothing else knows about faults, limits or tokens.
"""

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from providers.observation import Provider
from providers.sandbox.faults import SKEW_S, Fault, Kind
from providers.sandbox.grants import GrantError
from providers.sandbox.readings import Channel, Readings, Subject
from providers.sandbox.world import World, epoch, iso

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
    `records` names the keys whose lists hold records, `paging` those that lead to the next page;
    `renamed` is what `changed_schema` renames. `clock_of` names the keys of a call's answer that
    tell the vendor's own time.
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
    paging: frozenset[str]
    renamed: Mapping[str, str]
    clock_of: Callable[[Call], frozenset[str]]


Handler = Callable[[Call], Answer]
TokenHandler = Callable[[World, Mapping[str, str]], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]


def data_endpoint(world: World, dialect: Dialect, handler: Handler) -> Endpoint:
    """A route that needs an access token."""

    async def endpoint(request: Request) -> Response:
        params = await _params(request)
        bearer = _bearer(request)
        token = world.grants.used(dialect.provider, bearer)
        subject = world.subjects.get(token.subject_id) if token else None
        fault = _fault(world, dialect, request, subject, token_request=False)
        if subject is None or token is None or _killed(world, fault, subject, bearer):
            return written(dialect.unauthorised)
        call = Call(world=world, subject=subject, path=_path(dialect, request), params=params,
                    path_params=request.path_params)

        def answer() -> Answer:
            if not token.allows(dialect.scope_of(call)):
                return dialect.scope_missing
            return _limited(dialect, handler, call)

        return await _answered(request, dialect, fault, answer, call)

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

        if fault and fault.kind in (Kind.TOKEN_DEATH, Kind.CONSENT_DEATH):
            return written(dialect.grant_refused(GrantError("invalid_grant", "token is dead")))
        return await _answered(request, dialect, fault, answer, None)

    return endpoint


def written(answer: Answer) -> Response:
    """The answer as a response."""
    return Response(orjson.dumps(answer.body), answer.status, dict(answer.headers),
                    media_type="application/json")


def _killed(world: World, fault: Fault | None, subject: Subject, bearer: str) -> bool:
    """Whether the fault puts the token, or the consent behind it, to death."""
    if fault is not None and fault.kind is Kind.TOKEN_DEATH:
        world.grants.kill(bearer)
        return True
    if fault is not None and fault.kind is Kind.CONSENT_DEATH:
        world.grants.end(subject.provider, subject.subject_id)
        return True
    return False


async def _answered(request: Request, dialect: Dialect, fault: Fault | None,
                    answer: Callable[[], Answer], call: Call | None) -> Response:
    """The answer as the fault spoils it; without a `call` (of tokens) there are no pages."""
    if fault is None:
        return written(answer())
    match fault.kind:
        case Kind.HTTP_429:
            return written(dialect.rate_limited(fault.retry_after))
        case Kind.HTTP_429_BARE:
            bare = dialect.rate_limited(None)
            return written(replace(bare, headers={
                name: value for name, value in bare.headers.items() if name != "Retry-After"}))
        case Kind.HTTP_500:
            return written(dialect.internal_error)
        case Kind.VENDOR_ERROR:
            return written(dialect.vendor_error(fault.status))
        case Kind.EMPTY_PAGE if call:
            return written(dialect.empty_page(call))
        case Kind.HANG:
            await _hang(request, HANG_S if fault.seconds is None else fault.seconds)
    return _spoilt(answer(), dialect, fault, call)


def _spoilt(answer: Answer, dialect: Dialect, fault: Fault, call: Call | None) -> Response:
    body = answer.body
    match fault.kind:
        case Kind.DUPLICATES:
            body = _doubled(body, dialect.records)
        case Kind.CHANGED_SCHEMA:
            body = _renamed(body, dialect.renamed)
        case Kind.DUPLICATED_PAGE if call:
            body = _leading_back(body, dialect.empty_page(call).body, dialect.paging)
        case Kind.CLOCK_SKEW if call:
            body = _skewed(body, dialect.clock_of(call), fault.lasts(SKEW_S))
        case Kind.TRUNCATED_BODY:
            text = orjson.dumps(body)
            return Response(text[:len(text) // 2], answer.status, dict(answer.headers),
                            media_type="application/json")
    return written(replace(answer, body=body))


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


def _leading_back(body: Any, empty: Any, paging: frozenset[str]) -> Any:
    """The page with the empty page's way on: back to the page itself."""
    if not (isinstance(body, dict) and isinstance(empty, dict)):
        return body
    inside = {key: _leading_back(value, empty.get(key), paging) for key, value in body.items()}
    return inside | {key: empty[key] for key in paging & empty.keys()}


def _skewed(body: Any, clock: frozenset[str], seconds: int) -> Any:
    """The answer of a vendor whose clock is ahead: epoch seconds and ISO times under `clock`."""
    if isinstance(body, list):
        return [_skewed(item, clock, seconds) for item in body]
    if not isinstance(body, dict):
        return body
    return {key: _moved(value, seconds) if key in clock and value is not None
            else _skewed(value, clock, seconds) for key, value in body.items()}


def _moved(moment: int | str, seconds: int) -> int | str:
    return moment + seconds if isinstance(moment, int) else iso(epoch(moment) + seconds)


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


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
