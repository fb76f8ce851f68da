"""The HTTP door: `create_app` builds it from settings, `from_environment` for uvicorn.

    uvicorn api.app:from_environment --factory
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import problems
from api.access_log import keep_codes_out
from api.cache import BriefCache
from api.headers import SecurityHeaders
from api.metrics import CountRequests, ServerMetrics
from api.pages.render import STATIC_FOLDER
from api.routes import (
    connections,
    coverage,
    cycles,
    drift,
    health,
    metrics,
    models,
    pages,
    patients,
    quality,
    quarantine,
    runs,
    session,
    webhooks,
)
from api.security import Logins, Tokens
from api.sessions import SignIns
from api.settings import ApiSettings
from api.throttle import LoginThrottle
from registry.metrics import Metrics
from registry.people import People
from registry.reading import open_reading
from registry.sessions import Sessions
from registry.webhooks import Inbox
from vitalcast.errors import UserError
from vitalcast.linking import Linking
from vitalcast.settings import load_settings
from vitalcast.webhook_secrets import SecretsOf

RECENT_FORECASTS = 4096   # about 5 kB each

DESCRIPTION = """Forecasts and self-explaining severity scores from wearable vitals.

Sign in with `POST /v1/token`. Times are UTC, units are UCUM. Errors are RFC 9457 problems whose
`detail` says what to do. An adjunct for review by a qualified practitioner; not for diagnosis, not
an alarm."""


def create_app(settings: ApiSettings) -> FastAPI:
    """The whole application; connects to the database at the first question."""
    app = FastAPI(
        title="vitalcast", version="1", description=DESCRIPTION, lifespan=_lifespan,
        docs_url=None, redoc_url=None,
    )
    keep_codes_out()
    reading = open_reading(settings.database_url)
    throttle = LoginThrottle(attempts=settings.login_attempts, window_s=settings.login_window_s,
                             clock=settings.clock)
    app.state.settings = settings
    app.state.reading = reading
    app.state.recent_forecasts = BriefCache[bytes](
        seconds=settings.forecast_age_s, size=RECENT_FORECASTS, clock=time.monotonic)
    app.state.people = People(settings.database_url)
    app.state.inbox = Inbox(settings.database_url)
    app.state.linking = Linking(settings.vendors)
    app.state.figures = Metrics(settings.database_url, delivering=settings.log_store)
    app.state.metrics = ServerMetrics(app.state.figures)
    app.state.tokens = Tokens(secret=settings.secret_key, minutes=settings.token_minutes,
                              clock=settings.clock)
    app.state.sessions = Sessions(settings.database_url)
    app.state.sign_ins = SignIns(app.state.tokens, app.state.sessions)
    app.state.logins = Logins(reading, throttle)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountRequests, metrics=app.state.metrics)
    problems.install(app)
    for room in (health, metrics, session, patients, coverage, connections, webhooks, models,
                 quarantine, drift, runs, cycles, quality, pages):
        app.include_router(room.router)
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    return app


def from_environment() -> FastAPI:
    """The application by `VITALCAST_*`. UserError names the variable that is missing."""
    settings = load_settings()
    for name in ("database_url", "secret_key"):
        if not getattr(settings, name):
            raise UserError(f"VITALCAST_{name.upper()} is not set: set it, or start everything "
                            "with `vitalcast up`")
    return create_app(ApiSettings(
        database_url=settings.database_url, secret_key=settings.secret_key,
        token_minutes=settings.token_minutes, vendors=settings,
        webhook_secrets=SecretsOf(settings), webhook_most_bytes=settings.webhook_most_bytes,
        metrics_token=settings.metrics_token, log_store=bool(settings.elasticsearch_url),
    ))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.reading.close()
    app.state.people.close()
    app.state.sessions.close()
    app.state.inbox.close()
    app.state.linking.close()
    app.state.figures.close()
