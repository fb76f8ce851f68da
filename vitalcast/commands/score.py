"""`vitalcast score FILE`: NEWS2 of every observation set of a csv file.

What cannot be read raises `UserError` with the line, the column and what to do; nothing is
printed then.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clinical.entries import COLUMNS, parse_inputs
from clinical.errors import InputError
from clinical.news2 import PARAMETERS, Inputs, Score
from clinical.news2 import score as news2
from vitalcast.errors import UserError

_HEADINGS = {"respiratory_rate": "RR", "spo2": "SpO2", "supplemental_oxygen": "O2",
             "systolic_bp": "SYS", "heart_rate": "HR", "body_temperature": "Temp",
             "consciousness": "Consc."}


def score(
    file: Annotated[Path, typer.Argument(help="csv file with a header, one observation set a row")],
    json_output: Annotated[bool, typer.Option("--json", help="print one JSON array")] = False,
) -> None:
    """Score observation sets by NEWS2 (RCP 2017); empty fields are missing, never scored as 0.

    The first line names the columns, in any order: respiratory_rate (/min), spo2 (%),
    spo2_scale (1, 2), supplemental_oxygen (true, false), systolic_bp (mmHg), heart_rate (/min),
    body_temperature (°C), consciousness (alert, confusion, voice, pain, unresponsive).

    Example: vitalcast score docs/examples/observations.csv --json
    """
    scores = [news2(inputs) for inputs in read_observation_sets(file)]
    if json_output:
        typer.echo(json.dumps([as_json(one) for one in scores], indent=1, allow_nan=False))
    else:
        Console().print(_table(scores))


def as_json(one: Score) -> dict[str, Any]:
    """A score as the command prints it."""
    return {
        "total": one.total, "max": one.max, "complete": one.complete, "band": one.band.value,
        "band_max": one.band_max.value, "points": dict(one.points), "missing": list(one.missing),
    }


def read_observation_sets(file: Path) -> list[Inputs]:
    """Every row of `file` in order; blank lines are passed over, a byte-order mark is allowed."""
    rows = _rows(file)
    if not rows:
        raise UserError(f"{file} is empty; its first line must name columns: {', '.join(COLUMNS)}")
    (line, header), *sets = rows
    columns = _columns(file, line, header)
    if not sets:
        raise UserError(f"{file} has a header but no observation set; add at least one row")
    return [_inputs(file, line, columns, fields) for line, fields in sets]


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """Rows that hold anything, each with the number of the line that it ends on."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            return list(_numbered(csv.reader(text, strict=True)))
    except FileNotFoundError:
        raise UserError(f"{file} does not exist; give the path of a csv file") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text; save it as csv in UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{file} is not readable as csv ({error}); save it as csv") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); give a csv file") from None


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    for fields in reader:
        blank = len(fields) < 2 and not "".join(fields).strip()
        if not blank:
            yield reader.line_num, fields


def _columns(file: Path, line: int, header: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in header]
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise UserError(
            f"{file}, line {line}: no such column: {', '.join(map(repr, unknown))}. The first line "
            f"must name columns, separated by commas, from: {', '.join(COLUMNS)}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UserError(f"{file}, line {line}: column {', '.join(twice)} is named twice; keep one")
    return columns


def _inputs(file: Path, line: int, columns: Sequence[str], fields: Sequence[str]) -> Inputs:
    if len(fields) > len(columns):
        raise UserError(f"{file}, line {line}: {len(fields)} fields but the header names "
                        f"{len(columns)} columns; remove what follows column {columns[-1]}")
    try:
        return parse_inputs(dict(zip(columns, fields, strict=False)))
    except InputError as error:
        raise UserError(f"{file}, line {line}, column {error}") from None


def _table(scores: Sequence[Score]) -> Table:
    table = Table(title="NEWS2 (RCP 2017); – = missing", show_lines=False)
    for heading in ("Set", "Score", "Band", *(_HEADINGS[name] for name in PARAMETERS)):
        table.add_column(heading, justify="right" if heading not in ("Band",) else "left")
    for number, one in enumerate(scores, start=1):
        points = (str(one.points.get(name, "–")) for name in PARAMETERS)
        table.add_row(str(number), _total_text(one), _band_text(one), *points)
    return table


def _total_text(one: Score) -> str:
    return str(one.total) if one.complete else f"{one.total} to {one.max}"


def _band_text(one: Score) -> str:
    if one.band == one.band_max:
        return one.band.value
    return f"at least {one.band}, at most {one.band_max}"
