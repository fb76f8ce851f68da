"""The webhooks' secrets from the settings; Google's keyset is read again when its file changes."""

import logging
from pathlib import Path

from providers.webhooks import WebhookSecrets
from providers.webhooks.tink import Keys, KeysetInvalid, parse_keyset
from vitalcast.errors import UserError
from vitalcast.settings import Settings

SHORTEST_PATH_SECRET = 16

_log = logging.getLogger(__name__)


class SecretsOf:
    """Called for the secrets as they stand. UserError at once for settings that cannot work."""

    def __init__(self, settings: Settings) -> None:
        for name in ("webhook_withings", "webhook_garmin"):
            if 0 < len(getattr(settings, name)) < SHORTEST_PATH_SECRET:
                raise UserError(f"VITALCAST_{name.upper()} can be guessed: use at least "
                                f"{SHORTEST_PATH_SECRET} characters, `openssl rand -hex 16`")
        if bool(settings.webhook_google_health) != bool(settings.webhook_google_health_keyset):
            raise UserError("VITALCAST_WEBHOOK_GOOGLE_HEALTH and "
                            "VITALCAST_WEBHOOK_GOOGLE_HEALTH_KEYSET need each other: set both")
        self._settings = settings
        self._keys: Keys = {}
        self._read_at = 0
        self._file = Path(settings.webhook_google_health_keyset)
        if settings.webhook_google_health_keyset:
            try:
                self._read()
            except (OSError, KeysetInvalid) as error:
                raise UserError(f"{self._file} cannot be used ({type(error).__name__}): save "
                                "Google's webhook keyset there") from error

    def __call__(self) -> WebhookSecrets:
        """The secrets; of a keyset that became unreadable, the keys it held before."""
        if self._keys:
            try:
                self._read()
            except (OSError, KeysetInvalid) as error:
                _log.warning("the webhook keyset cannot be read (%s): the earlier keys hold",
                             type(error).__name__)
        one = self._settings
        return WebhookSecrets(
            google_health=one.webhook_google_health, google_keys=self._keys,
            oura=one.webhook_oura, oura_token=one.webhook_oura_token, terra=one.webhook_terra,
            withings=one.webhook_withings, garmin=one.webhook_garmin)

    def _read(self) -> None:
        changed_at = self._file.stat().st_mtime_ns
        if changed_at != self._read_at:
            self._keys = parse_keyset(self._file.read_bytes())
            self._read_at = changed_at
