"""The one table of providers: where they are, how often they may be asked, what they measure.

Addresses, limits and scopes are the vendors' own by default; settings and the sandbox give others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clinical.vitals import Vital
from providers import google_health, oura, withings
from providers.breaker import Breaker
from providers.fetching import Client, VendorClient
from providers.http import Judge, Patience, Session, Timeouts, TokenSource
from providers.limits import InProcessLimiter, Limiter, RateLimit
from providers.measures import COVERED, Coverage
from providers.oauth import OAuthConfig
from providers.observation import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Base address of the API, the page of consent, where tokens are handed out, where they end.

    Without `revoke` a consent can be ended at the vendor by the patient alone.
    """

    api: str
    authorise: str
    token: str
    revoke: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is fixed about one vendor."""

    endpoints: Endpoints
    limit: RateLimit
    scopes: Mapping[str, tuple[Vital, ...]]
    """What is asked for, and the vitals read with it; none: identity, last sync, wear."""
    coverage: Mapping[Vital, Coverage]
    client: Callable[[Session, tuple[str, ...]], VendorClient]
    judge: Judge
    resources: tuple[str, ...]
    pkce: bool
    sandbox_token_path: str
    sandbox_revoke_path: str | None = None


_GOOGLE_SCOPE = "https://www.googleapis.com/auth/googlehealth.{}.readonly"


CATALOGUE: dict[Provider, Entry] = {
    Provider.WITHINGS: Entry(
        endpoints=Endpoints(
            api="https://wbsapi.withings.net",
            authorise="https://account.withings.com/oauth2_user/authorize2",
            token="https://wbsapi.withings.net/v2/oauth2",
            revoke="https://wbsapi.withings.net/v2/oauth2"),
        limit=RateLimit(calls=120, period_s=60),
        scopes={
            "user.info": (),
            "user.metrics": (Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP,
                             Vital.BODY_TEMPERATURE, Vital.SKIN_TEMPERATURE, Vital.SPO2),
            "user.activity": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2)},
        coverage=COVERED[Provider.WITHINGS],
        client=withings.WithingsClient, judge=withings.judge, resources=withings.RESOURCES,
        pkce=False, sandbox_token_path="/v2/oauth2",
        sandbox_revoke_path="/v2/oauth2",
    ),
    Provider.GOOGLE_HEALTH: Entry(
        endpoints=Endpoints(
            api="https://health.googleapis.com",
            authorise="https://accounts.google.com/o/oauth2/v2/auth",
            token="https://oauth2.googleapis.com/token",
            revoke="https://oauth2.googleapis.com/revoke"),
        limit=RateLimit(calls=300, period_s=60, per="account"),
        scopes={
            _GOOGLE_SCOPE.format("health_metrics_and_measurements"): (
                Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.BODY_TEMPERATURE, Vital.SPO2,
                Vital.RESTING_HEART_RATE),
            _GOOGLE_SCOPE.format("sleep"): (Vital.SKIN_TEMPERATURE,),
            _GOOGLE_SCOPE.format("activity_and_fitness"): (),
            _GOOGLE_SCOPE.format("settings"): (), _GOOGLE_SCOPE.format("profile"): ()},
        coverage=COVERED[Provider.GOOGLE_HEALTH],
        client=google_health.GoogleHealthClient, judge=google_health.judge,
        resources=google_health.RESOURCES, pkce=True, sandbox_token_path="/token",
        sandbox_revoke_path="/revoke",
    ),
    Provider.OURA: Entry(
        endpoints=Endpoints(
            api="https://api.ouraring.com",
            authorise="https://cloud.ouraring.com/oauth/authorize",
            token="https://api.ouraring.com/oauth/token",
            revoke="https://api.ouraring.com/oauth/revoke"),
        limit=RateLimit(calls=5000, period_s=300),
        scopes={
            "daily": (Vital.RESPIRATORY_RATE, Vital.SKIN_TEMPERATURE_DEVIATION),
            "heartrate": (Vital.HEART_RATE,), "spo2": (Vital.SPO2,), "personal": ()},
        coverage=COVERED[Provider.OURA],
        client=oura.OuraClient, judge=oura.judge, resources=oura.RESOURCES,
        pkce=False, sandbox_token_path="/oauth/token", sandbox_revoke_path="/oauth/revoke",
    ),
}


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
