"""What Prometheus scrapes. For operators and services, and for the token of the settings."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.exposition import choose_encoder

from api.errors import NotAllowedError
from api.metrics import ServerMetrics
from api.security import Role, signed_in

router = APIRouter(tags=["health"])


async def scraper(request: Request) -> None:
    """Whoever holds the setting's token, or is signed in as an operator or a service."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given if scheme.lower() == "bearer" else ""
    own: str = request.app.state.settings.metrics_token
    if own and secrets.compare_digest(given.encode(), own.encode()):
        return
    if (await signed_in(request, given)).role is Role.DOCTOR:
        raise NotAllowedError("metrics are for operators, services and whoever holds "
                              "VITALCAST_METRICS_TOKEN")


@router.get("/metrics", response_class=Response)
def metrics(request: Request, _: Annotated[None, Depends(scraper)]) -> Response:
    """This server's requests and the jobs' figures, in Prometheus' text or OpenMetrics."""
    found: ServerMetrics = request.app.state.metrics
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(found.registry), media_type=content_type)
