"""What the page of vendor accounts says in words."""

import pytest

from api.link_schemas import LinkOut
from api.pages.connections import NAMES, STATUSES, connections_view
from providers.catalogue import CATALOGUE
from providers.observation import Provider
from registry.consents import Linked
from vitalcast.linking import missing_scopes


def link(provider: str, *granted: str, status: str = "active") -> Linked:
    return Linked(connection_id=f"{provider}:p1", provider=provider, status=status,
                  account_known=True, scopes_granted=granted, consented_at=None,
                  last_refresh_at=None, last_fetch=None)


def missing(provider: str, *granted: str) -> tuple[str, ...]:
    (line,) = connections_view("p1", [link(provider, *granted)], linked="", ended="",
                               is_doctor=True).links
    return line.missing


def test_a_missing_scope_is_told_by_the_vitals_that_are_lost() -> None:
    assert missing("oura", "daily", "personal") == (
        "heartrate: no heart rate", "spo2: no oxygen saturation")
    assert missing("withings", "user.activity", "user.info") == (
        "user.metrics: no systolic blood pressure, diastolic blood pressure, body temperature, "
        "skin temperature and fewer readings of heart rate, oxygen saturation",)
    assert missing("withings", "user.metrics", "user.activity") == (
        "user.info: identity or last synchronisation stay unknown",)


@pytest.mark.parametrize("provider", list(CATALOGUE))
def test_nothing_is_missing_where_everything_is_granted(provider: Provider) -> None:
    assert missing(provider, *CATALOGUE[provider].scopes) == ()


def test_readings_by_file_have_no_scopes() -> None:
    assert missing_scopes("fitbit", ("daily",)) == missing_scopes("oura", ()) == ()


def test_every_status_and_every_source_has_its_words() -> None:
    told = LinkOut.model_fields["status"].annotation
    assert set(STATUSES) == set(told.__args__)  # type: ignore[union-attr]
    assert set(NAMES) == set(Provider)


@pytest.mark.parametrize(("status", "can_end"), [
    ("active", True), ("reauth_required", True), ("revoked", False), ("file", False)])
def test_only_a_link_that_has_tokens_can_be_ended(status: str, can_end: bool) -> None:
    (line,) = connections_view("p1", [link("oura", status=status)], linked="", ended="",
                               is_doctor=False).links
    assert line.can_end is can_end


def test_a_vendor_that_is_linked_already_is_connected_again() -> None:
    view = connections_view("p1", [link("oura")], linked="oura", ended="", is_doctor=True)
    assert {provider: again for provider, _, again in view.vendors} == {
        "withings": False, "google_health": False, "oura": True}
    assert view.told.startswith("Oura is connected")
