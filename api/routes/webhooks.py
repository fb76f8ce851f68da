"""What vendors send by themselves: verified, stored, answered. No login: signature or secret.

A webhook that is not set up, and a wrong secret in an address, answer 404 alike. What was stored is
processed by the job `webhooks`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import Answer
from api.errors import (
    WebhookRefusedError,
    WebhookSlowError,
    WebhookTooLargeError,
    WebhookUnknownError,
)
from providers.observation import Provider
from providers.webhooks import SIGNED, WebhookSecrets, is_handshake, path_secret, verify
from providers.webhooks.verify import same
from registry.webhooks import Inbox

BODY_TIMEOUT_S = 20
MOST_CHALLENGE = 1000

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

SecretsNow = Callable[[], WebhookSecrets]


@router.get("/oura")
async def oura_challenge(
    request: Request, verification_token: str,
    challenge: Annotated[str, Query(max_length=MOST_CHALLENGE)],
) -> Answer:
    """Oura asks whether a subscription is wanted: its challenge comes back to the right token."""
    token = _secrets(request).oura_token
    if not token:
        raise WebhookUnknownError
    if not same(token, verification_token):
        raise WebhookRefusedError
    return Answer({"challenge": challenge})


@router.post("/{provider}", status_code=204, response_class=Response)
async def signed(request: Request, provider: str) -> Response:
    """An event of a vendor that signs: Google Health, Oura, Terra."""
    secrets, vendor = _secrets(request), _vendor(provider)
    if vendor not in SIGNED or not secrets.of(vendor):
        raise WebhookUnknownError
    body = await _body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    handshake = is_handshake(vendor, secrets, headers, body)
    if handshake == "accepted":
        return Response(status_code=200)
    now: datetime = request.app.state.settings.clock()
    if handshake == "refused" or not verify(vendor, secrets, headers, body, now):
        raise WebhookRefusedError
    return await _stored(request, vendor, body)


@router.post("/{provider}/{secret}", status_code=204, response_class=Response)
async def unsigned(request: Request, provider: str, secret: str) -> Response:
    """An event of a vendor that signs nothing: Withings, Garmin."""
    vendor = _known(request, provider, secret)
    body = await _body(request)
    return await _stored(request, vendor, body) if body else Response(status_code=204)


@router.head("/{provider}/{secret}", response_class=Response)
async def probe(request: Request, provider: str, secret: str) -> Response:
    """Withings looks whether the address is there before it notifies it."""
    _known(request, provider, secret)
    return Response(status_code=200)


def _secrets(request: Request) -> WebhookSecrets:
    secrets: SecretsNow = request.app.state.settings.webhook_secrets
    return secrets()


def _vendor(name: str) -> Provider:
    try:
        return Provider(name.replace("-", "_"))
    except ValueError:
        raise WebhookUnknownError from None


def _known(request: Request, provider: str, secret: str) -> Provider:
    vendor = _vendor(provider)
    if not path_secret(vendor, _secrets(request), secret):
        raise WebhookUnknownError
    return vendor


async def _body(request: Request) -> bytes:
    """The body; nothing past the limit is read, and nobody may take their time."""
    most: int = request.app.state.settings.webhook_most_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise WebhookTooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise WebhookTooLargeError
    except TimeoutError:
        raise WebhookSlowError from None
    return bytes(body)


async def _stored(request: Request, vendor: Provider, body: bytes) -> Response:
    """Acknowledge what is committed, and nothing else."""
    inbox: Inbox = request.app.state.inbox
    await run_in_threadpool(inbox.add, vendor, body)
    return Response(status_code=204)
