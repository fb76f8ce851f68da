"""A reading's key and its line for COPY, part by part as they are defined: slow and plain."""

import hashlib
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from providers.observation import Observation, Provider

COLUMNS = ("vital", "value", "effective_start", "effective_end", "utc_offset_s", "civil_date",
           "granularity", "statistic", "context", "method", "body_site", "device_id",
           "device_model", "source_record_id", "group_id", "provider_modified_at", "quality",
           "quality_reasons")


def key(one: Observation, patient_id: str, provider: Provider) -> bytes:
    """SHA-256 of the parts that name a reading, separated by the unit separator."""
    parts = [patient_id, provider.value, one.vital.value, one.statistic.value,
             one.granularity.value, one.effective_start.isoformat(),
             one.device_id or one.device_model or "", one.source_record_id or ""]
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def column(value: Any) -> str:
    """Any column in COPY's text format."""
    match value:
        case None:
            return r"\N"
        case Enum():
            return str(value.value)
        case datetime() | date():
            return value.isoformat()
        case int() | Decimal():
            return str(value)
        case tuple():
            inner = ['"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in value]
            return column("{" + ",".join(inner) + "}")
    escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\ufffd"}
    return "".join(escapes.get(letter, letter) for letter in value)


def line(one: Observation, patient_id: str, provider: Provider, connection_id: str,
         origin: str) -> str:
    """The whole row, in the order of the table; `origin` stands before the quality."""
    told = [column(getattr(one, name)) for name in COLUMNS]
    return "\t".join([
        r"\\x" + key(one, patient_id, provider).hex(), column(patient_id), told[0],
        provider.value, column(connection_id), *told[1:16], origin, *told[16:]]) + "\n"
