"""`vitalcast backtest FILE`: how well would the engine have forecast the end of known series?

No database and no Airflow: a tidy table in, one JSON object (or a table to read) out. With
`--stored` the series are those of the database, as they were known when each forecast would have
been made.
"""

import json
import math
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from forecasting.config import DEFAULT_MEMBERS, ENGINES, HEAVY, EngineConfig
from forecasting.types import ConfigError
from vitalcast.errors import UserError

if TYPE_CHECKING:      # tables and kernels take a second to import: only when the command runs
    from forecasting import backtest as held_out

JsonObject = dict[str, Any]


def backtest(
    file: Annotated[Path | None, typer.Argument(help="Parquet or csv with unique_id, ds, y"
                                                     " and optionally vital")] = None,
    horizon: Annotated[int, typer.Option(help="Hours to hold out and forecast")] = 24,
    windows: Annotated[int, typer.Option(help="Windows per series, stepping back")] = 1,
    season: Annotated[str, typer.Option(help="Season lengths in hours, such as 24,168")] = "24",
    levels: Annotated[str, typer.Option(help="Interval levels in per cent")] = "80,95",
    members: Annotated[str, typer.Option(help="Members, comma separated")] = ",".join(
        DEFAULT_MEMBERS),
    engine: Annotated[str, typer.Option(
        help="Engine of arima, ets, theta and tbats: native or statsforecast")] = "native",
    workers: Annotated[int, typer.Option(help="Threads, and processes of statsforecast;"
                                              " 0 = one per core")] = 0,
    fit_timeout: Annotated[float, typer.Option(
        help="Seconds that one fit of statsforecast may take")] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    stored: Annotated[bool, typer.Option(
        "--stored", help="Readings of the database in place of a file")] = False,
    patients: Annotated[str, typer.Option(
        help="Stored: ids, comma separated; empty = all patients")] = "",
    until: Annotated[str | None, typer.Option(
        help="Stored: the UTC hour that the last window ends at; default: the last full")] = None,
    hours: Annotated[int, typer.Option(help="Stored: hours to fit on")] = 336,
    hindsight: Annotated[bool, typer.Option(
        "--hindsight", help="Stored: fit on what is known now, late readings included, not on what"
                            " was known then")] = False,
) -> None:
    """Hold out the end of each series, forecast it from the rest, and print the errors.

    Example: vitalcast backtest hours.parquet --engine statsforecast --json

    Example: vitalcast backtest --stored --patients p-17,p-18 --windows 7
    """
    config = _config(horizon, season, levels, members, engine)
    if windows < 1 or workers < 0 or not fit_timeout > 0 or hours < 1:
        raise UserError("--windows and --hours must be 1 or more, --workers 0 or more, "
                        "--fit-timeout above 0")
    if (file is None) is not stored or (file and (patients or until or hindsight)):
        raise UserError("give either a parquet or csv file, or --stored and what goes with it")
    # Before the clock starts: what the process imports is no cost of a series.
    from vitalcast.frames import read_windows

    began = _cpu_seconds()
    cut = (read_windows(file, horizon=config.horizon, windows=windows) if file is not None else
           _of_database(config, windows, patients, until, hours, hindsight))
    results = _run(cut, config, workers or os.cpu_count() or 1, fit_timeout)
    report = summarise(results, config, cpu_seconds=_cpu_seconds() - began)
    if as_json:
        typer.echo(json.dumps(report, allow_nan=False))
    else:
        Console().print(_table(report))


def _of_database(config: EngineConfig, windows: int, patients: str, until: str | None, hours: int,
                 hindsight: bool) -> "list[held_out.Window]":
    from registry.database import transaction
    from registry.patients import patient_ids
    from vitalcast.commands.cycle import open_here
    from vitalcast.cycle import last_full_hour, parse_cycle
    from vitalcast.stored_windows import stored_windows

    end = parse_cycle(until) if until else last_full_hour(datetime.now(UTC))
    asked = [name.strip() for name in patients.split(",") if name.strip()]
    with open_here() as system, transaction(system.engine) as conn:
        known = patient_ids(conn)
        if unknown := len(set(asked) - set(known)):
            raise UserError(f"{unknown} of --patients are not known: correct the ids")
        found = stored_windows(conn, asked or known, until=end, hours=hours,
                               horizon=config.horizon, windows=windows, hindsight=hindsight)
    if not found:
        raise UserError(
            f"no series has readings both in the {config.horizon * windows} h before {end:%F %H:%M}"
            " UTC and, known when they began, before: name another --until, or add --hindsight to"
            " fit on what came later")
    return found


def _config(horizon: int, season: str, levels: str, members: str, engine: str) -> EngineConfig:
    names = tuple(name.strip() for name in members.split(",") if name.strip())
    if engine not in ENGINES[HEAVY[0]]:
        raise UserError(f"--engine is {' or '.join(ENGINES[HEAVY[0]])}, not {engine!r}")
    try:
        return EngineConfig(
            members=names, engines={name: engine for name in names if name in HEAVY},
            seasons=_whole_numbers("--season", season), horizon=horizon,
            levels=_whole_numbers("--levels", levels),
        )
    except ConfigError as error:
        raise UserError(str(error)) from error


def _whole_numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted(int(part) for part in text.split(",")))
    except ValueError as error:
        raise UserError(f"{option} takes whole numbers parted by commas, not {text!r}") from error


def _run(windows: "Sequence[held_out.Window]", config: EngineConfig, workers: int,
         timeout_s: float) -> "list[held_out.WindowResult]":
    from forecasting import backtest as held_out
    from forecasting.provenance import Provenance

    provenance = Provenance(code_version=version("vitalcast"))
    results = []
    console = Console(file=sys.stderr)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Fitting and forecasting", total=len(windows))
        for result in held_out.run(windows, config, provenance=provenance, workers=workers,
                                 timeout_s=timeout_s):
            results.append(result)
            progress.advance(bar)
    return results


def summarise(results: "Sequence[held_out.WindowResult]", config: EngineConfig, *,
              cpu_seconds: float) -> JsonObject:
    """The printed object: plain means over windows; what is undefined is None, never NaN."""
    ensemble: JsonObject = _means([result.ensemble for result in results])
    ensemble["coverage"] = {str(level): _mean([result.coverage[level] for result in results])
                            for level in config.levels}
    ensemble["interval_score"] = {
        str(level): _mean([result.interval_score[level] for result in results])
        for level in config.levels
    }
    return {
        "series": len({result.window.unique_id for result in results}),
        "cpu_seconds": round(cpu_seconds, 4),
        "members": {name: _member(name, results) for name in config.members},
        "ensemble": ensemble,
        "per_series": [_line(result) for result in results],
    }


def _member(name: str, results: "Sequence[held_out.WindowResult]") -> JsonObject:
    scores = [result.members[name] for result in results if name in result.members]
    return {**_means(scores), "failed": sum(name in result.failures for result in results)}


def _means(scores: "Sequence[held_out.Scores]") -> JsonObject:
    return {"mae": _mean([each.mae for each in scores]),
            "mase": _mean([each.mase for each in scores]),
            "smape": _mean([each.smape for each in scores])}


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _line(result: "held_out.WindowResult") -> JsonObject:
    window, scores = result.window, result.ensemble
    return {
        "unique_id": window.unique_id,
        "window": window.index,
        "mae": _number(scores.mae),
        "scale": _number(result.scale),
        "mase": _number(scores.mase),
        "smape": _number(scores.smape),
        "coverage": {str(level): _number(share) for level, share in result.coverage.items()},
        "train_hours": int(window.train.size),
        "test_hours": sum(not math.isnan(value) for value in window.test.tolist()),
        "test_start": window.held_out_from.isoformat(),
        "failures": result.failures,
        "refused": result.refused or None,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(report: JsonObject) -> Table:
    title = f"{report['series']} series, {report['cpu_seconds']:.1f} CPU seconds"
    table = Table("forecast", "MAE", "MASE", "sMAPE", "failed", title=title)
    for name, scores in [*report["members"].items(), ("ensemble", report["ensemble"])]:
        cells = ["–" if scores[key] is None else f"{scores[key]:.3f}"
                 for key in ("mae", "mase", "smape")]
        table.add_row(name, *cells, str(scores.get("failed", "")))
    return table


def _cpu_seconds() -> float:
    """User and system time of this process and of the children that have ended."""
    times = os.times()                               # in steps of 10 ms: good enough for children
    return time.process_time() + times.children_user + times.children_system
