"""The only place that builds real things from settings: engine, cipher, vendor clients.

What speaks to vendors is imported when a client is asked for: training and forecasting need none,
and start in half the time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from providers.observation import Provider
from registry.connections import Connection, StoredTokens, TokenCipher
from registry.database import Engine, open_engine
from registry.migrate import require_migrated
from vitalcast.cycle import all_shards
from vitalcast.errors import UserError
from vitalcast.settings import Settings, load_settings

if TYPE_CHECKING:
    from providers.breaker import Breaker
    from providers.catalogue import Endpoints
    from providers.fetching import Client
    from providers.limits import Limiter, RateLimit
    from providers.oauth import OAuthConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What the jobs work with."""

    settings: Settings
    engine: Engine
    cipher: TokenCipher
    limiters: "dict[Provider, Limiter]" = field(default_factory=dict)
    breakers: "dict[Provider, Breaker]" = field(default_factory=dict)

    def shards(self) -> list[str]:
        """The shards of every job, written out."""
        return all_shards(self.settings.shards)

    def client(self, connection: Connection) -> "Client":
        """A client for one connection; all clients of a vendor share its limiter and breaker."""
        from providers.breaker import Breaker
        from providers.catalogue import make_client
        from providers.http import Patience, Timeouts
        from providers.oauth import refresh

        provider = Provider(connection.provider)
        config = self.oauth(provider)
        tokens = StoredTokens(self.engine, self.cipher, connection.connection_id,
                              partial(refresh, config))
        return make_client(provider, endpoints=self.endpoints(provider), tokens=tokens,
                           limiter=self.limiter(provider), account=connection.connection_id,
                           breaker=self.breakers.setdefault(provider, Breaker()),
                           timeouts=Timeouts(read_s=self.settings.vendor_timeout_s),
                           patience=Patience(first_s=self.settings.vendor_wait_s))

    def oauth(self, provider: Provider) -> "OAuthConfig":
        """The application's OAuth settings at a vendor."""
        from providers.catalogue import oauth_config

        client_id, client_secret = client_of(self.settings, provider)
        back = self.settings.redirect_uri.replace("{provider}", provider.value)
        return replace(
            oauth_config(provider, self.endpoints(provider), client_id, client_secret, back),
            timeout_s=self.settings.vendor_timeout_s)

    def endpoints(self, provider: Provider) -> "Endpoints":
        """Where the vendor is: the sandbox, where one is set."""
        from providers.catalogue import CATALOGUE, sandbox_endpoints

        if self.settings.sandbox_url:
            return sandbox_endpoints(provider, self.settings.sandbox_url)
        return CATALOGUE[provider].endpoints

    def limiter(self, provider: Provider) -> "Limiter":
        """The vendor's rate limit, shared with every other worker."""
        from registry.limits import SharedLimiter

        if provider not in self.limiters:
            limit = rate_limit(self.settings, provider)
            self.limiters[provider] = SharedLimiter(self.engine, provider, limit)
        return self.limiters[provider]


def open_system(settings: Settings | None = None) -> System:
    """The system of the settings. UserError or RegistryError when it cannot be opened."""
    settings = settings or load_settings()
    if not settings.database_url:
        raise UserError("no database: set VITALCAST_DATABASE_URL, or use `vitalcast demo`, "
                        "`vitalcast up` or the job commands, which start the embedded one")
    for name, given in (("RATE_LIMITS", settings.rate_limits), ("CLIENTS", settings.clients)):
        if given:
            _require_vendors(name, given)
    if not settings.token_keys:
        raise UserError("no key for vendor tokens: set VITALCAST_TOKEN_KEYS")
    engine = open_engine(settings.database_url)
    require_migrated(engine)
    return System(settings=settings, engine=engine,
                  cipher=TokenCipher(token_keys(settings.token_keys)))


def _require_vendors(name: str, given: Iterable[str]) -> None:
    from providers.catalogue import CATALOGUE

    if unknown := set(given) - CATALOGUE.keys():
        raise UserError(f"VITALCAST_{name}: no such provider: {', '.join(sorted(unknown))}; "
                        f"known are {', '.join(CATALOGUE)}")


def token_keys(text: str) -> list[str]:
    """The Fernet keys of a setting, newest first."""
    return [key.strip() for key in text.split(",") if key.strip()]


def client_of(settings: Settings, provider: Provider) -> tuple[str, str]:
    """The OAuth client's id and secret at a vendor: its own, or the one for all."""
    text = settings.clients.get(provider.value)
    if text is None:
        return settings.client_id, settings.client_secret
    client_id, colon, client_secret = text.partition(":")
    if not (client_id and colon and client_secret):
        raise UserError(f"VITALCAST_CLIENTS: what is given for {provider} is not id:secret")
    return client_id, client_secret


def has_client(settings: Settings, provider: Provider) -> bool:
    """Whether the settings name the application to a vendor; the sandbox knows the default one."""
    default = Settings.model_fields["client_secret"].default
    return bool(settings.sandbox_url or settings.clients.get(provider.value)
                or settings.client_secret != default)


def rate_limit(settings: Settings, provider: Provider) -> "RateLimit":
    """The vendor's own limit, or the one that the settings give as `calls/seconds`."""
    from providers.catalogue import CATALOGUE
    from providers.limits import RateLimit

    vendor = CATALOGUE[provider].limit
    text = settings.rate_limits.get(provider.value)
    if text is None:
        return vendor
    try:
        calls, seconds = text.split("/")
        return RateLimit(calls=int(calls), period_s=float(seconds), per=vendor.per)
    except ValueError as error:
        raise UserError(f"VITALCAST_RATE_LIMITS: {text!r} for {provider} is not calls/seconds: "
                        "write 120/60") from error
