"""Apple Health: `export.xml`, read as a stream in flat memory, or the `export.zip` around it.

A saturation is a fraction with the unit "%". Blood pressure stands in the file twice, in a
Correlation and as bare Records: the same reading is given once. Times have the offset of the place
of the export. Entity declarations are refused (an export has none, a "billion laughs" has), and so
is a zip that unpacks to more than two hundred times its size.
"""

import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import BinaryIO, cast
from xml.parsers import expat
from zoneinfo import ZoneInfo

from clinical.vitals import Vital
from providers.checks import (
    OddError,
    in_order,
    in_our_time,
    number_in_text,
    plausible,
    temperature_at,
)
from providers.imports.reading import (
    LONGEST_MOMENT,
    NO_MOMENT,
    OUT_OF_RANGE,
    FileRefused,
    Item,
    Owner,
    civil_date,
)
from providers.imports.units import UNITS
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Refusal,
    Statistic,
)

CHUNK_BYTES = 1 << 18
MOST_UNPACKED = 200
"""An export compresses about twentyfold; a bomb a thousandfold."""

_TYPE = "HKQuantityTypeIdentifier"
_WRIST_AT_NIGHT = f"{_TYPE}AppleSleepingWristTemperature"
_VITALS = {
    f"{_TYPE}HeartRate": Vital.HEART_RATE, f"{_TYPE}RespiratoryRate": Vital.RESPIRATORY_RATE,
    f"{_TYPE}OxygenSaturation": Vital.SPO2, f"{_TYPE}BodyTemperature": Vital.BODY_TEMPERATURE,
    f"{_TYPE}BloodPressureSystolic": Vital.SYSTOLIC_BP,
    f"{_TYPE}BloodPressureDiastolic": Vital.DIASTOLIC_BP,
    f"{_TYPE}RestingHeartRate": Vital.RESTING_HEART_RATE,
    _WRIST_AT_NIGHT: Vital.SKIN_TEMPERATURE,
}
_PRESSURES = (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)
_MOTIONS = {"1": Context.REST, "2": Context.ACTIVE}
_SITES = ("other", "armpit", "body", "ear", "finger", "gastro-intestinal", "mouth", "rectum", "toe",
          "ear drum", "temporal artery", "forehead")
"""HKBodyTemperatureSensorLocation by its number, as the export has it."""
_SITE_KEYS = ("HKBodyTemperatureSensorLocation", "HKMetadataKeyBodyTemperatureSensorLocation")
"""The constant's value and its name: exports have some keys by the one, some by the other."""
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError,
            ValueError)
"""What zipfile raises for a zip that is cut off, garbled or encrypted; expat a ValueError for an
encoding that it does not read."""
_BIRTH = "HKCharacteristicTypeIdentifierDateOfBirth"


def read_apple(file: BinaryIO, _: ZoneInfo | None) -> Iterator[Item]:
    """Every vital of the export, as it is read."""
    start = file.read(4)
    file.seek(0)
    if not start:
        raise FileRefused("line 1: the file is empty")
    if start == b"PK\x03\x04":
        with _unpacked(file) as export:
            yield from _stream(export)
    else:
        yield from _stream(file)


def _unpacked(file: BinaryIO) -> BinaryIO:
    """The export inside a zip. FileRefused where there is none, or it swells."""
    try:
        archive = zipfile.ZipFile(file)
        names = [one for one in archive.infolist()
                 if one.filename.rpartition("/")[2] == "export.xml"]
        if len(names) != 1:
            raise FileRefused("the zip holds no export.xml, or several")
        if names[0].file_size > MOST_UNPACKED * max(names[0].compress_size, 1):
            raise FileRefused(f"export.xml would unpack to more than {MOST_UNPACKED} times its "
                              "size: not an export")
        return cast(BinaryIO, archive.open(names[0]))
    except _DAMAGED as error:
        raise FileRefused(f"the zip cannot be read ({type(error).__name__}): "
                          "unpack it and name export.xml") from None


@dataclass(slots=True)
class _Reader:
    """What the parser's events have left behind: the records that are open, and finished items."""

    depth: int = 0
    open: list[tuple[int, dict[str, str], dict[str, str]]] = field(default_factory=list)
    records: int = 0
    pressures: set[tuple[Vital, str, str]] = field(default_factory=set)
    items: deque[Item] = field(default_factory=deque)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if self.depth == 0 and name != "HealthData":
            raise FileRefused("the root is not HealthData: not an export of Apple Health")
        self.depth += 1
        if name == "Record":
            self.open.append((self.records, attributes, {}))
            self.records += 1
        elif name == "MetadataEntry" and self.open:
            self.open[-1][2][attributes.get("key", "")] = attributes.get("value", "")
        elif name == "Me" and attributes.get(_BIRTH):
            self.items.append(Owner(birth_date=attributes[_BIRTH]))

    def end(self, name: str) -> None:
        """An element ends; a record is whole only now."""
        self.depth -= 1
        if name == "Record" and self.open:
            number, record, metadata = self.open.pop()
            try:
                if one := _observation(record, metadata, self.pressures):
                    self.items.append(one)
            except OddError as odd:
                self.items.append(Refusal(record=f"Record[{number}]", reason=str(odd)))
            except ArithmeticError:
                self.items.append(Refusal(record=f"Record[{number}]", reason=OUT_OF_RANGE))

    def entity(self, *_: object) -> None:
        """An entity is declared."""
        raise FileRefused("the file declares entities: not an export of Apple Health")


def _stream(file: BinaryIO) -> Iterator[Item]:
    reader, parser = _Reader(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.EntityDeclHandler = reader.entity
    try:
        while chunk := file.read(CHUNK_BYTES):
            parser.Parse(chunk, False)
            while reader.items:
                yield reader.items.popleft()
        parser.Parse(b"", True)
    except FileRefused as refusal:
        raise FileRefused(f"line {parser.CurrentLineNumber}: {refusal}") from None
    except expat.ExpatError as error:
        told = expat.errors.messages.get(error.code) or "unreadable"
        raise FileRefused(f"line {error.lineno}: not XML, or cut off ({told})") from None
    except LookupError:
        raise FileRefused("line 1: the encoding is not known; save it as UTF-8") from None
    except _DAMAGED as error:
        raise FileRefused(f"cut off after {reader.records} records ({type(error).__name__})"
                          ) from None


def _observation(record: dict[str, str], metadata: dict[str, str],
                 pressures: set[tuple[Vital, str, str]]) -> Observation | None:
    """The reading of a record; None for what is no vital, and for a pressure given before."""
    vital = _VITALS.get(record.get("type", ""))
    if vital is None:
        return None
    site = None
    if vital is Vital.BODY_TEMPERATURE:
        site = _site(next((metadata[key] for key in _SITE_KEYS if key in metadata), None))
    if site is not None:
        vital = temperature_at(site)
    value = _value(vital, record.get("value", ""), record.get("unit", ""))
    (start, offset_s), (end, _) = _time(record.get("startDate")), _time(record.get("endDate"))
    length = in_order(start, end)
    source = record.get("sourceName", "")
    if vital in _PRESSURES:
        place = (vital, record.get("startDate", ""), source)
        if place in pressures:
            return None
        pressures.add(place)
    nightly = record["type"] == _WRIST_AT_NIGHT
    granularity = Granularity.NIGHT if nightly else (
        Granularity.DAY if vital is Vital.RESTING_HEART_RATE else Granularity.SAMPLE)
    if granularity is Granularity.SAMPLE and length > LONGEST_MOMENT:
        raise OddError(NO_MOMENT)
    return Observation(
        vital=vital, value=value, effective_start=start, effective_end=end, utc_offset_s=offset_s,
        civil_date=None if granularity is Granularity.SAMPLE else civil_date(
            end if nightly else start, offset_s),
        granularity=granularity, statistic=Statistic.MEAN if nightly else Statistic.INSTANT,
        context=_MOTIONS.get(metadata.get("HKMetadataKeyHeartRateMotionContext", ""),
                             Context.SLEEP if nightly else Context.UNKNOWN),
        method=Method.MANUAL if metadata.get("HKWasUserEntered") == "1" else Method.DEVICE,
        device_model=source or None, body_site=site,
        group_id=start.isoformat() if vital in _PRESSURES else None)


def _site(number: str | None) -> str | None:
    """Where a temperature was taken. OddError for a place that is not known."""
    if number is None:
        return None
    if not (number.isdecimal() and int(number) < len(_SITES)):
        raise OddError("where it was taken is not known")
    return _SITES[int(number)]


def _value(vital: Vital, text: str, unit: str) -> Decimal:
    convert = UNITS[vital].get(unit)
    if convert is None:
        raise OddError(f"{vital} is not measured in that unit")
    value = convert(number_in_text(text))
    if vital is Vital.SPO2:
        if not 0 < value <= 1:
            raise OddError("a saturation of Apple Health is a fraction up to 1")
        value = (value * 100).normalize()
        value = value.quantize(Decimal(1)) if value == value.to_integral_value() else value
    return plausible(vital, value)


@lru_cache(maxsize=64)
def _zone(sign: str, hours: str, minutes: str) -> timezone:
    size = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-size if sign == "-" else size)


def _time(text: str | None) -> tuple[datetime, int]:
    match = _TIME.fullmatch(text or "")
    if match is None:
        raise OddError("the time is not readable")
    *numbers, sign, hours, minutes = match.groups()
    try:
        zone = _zone(sign, hours, minutes)
        moment = datetime(*map(int, numbers), tzinfo=zone)  # type: ignore[misc,arg-type]
        moment = in_our_time(moment).astimezone(UTC)
    except OddError:
        raise
    except ValueError:
        raise OddError("the time is not readable") from None
    offset = zone.utcoffset(None)
    return moment, int(offset.total_seconds())
