"""Whose account a consent is for, and how it ends at the vendor."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.catalogue import CATALOGUE, Endpoints, oauth_config, sandbox_endpoints
from providers.errors import (
    ClientRefused,
    NotLinked,
    ReauthorisationRequired,
    SchemaError,
    TransportError,
)
from providers.identity import Account, account_of
from providers.oauth import TokenSet, exchange_code, refresh
from providers.observation import Provider
from providers.revocation import revoke
from tests.reference.sandbox_user import REDIRECT, SandboxUser, sandbox_user

from .conftest import Desk, Reply, Unlimited

SUBJECTS = {Provider.WITHINGS: "demo-01", Provider.GOOGLE_HEALTH: "demo-04",
            Provider.OURA: "demo-07"}


@pytest.fixture
def user() -> Iterator[SandboxUser]:
    with sandbox_user() as found:
        yield found


def connected(user: SandboxUser, provider: Provider, **consent: str) -> tuple[Any, TokenSet]:
    """The application's settings at the sandbox, and what a patient granted it."""
    config = oauth_config(provider, sandbox_endpoints(provider, user.root),
                          user.settings.client_id, user.settings.client_secret, REDIRECT)
    return config, exchange_code(config, user.code(provider, SUBJECTS[provider], **consent))


@pytest.mark.parametrize(("provider", "account"), [
    (Provider.WITHINGS, Account(user_id="10000001")),
    (Provider.GOOGLE_HEALTH, Account(user_id=f"{10000004:019d}", legacy_id="SB0004"))])
def test_the_vendor_tells_whose_account_it_is(
        user: SandboxUser, provider: Provider, account: Account) -> None:
    _, tokens = connected(user, provider)
    endpoints = sandbox_endpoints(provider, user.root)
    assert account_of(provider, endpoints, tokens, Unlimited()) == account


def test_oura_tells_the_same_id_each_time(user: SandboxUser) -> None:
    endpoints = sandbox_endpoints(Provider.OURA, user.root)
    found = {account_of(Provider.OURA, endpoints, connected(user, Provider.OURA)[1],
                        Unlimited()).user_id for _ in range(2)}
    assert len(found) == 1
    assert None not in found


@pytest.mark.parametrize("provider", [Provider.GOOGLE_HEALTH, Provider.OURA])
def test_without_its_scope_the_account_stays_unknown(
        user: SandboxUser, provider: Provider) -> None:
    scope = list(CATALOGUE[provider].scopes)[1]
    _, tokens = connected(user, provider, scope=scope)
    endpoints = sandbox_endpoints(provider, user.root)
    assert account_of(provider, endpoints, tokens, Unlimited()) == Account()


@pytest.mark.parametrize(("reply", "error"), [
    (Reply([]), SchemaError), (Reply({"legacyUserId": "X"}), SchemaError),
    (Reply({"error": {"code": 400, "status": "FAILED_PRECONDITION", "details": [
        {"reason": "ACCOUNT_NOT_LINKED"}]}}, status=400), NotLinked)])
def test_an_answer_without_an_id_is_no_account(
        desk: Desk, user: SandboxUser, reply: Reply, error: type[Exception]) -> None:
    _, tokens = connected(user, Provider.GOOGLE_HEALTH)
    desk.vendor.replies = [reply]
    endpoints = Endpoints(api=desk.vendor.url, authorise="", token="")
    with pytest.raises(error):
        account_of(Provider.GOOGLE_HEALTH, endpoints, tokens, Unlimited())


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_consent_is_ended_at_the_vendor(user: SandboxUser, provider: Provider) -> None:
    config, tokens = connected(user, provider, access_type="offline")
    for _ in range(2):                                  # the second time it is ended already
        assert revoke(config, tokens, tokens.provider_user_id)
    with pytest.raises(ReauthorisationRequired):
        refresh(config, tokens.refresh_token)


def test_withings_must_be_told_whose_consent_it_is(user: SandboxUser) -> None:
    config, tokens = connected(user, Provider.WITHINGS)
    assert not revoke(config, tokens, None)
    assert refresh(config, tokens.refresh_token)


def test_a_wrong_signature_ends_nothing_at_withings(user: SandboxUser) -> None:
    config, tokens = connected(user, Provider.WITHINGS)
    with pytest.raises(ClientRefused):
        revoke(replace(config, client_secret="guess"), tokens, tokens.provider_user_id)
    assert refresh(config, tokens.refresh_token)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_a_vendor_that_is_gone_cannot_be_told(provider: Provider) -> None:
    config = oauth_config(provider, sandbox_endpoints(provider, "http://127.0.0.1:9"),
                          "id", "s3cret", REDIRECT)
    tokens = TokenSet(access_token="s3cret-access", refresh_token="s3cret-refresh",
                      expires_at=datetime(2026, 11, 21, tzinfo=UTC))
    with pytest.raises(TransportError) as told:
        revoke(config, tokens, "u1")
    assert "s3cret" not in str(told.value)
