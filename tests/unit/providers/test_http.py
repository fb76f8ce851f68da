"""The conversation with a vendor, over real HTTP on loopback."""

import logging
import threading
from typing import Any

import pytest

from providers.errors import (
    ProviderError,
    RateLimited,
    ReauthorisationRequired,
    RequestRejected,
    SchemaError,
    ScopeMissing,
    TokenRejected,
    TransportError,
    VendorUnavailable,
)
from providers.http import Patience, judge_status, retry_after_s
from providers.withings import judge as withings_judge

from .conftest import Desk, Reply, Tokens


def test_a_good_answer_carries_its_bytes_and_its_json(desk: Desk) -> None:
    desk.vendor.replies = [Reply({"a": 1})]
    with desk.session() as session:
        answer = session.get("/v4/x", {"pageSize": "10"})
    assert (answer.status, answer.body, answer.document) == (200, b'{"a": 1}', {"a": 1})
    [asked] = desk.vendor.asked
    assert (asked.method, asked.path, asked.fields) == ("GET", "/v4/x", {"pageSize": "10"})
    assert asked.authorization == "Bearer old"


def test_a_refused_token_is_refreshed_once_and_the_request_repeated(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, status=401), Reply({"ok": True})]
    with desk.session() as session:
        assert session.get("/x", {}).document == {"ok": True}
    assert [asked.authorization for asked in desk.vendor.asked] == ["Bearer old", "Bearer fresh"]
    assert desk.tokens.refreshed == 1


def test_withings_tells_a_refused_token_inside_http_200(desk: Desk) -> None:
    desk.vendor.replies = [Reply({"status": 401, "body": {}}), Reply({"status": 0, "body": {}})]
    with desk.session(withings_judge) as session:
        session.post("/measure", {"action": "getmeas"})
    assert desk.vendor.asked[1].authorization == "Bearer fresh"
    assert desk.vendor.asked[1].fields == {"action": "getmeas"}


def test_a_fresh_token_that_is_refused_too_ends_it(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, status=401)]
    with desk.session() as session, pytest.raises(TokenRejected):
        session.get("/x", {})
    assert len(desk.vendor.asked) == 2


def test_a_dead_refresh_token_asks_for_consent(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, status=401)]
    with desk.session(tokens=Tokens(dead=True)) as session, \
            pytest.raises(ReauthorisationRequired):
        session.get("/x", {})


def test_retry_after_is_honoured(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, status=429, headers={"Retry-After": "7"}), Reply({})]
    with desk.session() as session:
        session.get("/x", {})
    assert desk.slept == [7.0]


def test_a_retry_after_beyond_patience_ends_it_at_once(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, status=429, headers={"Retry-After": "3600"})]
    with desk.session() as session, pytest.raises(RateLimited) as caught:
        session.get("/x", {})
    assert (caught.value.retry_after_s, caught.value.http_status) == (3600, 429)
    assert (len(desk.vendor.asked), desk.slept) == (1, [])


@pytest.mark.parametrize(("status", "document", "error"), [
    (500, {}, VendorUnavailable), (503, {}, VendorUnavailable), (429, {}, RateLimited),
])
def test_a_passing_failure_is_tried_again_with_growing_waits(
        desk: Desk, status: int, document: Any, error: type[ProviderError]) -> None:
    desk.vendor.replies = [Reply(document, status=status)]
    with desk.session() as session, pytest.raises(error) as caught:
        session.get("/x", {})
    assert caught.value.http_status == status
    assert len(desk.vendor.asked) == 3
    assert 1 <= desk.slept[0] <= 2 <= desk.slept[1] <= 3


def test_too_many_requests_inside_http_200_are_tried_again(desk: Desk) -> None:
    desk.vendor.replies = [Reply({"status": 601, "body": {}}), Reply({"status": 0, "body": {}})]
    with desk.session(withings_judge) as session:
        assert session.post("/measure", {}).document["status"] == 0
    assert len(desk.slept) == 1


@pytest.mark.parametrize(("status", "error"), [(400, RequestRejected), (403, ScopeMissing),
                                               (302, RequestRejected), (410, RequestRejected)])
def test_a_lasting_refusal_is_not_tried_again(
        desk: Desk, status: int, error: type[ProviderError]) -> None:
    desk.vendor.replies = [Reply({}, status=status, headers={"Location": "http://127.0.0.1:9/"})]
    with desk.session() as session, pytest.raises(error):
        session.get("/x", {})
    assert len(desk.vendor.asked) == 1


def test_a_body_that_is_cut_off_is_no_answer(desk: Desk) -> None:
    desk.vendor.replies = [Reply({"a": 1}, cut=True), Reply({"a": 2})]
    with desk.session() as session:
        assert session.get("/x", {}).document == {"a": 2}


def test_half_a_json_body_is_no_answer(desk: Desk) -> None:
    desk.vendor.replies = [Reply(body=b'{"data": [{"bpm": 6')]
    with desk.session() as session, pytest.raises(TransportError, match="not whole JSON"):
        session.get("/x", {})
    assert len(desk.vendor.asked) == 3


def test_a_vendor_that_hangs_is_given_up(desk: Desk) -> None:
    release = threading.Event()
    desk.vendor.replies = [Reply({}, hang=release)]
    try:
        with desk.session(patience=Patience(attempts=1)) as session, \
                pytest.raises(TransportError, match="Timeout"):
            session.get("/x", {})
    finally:
        release.set()


def test_a_vendor_that_is_not_there_is_a_transport_error(desk: Desk) -> None:
    with desk.session(base_url="http://127.0.0.1:9") as session, pytest.raises(TransportError):
        session.get("/x", {})


def test_a_body_beyond_the_cap_is_not_read(desk: Desk) -> None:
    desk.vendor.replies = [Reply(body=b"[" + b" " * 200_000 + b"]")]
    with desk.session(body_cap=100_000) as session, pytest.raises(SchemaError, match="longer"):
        session.get("/x", {})


def test_cookies_are_not_carried_on(desk: Desk) -> None:
    desk.vendor.replies = [Reply({}, headers={"Set-Cookie": "PHPSESSID=x"})]
    with desk.session() as session:
        session.get("/x", {})
        session.get("/x", {})
    assert desk.vendor.asked[1].cookie is None


def test_neither_tokens_nor_bodies_reach_messages_or_logs(
        desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for reply in (Reply({"detail": "reading 72"}, status=400), Reply(body=b"reading 72"),
                  Reply({}, status=401), Reply({"reading": 72}, status=500)):
        desk.vendor.replies = [reply]
        with desk.session() as session, pytest.raises(ProviderError) as caught:
            session.get("/x", {})
        told.append(repr(caught.value))
        assert caught.value.__cause__ is None
    for secret in ("old", "fresh", "reading", "Bearer"):
        assert not any(secret in text for text in told)
        assert secret not in caplog.text


@pytest.mark.parametrize(("headers", "seconds"), [
    ({}, None), ({"Retry-After": "30"}, 30), ({"Retry-After": "soon"}, None),
    ({"Retry-After": "-1"}, None),
    ({"Retry-After": "Sat, 21 Nov 2026 10:00:30 GMT", "Date": "Sat, 21 Nov 2026 10:00:00 GMT"},
     30),
    ({"Retry-After": "Sat, 21 Nov 2020 10:00:30 GMT"}, 0),
])
def test_retry_after_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize(("status", "transient"), [
    (408, True), (429, True), (500, True), (400, False), (403, False), (426, False)])
def test_what_may_pass_is_told_from_what_will_not(status: int, transient: bool) -> None:
    error = judge_status(status)
    assert error is not None and error.transient is transient
