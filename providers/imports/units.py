"""Units of files to the vitals' own, exactly: a table of decimals."""

from collections.abc import Callable
from decimal import Decimal

from clinical.vitals import Vital
from providers.checks import OddError, number, plausible

_PER_MINUTE = {"/min", "count/min", "beats/min", "breaths/min", "bpm", "{beats}/min",
               "{breaths}/min"}
_MMHG = {"mmHg", "mm[Hg]"}
_CELSIUS = {"C", "Cel", "degC", "°C"}
_FAHRENHEIT = {"F", "[degF]", "degF", "°F"}
_MMHG_PER_KPA = Decimal("7.500617")     # 101 325 Pa = 760 mmHg
_PLACES = Decimal("0.001")


def _same(value: Decimal) -> Decimal:
    return value


def celsius(fahrenheit: Decimal) -> Decimal:
    """°F to °C; 98.6 °F are 37 °C and not a rounding error more."""
    return _rounded((fahrenheit - 32) * 5 / 9)


def mmhg(kilopascal: Decimal) -> Decimal:
    """kPa to mmHg."""
    return _rounded(kilopascal * _MMHG_PER_KPA)


def _rounded(value: Decimal) -> Decimal:
    rounded = value.quantize(_PLACES).normalize()
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded


Convert = Callable[[Decimal], Decimal]

_RATES: dict[str, Convert] = dict.fromkeys(_PER_MINUTE, _same)
_PRESSURES: dict[str, Convert] = {**dict.fromkeys(_MMHG, _same), "kPa": mmhg}
_TEMPERATURES: dict[str, Convert] = {
    **dict.fromkeys(_CELSIUS, _same), **dict.fromkeys(_FAHRENHEIT, celsius)}

UNITS: dict[Vital, dict[str, Convert]] = {
    Vital.HEART_RATE: _RATES, Vital.RESTING_HEART_RATE: _RATES, Vital.RESPIRATORY_RATE: _RATES,
    Vital.SYSTOLIC_BP: _PRESSURES, Vital.DIASTOLIC_BP: _PRESSURES,
    Vital.BODY_TEMPERATURE: _TEMPERATURES, Vital.SKIN_TEMPERATURE: _TEMPERATURES,
    Vital.SPO2: {"%": _same},
}


def measured(vital: Vital, value: object, unit: object) -> Decimal:
    """A JSON number in `unit` as a plausible value of the vital. OddError for anything else."""
    convert = UNITS[vital].get(unit) if isinstance(unit, str) else None
    if convert is None:
        raise OddError(f"{vital} is not measured in that unit")
    return plausible(vital, convert(number(value)))
