"""Oura's subscriptions: which are needed, and what the vendor's answers mean."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from providers.errors import (
    ClientRefused,
    RateLimited,
    RequestRejected,
    SchemaError,
    TransportError,
    VendorUnavailable,
)
from providers.webhooks.subscriptions import (
    DATA_TYPES,
    EVENT_TYPES,
    RENEWED_BEFORE,
    OuraSubscriptions,
    Subscription,
    plan,
)
from tests.unit.providers.conftest import Reply, Unlimited, Vendor

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
OURS = "https://vitals.example/v1/webhooks/oura"
ALL = sorted(product(DATA_TYPES, EVENT_TYPES))


def one(data_type: str = "sleep", event_type: str = "create", **more: Any) -> Subscription:
    return Subscription(**{
        "name": f"{data_type}-{event_type}", "data_type": data_type, "event_type": event_type,
        "address": OURS, "expires_at": NOW + timedelta(days=80), **more})


def test_without_any_all_are_missing() -> None:
    assert plan([], OURS, NOW).missing == ALL


@pytest.mark.parametrize(("left", "field"), [
    (RENEWED_BEFORE, "good"), (RENEWED_BEFORE - timedelta(seconds=1), "expiring"),
    (timedelta(days=-3), "expiring")])
def test_what_lapses_soon_is_renewed_and_no_other(left: timedelta, field: str) -> None:
    held = one(expires_at=NOW + left)
    todo = plan([held], OURS, NOW)
    assert getattr(todo, field) == [held]
    assert len([*todo.good, *todo.expiring]) == 1
    assert todo.missing == [pair for pair in ALL if pair != ("sleep", "create")]


@pytest.mark.parametrize("held", [
    one(address="https://other.example/v1/webhooks/oura"), one("workout"), one(event_type="delete"),
    one(name="twice", expires_at=NOW + timedelta(days=1))])
def test_what_is_not_ours_not_needed_or_there_twice_stays(held: Subscription) -> None:
    every = [one(*pair) for pair in ALL]
    todo = plan([*every, held], OURS, NOW)
    assert (todo.others, todo.missing, todo.expiring) == ([held], [], [])
    assert todo.good == every


def oura(vendor: Vendor) -> OuraSubscriptions:
    return OuraSubscriptions(base_url=vendor.url, client_id="app", client_secret="hush",
                             limiter=Unlimited())


@pytest.mark.parametrize(("status", "error"), [
    (401, ClientRefused), (403, ClientRefused), (409, RequestRejected), (429, RateLimited),
    (302, RequestRejected), (500, VendorUnavailable)])
def test_a_refusal_is_told_without_the_secret(
        vendor: Vendor, status: int, error: type[Exception]) -> None:
    vendor.replies = [Reply(document={"detail": "hush"}, status=status,
                            headers={"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(error) as told:
        oura(vendor).held()
    assert "hush" not in str(told.value)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("document", [
    {"data": []}, [{}], [None],
    [{"id": "../x", "callback_url": OURS, "event_type": "create", "data_type": "sleep",
      "expiration_time": "2026-12-01T00:00:00Z"}],
    [{"id": "x", "callback_url": OURS, "event_type": "create", "data_type": "sleep",
      "expiration_time": 7}]])
def test_another_shape_is_refused(vendor: Vendor, document: Any) -> None:
    vendor.replies = [Reply(document=document)]
    with pytest.raises(SchemaError):
        oura(vendor).held()


def test_a_time_without_a_zone_is_utc(vendor: Vendor) -> None:
    vendor.replies = [Reply(document=[{
        "id": "x-1", "callback_url": OURS, "event_type": "create", "data_type": "sleep",
        "expiration_time": "2026-12-01T00:00:00"}])]
    assert [held.expires_at for held in oura(vendor).held()] == [
        datetime(2026, 12, 1, tzinfo=UTC)]


def test_a_vendor_that_is_not_there_is_told_without_an_address() -> None:
    with pytest.raises(TransportError) as told:
        OuraSubscriptions(base_url="http://127.0.0.1:1", client_id="a", client_secret="hush",
                          limiter=Unlimited()).held()
    assert "127.0.0.1" not in str(told.value)
