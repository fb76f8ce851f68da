"""Oura's webhook subscriptions, managed with the application's id and secret in headers.

Before one is made its address is asked for a challenge, as at the vendor's. Addresses on loopback
alone are asked, and told.
"""

import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.observation import Provider
from providers.sandbox.exchange import Answer, written
from providers.sandbox.readings import DAY_S
from providers.sandbox.world import World, iso

LASTS_S = 90 * DAY_S
"""How long one lasts; the vendor documents no figure."""

_PATH = f"/{Provider.OURA}/v2/webhook/subscription"
_TIMEOUT_S = 30
_EVENTS = frozenset({"create", "update", "delete"})
_TYPES = frozenset({
    "tag", "enhanced_tag", "workout", "session", "sleep", "daily_sleep", "daily_readiness",
    "daily_activity", "daily_spo2", "sleep_time", "rest_mode_period", "ring_configuration",
    "daily_stress", "daily_cycle_phases"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who is told of which changes; `expires_at` by the sandbox's clock."""

    name: str
    address: str
    event_type: str
    data_type: str
    expires_at: int

    def document(self) -> dict[str, str]:
        """As the vendor shows it."""
        return {"id": self.name, "callback_url": self.address, "event_type": self.event_type,
                "data_type": self.data_type, "expiration_time": iso(self.expires_at)}


Handler = Callable[[Request], Awaitable[Answer]]


def loopback(address: str) -> bool:
    """Does this address lead to this machine: nobody else is told of anything."""
    try:
        return urlsplit(address).hostname in ("127.0.0.1", "localhost")
    except ValueError:
        return False


def routes(world: World, held: dict[str, Subscription]) -> list[Route]:
    """List, make, renew and delete what `held` holds by name."""

    async def listed(_: Request) -> Answer:
        return Answer(body=[one.document() for one in held.values()])

    async def made(request: Request) -> Answer:
        return await _made(held, await request.json(), world.now)

    async def renewed(request: Request) -> Answer:
        one = held.get(request.path_params["name"])
        if one is None:
            return _refused(404, "no such subscription")
        held[one.name] = replace(one, expires_at=world.now + LASTS_S)
        return Answer(body=held[one.name].document())

    async def ended(request: Request) -> Answer:
        one = held.pop(request.path_params["name"], None)
        return _refused(404, "no such subscription") if one is None else Answer(
            status=204, body=None)

    return [Route(_PATH + path, _endpoint(world, handler), methods=[method])
            for path, method, handler in (
                ("", "GET", listed), ("", "POST", made),
                ("/renew/{name}", "PUT", renewed), ("/{name}", "DELETE", ended))]


async def _made(held: dict[str, Subscription], given: Any, now: int) -> Answer:
    one, token = _wanted(given, now)
    if one is None or not loopback(one.address):
        return _refused(422, "callback_url, event_type or data_type is not accepted")
    if any((other.address, other.event_type, other.data_type)
           == (one.address, one.event_type, one.data_type) for other in held.values()):
        return _refused(409, "there is such a subscription")
    if not await run_in_threadpool(_challenged, one.address, token):
        return _refused(400, "the address did not answer the challenge")
    held[one.name] = one
    return Answer(status=201, body=one.document())


def _endpoint(world: World, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        world.requests[f"{request.method} {request.url.path}"] += 1
        known = world.settings
        shown = (request.headers.get("x-client-id"), request.headers.get("x-client-secret"))
        if shown != (known.client_id, known.client_secret):
            return written(_refused(401, "client id or secret is not accepted"))
        answer = await handler(request)
        return Response(status_code=204) if answer.status == 204 else written(answer)

    return endpoint


def _wanted(given: Any, now: int) -> tuple[Subscription | None, str]:
    """What a request asks for and its verification token; None where a member is wrong."""
    words = [given.get(name) for name in (
        "callback_url", "event_type", "data_type", "verification_token")]
    if not all(isinstance(word, str) and word for word in words):
        return None, ""
    address, event_type, data_type, token = words
    if event_type not in _EVENTS or data_type not in _TYPES:
        return None, ""
    return Subscription(name=str(uuid.uuid4()), address=address, event_type=event_type,
                        data_type=data_type, expires_at=now + LASTS_S), token


def _challenged(address: str, token: str) -> bool:
    challenge = secrets.token_urlsafe(16)
    try:
        answer = requests.get(address, timeout=_TIMEOUT_S, allow_redirects=False, params={
            "verification_token": token, "challenge": challenge})
        return answer.ok and answer.json() == {"challenge": challenge}
    except (requests.RequestException, ValueError):
        return False


def _refused(status: int, detail: str) -> Answer:
    return Answer(status=status, body={"detail": detail})
