"""What settings come to: limits, and what is missing."""

import pytest

from providers.catalogue import CATALOGUE
from providers.limits import RateLimit
from providers.observation import Provider
from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.wiring import client_of, open_system, rate_limit


def settings(**given: str) -> Settings:
    return Settings(rate_limits=given, database_url="", token_keys="")


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_the_vendors_own_limit_holds_by_default(provider: Provider) -> None:
    assert rate_limit(settings(), provider) == CATALOGUE[provider].limit


def test_a_given_limit_counts_as_the_vendor_counts() -> None:
    given = settings(google_health="10/2.5", withings="7/60")
    assert rate_limit(given, Provider.GOOGLE_HEALTH) == RateLimit(
        calls=10, period_s=2.5, per="account")
    assert rate_limit(given, Provider.WITHINGS) == RateLimit(calls=7, period_s=60)
    assert rate_limit(given, Provider.OURA) == CATALOGUE[Provider.OURA].limit


@pytest.mark.parametrize("text", ["", "120", "120/", "many/60", "0/60", "120/0", "1/2/3"])
def test_a_limit_that_is_none_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UserError, match=r"VITALCAST_RATE_LIMITS.*write 120/60"):
        rate_limit(settings(withings=text), Provider.WITHINGS)


def test_each_vendor_may_know_us_as_another_client() -> None:
    given = Settings(clients={"oura": "ring:se:cret"}, client_id="all", client_secret="one")
    assert client_of(given, Provider.OURA) == ("ring", "se:cret")
    assert client_of(given, Provider.WITHINGS) == ("all", "one")


@pytest.mark.parametrize("text", ["", "mute", ":mute", "id:"])
def test_a_client_without_id_or_secret_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"VITALCAST_CLIENTS.*oura is not id:secret") as told:
        client_of(Settings(clients={"oura": text}), Provider.OURA)
    assert "mute" not in str(told.value)


def test_a_limit_for_an_unknown_provider_is_refused() -> None:
    limits = settings(fitbit="1/60").model_copy(update={"database_url": "postgresql://h/db"})
    with pytest.raises(UserError, match="no such provider: fitbit; known are withings"):
        open_system(limits)


def test_without_a_database_the_message_says_what_to_set() -> None:
    with pytest.raises(UserError, match="VITALCAST_DATABASE_URL"):
        open_system(Settings(database_url="", token_keys="key"))


def test_without_a_key_for_tokens_the_message_says_what_to_set() -> None:
    with pytest.raises(UserError, match="VITALCAST_TOKEN_KEYS"):
        open_system(Settings(database_url="postgresql://127.0.0.1:1/x", token_keys=""))
