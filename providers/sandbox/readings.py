"""What a subject of the sandbox is: channels of timed values, and when each became known.

Times are whole epoch seconds, UTC. A channel is what one kind of sensor of one subject delivers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clinical.vitals import Vital
from providers.observation import Provider

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Channel(StrEnum):
    """The six vitals as they are sampled, then what only sleep sensors and nights deliver.

    Night channels hold one value a night at the time of waking; `NIGHT_START` is the epoch
    second of falling asleep.
    """

    HEART_RATE = "heart_rate"
    RESPIRATORY_RATE = "respiratory_rate"
    SYSTOLIC_BP = "systolic_bp"
    DIASTOLIC_BP = "diastolic_bp"
    BODY_TEMPERATURE = "body_temperature"
    SPO2 = "spo2"
    MAT_HEART_RATE = "mat_heart_rate"
    MAT_RESPIRATORY_RATE = "mat_respiratory_rate"
    NIGHT_START = "night_start"
    NIGHT_HEART_RATE = "night_heart_rate"
    NIGHT_LOWEST_HEART_RATE = "night_lowest_heart_rate"
    NIGHT_RESPIRATORY_RATE = "night_respiratory_rate"
    NIGHT_SPO2 = "night_spo2"
    NIGHT_SKIN_DEVIATION = "night_skin_deviation"
    NIGHT_SKIN_TEMPERATURE = "night_skin_temperature"


VITAL_OF: dict[Channel, Vital] = {
    **{Channel(vital.value): vital for vital in (
        Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP,
        Vital.BODY_TEMPERATURE, Vital.SPO2)},
    Channel.MAT_HEART_RATE: Vital.HEART_RATE,
    Channel.MAT_RESPIRATORY_RATE: Vital.RESPIRATORY_RATE,
    Channel.NIGHT_RESPIRATORY_RATE: Vital.RESPIRATORY_RATE,
    Channel.NIGHT_SPO2: Vital.SPO2,
    Channel.NIGHT_SKIN_DEVIATION: Vital.SKIN_TEMPERATURE_DEVIATION,
    Channel.NIGHT_SKIN_TEMPERATURE: Vital.SKIN_TEMPERATURE,
}

_SAMPLED = (Channel.HEART_RATE, Channel.SPO2, Channel.BODY_TEMPERATURE)

SERVED: dict[Provider, tuple[Channel, ...]] = {
    Provider.WITHINGS: (
        *_SAMPLED, Channel.RESPIRATORY_RATE, Channel.SYSTOLIC_BP, Channel.DIASTOLIC_BP,
        Channel.MAT_HEART_RATE, Channel.MAT_RESPIRATORY_RATE, Channel.NIGHT_START),
    Provider.GOOGLE_HEALTH: (
        *_SAMPLED, Channel.NIGHT_RESPIRATORY_RATE, Channel.NIGHT_SKIN_TEMPERATURE),
    Provider.OURA: (
        Channel.HEART_RATE, Channel.NIGHT_START, Channel.NIGHT_HEART_RATE,
        Channel.NIGHT_LOWEST_HEART_RATE, Channel.NIGHT_RESPIRATORY_RATE, Channel.NIGHT_SPO2,
        Channel.NIGHT_SKIN_DEVIATION),
}
"""Which channels each vendor's API can carry: the coverage of the real one."""


def _no_times() -> IntArray:
    return np.empty(0, dtype=np.int64)


def _no_values() -> FloatArray:
    return np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Arrays of shape (n,): `t` measured, ascending; `value`; `seen` known to the vendor (≥ t)."""

    t: IntArray = field(default_factory=_no_times)
    value: FloatArray = field(default_factory=_no_values)
    seen: IntArray = field(default_factory=_no_times)

    def __len__(self) -> int:
        return len(self.t)

    def where(self, chosen: NDArray[np.bool_]) -> "Readings":
        """The readings that a mask of shape (n,) chooses."""
        return Readings(t=self.t[chosen], value=self.value[chosen], seen=self.seen[chosen])

    def between(self, start: int, end: int) -> "Readings":
        """Readings with start ≤ t < end."""
        lo, hi = np.searchsorted(self.t, (start, end))
        return Readings(t=self.t[lo:hi], value=self.value[lo:hi], seen=self.seen[lo:hi])

    def known_from(self, moment: int) -> "Readings":
        """The same readings, known no earlier than `moment`."""
        return Readings(t=self.t, value=self.value, seen=np.maximum(self.seen, moment))

    def visible(self, now: int) -> "Readings":
        """Readings that a server whose clock says `now` can know."""
        past = self.between(0, now + 1)
        return past.where(past.seen <= now)


def joined(parts: Sequence[Readings]) -> Readings:
    """Readings of consecutive stretches of time as one."""
    if not parts:
        return Readings()
    return Readings(
        t=np.concatenate([part.t for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        seen=np.concatenate([part.seen for part in parts]),
    )


class Subject(Protocol):
    """One person wearing one vendor's devices."""

    @property
    def subject_id(self) -> str: ...

    @property
    def provider(self) -> Provider: ...

    @property
    def birth_date(self) -> date | None: ...

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels that this subject ever delivers."""
        ...

    def readings(self, channel: Channel, now: int) -> Readings:
        """At least every reading up to `now`; later ones may be among them."""
        ...

    def last_sync(self, now: int) -> int | None:
        """When the devices last spoke to the vendor, as known at `now`; None if never."""
        ...
