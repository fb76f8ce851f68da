"""A change in plain words, for a doctor and a board: what, by how much, in the vital's own unit."""

from collections.abc import Callable
from dataclasses import dataclass

from clinical.vitals import VitalSpec
from forecasting.detectors.charts import Kind
from forecasting.detectors.units import unit_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: `size` as its chart tells it, `scale` the series' usual deviation."""

    kind: Kind
    vital: VitalSpec
    size: float
    scale: float

    @property
    def amount(self) -> str:
        """The size in the vital's unit, at least its resolution."""
        amount = max(abs(self.size) * self.scale, self.vital.resolution)
        return f"{amount:.{1 if self.vital.resolution < 1 else 0}f} {self.vital.display_unit}"


def words(change: Change) -> str:
    """One sentence, without a name and without a time."""
    return f"{change.vital.label}: {_WORDS[change.kind](change)}."


def _level(one: Change) -> str:
    side = "higher" if one.size > 0 else "lower"
    return f"{one.amount} {side} than in the training window, at the same hours of the day"


def _spread(one: Change) -> str:
    side = "more" if one.size > 0 else "less"
    return f"varies {side} from hour to hour than it did, about {1 + one.size:.1f} times as much"


def _error(one: Change) -> str:
    side = "below" if one.size > 0 else "above"
    return (f"forecasts an hour ahead lie {side} what is observed, by {abs(one.size):.1f} of the "
            "deviations that they promise")


_WORDS: dict[Kind, Callable[[Change], str]] = {
    Kind.LEVEL: _level,
    Kind.SPREAD: _spread,
    Kind.DISTRIBUTION: lambda one: (
        f"the values of the last week lie at least {one.amount} on average from where those of "
        "the training window lay"),
    Kind.MISSING: lambda one: (
        f"{one.size:.0%} more of the hours have no reading than in the training window"),
    Kind.GAPS: lambda one: (
        f"gaps begin more often: after {one.size:.0%} more of the hours with a reading"),
    Kind.ERROR: _error,
    Kind.ERROR_SIZE: lambda one: (
        "errors of forecasts an hour ahead have "
        f"{'grown' if one.size > 0 else 'shrunk'} by {abs(one.size):.1f} of the deviations that "
        "they promise"),
    Kind.COVERAGE: lambda one: (
        f"{one.size:.0%} more of the hours lie outside the 80 % interval an hour ahead than usual"),
    Kind.UNIT: lambda one: (
        f"readings look like {unit_named(one.vital.unit, one.size)}, not {one.vital.display_unit}"),
    Kind.SKEW: lambda one: (
        f"what is forecast from lies {one.amount} on average from what was trained on"),
}
