"""The webhooks' secrets: settings that cannot work are told, Google's keys may change."""

import os
from pathlib import Path

import pytest

from providers.observation import Provider
from tests.reference.webhooks import GoogleSigner
from vitalcast.errors import UserError
from vitalcast.settings import Settings
from vitalcast.webhook_secrets import SecretsOf


def test_nothing_is_set_up_unless_it_is_said() -> None:
    secrets = SecretsOf(Settings())()
    assert not any(secrets.of(provider) for provider in Provider)


def test_a_secret_in_an_address_must_not_be_guessed() -> None:
    with pytest.raises(UserError, match="VITALCAST_WEBHOOK_GARMIN"):
        SecretsOf(Settings(webhook_garmin="short"))
    assert SecretsOf(Settings(webhook_garmin="g" * 16))().of(Provider.GARMIN) == "g" * 16


def test_googles_secret_and_keyset_need_each_other(tmp_path: Path) -> None:
    keyset = tmp_path / "keyset.json"
    with pytest.raises(UserError, match="set both"):
        SecretsOf(Settings(webhook_google_health="secret"))
    for content in (None, "{}"):
        if content is not None:
            keyset.write_text(content)
        with pytest.raises(UserError, match="cannot be used"):
            SecretsOf(Settings(webhook_google_health="secret",
                               webhook_google_health_keyset=str(keyset)))


def test_a_changed_keyset_is_read_and_a_broken_one_is_not_used(tmp_path: Path) -> None:
    keyset = tmp_path / "keyset.json"
    keyset.write_text(GoogleSigner(key_id=1).keyset())
    secrets = SecretsOf(Settings(webhook_google_health="secret",
                                 webhook_google_health_keyset=str(keyset)))
    for stamp, content, held in ((1, GoogleSigner(key_id=2).keyset(), {2}), (2, "{", {2}),
                                 (3, GoogleSigner(key_id=3).keyset(), {3})):
        keyset.write_text(content)
        os.utime(keyset, (stamp, stamp))
        assert set(secrets().google_keys) == held
    keyset.unlink()
    assert set(secrets().google_keys) == {3}
