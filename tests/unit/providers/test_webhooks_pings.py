"""Which addresses of a ping are asked, how, and what of their answers is taken."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from providers.errors import (
    ProviderError,
    RateLimited,
    RequestRejected,
    SchemaError,
    TokenRejected,
    TransportError,
    VendorUnavailable,
)
from providers.webhooks import EventRefused, Pull, Push, pings
from providers.webhooks.pings import PublicOnly, follow, is_public, require_allowed
from tests.unit.providers.conftest import Reply, Vendor

GARMIN = ["*.garmin.com"]


def pull(address: str) -> Pull:
    return Pull(account="u", name="dailies", address=address)


@pytest.mark.parametrize("address", [
    "https://apis.garmin.com/wellness-api/rest/dailies?token=x", "https://apis.garmin.com",
    "https://healthapi.garmin.com:443/x", "HTTPS://APIS.GARMIN.COM/x"])
def test_garmins_addresses_are_allowed(address: str) -> None:
    require_allowed(pull(address), GARMIN)


@pytest.mark.parametrize("address", [
    "https://169.254.169.254/latest/meta-data", "http://apis.garmin.com/x", "file:///etc/passwd",
    "https://apis.garmin.com.evil.example/x", "https://apis.garmin.com@evil.example/x",
    "https://evil.example/#apis.garmin.com", "https://user@apis.garmin.com/x",
    "https://apis.garmin.com:8443/x", "https://[::1/x", "https://apis.garmin.com:x/", "", "None",
    "https://evilgarmin.com/x", "https://garmin.com.evil.example", "https://[::1]/x",
    "https://evil.example\\@apis.garmin.com/x", "https://apis.garmin.com/\\x", "//apis.garmin.com",
    "https://apis.garmin.com/x\r\nHost: evil.example", "https://аpis.garmin.com/x",
    " https://apis.garmin.com/x", "https://apis.garmin.com?x", "https://127.0.0.1/x"])
def test_no_other_address_is_asked(address: str, vendor: Vendor) -> None:
    with pytest.raises(EventRefused, match="not Garmin's"):
        follow(pull(address), [*GARMIN, vendor.url])
    assert vendor.asked == []


def test_an_origin_is_that_scheme_host_and_port_alone() -> None:
    require_allowed(pull("http://127.0.0.1:8080/x"), ["http://127.0.0.1:8080"])
    for other in ("http://127.0.0.1:8081/x", "https://127.0.0.1:8080/x", "http://127.0.0.1/x"):
        with pytest.raises(EventRefused):
            require_allowed(pull(other), ["http://127.0.0.1:8080"])


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "224.0.0.1", "ff02::1"])
def test_a_private_address_is_none_of_garmins(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert is_public("104.18.0.1") and is_public("2606:4700::1")


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes], threading.Thread]]:
    """A port on loopback, and what anybody sent to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def listen() -> None:
            other, _ = server.accept()
            with other:
                other.settimeout(10)
                heard.append(other.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], heard, thread
        thread.join()


def test_a_name_that_leads_to_a_private_address_gets_not_a_byte(
        listener: tuple[int, list[bytes], threading.Thread]) -> None:
    port, heard, listening = listener
    with requests.Session() as session:
        session.mount("https://", PublicOnly())
        with pytest.raises(EventRefused, match="private network"):
            session.get(f"https://localhost:{port}/x", timeout=10)
    listening.join(10)
    assert heard == [b""]


def test_what_an_address_holds_is_as_if_it_had_been_pushed(vendor: Vendor) -> None:
    records = [{"summaryId": "1", "userId": "u"}, {"summaryId": "2"}]
    vendor.replies = [Reply(document=records)]
    found = follow(pull(f"{vendor.url}/rest?token=t"), [vendor.url])
    assert isinstance(found, Push) and found.account == "u"
    assert json.loads(found.body) == {"dailies": records}
    [asked] = vendor.asked
    assert (asked.method, asked.fields, asked.authorization, asked.cookie) == (
        "GET", {"token": "t"}, None, None)


@pytest.mark.parametrize(("reply", "error"), [
    (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), RequestRejected),
    (Reply(status=401), TokenRejected), (Reply(status=429), RateLimited),
    (Reply(status=500), VendorUnavailable), (Reply(body=b"[{"), TransportError),
    (Reply(document=[], cut=True), TransportError), (Reply(document={}), SchemaError),
    (Reply(document=[1]), SchemaError), (Reply(document=[{"userId": "v"}]), EventRefused),
    (Reply(document=["x" * 200]), SchemaError)])
def test_what_is_no_good_answer_is_told_without_the_token(
        vendor: Vendor, monkeypatch: pytest.MonkeyPatch, reply: Reply,
        error: type[Exception]) -> None:
    monkeypatch.setattr(pings, "MOST_BYTES", 100)
    vendor.replies = [reply]
    with pytest.raises(error) as told:
        follow(pull(f"{vendor.url}/rest?token=hush"), [vendor.url])
    assert "hush" not in str(told.value) and "rest" not in str(told.value)
    assert len(vendor.asked) == 1


def test_an_answer_that_drips_is_given_up(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pings, "LONGEST_S", -1.0)
    vendor.replies = [Reply(document=[])]
    with pytest.raises(TransportError, match="took longer"):
        follow(pull(f"{vendor.url}/rest"), [vendor.url])


def test_a_netrc_and_a_proxy_of_the_machine_are_left_out(
        vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    vendor.replies = [Reply(document=[])]
    assert follow(pull(f"{vendor.url}/rest"), [vendor.url]).body == b'{"dailies":[]}'


def test_nobody_there_is_told_without_the_address() -> None:
    with pytest.raises(ProviderError) as told:
        follow(pull("http://127.0.0.1:1/rest?token=hush"), ["http://127.0.0.1:1"])
    assert "127.0.0.1" not in str(told.value)
