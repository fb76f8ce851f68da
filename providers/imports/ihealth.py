"""Lists of the iHealth API: blood pressure (BPDataList) and oxygen saturation (BODataList).

MDate counts seconds to the *local* time of the reading, TimeZone is that time's offset: the
instant is MDate less the offset (as the Open mHealth project's shim reads it; LastChangeTime, in
UTC, follows within seconds in its recorded answers).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from clinical.vitals import Vital
from providers.checks import OddError, at_epoch, near_utc, number, plausible, text_or_none
from providers.imports.reading import (
    FileRefused,
    Item,
    alone,
    each_record,
    object_or_refused,
    opened_json,
    record_of,
    refuse_crossed,
    refused_keys,
    told_rate,
)
from providers.imports.units import mmhg
from providers.observation import Method, Observation

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_PRESSURE_UNITS = {0: "mmHg", 1: "kPa"}


def read_ihealth(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """The readings of either list."""
    document = object_or_refused(opened_json(file))
    if not {"BPDataList", "BODataList"} & document.keys():
        raise refused_keys(document, "a list of the iHealth API")
    if "BPDataList" in document:
        told = document.get("BPUnit", 0)
        unit = _PRESSURE_UNITS.get(told) if type(told) is int else None
        if unit is None:
            raise FileRefused("line 1: BPUnit is neither 0 (mmHg) nor 1 (kPa)")
        yield from each_record(document["BPDataList"], "BPDataList",
                               lambda record: _pressure(record, unit == "kPa"))
    if "BODataList" in document:
        yield from each_record(document["BODataList"], "BODataList", _oxygen)


def _pressure(record: Any, kilopascal: bool) -> Iterator[Item]:
    record = record_of(record)
    values = {vital: _value(vital, record.get(name), kilopascal) for name, vital in (
        ("HP", Vital.SYSTOLIC_BP), ("LP", Vital.DIASTOLIC_BP))}
    refuse_crossed(values)
    yield from _observations(record, values)


def _oxygen(record: Any) -> Iterator[Item]:
    record = record_of(record)
    yield from _observations(record, {Vital.SPO2: _value(Vital.SPO2, record.get("BO"), False)})


def _value(vital: Vital, told: Any, kilopascal: bool) -> Decimal:
    value = number(told)
    return plausible(vital, mmhg(value) if kilopascal else value)


def _observations(record: dict[str, Any], values: dict[Vital, Decimal]) -> Iterator[Item]:
    """The values and the pulse of one reading, under its id; an odd pulse is refused alone."""
    moment, offset_s = _time(record)
    name = text_or_none(record.get("DataID"))
    changed = record.get("LastChangeTime")
    found = [Observation(
        vital=vital, value=value, effective_start=moment, effective_end=moment,
        utc_offset_s=offset_s, source_record_id=name, group_id=name,
        method=Method.MANUAL if record.get("DataSource") == "Manual" else Method.DEVICE,
        provider_modified_at=None if changed is None else at_epoch(changed))
        for vital, value in values.items()]
    yield from found
    yield from alone("HR", lambda: [replace(found[0], vital=Vital.HEART_RATE, value=rate)
                                    for rate in told_rate(record, "HR", Vital.HEART_RATE)])


def _time(record: dict[str, Any]) -> tuple[datetime, int]:
    match = _OFFSET.fullmatch(str(record.get("TimeZone")))
    if match is None:
        raise OddError("TimeZone is not an offset")
    sign = -1 if match[1] == "-" else 1
    offset_s = near_utc(sign * (int(match[2]) * 3600 + int(match[3]) * 60))
    return at_epoch(record.get("MDate")) - timedelta(seconds=offset_s), offset_s
