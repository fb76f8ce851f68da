"""What the ledger and the devices tell of a source, and the sentences that a doctor reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clinical.vitals import SPECS, Vital
from providers.coverage import Delivery, State
from providers.measures import (
    BODY_DEVICES,
    CARRIED_BY,
    DEVICE_NAMES,
    WITHINGS_DEVICES,
    Coverage,
    how_measured,
)
from providers.observation import Provider

RETIRED_AFTER = timedelta(hours=72)
"""A resource not asked for so much longer than its neighbours is no longer asked for at all."""

_COMPLETE, _NOT_ENTITLED = "complete", "not_entitled"
_BEYOND = {"fetch_failed": State.FETCH_FAILED, "format_discrepancy": State.FORMAT_DISCREPANCY,
           _NOT_ENTITLED: State.NOT_ENTITLED}

_FAILED_WORDS = {
    "transport": "no answer arrived", "rate_limited": "its limit of requests was used up",
    "vendor_unavailable": "it has a failure of its own",
    "circuit_open": "it failed again and again", "token_rejected": "it refuses a fresh token",
    "reauth_required": "the patient must connect the account again",
    "request_rejected": "it refuses the request", "client_refused": "it refuses our application",
}
_DENIED_WORDS = {
    "scope_missing": "the patient has not granted it",
    "subscription_lapsed": "the patient's membership has ended",
    "not_linked": "the account has no wearable", "revoked": "the link was ended",
}
_UNASKED = "unasked"
_NO_LINK = "no device and no account of the patient measures it"
KEPT_OUT = "what came cannot be, so that it is kept out of forecasts and scores"
"""Of hours whose readings are all kept out by flags, whoever sent them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The newest ledger row of one resource, and the cycle of its newest complete one.

    `read_from` is where its first window began.
    """

    resource: str
    cycle: datetime
    outcome: str
    word: str
    complete_until: datetime | None
    read_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One source. Times are UTC, None = never; of a pushed source they are no limit.

    beyond, word  state of the hours after `read_until`, and the ledger's word for the cause
    last_sync     of the devices that measure the vital
    """

    provider: Provider
    vital: Vital
    how: Coverage
    delivery: Delivery
    read_from: datetime | None
    read_until: datetime | None
    beyond: State
    word: str
    last_sync: datetime | None


def facts(provider: Provider, vital: Vital, status: str, fetched: Sequence[Fetched],
          devices: Mapping[str, datetime | None], last_sync: datetime | None) -> Facts:
    """What is known of a connection as a source of `vital`.

    devices    last sync by kind of device, empty where the vendor did not tell
    last_sync  the ledger's newest, for when the devices tell nothing
    """
    polled = is_polled(provider, status)
    read_until, beyond, word = _read(provider, vital, status, fetched) if polled \
        else (None, State.FETCH_FAILED, "")
    return Facts(
        provider=provider, vital=vital, how=_how(provider, vital, devices),
        delivery=Delivery.POLLED if polled else Delivery.PUSHED, read_until=read_until,
        read_from=min((one.read_from for one in fetched), default=None),
        beyond=beyond, word=word, last_sync=_last_sync(provider, vital, devices, last_sync))


def is_polled(provider: Provider, status: str) -> bool:
    """Whether the link is asked each cycle; one that came of files is not, whoever made them."""
    return provider in CARRIED_BY and status != "file"


def _how(provider: Provider, vital: Vital, devices: Mapping[str, object]) -> Coverage:
    """As declared, unless the account's devices are known and measure it otherwise or not."""
    declared = how_measured(provider, vital)
    if provider is not Provider.WITHINGS or not devices or devices.keys() - WITHINGS_DEVICES:
        return declared
    measuring = {kind for kind in devices if vital in WITHINGS_DEVICES[kind]}
    if not measuring:
        return Coverage.NONE
    return declared if measuring.intersection(BODY_DEVICES) else Coverage.SPOT


def _last_sync(provider: Provider, vital: Vital, devices: Mapping[str, datetime | None],
               last_sync: datetime | None) -> datetime | None:
    if not devices:
        return last_sync
    by_itself = {kind: sync for kind, sync in devices.items() if _by_itself(provider, vital, kind)}
    return max((sync for sync in by_itself.values() if sync is not None), default=None)


def _by_itself(provider: Provider, vital: Vital, kind: str) -> bool:
    """Whether that kind of device may measure the vital without anybody's doing."""
    if provider is not Provider.WITHINGS:
        return kind != "scale"
    return kind not in WITHINGS_DEVICES or (
        kind in BODY_DEVICES and vital in WITHINGS_DEVICES[kind])


def _read(provider: Provider, vital: Vital, status: str,
          fetched: Sequence[Fetched]) -> tuple[datetime | None, State, str]:
    """Up to when the vital was fetched and understood, and what holds the rest back."""
    carried = CARRIED_BY[provider]
    asked = [one for one in fetched if vital in carried.get(one.resource, ())]
    newest = max((one.cycle for one in fetched), default=None)
    asked = [one for one in asked if newest and one.cycle >= newest - RETIRED_AFTER]
    asked = [one for one in asked if one.outcome != _NOT_ENTITLED] or asked
    if not asked:
        return None, *_unasked(status)
    last = min(asked, key=lambda one: (
        one.complete_until or datetime.min.replace(tzinfo=UTC), one.resource))
    if last.outcome == _COMPLETE:
        return last.complete_until, *_unasked(status)
    return last.complete_until, _BEYOND[last.outcome], last.word


def _unasked(status: str) -> tuple[State, str]:
    """Of hours that no fetch reached: by the link's status, which says why nobody asked."""
    if status in _DENIED_WORDS:
        return State.NOT_ENTITLED, status
    return State.FETCH_FAILED, status if status in _FAILED_WORDS else _UNASKED


def why(state: State, of: Facts | None, vital: Vital, *, charging: bool = False) -> str:
    """One sentence for hours in `state`, without its end; `of` is the source that speaks."""
    if state is State.KEPT_OUT:
        return KEPT_OUT
    if of is None:
        return _NO_LINK
    return _SENTENCES[state](of, vital, charging)


def _worn_no_reading(of: Facts, vital: Vital, _: bool) -> str:
    said = f"{_device(of)} was worn but gave no {SPECS[vital].noun}"
    asleep = of.provider is Provider.GOOGLE_HEALTH and vital is Vital.SPO2
    return f"{said}, which it measures mostly asleep" if asleep else said


def _not_worn(of: Facts, _: Vital, charging: bool) -> str:
    if charging:
        return f"{_device(of)} was in its charger"
    return f"{_device(of)} was not worn: it has synced and shows no sign of it"


def _not_measured(_: Facts, vital: Vital, __: bool) -> str:
    return f"nobody took {SPECS[vital].noun}, which no device of the patient measures by itself"


def _not_expected(of: Facts, vital: Vital, _: bool) -> str:
    if of.how is Coverage.NIGHTLY:
        return f"{_device(of)} gives {SPECS[vital].noun} once a night, by noon, and none by day"
    since = "" if of.read_from is None else f" from {_at(of.read_from)} on"
    return f"{_vendor(of)} was asked for readings{since} only"


def _not_synced(of: Facts, _: Vital, __: bool) -> str:
    if of.delivery is Delivery.PUSHED:
        return f"nothing newer has come from {_device(of)}"
    if of.last_sync is None:
        return f"no sync of {_device(of)} is known since"
    return f"{_device(of)} last synced {_at(of.last_sync)}"


def _fetch_failed(of: Facts, _: Vital, __: bool) -> str:
    since = "" if of.read_until is None else f" since {_at(of.read_until)}"
    if of.word == _UNASKED:
        return f"{_vendor(of)} has not been asked{since or ' yet'}"
    cause = _FAILED_WORDS.get(of.word, "the fetch failed")
    return f"{_vendor(of)} could not be read{since}: {cause}"


def _format_discrepancy(of: Facts, _: Vital, __: bool) -> str:
    since = "" if of.read_until is None else f" since {_at(of.read_until)}"
    return f"{_vendor(of)} answers in a form that is not understood{since}; what it sent is kept"


def _not_entitled(of: Facts, _: Vital, __: bool) -> str:
    cause = _DENIED_WORDS.get(of.word, "access is refused")
    return f"access at {_vendor(of)} is missing: {cause}"


def _unsupported(of: Facts, vital: Vital, _: bool) -> str:
    return f"{_device(of)} does not measure {SPECS[vital].noun}"


_SENTENCES = {
    State.WORN_NO_READING: _worn_no_reading, State.NOT_WORN: _not_worn,
    State.NOT_MEASURED: _not_measured, State.NOT_EXPECTED: _not_expected,
    State.NOT_SYNCED: _not_synced, State.FETCH_FAILED: _fetch_failed,
    State.FORMAT_DISCREPANCY: _format_discrepancy, State.NOT_ENTITLED: _not_entitled,
    State.UNSUPPORTED: _unsupported,
}


def _device(of: Facts) -> str:
    return f"the {DEVICE_NAMES.get(of.provider, f'{_vendor(of)} source')}"


def _vendor(of: Facts) -> str:
    return _VENDORS.get(of.provider, of.provider.value.replace("_", " ").title())


_VENDORS = {Provider.GOOGLE_HEALTH: "Google Health", Provider.FHIR: "FHIR",
            Provider.IHEALTH: "iHealth", Provider.OPEN_MHEALTH: "Open mHealth"}


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %H:%M} UTC"
