"""How the sandbox is told to fail, and which request a fault takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from providers.observation import Provider
from providers.sandbox.readings import HOUR_S, Channel, Readings


class Kind(StrEnum):
    """What goes wrong: the last three with readings, every other kind with requests."""

    HTTP_429 = "http_429"
    HTTP_429_BARE = "http_429_bare"
    HTTP_500 = "http_500"
    VENDOR_ERROR = "vendor_error"
    HANG = "hang"
    TRUNCATED_BODY = "truncated_body"
    CHANGED_SCHEMA = "changed_schema"
    DUPLICATES = "duplicates"
    EMPTY_PAGE = "empty_page"
    DUPLICATED_PAGE = "duplicated_page"
    CLOCK_SKEW = "clock_skew"
    TOKEN_DEATH = "token_death"
    CONSENT_DEATH = "consent_death"
    LATE_DATA = "late_data"
    RESENT_SUMMARY = "resent_summary"
    DEVICE_CLOCK = "device_clock"


OF_READINGS = frozenset({Kind.LATE_DATA, Kind.RESENT_SUMMARY, Kind.DEVICE_CLOCK})
"""Kinds that no request spends: what they concern follows from the clock alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. None in `provider`, `resource` or `subject_id` means any.

    `times` is how many requests it takes, None without end; `after` lets so many that fit pass
    before. `resource` is a prefix of the vendor's
    own path, such as `/v2/sleep`; without one, token requests are spared. `seconds` is how long a
    hang lasts, how late data is, or how far a clock is ahead. Kinds of readings concern those
    measured in [since, until).
    """

    kind: Kind
    fault_id: int = 0
    provider: Provider | None = None
    resource: str | None = None
    subject_id: str | None = None
    times: int | None = None
    after: int = 0
    retry_after: int | None = None
    status: int | None = None
    seconds: float | None = None
    since: int = 0
    until: int | None = None

    def concerns(self, provider: Provider, subject_id: str | None) -> bool:
        """Whether it is about this vendor and this patient."""
        return (self.provider in (None, provider)
                and self.subject_id in (None, subject_id))

    def chosen(self, readings: Readings) -> NDArray[np.bool_]:
        """Which of the readings were measured in [since, until), a mask of shape (n,)."""
        chosen: NDArray[np.bool_] = readings.t >= self.since
        return chosen if self.until is None else chosen & (readings.t < self.until)

    def lasts(self, default: int) -> int:
        """Whole seconds of `seconds`, or the default."""
        return round(default if self.seconds is None else self.seconds)


@dataclass(slots=True, kw_only=True)
class _Active:
    fault: Fault
    left: int | None
    passing: int


LATE_S = 6 * HOUR_S
RESENT_S = HOUR_S
SKEW_S = 600
FIRST_SHARE = 0.9
"""A figure that comes again is first told as this share of itself."""

COMES_LATER = {Provider.WITHINGS: {Channel.HEART_RATE},
               Provider.OURA: {Channel.NIGHT_RESPIRATORY_RATE}}
COMES_AGAIN = {Provider.OURA: {Channel.NIGHT_HEART_RATE},
               Provider.GOOGLE_HEALTH: {Channel.NIGHT_RESPIRATORY_RATE,
                                        Channel.NIGHT_SKIN_TEMPERATURE}}
"""What of a summary is first missing, and what is first another value: Withings' measure groups
and Oura's nights come again under their id, Google's days under their date."""


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._next_id = 1

    def add(self, fault: Fault) -> Fault:
        """Activate; the result carries its id."""
        given = replace(fault, fault_id=self._next_id)
        self._next_id += 1
        self._active.append(_Active(fault=given, left=fault.times, passing=fault.after))
        return given

    def clear(self, fault_id: int | None = None) -> int:
        """Remove one fault or all; how many were removed."""
        before = len(self._active)
        self._active = [a for a in self._active
                        if fault_id is not None and a.fault.fault_id != fault_id]
        return before - len(self._active)

    def active(self) -> Sequence[tuple[Fault, int | None]]:
        """Each fault with how many requests it will still take (None: without end)."""
        return [(a.fault, a.left) for a in self._active]

    def take(self, provider: Provider, path: str, subject_id: str | None, *,
             token_request: bool) -> Fault | None:
        """The oldest fault that this request meets; it has then one time less."""
        for active in self._active:
            fault = active.fault
            if fault.kind in OF_READINGS or not fault.concerns(provider, subject_id):
                continue
            if fault.resource is None and token_request:
                continue
            if fault.resource is not None and not path.startswith(fault.resource):
                continue
            if active.passing:
                active.passing -= 1
                continue
            self._spend(active)
            return fault
        return None

    def told(self, provider: Provider, subject_id: str, channel: Channel, readings: Readings,
             now: int) -> Readings:
        """The readings as the faults of readings let the vendor have them at `now`."""
        for active in self._active:
            fault = active.fault
            if not fault.concerns(provider, subject_id):
                continue
            if fault.kind is Kind.LATE_DATA:
                readings = _later(readings, fault, LATE_S)
            elif fault.kind is Kind.RESENT_SUMMARY:
                readings = _resent(readings, fault, provider, channel, now)
            elif fault.kind is Kind.DEVICE_CLOCK:
                readings = _ahead(readings, fault)
        return readings

    def _spend(self, active: _Active) -> None:
        if active.left is None:
            return
        active.left -= 1
        if active.left <= 0:
            self._active.remove(active)


def _later(readings: Readings, fault: Fault, default_s: int) -> Readings:
    delay = np.where(fault.chosen(readings), fault.lasts(default_s), 0)
    return Readings(t=readings.t, value=readings.value, seen=readings.seen + delay)


def _resent(readings: Readings, fault: Fault, provider: Provider, channel: Channel,
            now: int) -> Readings:
    if channel in COMES_LATER.get(provider, ()):
        return _later(readings, fault, RESENT_S)
    if channel not in COMES_AGAIN.get(provider, ()):
        return readings
    first = fault.chosen(readings) & (now < readings.seen + fault.lasts(RESENT_S))
    value = np.where(first, np.round(readings.value * FIRST_SHARE, 1), readings.value)
    return Readings(t=readings.t, value=value, seen=readings.seen)


def _ahead(readings: Readings, fault: Fault) -> Readings:
    t = readings.t + np.where(fault.chosen(readings), fault.lasts(SKEW_S), 0)
    order = np.argsort(t, kind="stable")
    return Readings(t=t[order], value=readings.value[order], seen=readings.seen[order])
