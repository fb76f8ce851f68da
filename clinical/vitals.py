"""The vocabulary of vitals: one name, unit, LOINC code and plausible range for each.

Ranges are plausibility limits for ingest (a value outside cannot be a reading of a living
patient or is a unit mix-up), not clinical thresholds; those stand in `news2` and `protocols`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Vital(StrEnum):
    """Every quantity that the system stores; `FORECAST_VITALS` are the six it forecasts."""

    HEART_RATE = "heart_rate"
    RESPIRATORY_RATE = "respiratory_rate"
    SYSTOLIC_BP = "systolic_bp"
    DIASTOLIC_BP = "diastolic_bp"
    BODY_TEMPERATURE = "body_temperature"
    SPO2 = "spo2"
    RESTING_HEART_RATE = "resting_heart_rate"
    SKIN_TEMPERATURE = "skin_temperature"
    SKIN_TEMPERATURE_DEVIATION = "skin_temperature_deviation"


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSpec:
    """What is fixed about a vital. `unit` is UCUM; `loinc` is empty where LOINC has no code."""

    vital: Vital
    label: str
    unit: str
    display_unit: str
    loinc: str
    low: float
    high: float
    resolution: float
    source: str

    @property
    def noun(self) -> str:
        """The label as it stands within a sentence."""
        return self.label.lower()

    def plausible(self, value: float) -> bool:
        """Whether `value`, in the vital's own unit, lies in the plausible range (ends included)."""
        return self.low <= value <= self.high


_RANGES = "design limits of ingest: widest values seen in monitored adults, device ranges"

_SPECS = (
    VitalSpec(vital=Vital.HEART_RATE, label="Heart rate", unit="/min", display_unit="/min",
              loinc="8867-4", low=20, high=300, resolution=1, source=_RANGES),
    VitalSpec(vital=Vital.RESPIRATORY_RATE, label="Respiratory rate", unit="/min",
              display_unit="/min", loinc="9279-1", low=3, high=80, resolution=1, source=_RANGES),
    VitalSpec(vital=Vital.SYSTOLIC_BP, label="Systolic blood pressure", unit="mm[Hg]",
              display_unit="mmHg", loinc="8480-6", low=50, high=300, resolution=1, source=_RANGES),
    VitalSpec(vital=Vital.DIASTOLIC_BP, label="Diastolic blood pressure", unit="mm[Hg]",
              display_unit="mmHg", loinc="8462-4", low=20, high=200, resolution=1, source=_RANGES),
    VitalSpec(vital=Vital.BODY_TEMPERATURE, label="Body temperature", unit="Cel",
              display_unit="°C", loinc="8310-5", low=30, high=45, resolution=0.1, source=_RANGES),
    VitalSpec(vital=Vital.SPO2, label="Oxygen saturation", unit="%", display_unit="%",
              loinc="59408-5", low=50, high=100, resolution=1, source=_RANGES),
    VitalSpec(vital=Vital.RESTING_HEART_RATE, label="Resting heart rate", unit="/min",
              display_unit="/min", loinc="40443-4", low=20, high=300, resolution=1,
              source=_RANGES),
    VitalSpec(vital=Vital.SKIN_TEMPERATURE, label="Skin temperature", unit="Cel",
              display_unit="°C", loinc="", low=15, high=45, resolution=0.1, source=_RANGES),
    VitalSpec(vital=Vital.SKIN_TEMPERATURE_DEVIATION, label="Skin temperature deviation",
              unit="Cel", display_unit="°C", loinc="", low=-10, high=10, resolution=0.1,
              source=_RANGES),
)

SPECS: dict[Vital, VitalSpec] = {spec.vital: spec for spec in _SPECS}

FORECAST_VITALS: tuple[Vital, ...] = (
    Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP,
    Vital.BODY_TEMPERATURE, Vital.SPO2,
)
