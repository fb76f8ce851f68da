"""What checks may say of a reading, and from where on they say it.

A flag is a remark with a reason. It deletes nothing; those in `KEEPS_OUT` keep a reading out of
forecasts and scores, the others are only shown: what looks odd may be the illness.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from clinical.vitals import Vital


class Flag(StrEnum):
    """What a check found about a reading."""

    OUT_OF_RANGE = "out_of_range"
    JUMP = "jump"
    FLAT_LINE = "flat_line"
    IMPOSSIBLE_PAIR = "impossible_pair"
    DEVICES_DIFFER = "devices_differ"
    DUPLICATE = "duplicate"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_SHIFT = "clock_shift"


KEEPS_OUT = frozenset({Flag.OUT_OF_RANGE, Flag.IMPOSSIBLE_PAIR, Flag.CLOCK_AHEAD})
"""Readings that cannot be: no body has such a value or pair, and nobody measures in the future."""

LABELS: dict[Flag, str] = {
    Flag.OUT_OF_RANGE: "out of the plausible range",
    Flag.JUMP: "jump",
    Flag.FLAT_LINE: "flat line",
    Flag.IMPOSSIBLE_PAIR: "systolic not above diastolic",
    Flag.DEVICES_DIFFER: "two devices differ",
    Flag.DUPLICATE: "same reading twice",
    Flag.CLOCK_AHEAD: "measured after it arrived",
    Flag.CLOCK_SHIFT: "clock shifted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on readings of a vital are flagged, in its own unit; inf = never.

    jump        out of line by more than this with the readings before and after it. Of 214,000
                minutes and 18,000 hours of public recordings (7 wearers of a watch, 24 hospital
                stays: Furberg et al. 2016, eICU and MIMIC-III demo) one in a thousand is.
    flat_hours  the same value for so long. In those recordings heart rate stood still for 5 h at
                most, temperature for 14 h, respiratory rate and saturation, of ventilated patients
                alone, for two days. A cuff measures too seldom to say.
    differ      how far two devices may be apart in the same minute: twice the error that the
                standard allows each (ANSI/AAMI EC13: 5 /min; ISO 80601-2-56: 0.3 °C), or, where it
                names a standard deviation s, 1.96 √2 s (ISO 80601-2-61: 4 %; ISO 81060-2: 8 mmHg).
                No standard says it of wearables' respiratory rate: twice 3 /min, a design value.
    """

    jump: float = math.inf
    flat_hours: float = math.inf
    differ: float = math.inf


LIMITS: dict[Vital, Limits] = {
    Vital.HEART_RATE: Limits(jump=45, flat_hours=8, differ=10),
    Vital.RESPIRATORY_RATE: Limits(jump=12, flat_hours=24, differ=6),
    Vital.SYSTOLIC_BP: Limits(jump=45, differ=22),
    Vital.DIASTOLIC_BP: Limits(jump=40, differ=22),
    Vital.BODY_TEMPERATURE: Limits(jump=1.0, flat_hours=18, differ=0.6),
    Vital.SPO2: Limits(jump=8, flat_hours=24, differ=11),
}

NO_LIMITS = Limits()
"""Of vitals that are not forecast from: skin temperature, daily resting heart rate."""
