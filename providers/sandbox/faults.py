"""How the sandbox is told to fail, and which request a fault takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from providers.observation import Provider
from providers.sandbox.readings import Readings


class Kind(StrEnum):
    """What goes wrong. `late_data` belongs to readings, every other kind to requests."""

    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    VENDOR_ERROR = "vendor_error"
    HANG = "hang"
    TRUNCATED_BODY = "truncated_body"
    CHANGED_SCHEMA = "changed_schema"
    DUPLICATES = "duplicates"
    LATE_DATA = "late_data"
    EMPTY_PAGE = "empty_page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. None in `provider`, `resource` or `subject_id` means any.

    `times` is how many requests it takes, None without end. `resource` is a prefix of the vendor's
    own path, such as `/v2/sleep`; without one, token requests are spared. `seconds` is how long a
    hang lasts, or how late data is. Late are the readings measured in [since, until).
    """

    kind: Kind
    fault_id: int = 0
    provider: Provider | None = None
    resource: str | None = None
    subject_id: str | None = None
    times: int | None = None
    retry_after: int | None = None
    status: int | None = None
    seconds: float | None = None
    since: int = 0
    until: int | None = None

    def concerns(self, provider: Provider, subject_id: str | None) -> bool:
        """Whether it is about this vendor and this patient."""
        return (self.provider in (None, provider)
                and self.subject_id in (None, subject_id))


@dataclass(slots=True, kw_only=True)
class _Active:
    fault: Fault
    left: int | None


LATE_S = 6 * 3600


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._next_id = 1

    def add(self, fault: Fault) -> Fault:
        """Activate; the result carries its id."""
        given = replace(fault, fault_id=self._next_id)
        self._next_id += 1
        self._active.append(_Active(fault=given, left=fault.times))
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
            if fault.kind is Kind.LATE_DATA or not fault.concerns(provider, subject_id):
                continue
            if fault.resource is None and token_request:
                continue
            if fault.resource is not None and not path.startswith(fault.resource):
                continue
            self._spend(active)
            return fault
        return None

    def delayed(self, provider: Provider, subject_id: str, readings: Readings) -> Readings:
        """The readings with those of a `late_data` fault known later."""
        for active in self._active:
            fault = active.fault
            if fault.kind is not Kind.LATE_DATA or not fault.concerns(provider, subject_id):
                continue
            late = readings.t >= fault.since
            if fault.until is not None:
                late &= readings.t < fault.until
            delay = round(LATE_S if fault.seconds is None else fault.seconds)
            readings = Readings(t=readings.t, value=readings.value,
                                seen=readings.seen + np.where(late, delay, 0))
        return readings

    def _spend(self, active: _Active) -> None:
        if active.left is None:
            return
        active.left -= 1
        if active.left <= 0:
            self._active.remove(active)
