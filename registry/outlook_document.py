"""The stored severity of a forecast: written by the forecast job, read by pages and the terminal.

Kept as JSON whose keys come back in another order; `HourAhead.bands` gives the order. Documents
of earlier versions lack what was added since: every such field has a default.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from clinical.news2 import BANDS

Json = Mapping[str, Any]


class HourAhead(msgspec.Struct, frozen=True, kw_only=True):
    """One hour: P(score ≥ 5), P(score ≥ 7), P of each band, and the points each vital may add."""

    lead: int
    p_medium_or_more: float
    p_high: float
    band_probabilities: dict[str, float]
    most_likely_band: str
    expected_points: dict[str, float] = {}

    @property
    def bands(self) -> tuple[tuple[str, float], ...]:
        """(band, probability) from low to high."""
        return tuple((band.value, self.band_probabilities[band]) for band in BANDS)


class WithinHours(msgspec.Struct, frozen=True, kw_only=True):
    """P(score ≥ 5 in any of the next `hours`), or its bounds where `probability` is None."""

    hours: int
    probability: float | None
    lower: float
    upper: float
    method: str


class VitalsPart(msgspec.Struct, frozen=True, kw_only=True):
    """A vital's expected points, on average and at the hour of highest risk."""

    vital: str
    expected_points: float
    mean_points: float


class OutlookDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A patient's outlook. Without `hours` the explanation tells why, and the rest is nothing.

    threshold         of P(score ≥ 5), first passed in hour `first_alert_lead` (1 …), if it is
    peak_probability  the highest P(score ≥ 5), in hour `peak_lead`
    missing           inputs left out, which could add up to `missing_points`
    """

    hours: tuple[HourAhead, ...] = ()
    first_alert_lead: int | None = None
    threshold: float = 1.0
    peak_lead: int | None = None
    peak_probability: float | None = None
    within: WithinHours | None = None
    missing: tuple[str, ...] = ()
    missing_points: int = 0
    method: str = ""
    drivers: tuple[VitalsPart, ...] = ()
    explanation: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Json | None) -> "OutlookDocument":
        """What is stored, None before the first cycle."""
        return msgspec.convert(stored or {}, cls)

    def to_json(self) -> dict[str, Any]:
        """What is to be stored."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
