"""`vitalcast import FORMAT FILE --patient ID`: readings from a file, all of them or none."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import typer
from rich.console import Console
from rich.table import Table

from clinical.vitals import SPECS
from providers.imports import FORMATS, FileRefused, Item
from providers.observation import Observation, Refusal
from vitalcast.commands.cycle import open_here
from vitalcast.errors import UserError
from vitalcast.jobs.importing import Import, import_readings

JsonObject = dict[str, Any]

_FORMATS = "what the file is. " + "; ".join(
    f"{name}: {one.about}" for name, one in FORMATS.items())
_SHOWN = 20


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
    store); 2: the file is refused as a whole, and nothing of it is stored.
    """
    chosen, zone = _format(name), _zone(timezone)
    with _opened(file) as opened:
        if dry_run:
            _show(chosen.read(opened, zone), file, as_json=as_json)
            return
        asked = Import(name=name, format=chosen, file=opened, zone=zone, patient_id=patient,
                       new_patient=new_patient)
        with open_here() as system:
            try:
                figures = import_readings(system, asked)
            except FileRefused as refusal:
                raise _refused(file, refusal, as_json=as_json) from None
    if as_json:
        _print_json(figures)
    else:
        Console().print(", ".join(f"{count} {fate}" for fate, count in figures.items()))


def _show(items: Iterator[Item], file: Path, *, as_json: bool) -> None:
    """Print what a file holds; what was read before it was refused is shown too."""
    observations: list[Observation] = []
    refused: list[Refusal] = []
    try:
        for one in items:
            if isinstance(one, Observation):
                observations.append(one)
            elif isinstance(one, Refusal):
                refused.append(one)
    except FileRefused as refusal:
        raise _refused(file, refusal, as_json=as_json) from None
    if as_json:
        _print_json(_listed(observations, refused))
    else:
        Console().print(_table(observations, refused))


def _refused(file: Path, refusal: FileRefused, *, as_json: bool) -> UserError:
    if as_json:
        _print_json(_listed([], [Refusal(record="file", reason=str(refusal))]))
    return UserError(f"{file} is refused: {refusal}. Nothing of it is stored.")


def _listed(observations: list[Observation], refused: list[Refusal]) -> JsonObject:
    return {"observations": [observation_json(one) for one in observations],
            "refused": [{"record": one.record, "reason": one.reason} for one in refused]}


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


def _table(observations: list[Observation], refused: list[Refusal]) -> Table:
    """The first readings and refusals, and how many there are."""
    title = f"{len(observations)} readings, {len(refused)} records refused (dry run)"
    table = Table("vital", "value", "from (UTC)", "granularity", "context", title=title)
    for one in observations[:_SHOWN]:
        table.add_row(SPECS[one.vital].label, f"{one.value} {SPECS[one.vital].display_unit}",
                      f"{one.effective_start:%Y-%m-%d %H:%M:%S}", one.granularity, one.context)
    if len(observations) > _SHOWN:
        table.add_row("…", f"{len(observations) - _SHOWN} more", "", "", "")
    for refusal in refused[:_SHOWN]:
        table.add_row(refusal.record, "refused", "", "", refusal.reason)
    return table


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): name a file") from error


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
