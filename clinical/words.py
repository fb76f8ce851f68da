"""Figures as people read them, the same in a page, a sentence and a terminal."""

from collections.abc import Sequence

from clinical.news2 import MEASURED, PARAMETERS
from clinical.vitals import SPECS, Vital

LABELS = {**{name: SPECS[Vital(name)].label for name in MEASURED},
          "supplemental_oxygen": "Supplemental oxygen", "consciousness": "Consciousness"}
"""The seven inputs of NEWS2."""

ENOUGH_INPUTS = 4
"""More than half of the seven, an assumption: with fewer a low chance only says what is missing."""
TOO_LITTLE = "not known"


def percent(share: float) -> str:
    """A probability; ends are not rounded to certainty."""
    if 0 < share <= 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def at_least(share: float) -> str:
    """A probability that what is missing could raise, rounded down."""
    return "> 99 %" if share >= 0.995 else f"≥ {int(100 * share + 1e-9)} %"


def chance(share: float, missing: Sequence[str], threshold: float) -> str:
    """P(score ≥ 5) of a forecast from which the inputs `missing` were left out.

    Where most are missing, a chance below the alert `threshold` is not told: it would calm.
    """
    if not missing:
        return percent(share)
    too_little = inputs_known(missing) < ENOUGH_INPUTS and share < threshold
    return TOO_LITTLE if too_little else at_least(share)


def inputs_known(missing: Sequence[str]) -> int:
    """How many of the seven inputs there are."""
    return len(PARAMETERS) - len(missing)
