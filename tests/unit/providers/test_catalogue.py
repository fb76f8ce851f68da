"""The table of providers, and every vendor through the sandbox: consent, fetch, failure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clinical.vitals import Vital
from providers.catalogue import (
    CATALOGUE,
    make_client,
    make_limiter,
    oauth_config,
    sandbox_endpoints,
)
from providers.fetching import Client, FetchRequest, Outcome
from providers.http import Patience, Timeouts
from providers.limits import RateLimit
from providers.measures import COVERED, Coverage
from providers.oauth import OAuthConfig, TokenSet, authorisation_url, exchange_code, refresh
from providers.observation import Provider
from providers.sandbox.cohort import cohort
from providers.sandbox.server import create_app, serving
from providers.sandbox.world import SandboxSettings, World

END = datetime(2026, 11, 21, 6, tzinfo=UTC)
START = END - timedelta(days=4)


class Connection:
    """A patient's consent, kept in memory."""

    def __init__(self, config: OAuthConfig, subject: str) -> None:
        self._config = config
        asked = authorisation_url(config, "state", login_hint=subject)
        answer = requests.get(asked.url, allow_redirects=False, timeout=60)
        told = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert told["state"] == ["state"]
        self.tokens: TokenSet = exchange_code(config, told["code"][0], asked.code_verifier)

    def access_token(self) -> str:
        return self.tokens.access_token

    def refresh(self, stale: str) -> str:
        assert stale == self.tokens.access_token
        self.tokens = refresh(self._config, self.tokens.refresh_token)
        return self.tokens.access_token


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    world = World(cohort(7), now=int(END.timestamp()), anchor=None, state=None,
                  settings=SandboxSettings())
    with serving(create_app(world)) as address:
        yield address


@pytest.fixture(autouse=True)
def faultless(root: str) -> None:
    requests.delete(f"{root}/sandbox/faults", timeout=60)


def fault(root: str, **told: object) -> None:
    requests.post(f"{root}/sandbox/faults", json=told, timeout=60).raise_for_status()


def connect(root: str, provider: Provider, *, read_s: float = 60) -> tuple[Client, Connection]:
    subjects = requests.get(f"{root}/sandbox/subjects", timeout=60).json()
    subject = next(one["subject_id"] for one in subjects if one["provider"] == provider)
    endpoints = sandbox_endpoints(provider, root)
    known = SandboxSettings()
    connection = Connection(oauth_config(provider, endpoints, known.client_id, known.client_secret,
                                         "http://127.0.0.1:9/callback"), subject)
    limiter = make_limiter(provider, RateLimit(calls=100_000, period_s=1))
    return make_client(provider, endpoints=endpoints, tokens=connection, limiter=limiter,
                       account=subject, timeouts=Timeouts(read_s=read_s),
                       patience=Patience(attempts=2, first_s=0.01)), connection


def ask(resource: str, cursor: str | None = None) -> FetchRequest:
    return FetchRequest(resource=resource, start=START, end=END, cursor=cursor)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_every_resource_is_fetched_from_the_sandbox(root: str, provider: Provider) -> None:
    client, _ = connect(root, provider)
    vitals = set()
    for resource in client.resources:
        result = client.fetch(ask(resource))
        assert (result.outcome, result.reason, result.refused) == (Outcome.COMPLETE, None, 0)
        assert result.last_sync is not None
        assert client.fetch(ask(resource)) == result
        again = client.fetch(ask(resource, result.cursor_after))
        assert again.outcome is Outcome.COMPLETE
        vitals |= {one.vital for page in result.pages for one in page.parsed.observations}
    client.close()
    covered = COVERED[provider]
    assert vitals
    assert all(covered[vital] is not Coverage.NONE for vital in vitals)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_an_access_token_that_died_is_renewed_on_the_way(root: str, provider: Provider) -> None:
    client, connection = connect(root, provider)
    granted = connection.tokens
    connection.tokens = TokenSet(access_token="dead", refresh_token=granted.refresh_token,
                                 expires_at=granted.expires_at)
    assert client.fetch(ask(client.resources[0])).outcome is Outcome.COMPLETE
    assert connection.tokens.access_token != "dead"
    client.close()


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_dead_refresh_token_is_told_to_the_connection(root: str, provider: Provider) -> None:
    client, connection = connect(root, provider)
    connection.tokens = TokenSet(access_token="dead", refresh_token="dead", expires_at=END)
    result = client.fetch(ask(client.resources[0]))
    assert (result.outcome, result.status) == (Outcome.FETCH_FAILED, "reauth_required")
    client.close()


@pytest.mark.parametrize(("kind", "outcome"), [
    ("http_429", Outcome.FETCH_FAILED), ("http_500", Outcome.FETCH_FAILED),
    ("truncated_body", Outcome.FETCH_FAILED), ("hang", Outcome.FETCH_FAILED),
    ("changed_schema", Outcome.FORMAT_DISCREPANCY),
])
@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_what_the_sandbox_does_wrong_is_not_taken_for_no_data(
        root: str, provider: Provider, kind: str, outcome: Outcome) -> None:
    client, _ = connect(root, provider, read_s=0.5 if kind == "hang" else 60)
    fault(root, kind=kind, provider=provider.value, retry_after=0, seconds=1)
    for resource in client.resources[:1 if kind == "hang" else None]:
        result = client.fetch(ask(resource))
        if result.outcome is Outcome.COMPLETE:
            assert kind == "changed_schema"
            assert result.received == 0, "nothing there to be changed"
        else:
            assert (result.outcome, result.cursor_after) == (outcome, None)
    client.close()


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_an_empty_page_in_between_loses_nothing(root: str, provider: Provider) -> None:
    client, _ = connect(root, provider)
    [resource, *_] = client.resources
    whole = client.fetch(ask(resource))
    fault(root, kind="empty_page", provider=provider.value, times=2)
    result = client.fetch(ask(resource))
    assert (result.outcome, result.parsed) == (Outcome.COMPLETE, whole.parsed)
    client.close()


def test_unsupported_is_told_for_every_vital() -> None:
    for provider in CATALOGUE:
        assert set(COVERED[provider]) == set(Vital)
    google = COVERED[Provider.GOOGLE_HEALTH]
    assert google[Vital.SYSTOLIC_BP] is Coverage.NONE
    assert COVERED[Provider.OURA][Vital.BODY_TEMPERATURE] is Coverage.NONE


def test_the_vendors_are_spoken_to_by_https() -> None:
    for entry in CATALOGUE.values():
        for address in (entry.endpoints.api, entry.endpoints.authorise, entry.endpoints.token):
            assert address.startswith("https://")
