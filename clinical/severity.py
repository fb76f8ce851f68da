"""Severity now: NEWS2 of the current readings, with everything needed to review it.

Beside the absolute score stands the patient's own baseline: at home absolute scores seldom
move, a night that differs from the usual ones does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from clinical.current import Current, age_text
from clinical.news2 import (
    PARAMETERS,
    Inputs,
    Score,
    applicability,
    rounded,
    scale_of,
    score,
)
from clinical.vitals import SPECS, Vital
from clinical.words import LABELS

INTENDED_USE = (
    "An adjunct for retrospective and daily intermittent review by a qualified practitioner; not "
    "for diagnosis, not an alarm. Every score shows its inputs, their age, what is missing and how "
    "it was computed, so that the reader can review the basis independently."
)
"""Stands at the foot of every report (docs/intended-use.md)."""

OXIMETER_CAVEAT = (
    "A wearable oximeter errs by ± 2 to 4 percentage points, more on dark skin: a SpO2 near a "
    "threshold may belong to the next step."
)
AGE_UNKNOWN_CAVEAT = "The age is not known: NEWS2 holds from 16 years and outside pregnancy."
NOT_APPLICABLE = "not applicable"
MINIMUM_NIGHTS = 7
UNUSUAL_NIGHT = 3.0
"""Spreads from the usual from which a night moves a patient up: three standard deviations."""
UNUSUAL_NIGHT_COUNTS = 0.3
"""As much as a forecast at the default alert threshold: an assumption."""
_MAD_TO_SD = 1.4826   # the standard deviation of a Gaussian, in median absolute deviations



@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One overnight value against the patient's usual range.

    `z` is (value − median) / spread, the spread 1.4826 × the median absolute deviation and at
    least the vital's resolution; `usual`, `spread` and `z` are None with too few nights.
    """

    vital: str
    value: float
    usual: float | None
    spread: float | None
    z: float | None
    nights: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """The score now and its basis. `score` is None where NEWS2 does not apply (`reason`).

    missing_reasons   why each missing input is missing
    """

    band: str
    reason: str | None
    score: Score | None
    inputs: Inputs
    ages_minutes: Mapping[str, float]
    missing_reasons: Mapping[str, str]
    deviations: tuple[Deviation, ...]
    sentences: tuple[str, ...]
    caveats: tuple[str, ...]


def severity_now(
    current: Current, *, age_years: float | None, pregnant: bool,
    deviations: Sequence[Deviation] = (),
) -> Severity:
    """NEWS2 of the current inputs, explained; only the reason where it does not apply."""
    reason = applicability(age_years, pregnant)
    one = None if reason else score(current.inputs)
    return Severity(
        band=one.band.value if one else NOT_APPLICABLE,
        reason=reason, score=one, inputs=current.inputs, ages_minutes=current.ages_minutes,
        missing_reasons=current.reasons, deviations=tuple(deviations),
        sentences=tuple(_sentences(one, current)) if one else (reason or "",),
        caveats=tuple(_caveats(current.inputs, age_years)),
    )


def work_list_rank(
    one: Score | None, forecast_probability: float = 0.0, deviations: Sequence[Deviation] = (),
) -> float:
    """Sort key of the work list, worst highest: band, then total, then what makes one look closer.

    That is the highest P(total ≥ 5) ahead, or an unusual night where that counts for more. Around
    −1 where NEWS2 does not apply.
    """
    unusual = any(one.z is not None and abs(one.z) >= UNUSUAL_NIGHT for one in deviations)
    closer = max(forecast_probability, UNUSUAL_NIGHT_COUNTS * unusual) / 1000
    return closer - 1 if one is None else one.band.rank + one.total / 100 + closer


def baseline_deviation(
    values: Mapping[str, float], usual: Mapping[str, Sequence[float]],
    minimum_nights: int = MINIMUM_NIGHTS,
) -> tuple[Deviation, ...]:
    """Last night's values (mean heart rate, respiratory rate, skin temperature) against `usual`.

    `usual` holds the values of earlier nights, last night not among them. Robust z-scores
    (median and median absolute deviation), so that single bad nights do not widen the range.
    """
    return tuple(_deviation(vital, value, usual.get(vital, ()), minimum_nights)
                 for vital, value in values.items())


def _deviation(
    vital: str, value: float, nights: Sequence[float], minimum_nights: int,
) -> Deviation:
    spec = SPECS[Vital(vital)]
    digits = 1 if spec.resolution < 1 else 0
    told = f"Overnight {spec.noun} {_plain(value, digits)} {spec.display_unit}"
    if len(nights) < minimum_nights:
        return Deviation(
            vital=vital, value=value, usual=None, spread=None, z=None, nights=len(nights),
            sentence=f"{told}: {len(nights)} earlier nights, {minimum_nights} are needed for the "
                     "usual range.")
    middle = median(nights)
    spread = max(_MAD_TO_SD * median(abs(one - middle) for one in nights), spec.resolution)
    z = (value - middle) / spread
    return Deviation(
        vital=vital, value=value, usual=middle, spread=spread, z=z, nights=len(nights),
        sentence=f"{told}, usually {_plain(middle, digits)} ± {spread:.1f} ({len(nights)} "
                 f"nights): {abs(z):.1f} times the usual deviation "
                 f"{'above' if z >= 0 else 'below'}.")


def _plain(value: float, digits: int) -> str:
    """Rounded, without a minus sign before a 0."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _sentences(one: Score, current: Current) -> list[str]:
    """The result first, then each known input, most points first, then what is missing."""
    known = sorted(one.points, key=lambda name: -one.points[name])
    return [_headline(one), *(_input_sentence(name, one, current) for name in known),
            *(f"{LABELS[name]} is missing: {current.reasons.get(name, 'not known')}."
              for name in one.missing)]


def _headline(one: Score) -> str:
    if one.complete:
        return f"NEWS2 is {one.total}: band {one.band}."
    bands = (f"band {one.band}" if one.band == one.band_max
             else f"band at least {one.band}, at most {one.band_max}")
    known = len(PARAMETERS) - len(one.missing)
    return (f"NEWS2 is at least {one.total} and at most {one.max}: {bands} "
            f"({known} of {len(PARAMETERS)} inputs known).")


def _input_sentence(name: str, one: Score, current: Current) -> str:
    points = one.points[name]
    told = "1 point" if points == 1 else f"{points} points"
    age = current.ages_minutes.get(name)
    aged = "" if age is None else f", {age_text(timedelta(minutes=age))} old"
    return f"{LABELS[name]} {_value_text(name, current.inputs)}: {told}{aged}."


def _value_text(name: str, inputs: Inputs) -> str:
    """The value as it was scored, and the step of the chart that it falls in."""
    value = getattr(inputs, name)
    if name == "supplemental_oxygen":
        return "yes" if value else "no (air)"
    if name == "consciousness":
        return str(value)
    scale = scale_of(name, inputs, on_oxygen=bool(inputs.supplemental_oxygen))
    on_scale = ", scale 2" if name == "spo2" and inputs.spo2_scale == 2 else ""
    return f"{rounded(value, scale.precision)} {scale.unit} ({scale.range_text(value)}{on_scale})"


def _caveats(inputs: Inputs, age_years: float | None) -> list[str]:
    return ([OXIMETER_CAVEAT] * (inputs.spo2 is not None)
            + [AGE_UNKNOWN_CAVEAT] * (age_years is None))
