"""How earlier forecasts did, as the report says it."""

from dataclasses import dataclass

from clinical.vitals import SPECS, Vital
from registry.views import Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLine:
    """One vital. `baseline` is '' where no baseline forecast every hour; coverages are shares."""

    label: str
    unit: str
    error: str
    baseline_error: str
    baseline: str
    better: bool
    coverage_80: float
    coverage_95: float
    hours: int


def accuracy_line(found: Accuracy) -> AccuracyLine:
    """A mean of many errors has a digit more than a reading. `better` is by what is shown."""
    spec = SPECS[Vital(found.vital)]
    digits = 2 if spec.resolution < 1 else 1
    error = round(found.mae, digits)
    baseline = None if found.baseline_mae is None else round(found.baseline_mae, digits)
    return AccuracyLine(
        label=spec.label, unit=spec.display_unit, error=f"{error:.{digits}f}",
        baseline_error="" if baseline is None else f"{baseline:.{digits}f}",
        baseline=(found.baseline or "").replace("_", " "),
        better=baseline is not None and error < baseline,
        coverage_80=found.coverage_80, coverage_95=found.coverage_95, hours=found.hours,
    )
