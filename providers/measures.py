"""What each source can measure, by which requests and devices: declared, without any client.

Jobs that speak to no vendor read this; that it agrees with what the clients parse is tested.
"""

from collections.abc import Mapping
from enum import StrEnum

from clinical.vitals import Vital
from providers.observation import Provider


class Coverage(StrEnum):
    """How a source measures a vital. `none` is "unsupported", which is not "missing"."""

    CONTINUOUS = "continuous"
    NIGHTLY = "nightly"
    SPOT = "spot"
    NONE = "none"


def _covered(**how: Coverage) -> dict[Vital, Coverage]:
    return {vital: how.get(vital.value, Coverage.NONE) for vital in Vital}


COVERED: Mapping[Provider, Mapping[Vital, Coverage]] = {
    Provider.WITHINGS: _covered(
        heart_rate=Coverage.CONTINUOUS, respiratory_rate=Coverage.CONTINUOUS,
        systolic_bp=Coverage.SPOT, diastolic_bp=Coverage.SPOT,
        body_temperature=Coverage.SPOT, skin_temperature=Coverage.SPOT,
        spo2=Coverage.CONTINUOUS),
    Provider.GOOGLE_HEALTH: _covered(
        heart_rate=Coverage.CONTINUOUS, respiratory_rate=Coverage.NIGHTLY,
        body_temperature=Coverage.SPOT, skin_temperature=Coverage.NIGHTLY,
        spo2=Coverage.CONTINUOUS, resting_heart_rate=Coverage.NIGHTLY),
    Provider.OURA: _covered(
        heart_rate=Coverage.CONTINUOUS, respiratory_rate=Coverage.NIGHTLY,
        spo2=Coverage.NIGHTLY, skin_temperature_deviation=Coverage.NIGHTLY),
    Provider.GARMIN: _covered(
        heart_rate=Coverage.CONTINUOUS, respiratory_rate=Coverage.CONTINUOUS,
        systolic_bp=Coverage.SPOT, diastolic_bp=Coverage.SPOT, spo2=Coverage.CONTINUOUS,
        skin_temperature_deviation=Coverage.NIGHTLY),
}
"""By source. Of the others (files, aggregators) nothing is known beforehand: all of it is spot."""

CARRIED_BY: Mapping[Provider, Mapping[str, tuple[Vital, ...]]] = {
    Provider.WITHINGS: {
        "getmeas": (Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP,
                    Vital.BODY_TEMPERATURE, Vital.SKIN_TEMPERATURE, Vital.SPO2),
        "sleep": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE),
        "intraday": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2),
        "sleep-summary": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE)},
    Provider.GOOGLE_HEALTH: {
        "heart-rate": (Vital.HEART_RATE,), "oxygen-saturation": (Vital.SPO2,),
        "core-body-temperature": (Vital.BODY_TEMPERATURE,),
        "daily-respiratory-rate": (Vital.RESPIRATORY_RATE,),
        "respiratory-rate-sleep-summary": (Vital.RESPIRATORY_RATE,),
        "daily-sleep-temperature-derivations": (Vital.SKIN_TEMPERATURE,),
        "daily-oxygen-saturation": (Vital.SPO2,),
        "daily-resting-heart-rate": (Vital.RESTING_HEART_RATE,)},
    Provider.OURA: {
        "heartrate": (Vital.HEART_RATE,),
        "sleep": (Vital.RESPIRATORY_RATE,),
        "daily_spo2": (Vital.SPO2,),
        "daily_readiness": (Vital.SKIN_TEMPERATURE_DEVIATION,)},
}
"""Vitals by the resource that brings them; a nightly mean beside readings is no part of it where
the source measures the vital continuously."""

WORN_BY: Mapping[Provider, tuple[Vital, ...]] = {
    Provider.WITHINGS: (Vital.RESPIRATORY_RATE,),        # pulse and SpO2 may come from the cuff
    Provider.GOOGLE_HEALTH: (Vital.HEART_RATE, Vital.SPO2),
    Provider.OURA: (Vital.HEART_RATE,),
    Provider.GARMIN: (Vital.HEART_RATE, Vital.RESPIRATORY_RATE),
}
"""Vitals whose readings only a worn device (or a mat that is slept on) can have taken."""

WITHINGS_DEVICES: Mapping[str, tuple[Vital, ...]] = {
    "cuff": (Vital.HEART_RATE, Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP),
    "watch": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2),
    "mat": (Vital.HEART_RATE, Vital.RESPIRATORY_RATE),
    "thermometer": (Vital.BODY_TEMPERATURE, Vital.SKIN_TEMPERATURE),
    "scale": (Vital.HEART_RATE,),
}
"""What each kind of Withings device measures; of other kinds it is not known."""

BODY_DEVICES = ("watch", "mat")
"""Withings devices that measure by themselves; the others wait for somebody to use them."""

DEVICE_NAMES: Mapping[Provider, str] = {
    Provider.WITHINGS: "Withings device", Provider.GOOGLE_HEALTH: "Google Health tracker",
    Provider.OURA: "Oura ring", Provider.GARMIN: "Garmin watch",
}
"""How a doctor is told of the source's device."""


def how_measured(provider: Provider, vital: Vital) -> Coverage:
    """How a source measures a vital; spot where nothing is declared."""
    declared = COVERED.get(provider)
    return declared[vital] if declared is not None else Coverage.SPOT
