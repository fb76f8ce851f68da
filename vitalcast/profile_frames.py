"""Profiles as a frame, checked before they are stored; pandera is imported for that alone."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from clinical.quality import Flag
from clinical.vitals import Vital
from providers.observation import Provider
from registry.quality_days import COLUMNS, Profile

_QUANTILES = ["q05", "q25", "median", "q75", "q95"]
_LATENESS = ["lateness_median_s", "lateness_q95_s", "lateness_max_s"]


def _count(least: int = 0) -> pa.Column:
    return pa.Column(int, pa.Check.ge(least))


def _rising(names: list[str]) -> list[pa.Check]:
    """Each column is at least the one before it, where both say something."""
    return [pa.Check(partial(_in_order, less, more), name=f"{less} is not above {more}")
            for less, more in pairwise(names)]


def _in_order(less: str, more: str, frame: pd.DataFrame) -> "pd.Series[bool]":
    return (frame[less] <= frame[more]) | frame[less].isna()


SCHEMA = pa.DataFrameSchema(
    {
        "scope": pa.Column(str, pa.Check.isin(["patient", "provider"])),
        "subject": pa.Column(str, pa.Check.str_length(min_value=1)),
        "vital": pa.Column(str, pa.Check.isin([vital.value for vital in Vital])),
        "day": pa.Column(object),
        "days": _count(1), "patients": _count(1), "readings": _count(1), "hours": _count(1),
        "missing_share": pa.Column(float, pa.Check.in_range(0, 1), coerce=True),
        **{name: pa.Column(float, coerce=True) for name in _QUANTILES},
        **{name: pa.Column(float, pa.Check.ge(0), nullable=True, coerce=True)
           for name in _LATENESS},
        "late": _count(),
        "devices": pa.Column(object),
        "flags": pa.Column(object, pa.Check(
            lambda flags: set(flags) <= {flag.value for flag in Flag}, element_wise=True,
            name="known flags")),
    },
    checks=[
        *_rising(_QUANTILES), *_rising(_LATENESS), *_rising(["hours", "readings"]),
        *_rising(["late", "readings"]),
        pa.Check(lambda frame: frame["scope"].eq("patient")
                 | frame["subject"].isin([provider.value for provider in Provider]),
                 name="the provider is known"),
    ],
    unique=["scope", "subject", "vital"], strict=True, ordered=True)


class ProfileOdd(Exception):
    """A profile is not what a profile can be: a fault of the program, report it."""


def checked(profiles: Sequence[Profile]) -> Sequence[Profile]:
    """The profiles themselves. ProfileOdd names the rules that one breaks, never a patient."""
    if not profiles:
        return profiles
    frame = pd.DataFrame([asdict(one) for one in profiles], columns=list(COLUMNS))
    try:
        SCHEMA.validate(frame, lazy=True)
    except SchemaErrors as errors:
        rules = sorted({f"{where}: {rule}" for where, rule in zip(
            errors.failure_cases["column"], errors.failure_cases["check"], strict=True)})
        raise ProfileOdd(f"profiles break {len(rules)} rule(s): {'; '.join(rules)}; report it"
                         ) from None
    return profiles
