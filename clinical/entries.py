"""Inputs of NEWS2 as people write them: csv fields, questionnaire answers, doctors' entries.

Empty text is a missing value. Text that cannot be read raises `InputError`, which names the
column and says what to write instead.
"""

import re
from collections.abc import Mapping
from reprlib import repr as shown

from clinical.errors import InputError
from clinical.news2 import MEASURED, Consciousness, Inputs

COLUMNS = ("respiratory_rate", "spo2", "spo2_scale", "supplemental_oxygen", "systolic_bp",
           "heart_rate", "body_temperature", "consciousness")
"""The columns of an observation set, in the order in which files carry them."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SUPPLY = {"true": True, "false": False}


def parse_number(column: str, text: str) -> float | None:
    """A measured value, with a point for the decimal sign; its range is `Inputs`' to check."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise InputError(column, f"{shown(text)} is not a number; write digits such as 72 or 36.8, "
                                 "or leave the field empty if the value is missing")
    return float(text)


def parse_scale(text: str) -> int:
    """The SpO2 scale: 1 where nothing is written."""
    scale = {"": 1, "1": 1, "1.0": 1, "2": 2, "2.0": 2}.get(text)
    if scale is None:
        raise InputError("spo2_scale",
                         f"{shown(text)} is no scale; write 1, or 2 where a clinician has set it, "
                         "or leave the field empty for 1")
    return scale


def parse_oxygen(text: str) -> bool | None:
    """Whether the person breathes supplemental oxygen."""
    if not text:
        return None
    if text.lower() not in _SUPPLY:
        raise InputError("supplemental_oxygen",
                         f"{shown(text)} is neither true nor false; write true on oxygen, false "
                         "on air, or nothing if it is not known")
    return _SUPPLY[text.lower()]


def parse_consciousness(text: str) -> Consciousness | None:
    """Level of consciousness (ACVPU)."""
    if not text:
        return None
    try:
        return Consciousness(text.lower())
    except ValueError:
        raise InputError("consciousness", f"{shown(text)} is not a level; write one of "
                                          f"{', '.join(Consciousness)}, or nothing") from None


def parse_inputs(fields: Mapping[str, str]) -> Inputs:
    """An observation set from text by column; an absent column is the same as an empty one."""
    text = {column: fields.get(column, "").strip() for column in COLUMNS}
    measured = {column: parse_number(column, text[column]) for column in MEASURED}
    return Inputs(
        **measured,
        spo2_scale=parse_scale(text["spo2_scale"]),
        supplemental_oxygen=parse_oxygen(text["supplemental_oxygen"]),
        consciousness=parse_consciousness(text["consciousness"]),
    )
