"""NEWS2, the National Early Warning Score 2 (Royal College of Physicians, London, 2017).

The thresholds are data (`TABLE`). A score is partial where inputs are missing: a missing vital
is never scored as 0, it widens the range from `total` to `max` instead. An input that cannot be
scored raises `InputError`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from functools import cached_property, lru_cache

from clinical.errors import InputError

SOURCE = ("Royal College of Physicians. National Early Warning Score (NEWS) 2: standardising the "
          "assessment of acute-illness severity in the NHS. London: RCP, 2017")

PARAMETERS = ("respiratory_rate", "spo2", "supplemental_oxygen", "systolic_bp", "heart_rate",
              "body_temperature", "consciousness")
"""The seven scored inputs, in the order of the chart and of the csv columns."""

MEASURED = ("respiratory_rate", "spo2", "systolic_bp", "heart_rate", "body_temperature")
OXYGEN_POINTS = 2
ALTERED_CONSCIOUSNESS_POINTS = 3
HIGHEST_TOTAL = 20
MINIMUM_AGE_YEARS = 16


class Consciousness(StrEnum):
    """ACVPU. Anything but alert scores 3; `confusion` means new confusion."""

    ALERT = "alert"
    CONFUSION = "confusion"
    VOICE = "voice"
    PAIN = "pain"
    UNRESPONSIVE = "unresponsive"


class Band(StrEnum):
    """Clinical risk of the aggregate score, in rising order."""

    LOW = "low"
    LOW_MEDIUM = "low-medium"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for low to 3 for high."""
        return BANDS.index(self)


BANDS = tuple(Band)


@dataclass(frozen=True, kw_only=True)     # no slots: cuts and points are made once
class Scale:
    """One row of the chart: `steps` are (highest value of the step, points), in rising order.

    Values are rounded to `precision` decimals, halves up, before they are scored. The last step
    is open upwards.
    """

    unit: str
    precision: int
    steps: tuple[tuple[str, int], ...]

    @cached_property
    def cuts(self) -> tuple[Decimal, ...]:
        """Where the next step begins for an unrounded value: half a place above each step."""
        half = Decimal("0.5").scaleb(-self.precision)
        return tuple(Decimal(top) + half for top, _ in self.steps[:-1])

    @cached_property
    def points(self) -> tuple[int, ...]:
        """Points of each step, in rising order of the value."""
        return tuple(points for _, points in self.steps)

    def step_of(self, value: float) -> int:
        """Index of the step that `value` falls in after rounding."""
        exact = Decimal(repr(float(value)))
        return sum(exact >= cut for cut in self.cuts)

    def score(self, value: float) -> int:
        """Points of `value`."""
        return self.points[self.step_of(value)]

    def range_text(self, value: float) -> str:
        """The step that `value` falls in, as the chart prints it: `≤ 8`, `9–11`, `≥ 25`."""
        step = self.step_of(value)
        unit = Decimal(1).scaleb(-self.precision)
        low = None if step == 0 else Decimal(self.steps[step - 1][0]) + unit
        top = None if step == len(self.steps) - 1 else self.steps[step][0]
        if low is None:
            return f"≤ {top}"
        return f"≥ {low}" if top is None else f"{low}–{top}"


OPEN = ""
TABLE: dict[str, Scale] = {
    "respiratory_rate": Scale(unit="/min", precision=0, steps=(
        ("8", 3), ("11", 1), ("20", 0), ("24", 2), (OPEN, 3))),
    "spo2": Scale(unit="%", precision=0, steps=(
        ("91", 3), ("93", 2), ("95", 1), (OPEN, 0))),
    "spo2_scale_2_on_air": Scale(unit="%", precision=0, steps=(
        ("83", 3), ("85", 2), ("87", 1), (OPEN, 0))),
    "spo2_scale_2_on_oxygen": Scale(unit="%", precision=0, steps=(
        ("83", 3), ("85", 2), ("87", 1), ("92", 0), ("94", 1), ("96", 2), (OPEN, 3))),
    "systolic_bp": Scale(unit="mmHg", precision=0, steps=(
        ("90", 3), ("100", 2), ("110", 1), ("219", 0), (OPEN, 3))),
    "heart_rate": Scale(unit="/min", precision=0, steps=(
        ("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), (OPEN, 3))),
    "body_temperature": Scale(unit="°C", precision=1, steps=(
        ("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), (OPEN, 2))),
}
"""The whole chart but its two yes-or-no rows (oxygen 2 points, not alert 3 points)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One observation set; None = missing. Any finite value ≥ 0 is taken (`InputError` else).

    `spo2_scale` 2 is for hypercapnic respiratory failure, by a clinician's entry only.
    """

    respiratory_rate: float | None = None
    spo2: float | None = None
    spo2_scale: int = 1
    supplemental_oxygen: bool | None = None
    systolic_bp: float | None = None
    heart_rate: float | None = None
    body_temperature: float | None = None
    consciousness: Consciousness | None = None

    def __post_init__(self) -> None:
        if self.spo2_scale not in (1, 2):
            raise InputError("spo2_scale", f"{self.spo2_scale} is no scale; give 1 or 2")
        if self.consciousness not in (None, *Consciousness):
            raise InputError("consciousness", f"{self.consciousness!r} is not a level; give one "
                                              f"of {', '.join(Consciousness)}")
        for column in MEASURED:
            value = getattr(self, column)
            if value is not None and not _scorable(value):
                raise InputError(column, f"{value!r} cannot be scored; give a finite number that "
                                         "is not negative, or nothing if it is missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A NEWS2, partial where inputs are missing.

    total       points of what is known: the least that the full score can be
    max         the most that it can be, with what is missing at its worst
    band        of `total`; `band_max` is the worst band of any completion
    points      per known input, adding up to `total`
    missing     in the order of the chart; with the keys of `points` all of `PARAMETERS`
    """

    total: int
    max: int
    complete: bool
    band: Band
    band_max: Band
    points: Mapping[str, int]
    missing: tuple[str, ...]


@lru_cache(maxsize=1 << 14)     # readings are few different numbers
def rounded(value: float, precision: int) -> Decimal:
    """`value` at `precision` decimals, halves up as written in decimal: 38.05 gives 38.1."""
    exact = Decimal(repr(float(value)))
    return exact.quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP, _WIDE)


_WIDE = Context(prec=400)   # a float has at most 309 digits before the point


def spo2_scale(scale: int, *, on_oxygen: bool) -> Scale:
    """The row of the chart that SpO2 is scored by."""
    if scale == 1:
        return TABLE["spo2"]
    return TABLE["spo2_scale_2_on_oxygen" if on_oxygen else "spo2_scale_2_on_air"]


def scale_of(parameter: str, inputs: Inputs, *, on_oxygen: bool) -> Scale:
    """The row of the chart for a measured parameter of `inputs`."""
    if parameter == "spo2":
        return spo2_scale(inputs.spo2_scale, on_oxygen=on_oxygen)
    return TABLE[parameter]


def band_of(total: int, *, any_three: bool) -> Band:
    """0–4 low (low-medium if one parameter alone scores 3), 5–6 medium, 7 and more high."""
    if total >= 7:
        return Band.HIGH
    if total >= 5:
        return Band.MEDIUM
    return Band.LOW_MEDIUM if any_three else Band.LOW


def score(inputs: Inputs) -> Score:
    """NEWS2 of what is known, with the range that what is missing leaves open.

    Values are first rounded to the precision of the chart (integers; temperature to 0.1), halves
    up. Where the oxygen supply is missing, it is varied together with the SpO2 points that
    depend on it (scale 2): the SpO2 points shown are those of the more favourable supply, so
    that `total` stays a lower bound, and `max` is that of one supply, never a mixture of two.
    """
    missing = tuple(name for name in PARAMETERS if getattr(inputs, name) is None)
    supplies = [_points(inputs, on_oxygen=supply) for supply in _supplies(inputs)]
    best = min(supplies, key=lambda points: sum(points.values()))
    worst = [_completed(points, inputs) for points in supplies]
    return Score(
        total=sum(best.values()),
        max=max(sum(points.values()) for points in worst),
        complete=not missing,
        band=_band(best),
        band_max=max((_band(points) for points in worst), key=lambda band: band.rank),
        points={name: points for name, points in best.items() if name not in missing},
        missing=missing,
    )


def applicability(age_years: float | None, pregnant: bool) -> str | None:
    """Why NEWS2 must not be used for this person; None where it may be, or the age is unknown."""
    if pregnant:
        return ("NEWS2 does not apply in pregnancy: normal values differ; "
                "use a maternity early warning score")
    if age_years is not None and age_years < MINIMUM_AGE_YEARS:
        return (f"NEWS2 does not apply under {MINIMUM_AGE_YEARS} years: normal values differ; "
                "use a paediatric early warning score")
    return None


def _scorable(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and math.isfinite(value) and value >= 0


def _supplies(inputs: Inputs) -> Iterator[bool]:
    """Every oxygen supply that the inputs leave possible, air first."""
    if inputs.supplemental_oxygen is None:
        yield from (False, True)
    else:
        yield inputs.supplemental_oxygen


def _points(inputs: Inputs, *, on_oxygen: bool) -> dict[str, int]:
    """Points of each known input, and of the assumed supply, in the order of the chart."""
    points = {}
    for name in PARAMETERS:
        value = getattr(inputs, name)
        if name == "supplemental_oxygen":
            points[name] = OXYGEN_POINTS * on_oxygen
        elif value is not None and name == "consciousness":
            points[name] = ALTERED_CONSCIOUSNESS_POINTS * (value != Consciousness.ALERT)
        elif value is not None:
            points[name] = scale_of(name, inputs, on_oxygen=on_oxygen).score(value)
    return points


def _completed(points: Mapping[str, int], inputs: Inputs) -> dict[str, int]:
    """`points` with every absent parameter at its worst under the supply they assume."""
    on_oxygen = points["supplemental_oxygen"] > 0
    worst = {name: max(scale_of(name, inputs, on_oxygen=on_oxygen).points) for name in MEASURED}
    return {"consciousness": ALTERED_CONSCIOUSNESS_POINTS, **worst, **points}


def _band(points: Mapping[str, int]) -> Band:
    return band_of(sum(points.values()), any_three=3 in points.values())
