"""What the API is built from; `api.app.from_environment` fills it in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

SECRET_BYTES = 32


def utc_now() -> datetime:
    """The clock that pages and tokens go by."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`cookie_secure` belongs on wherever the pages are served over TLS."""

    database_url: str
    secret_key: str
    token_minutes: int = 60
    cookie_secure: bool = False
    login_attempts: int = 5
    login_window_s: int = 300
    clock: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        if len(self.secret_key.encode()) < SECRET_BYTES:
            raise ValueError(
                f"the secret key needs at least {SECRET_BYTES} bytes: set VITALCAST_SECRET_KEY, "
                "for example to the output of `openssl rand -hex 32`"
            )
