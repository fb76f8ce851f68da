"""A patient's vendor accounts as a page: what each status means and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clinical.vitals import SPECS
from providers.catalogue import CATALOGUE
from registry.consents import Linked
from vitalcast.linking import MissingScope, missing_scopes

NAMES = {"withings": "Withings", "google_health": "Google Health", "oura": "Oura",
         "garmin": "Garmin", "terra": "Terra", "fitbit": "Fitbit", "apple_health": "Apple Health",
         "open_mhealth": "Open mHealth", "fhir": "FHIR", "ihealth": "iHealth"}

STATUSES = {
    "active": "Active",
    "reauth_required": "The vendor no longer accepts our access: ask the patient to connect again",
    "revoked": "Ended; connect again to go on",
    "not_linked": "The account has no wearable: ask the patient to choose the right account. It "
                  "is looked at again once a day",
    "subscription_lapsed": "The patient's membership at the vendor has ended; readings come back "
                           "within a day after it is renewed",
    "file": "Readings came by file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLine:
    """One link; `missing` are sentences, one for each scope that was not granted."""

    connection_id: str
    name: str
    status: str
    active: bool
    can_end: bool
    account_known: bool
    consented_at: datetime | None
    last_refresh_at: datetime | None
    last_fetch: datetime | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsView:
    """The page: `vendors` are (id, name, whether it is a renewal) to connect with."""

    patient_id: str
    links: tuple[LinkLine, ...]
    vendors: tuple[tuple[str, str, bool], ...]
    told: str
    is_doctor: bool


def connections_view(patient_id: str, links: Sequence[Linked], *, linked: str, ended: str,
                     is_doctor: bool) -> ConnectionsView:
    """What the page shows; `linked` is a provider, `ended` is vendor or here."""
    known = {one.provider for one in links}
    return ConnectionsView(
        patient_id=patient_id, links=tuple(_line(one) for one in links),
        vendors=tuple((one.value, _name(one.value), one.value in known) for one in CATALOGUE),
        told=_told(linked, ended), is_doctor=is_doctor)


def _told(linked: str, ended: str) -> str:
    if linked in CATALOGUE:
        return f"{_name(linked)} is connected. Readings come with the next full hour."
    if ended == "vendor":
        return "The link is ended, here and at the vendor."
    if ended:
        return ("The link is ended here. Ask the patient to remove vitalcast in the vendor's own "
                "settings, too.")
    return ""


def _line(one: Linked) -> LinkLine:
    return LinkLine(
        connection_id=one.connection_id, name=_name(one.provider),
        status=STATUSES.get(one.status, one.status), active=one.status == "active",
        can_end=one.status not in ("revoked", "file"), account_known=one.account_known,
        consented_at=one.consented_at, last_refresh_at=one.last_refresh_at,
        last_fetch=one.last_fetch,
        missing=tuple(_missing(scope) for scope in missing_scopes(
            one.provider, one.scopes_granted)))


def _missing(scope: MissingScope) -> str:
    lost, fewer = (", ".join(SPECS[vital].noun for vital in vitals)
                   for vitals in (scope.lost, scope.fewer))
    if lost or fewer:
        parts = [f"no {lost}" if lost else "", f"fewer readings of {fewer}" if fewer else ""]
        means = " and ".join(part for part in parts if part)
    else:
        means = "identity or last synchronisation stay unknown"
    return f"{scope.scope.rpartition('/')[2]}: {means}"


def _name(provider: str) -> str:
    return NAMES.get(provider, provider.replace("_", " ").title())
