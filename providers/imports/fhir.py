"""FHIR R4 vital signs: one Observation, or a Bundle of them (other resources are passed over).

LOINC tells the vital, UCUM the unit. An absent value is refused with the reason that the record
gives; a record that was entered in error, or is only registered, is refused too.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from clinical.vitals import SPECS, Vital
from providers.checks import OddError, object_at, temperature_at, text_or_none, utc
from providers.imports.reading import (
    FileRefused,
    Item,
    Owner,
    each_record,
    object_or_refused,
    opened_json,
    over_time,
    record_of,
    refuse_crossed,
    zoned,
)
from providers.imports.units import measured
from providers.observation import Method, Observation

LOINC = "http://loinc.org"
PANEL = "85354-9"
VITAL_SIGNS = "85353-1"
"""A panel that mostly names its members, which are Observations of their own."""
_VITALS = {spec.loinc: vital for vital, spec in SPECS.items() if spec.loinc} | {
    "2708-6": Vital.SPO2}
_SITES = {
    "39937001": "skin", "8205005": "wrist", "7569003": "finger", "29707007": "toe",
    "85562004": "hand", "56459004": "foot", "14975008": "forearm", "123851003": "mouth",
    "34402009": "rectum", "91470000": "axilla", "117590005": "ear", "42859004": "ear drum",
    "52795006": "forehead", "15672000": "temporal artery"}
"""SNOMED CT: where temperatures are taken."""
_USABLE = ("final", "amended", "corrected", "preliminary")


def read_fhir(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """Every vital sign of the resource or bundle."""
    document = object_or_refused(opened_json(file))
    kind = document.get("resourceType")
    if kind == "Observation":
        yield from each_record([document], "Observation", _resource)
    elif kind == "Bundle":
        entries = document.get("entry", [])
        if not isinstance(entries, list):
            raise FileRefused("line 1: entry is not a list")
        resources = [one.get("resource") if isinstance(one, dict) else one for one in entries]
        yield from each_record(resources, "entry", _resource)
    else:
        raise FileRefused("line 1: neither an Observation nor a Bundle")


def _resource(resource: Any) -> Iterator[Item]:
    resource = record_of(resource)
    if resource.get("resourceType") != "Observation":
        return
    codes = _codes(object_at(resource, "code"))
    if VITAL_SIGNS in codes and _list(resource.get("component")):
        raise OddError("a panel of vital signs: give each as an Observation of its own")
    if not codes & (_VITALS.keys() | {PANEL}):
        return
    if subject := _subject(resource):
        yield Owner(user_id=subject)
    if resource.get("status") not in _USABLE:
        raise OddError("its status says that it is no result")
    site = _site(resource)
    parts = _components(resource) if PANEL in codes else [(_vital_at(codes, resource, site),
                                                           resource)]
    values = {vital: measured(vital, *_quantity(part)) for vital, part in parts}
    refuse_crossed(values)
    start, end, offset_s = _time(resource)
    for vital, value in values.items():
        yield over_time(Observation(
            vital=vital, value=value, effective_start=start, effective_end=end,
            utc_offset_s=offset_s, method=Method.DEVICE if "device" in resource else Method.MANUAL
            if "performer" in resource else Method.DEVICE,
            body_site=site, device_model=_device(resource), source_record_id=_record_id(resource),
            group_id=_record_id(resource) if PANEL in codes else None,
            provider_modified_at=_modified(resource)))


def _site(resource: dict[str, Any]) -> str | None:
    """Where it was measured, in words; None where it is not told, or not in words."""
    if resource.get("bodySite") is None:
        return None
    concept = object_at(resource, "bodySite")
    codings = [one for one in _list(concept.get("coding")) if isinstance(one, dict)]
    told = [concept.get("text"), *(one.get("display") for one in codings),
            *(_SITES.get(str(one.get("code"))) for one in codings)]
    return ", ".join(filter(None, map(text_or_none, told))) or None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _codes(concept: dict[str, Any]) -> set[str]:
    return {one["code"] for one in _list(concept.get("coding"))
            if isinstance(one, dict) and one.get("system") == LOINC
            and isinstance(one.get("code"), str)}


def _vital(codes: set[str]) -> Vital:
    return next(_VITALS[code] for code in sorted(codes) if code in _VITALS)


def _vital_at(codes: set[str], resource: dict[str, Any], site: str | None) -> Vital:
    """The vital, a temperature by where it was taken. OddError."""
    vital = _vital(codes)
    if vital is not Vital.BODY_TEMPERATURE:
        return vital
    if site is None and resource.get("bodySite") is not None:
        raise OddError("where it was measured is told by a code that is not known")
    return temperature_at(site)


def _components(resource: dict[str, Any]) -> list[tuple[Vital, dict[str, Any]]]:
    """Both pressures of a panel. OddError when one of them is not there."""
    _require_present(resource)
    found = []
    for part in _list(resource.get("component")):
        codes = _codes(object_at(part, "code"))
        if codes & _VITALS.keys():
            found.append((_vital(codes), part))
    if {vital for vital, _ in found} != {Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP}:
        raise OddError("a blood pressure needs its systolic and diastolic component")
    return found


def _quantity(part: dict[str, Any]) -> tuple[Any, Any]:
    _require_present(part)
    quantity = object_at(part, "valueQuantity")
    if quantity.get("comparator") is not None:
        raise OddError("a bound, not a value")
    return quantity.get("value"), quantity.get("code") or quantity.get("unit")


def _require_present(part: dict[str, Any]) -> None:
    if "dataAbsentReason" in part:
        coding = part["dataAbsentReason"].get("coding") \
            if isinstance(part["dataAbsentReason"], dict) else None
        code = coding[0].get("code") if isinstance(coding, list) and coding \
            and isinstance(coding[0], dict) else None
        raise OddError(f"the value is absent: {text_or_none(code) or 'no reason given'}")


def _time(resource: dict[str, Any]) -> tuple[datetime, datetime, int]:
    if "effectiveDateTime" in resource:
        if len(str(resource["effectiveDateTime"])) <= len("2026-08-06"):
            raise OddError("a date without a time")
        moment, offset_s = zoned(resource["effectiveDateTime"])
        return moment, moment, offset_s
    if "effectiveInstant" in resource:
        moment, offset_s = zoned(resource["effectiveInstant"])
        return moment, moment, offset_s
    period = object_at(resource, "effectivePeriod")
    start, offset_s = zoned(period.get("start"))
    return start, utc(period.get("end")), offset_s


def _subject(resource: dict[str, Any]) -> str | None:
    subject = resource.get("subject")
    return text_or_none(subject.get("reference")) if isinstance(subject, dict) else None


def _device(resource: dict[str, Any]) -> str | None:
    device = resource.get("device")
    return text_or_none(device.get("display")) if isinstance(device, dict) else None


def _record_id(resource: dict[str, Any]) -> str | None:
    return text_or_none(resource.get("id"))


def _modified(resource: dict[str, Any]) -> datetime | None:
    meta = resource.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return None if updated is None else utc(updated)
