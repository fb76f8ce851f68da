"""A webhook is believed when its vendor signed these very bytes."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.observation import Provider
from providers.webhooks import WebhookSecrets, is_handshake, path_secret, verify
from providers.webhooks.tink import KeysetInvalid, parse_keyset, signed
from tests.reference.webhooks import GoogleSigner, oura_headers, terra_headers

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
BODY = b'{"data": {"dataType": "heart-rate"}}'
SIGNER = GoogleSigner()
SECRETS = WebhookSecrets(
    google_health="Bearer g", google_keys=parse_keyset(SIGNER.keyset()), oura="o", terra="t",
    withings="w" * 16, garmin="g" * 16)


def google(body: bytes, **headers: str) -> bool:
    return verify(Provider.GOOGLE_HEALTH, SECRETS, headers, body, NOW)


@pytest.mark.parametrize("name", ["google-health-api-signature", "x-healthapi-signature"])
def test_google_is_believed_by_its_signature(name: str) -> None:
    signature = SIGNER.signature(BODY)
    assert google(BODY, **{name: signature})
    assert google(BODY, **{name: signature, "authorization": "Bearer g"})
    assert not google(BODY, **{name: signature, "authorization": "Bearer h"})
    assert not google(BODY + b" ", **{name: signature})
    assert not google(BODY, authorization="Bearer g")


def test_only_a_key_of_the_set_signs() -> None:
    other = GoogleSigner(key_id=SIGNER.key_id)
    assert not google(BODY, **{"x-healthapi-signature": other.signature(BODY)})
    stranger = GoogleSigner(key_id=1)
    assert not google(BODY, **{"x-healthapi-signature": stranger.signature(BODY)})


@given(st.binary(max_size=100).map(lambda raw: base64.b64encode(raw).decode()) | st.text())
def test_no_other_text_is_a_signature(text: str) -> None:
    assert not signed(SECRETS.google_keys, text, BODY)


def test_a_signature_of_another_prefix_is_refused() -> None:
    raw = base64.b64decode(SIGNER.signature(BODY))
    assert not signed(SECRETS.google_keys, base64.b64encode(b"\0" + raw[1:]).decode(), BODY)


def test_keys_that_are_off_do_not_count() -> None:
    off = GoogleSigner(key_id=7)
    keys = parse_keyset(json.dumps({"key": [off.entry("DISABLED"), SIGNER.entry()]}))
    assert set(keys) == {SIGNER.key_id}
    with pytest.raises(KeysetInvalid):
        parse_keyset(json.dumps({"key": [off.entry("DISABLED")]}))


@pytest.mark.parametrize("params", [b"\x08\x04\x10\x02\x18\x02", b"\x08\x03\x10\x03\x18\x02",
                                    b"\x08\x03\x10\x02\x18\x01"])
def test_keys_of_another_kind_are_refused(params: bytes) -> None:
    with pytest.raises(KeysetInvalid):
        parse_keyset(json.dumps({"key": [SIGNER.entry(params=params)]}))


@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b'{"key": [1]}', b'{"key": {}}']))
def test_what_is_no_keyset_is_refused(text: bytes) -> None:
    with pytest.raises(KeysetInvalid):
        parse_keyset(text)


def test_a_damaged_key_is_refused() -> None:
    for cut in (1, 9, 30, 60):
        entry = SIGNER.entry()
        value = base64.b64decode(entry["keyData"]["value"])[:-cut]
        entry["keyData"]["value"] = base64.b64encode(value).decode()
        with pytest.raises(KeysetInvalid):
            parse_keyset(json.dumps({"key": [entry]}))


def test_googles_handshake_is_told_from_events() -> None:
    def asked(body: bytes, **headers: str) -> str | None:
        return is_handshake(Provider.GOOGLE_HEALTH, SECRETS, headers, body)

    assert asked(b'{"type":"verification"}', authorization="Bearer g") == "accepted"
    assert asked(b'{"type":"verification"}', authorization="Bearer") == "refused"
    assert asked(b'{"type":"verification"}') == "refused"
    assert asked(BODY, authorization="Bearer g") is None
    assert is_handshake(Provider.TERRA, SECRETS, {}, b'{"type":"verification"}') is None


def test_oura_is_believed_by_timestamp_and_body() -> None:
    def oura(headers: dict[str, str], body: bytes = BODY) -> bool:
        return verify(Provider.OURA, SECRETS, headers, body, NOW)

    good = oura_headers("o", BODY)
    assert oura(good)
    assert not oura(good, BODY + b" ")
    assert not oura({**good, "x-oura-timestamp": "1786000001"})
    assert not oura(oura_headers("other", BODY))
    assert not oura(oura_headers("o", BODY, stamp=""))
    assert not oura({"x-oura-timestamp": "1786000000"})
    assert not oura({**good, "x-oura-signature": "ÿ" * 64})


def test_terra_is_believed_for_five_minutes() -> None:
    def terra(headers: dict[str, str], body: bytes = BODY) -> bool:
        return verify(Provider.TERRA, SECRETS, headers, body, NOW)

    for age, believed in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
        stamp = int((NOW - timedelta(seconds=age)).timestamp())
        assert terra(terra_headers("t", BODY, stamp)) is believed
    stamp = int(NOW.timestamp())
    good = terra_headers("t", BODY, stamp)["terra-signature"]
    assert terra({"terra-signature": good.replace(",", ",v1=00,v0=1,")})
    assert not terra({"terra-signature": good}, BODY + b" ")
    assert not terra(terra_headers("other", BODY, stamp))
    for odd in ("", "t=,v1=", good.replace("t=", "t=1,t="), good.replace("t=", "t=x"),
                good.partition(",")[0], "t=" + "9" * 5000):
        assert not terra({"terra-signature": odd})


def test_the_unsigned_are_known_by_their_address() -> None:
    assert path_secret(Provider.WITHINGS, SECRETS, "w" * 16)
    assert not path_secret(Provider.WITHINGS, SECRETS, "g" * 16)
    assert not path_secret(Provider.TERRA, SECRETS, "t")
    assert not path_secret(Provider.GARMIN, WebhookSecrets(), "")


def test_what_is_not_set_up_is_never_believed() -> None:
    nothing = WebhookSecrets()
    for provider, headers in (
            (Provider.OURA, oura_headers("", BODY)),
            (Provider.TERRA, terra_headers("", BODY, int(NOW.timestamp()))),
            (Provider.GOOGLE_HEALTH, {"authorization": ""})):
        assert not verify(provider, nothing, headers, BODY, NOW)
    assert not WebhookSecrets(google_health="g").of(Provider.GOOGLE_HEALTH)


def test_secrets_do_not_show_in_repr() -> None:
    assert "Bearer" not in repr(SECRETS) and "www" not in repr(SECRETS)
