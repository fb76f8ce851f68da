"""`vitalcast import FORMAT FILE --patient ID`: readings from a file, all of them or none."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import typer
from rich.console import Console
from rich.table import Table

from clinical.vitals import SPECS
from providers.imports import FORMATS, FileRefused, Format
from providers.observation import Observation, Refusal
from registry.database import RegistryError
from vitalcast.commands.cycle import open_here
from vitalcast.embedded import EmbeddedPostgresError
from vitalcast.errors import UserError
from vitalcast.jobs.importing import Import, Owners, import_readings

JsonObject = dict[str, Any]

_FORMATS = "what the file is. " + "; ".join(
    f"{name}: {one.about}" for name, one in FORMATS.items())
_SHOWN = 20
_SPOOLED_BYTES = 1 << 22


def import_file(
    name: Annotated[str, typer.Argument(metavar="FORMAT", help=_FORMATS)],
    file: Annotated[Path, typer.Argument(help="the file")],
    patient: Annotated[str, typer.Option(help="whose readings these are")],
    timezone: Annotated[str | None, typer.Option(
        help="zone of times without an offset, such as Europe/Berlin")] = None,
    new_patient: Annotated[bool, typer.Option(
        "--new-patient", help="the patient is not known yet: add them")] = False,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="read and show, store nothing; needs no database")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Store the readings of a file: a vendor's export, or saved answers of its API.

    Example: vitalcast import apple-health export.zip --patient p-17 --dry-run

    The same file twice changes nothing. Exit code 0: the file was read (possibly nothing to
    store); 2: nothing of it is stored. With --json the reason is then printed as JSON, too.
    """
    try:
        chosen, zone = _format(name), _zone(timezone)
        with _opened(file) as opened:
            if dry_run:
                _dry_run(_Reading(opened, chosen, zone), as_json=as_json)
                return
            asked = Import(name=name, format=chosen, file=opened, zone=zone, patient_id=patient,
                           new_patient=new_patient)
            with open_here() as system:
                figures = import_readings(system, asked)
    except (FileRefused, UserError, RegistryError, EmbeddedPostgresError) as error:
        if as_json:
            _print_json({"observations": [],
                         "refused": [{"record": "file", "reason": str(error)}]})
        if not isinstance(error, FileRefused):
            raise
        raise UserError(f"{file} is refused: {error}. Nothing of it is stored.") from None
    if as_json:
        _print_json(figures)
    else:
        Console().print(", ".join(f"{count} {fate}" for fate, count in figures.items()))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file that can be read again: each time, items come as a stream in flat memory.

    WrongPatient where it is of several people.
    """

    file: BinaryIO
    format: Format
    zone: ZoneInfo | None

    def __iter__(self) -> Iterator[Observation | Refusal]:
        self.file.seek(0)
        return Owners().passed(self.format.read(self.file, self.zone))


def _dry_run(items: Iterable[Observation | Refusal], *, as_json: bool) -> None:
    if as_json:
        _stream_json(items)
    else:
        Console().print(_table(items))


def _stream_json(items: Iterable[Observation | Refusal]) -> None:
    """Print what a file holds while it is read, once a first reading has refused nothing of it."""
    with SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as refused:
        _write_list(refused, ({"record": one.record, "reason": one.reason} for one in items
                              if isinstance(one, Refusal)))
        refused.seek(0)
        out = sys.stdout.buffer
        out.write(b'{"observations":')
        _write_list(out, (observation_json(one) for one in items if isinstance(one, Observation)))
        out.write(b',"refused":')
        copyfileobj(refused, out)
        out.write(b"}\n")
    sys.stdout.flush()


def _write_list(out: IO[bytes], documents: Iterable[JsonObject]) -> None:
    out.write(b"[")
    for number, one in enumerate(documents):
        out.write(b"," + orjson.dumps(one) if number else orjson.dumps(one))
    out.write(b"]")


def observation_json(one: Observation) -> JsonObject:
    """An observation with its unit and LOINC code, times in UTC; a whole number stays whole."""
    spec = SPECS[one.vital]
    whole = one.value == one.value.to_integral_value()
    return {
        "vital": one.vital.value, "value": int(one.value) if whole else float(one.value),
        "unit": spec.unit, "loinc": spec.loinc or None,
        "effective_start": one.effective_start.isoformat(),
        "effective_end": one.effective_end.isoformat(), "utc_offset_s": one.utc_offset_s,
        "civil_date": one.civil_date.isoformat() if one.civil_date else None,
        "granularity": one.granularity.value, "statistic": one.statistic.value,
        "context": one.context.value, "method": one.method.value, "body_site": one.body_site,
        "device_id": one.device_id, "device_model": one.device_model,
        "source_record_id": one.source_record_id, "group_id": one.group_id,
        "provider_modified_at":
            one.provider_modified_at.isoformat() if one.provider_modified_at else None,
        "quality": one.quality.value, "quality_reasons": list(one.quality_reasons),
    }


def _table(items: Iterable[Observation | Refusal]) -> Table:
    """The first readings and refusals, and how many there are."""
    table = Table("vital", "value", "from (UTC)", "granularity", "context")
    counts: Counter[type] = Counter()
    refused: list[Refusal] = []
    for one in items:
        counts[type(one)] += 1
        if counts[type(one)] > _SHOWN:
            continue
        if isinstance(one, Observation):
            table.add_row(*_row(one))
        else:
            refused.append(one)
    if counts[Observation] > _SHOWN:
        table.add_row("…", f"{counts[Observation] - _SHOWN} more", "", "", "")
    for refusal in refused:
        table.add_row(refusal.record, "refused", "", "", refusal.reason)
    table.title = f"{counts[Observation]} readings, {counts[Refusal]} records refused (dry run)"
    return table


def _row(one: Observation) -> tuple[str, ...]:
    spec = SPECS[one.vital]
    return (spec.label, f"{one.value} {spec.display_unit}",
            f"{one.effective_start:%Y-%m-%d %H:%M:%S}", one.granularity, one.context)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file; what comes through a pipe is kept, for it is read twice."""
    try:
        opened = file.open("rb")
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): name a file") from error
    with opened:
        if opened.seekable():
            yield opened
            return
        with TemporaryFile() as kept:
            copyfileobj(opened, kept)
            kept.seek(0)
            yield kept


def _format(name: str) -> Any:
    if name not in FORMATS:
        raise UserError(f"there is no format {name!r}: choose from {', '.join(FORMATS)}")
    return FORMATS[name]


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"--timezone {name!r} is no zone: write one such as "
                        "Europe/Berlin") from None


def _print_json(document: JsonObject) -> None:
    sys.stdout.buffer.write(orjson.dumps(document) + b"\n")
    sys.stdout.flush()
