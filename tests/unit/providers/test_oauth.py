"""OAuth over real HTTP, in each vendor's own way."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from providers.catalogue import CATALOGUE, Endpoints, oauth_config
from providers.errors import (
    AuthorisationError,
    ClientRefused,
    ProviderError,
    RateLimited,
    ReauthorisationRequired,
    SchemaError,
    TransportError,
    VendorUnavailable,
)
from providers.oauth import OAuthConfig, authorisation_url, exchange_code, refresh, utc_now
from providers.observation import Provider

from .conftest import Reply, Vendor

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
GRANTED = {"access_token": "ACCESS", "refresh_token": "REFRESH", "expires_in": 3599,
           "scope": "a b", "token_type": "Bearer"}


def now() -> datetime:
    return NOW


def config(vendor: Vendor, provider: Provider) -> OAuthConfig:
    endpoints = Endpoints(api=vendor.url, authorise=f"{vendor.url}/authorize",
                          token=f"{vendor.url}/token")
    return oauth_config(provider, endpoints, "id", "s3cret", "http://127.0.0.1:9/callback")


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def withings(**body: Any) -> Reply:
    return Reply({"status": 0, "body": {"userid": 12345678} | GRANTED | body})


def test_google_is_asked_for_offline_access_with_pkce(vendor: Vendor) -> None:
    asked = authorisation_url(config(vendor, Provider.GOOGLE_HEALTH), "state", login_hint="me")
    told = query(asked.url)
    assert (told["access_type"], told["prompt"]) == ("offline", "consent")
    assert (told["code_challenge_method"], told["login_hint"]) == ("S256", "me")
    assert (told["state"], told["response_type"]) == ("state", "code")
    assert told["scope"].split() == list(CATALOGUE[Provider.GOOGLE_HEALTH].scopes)
    assert asked.code_verifier is not None
    assert asked.code_verifier not in asked.url


def test_withings_scopes_are_separated_by_commas_without_pkce(vendor: Vendor) -> None:
    asked = authorisation_url(config(vendor, Provider.WITHINGS), "state")
    assert query(asked.url)["scope"] == "user.info,user.metrics,user.activity"
    assert asked.code_verifier is None
    assert "code_challenge" not in asked.url


def test_withings_code_is_exchanged_with_an_action_and_an_envelope(
        vendor: Vendor, shared: Path) -> None:
    body = (shared / "fixtures" / "withings" / "token.json").read_bytes()
    vendor.replies = [Reply(orjson.loads(body))]
    tokens = exchange_code(config(vendor, Provider.WITHINGS), "code", now=now)
    assert (tokens.access_token, tokens.refresh_token) == ("ACCESS", "REFRESH")
    assert tokens.expires_at == NOW + timedelta(hours=3)
    assert tokens.scopes == ("user.info", "user.metrics", "user.activity")
    assert tokens.provider_user_id == "12345678"
    [asked] = vendor.asked
    assert asked.fields == {
        "action": "requesttoken", "grant_type": "authorization_code", "code": "code",
        "client_id": "id", "client_secret": "s3cret",
        "redirect_uri": "http://127.0.0.1:9/callback"}


def test_withings_refresh_rotates(vendor: Vendor) -> None:
    vendor.replies = [withings(refresh_token="NEXT")]
    tokens = refresh(config(vendor, Provider.WITHINGS), "REFRESH", now=now)
    assert tokens.refresh_token == "NEXT"
    fields = vendor.asked[0].fields
    assert (fields["action"], fields["grant_type"], fields["refresh_token"]) == (
        "requesttoken", "refresh_token", "REFRESH")
    assert "scope" not in fields


def test_google_leaves_the_refresh_token_out_and_the_old_one_stays(vendor: Vendor) -> None:
    vendor.replies = [Reply({"access_token": "ACCESS", "expires_in": 3599})]
    tokens = refresh(config(vendor, Provider.GOOGLE_HEALTH), "OLD", now=now)
    assert (tokens.refresh_token, tokens.scopes) == ("OLD", ())
    assert tokens.expires_at == NOW + timedelta(seconds=3599)


@pytest.mark.parametrize(("told", "seconds"), [
    (86_400, 86_400), ("86400", 86_400), (None, 3600), (-5, 3600), (float(10**12), 3600),
])
def test_a_rotated_pair_is_kept_whatever_is_told_of_its_life(
    vendor: Vendor, told: object, seconds: float
) -> None:
    vendor.replies = [Reply(GRANTED | {"refresh_token": "NEXT", "expires_in": told})]
    tokens = refresh(config(vendor, Provider.OURA), "OLD", now=now)
    assert tokens.refresh_token == "NEXT"
    assert tokens.expires_at == NOW + timedelta(seconds=seconds)


def test_a_pair_without_a_life_is_kept(vendor: Vendor) -> None:
    vendor.replies = [Reply({"access_token": "ACCESS", "refresh_token": "NEXT"})]
    tokens = refresh(config(vendor, Provider.OURA), "OLD", now=now)
    assert (tokens.refresh_token, tokens.expires_at) == ("NEXT", NOW + timedelta(hours=1))


def test_a_refresh_token_told_as_null_is_the_old_one(vendor: Vendor) -> None:
    vendor.replies = [Reply({"access_token": "ACCESS", "refresh_token": None, "expires_in": 3599})]
    assert refresh(config(vendor, Provider.GOOGLE_HEALTH), "OLD", now=now).refresh_token == "OLD"


def test_the_verifier_goes_with_the_code(vendor: Vendor) -> None:
    vendor.replies = [Reply(GRANTED)]
    tokens = exchange_code(config(vendor, Provider.GOOGLE_HEALTH), "code", "verifier", now=now)
    assert vendor.asked[0].fields["code_verifier"] == "verifier"
    assert tokens.scopes == ("a", "b")


def test_scopes_not_told_at_the_exchange_are_those_asked_for(vendor: Vendor) -> None:
    vendor.replies = [Reply({k: v for k, v in GRANTED.items() if k != "scope"})]
    assert exchange_code(config(vendor, Provider.OURA), "code").scopes == (
        "daily", "heartrate", "spo2", "personal")


@pytest.mark.parametrize(("provider", "reply", "error"), [
    (Provider.OURA, Reply({"error": "invalid_grant"}, status=400), ReauthorisationRequired),
    (Provider.GOOGLE_HEALTH, Reply({"error": "invalid_client"}, status=401), ClientRefused),
    (Provider.OURA, Reply({"error": "invalid_request"}, status=400), AuthorisationError),
    (Provider.OURA, Reply({}, status=429), RateLimited),
    (Provider.OURA, Reply({}, status=503), VendorUnavailable),
    (Provider.OURA, Reply(body=b"<html>", status=200), SchemaError),
    (Provider.OURA, Reply(body=b"<html>", status=403), TransportError),
    (Provider.OURA, Reply({"detail": "x"}, status=200), SchemaError),
    (Provider.OURA, Reply(GRANTED | {"expires_in": "soon"}), SchemaError),
    (Provider.OURA, Reply(GRANTED | {"access_token": ""}), SchemaError),
    (Provider.OURA, Reply(GRANTED, cut=True), TransportError),
    (Provider.WITHINGS, Reply({"status": 601, "body": {}}), RateLimited),
    (Provider.WITHINGS, Reply({"status": 293, "body": {}}), VendorUnavailable),
    (Provider.WITHINGS, Reply({"status": 0, "body": []}), SchemaError),
    (Provider.WITHINGS, Reply({"status": 0, "body": {}}), SchemaError),
    (Provider.WITHINGS, Reply(body=b"<html>"), SchemaError),
])
def test_a_token_call_that_fails_is_an_error_of_this_room(
        vendor: Vendor, provider: Provider, reply: Reply, error: type[ProviderError]) -> None:
    vendor.replies = [reply]
    with pytest.raises(error) as caught:
        refresh(config(vendor, provider), "R3FRESH")
    assert type(caught.value) is error
    assert "R3FRESH" not in repr(caught.value)
    assert len(vendor.asked) == 1, "a used refresh token must not be sent again"


def test_withings_503_is_a_dead_refresh_token_and_no_outage(vendor: Vendor, shared: Path) -> None:
    body = (shared / "fixtures" / "withings" / "error_503_http200.json").read_bytes()
    vendor.replies = [Reply(body=body)]
    with pytest.raises(ReauthorisationRequired):
        refresh(config(vendor, Provider.WITHINGS), "R3FRESH")


def test_a_token_endpoint_that_is_not_there_is_a_transport_error(vendor: Vendor) -> None:
    endpoints = Endpoints(api="", authorise="", token="http://127.0.0.1:9/token")
    absent = oauth_config(Provider.OURA, endpoints, "id", "s3cret", "http://127.0.0.1:9/")
    with pytest.raises(TransportError):
        refresh(absent, "R3FRESH")


def test_secrets_are_not_shown(vendor: Vendor) -> None:
    vendor.replies = [Reply(GRANTED)]
    one = config(vendor, Provider.GOOGLE_HEALTH)
    shown = repr((one, exchange_code(one, "c0de"), authorisation_url(one, "st4te")))
    assert not any(secret in shown for secret in ("s3cret", "ACCESS", "REFRESH", "st4te"))


def test_the_wall_clock_is_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)
