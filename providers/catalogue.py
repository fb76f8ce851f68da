"""The one table of vendors that can be asked, and what is built from it: clients, limits, OAuth.

Addresses, limits and scopes are the vendors' own by default; settings and the sandbox give others.
"""

from collections.abc import Mapping

from providers.breaker import Breaker
from providers.fetching import Client
from providers.http import Patience, Session, Timeouts, TokenSource
from providers.limits import InProcessLimiter, Limiter, RateLimit
from providers.oauth import OAuthConfig
from providers.observation import Provider
from providers.vendor import Endpoints, Entry, vendors

__all__ = ["CATALOGUE", "Endpoints", "Entry", "make_client", "make_limiter", "oauth_config",
           "sandbox_endpoints"]

CATALOGUE: Mapping[Provider, Entry] = vendors()


def sandbox_endpoints(provider: Provider, root: str) -> Endpoints:
    """Where the sandbox at `root` plays this vendor."""
    base = f"{root.rstrip('/')}/{provider.value}"
    entry = CATALOGUE[provider]
    return Endpoints(api=base, authorise=f"{base}/authorize", token=base + entry.sandbox_token_path,
                     revoke=base + entry.sandbox_revoke_path if entry.sandbox_revoke_path else None)


def make_limiter(provider: Provider, limit: RateLimit | None = None) -> Limiter:
    """A limiter of this process; share one among all clients of the vendor."""
    return InProcessLimiter(limit or CATALOGUE[provider].limit)


def make_client(provider: Provider, *, endpoints: Endpoints, tokens: TokenSource,
                limiter: Limiter, account: str, resources: tuple[str, ...] | None = None,
                timeouts: Timeouts | None = None, patience: Patience | None = None,
                breaker: Breaker | None = None) -> Client:
    """A client for one account; `account` (a connection id) is what limits per account count by.

    Clients of one vendor share the limiter, and the breaker where one is given.

    Raises ValueError for a resource that the vendor does not have.
    """
    entry = CATALOGUE[provider]
    session = Session(base_url=endpoints.api, tokens=tokens, limiter=limiter, judge=entry.judge,
                      account=account, timeouts=timeouts, patience=patience, breaker=breaker)
    return entry.client(session, entry.resources if resources is None else resources)


def oauth_config(provider: Provider, endpoints: Endpoints, client_id: str, client_secret: str,
                 redirect_uri: str, scopes: tuple[str, ...] | None = None) -> OAuthConfig:
    """The application's OAuth settings; `scopes` replaces the default ones."""
    entry = CATALOGUE[provider]
    return OAuthConfig(
        provider=provider, authorise_url=endpoints.authorise, token_url=endpoints.token,
        client_id=client_id, client_secret=client_secret, scopes=scopes or tuple(entry.scopes),
        redirect_uri=redirect_uri, pkce=entry.pkce, revoke_url=endpoints.revoke)
