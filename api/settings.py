"""What the API is built from; `api.app.from_environment` fills it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from providers.webhooks import WebhookSecrets
from vitalcast.settings import Settings

SECRET_BYTES = 32


def utc_now() -> datetime:
    """The clock that pages and tokens go by."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """What the application needs of the settings.

    `forecast_age_s`: so long a forecast may be answered again without asking the database.

    `vendors`: what linking accounts needs; without it none can be linked here.

    `metrics_token`: who sends it may read the metrics; empty = only who is signed in.

    `log_store`: whether events are delivered to one.

    `webhook_secrets`: asked with each webhook, since Google's keys change.
    """

    database_url: str
    secret_key: str
    token_minutes: int = 60
    login_attempts: int = 5
    login_window_s: int = 300
    forecast_age_s: float = 2.0
    vendors: Settings | None = None
    webhook_secrets: Callable[[], WebhookSecrets] = WebhookSecrets
    webhook_most_bytes: int = 10 * 2**20
    metrics_token: str = field(default="", repr=False)
    log_store: bool = False
    clock: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        if len(self.secret_key.encode()) < SECRET_BYTES:
            raise ValueError(
                f"the secret key needs at least {SECRET_BYTES} bytes: set VITALCAST_SECRET_KEY, "
                "for example to the output of `openssl rand -hex 32`"
            )
