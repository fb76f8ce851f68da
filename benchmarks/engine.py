"""A fit, a refit and an update by the native engine, beside statsforecast's automatic models.

    python benchmarks/engine.py [--file PARQUET] [--series 256] [--reference 8] [--r 1] [--json]

Same windows of 336 hours, season 24; each engine in a process of its own with one thread; CPU
seconds a series, means over its series: of native ones the least of several rounds over all
windows in one call, of the libraries one fit of each of `--reference` (R: `--r`) of the windows.
Compiling is excluded: a run before the measured one leaves compiled code behind. Ratios are the
library's automatic fit by ours; for `update` (a state moved by one hour and 24 hours forecast with
intervals) by the library's four fits, as it has no other way to take in an hour.

Without `--file` (columns unique_id, ds, y; the first 337 hours of each) series are generated:
a day's rhythm of its own shape and strength, a wandering level, correlated noise, whole beats.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.engine_sides import HEAVY, SEASON
from forecasting.accuracy import interpolate
from forecasting.types import FloatArray

ROOT = Path(__file__).resolve().parent.parent
HOURS = 336
STARTS = 3
JsonObject = dict[str, Any]

TARGETS = {"cold": (300, 2_000), "warm": (3_000, 20_000), "update": (20_000, 100_000)}
"""How many times cheaper than the library's four fits: must, aim."""

DOCUMENT_BYTES = (2_048, 1_024)
START_SECONDS = 2.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                             "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


def generated(count: int) -> FloatArray:
    """Heart rates of `count` people, shape (count, HOURS + 1), in whole beats a minute."""
    rng = np.random.default_rng(3)
    hours = np.arange(HOURS + 1)
    y = np.empty((count, hours.size))
    for row in y:
        day = np.zeros(hours.size)
        for harmonic in (1, 2, 3):
            turn = 2 * np.pi * (harmonic * hours / SEASON + rng.random())
            day += rng.gamma(2.0, 3.0) / harmonic ** 1.5 * np.sin(turn)
        noise = np.zeros(hours.size)
        for t, shock in enumerate(rng.normal(0, rng.uniform(1.5, 4.0), hours.size)):
            noise[t] = 0.5 * noise[t - 1] + shock
        row[:] = rng.normal(72, 8) + day + np.cumsum(rng.normal(0, 0.15, hours.size)) + noise
    return np.round(y)


def recorded(path: Path, count: int) -> FloatArray:
    """The first hours of up to `count` series of a file, NaN = gap; shorter ones are left out."""
    import pandas as pd

    table = pd.read_parquet(path).sort_values(["unique_id", "ds"])
    series = [group["y"].to_numpy(dtype=np.float64)[:HOURS + 1]
              for _, group in table.groupby("unique_id")]
    whole = [y for y in series if y.size == HOURS + 1][:count]
    if not whole:
        sys.exit(f"{path} has no series of {HOURS + 1} hours")
    return np.array(whole)


def spread(hours: FloatArray, count: int) -> FloatArray:
    """So many of the windows, evenly from the first to the last."""
    chosen = np.linspace(0, len(hours) - 1, min(count, len(hours))).round().astype(int)
    return np.asarray(hours[chosen])


def side(name: str, folder: Path, rounds: int = 0) -> JsonObject:
    """What one side prints."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine_sides", name, str(folder), str(rounds)],
        cwd=ROOT, env={**os.environ, **_ONE_THREAD}, stdout=subprocess.PIPE, check=True, text=True)
    found: JsonObject = json.loads(done.stdout)
    return found


def with_r(hours: FloatArray, folder: Path) -> JsonObject | None:
    """Costs of R's `forecast`; None where Rscript or the package is absent."""
    asked = ["-e", "quit(status = !requireNamespace('forecast', quietly = TRUE))"]
    rscript = shutil.which("Rscript")
    if rscript is None or subprocess.run([rscript, *asked], capture_output=True).returncode:
        return None
    with (folder / "hours.csv").open("w", newline="") as file:
        csv.writer(file).writerows(interpolate(y[1:]).tolist() for y in hours)
    script = Path(__file__).with_name("engine.R")
    done = subprocess.run([rscript, str(script), str(folder / "hours.csv")], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, **_ONE_THREAD})
    costs = {name: float(cost) for name, cost in map(str.split, done.stdout.splitlines())}
    return {"cold": {**costs, "four": sum(costs.values())}}


def figures(hours: FloatArray, *, reference: int, r: int, rounds: int) -> JsonObject:
    """All figures: costs by side, ratios, start-up, bytes."""
    with tempfile.TemporaryDirectory(prefix="vitalcast-engine-") as name:
        folder = Path(name)
        np.save(folder / "hours.npy", hours)
        np.save(folder / "reference.npy", spread(hours, reference))
        ours = side("native", folder, 1) and side("native", folder, rounds)
        starts = {start: median(side(start, folder)["seconds"] for _ in range(STARTS))
                  for start in ("first_forecast", "first_fit")}
        library = side("statsforecast", folder)
        beside_r = with_r(spread(hours, r), folder) if r else None
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0], "config_hash": ours["config_hash"],
        "series": len(hours), "reference_series": min(reference, len(hours)),
        "cpu_seconds": {"statsforecast": library, "native": ours, "r": beside_r or "absent"},
        "ratios": {"statsforecast": ratios(library["cold"], ours),
                   "r": ratios(beside_r["cold"], ours) if beside_r else "absent"},
        "start_seconds": starts, "document_bytes": ours.pop("document_bytes"),
    }


def ratios(library: dict[str, float], ours: JsonObject) -> JsonObject:
    """The library's cost of a fit by ours of each kind; `update` is for the four together."""
    return {
        **{kind: {name: round(library[name] / ours[kind][name]) for name in (*HEAVY, "four")}
           for kind in ("cold", "warm")},
        "update": {"four": round(library["four"] / ours["update"]["four"])},
    }


def verdicts(found: JsonObject) -> list[tuple[str, str, str, bool]]:
    """What was asked, what must be, what is, and whether it holds."""
    rows = []
    for kind, (must, aim) in TARGETS.items():
        ratio = found["ratios"]["statsforecast"][kind]["four"]
        rows.append((kind, f"1/{must:,} (aim 1/{aim:,})", f"1/{ratio:,}", ratio >= must))
    size = found["document_bytes"]["four"]
    rows.append(("document, median", f"{DOCUMENT_BYTES[0]:,} bytes (aim {DOCUMENT_BYTES[1]:,})",
                 f"{size:,.0f} bytes", size <= DOCUMENT_BYTES[0]))
    for start, seconds in found["start_seconds"].items():
        rows.append((start.replace("_", " "), f"{START_SECONDS:g} s after numpy",
                     f"{seconds:.2f} s", seconds <= START_SECONDS))
    return rows


def tell(found: JsonObject) -> None:
    """The figures as tables."""
    costs = found["cpu_seconds"]
    sides = {"statsforecast": costs["statsforecast"]["cold"], "cold": costs["native"]["cold"],
             "warm": costs["native"]["warm"]}
    if costs["r"] != "absent":
        sides = {"R": costs["r"]["cold"], **sides}
    print(f"{found['series']} series (libraries: fewer), configuration {found['config_hash'][:12]},"
          f" load {found['load']:.1f}\n\nCPU a series, ms")
    print(f"{'':14s}" + "".join(f"{name:>12s}" for name in (*HEAVY, "four")))
    for name, cost in sides.items():
        print(f"{name:14s}" + "".join(f"{1e3 * cost[of]:12.3f}" for of in (*HEAVY, "four")))
    for name in ("cold", "warm"):
        row = found["ratios"]["statsforecast"][name]
        print(f"{'1/ratio ' + name:14s}" + "".join(f"{row[of]:12,d}" for of in (*HEAVY, "four")))
    native = costs["native"]
    print(f"update and forecast: four {1e3 * native['update']['four']:.4f}, whole pool"
          f" {1e3 * native['update']['pool']:.4f}; whole training of a block:"
          f" search {1e3 * native['training']['search']:.3f},"
          f" refit {1e3 * native['training']['refit']:.3f}\nR: "
          f"{'absent' if costs['r'] == 'absent' else found['ratios']['r']}\n")
    for asked, must, is_, holds in verdicts(found):
        print(f"{asked:18s}{must:32s}{is_:>14s}  {'yes' if holds else 'NO'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="parquet file with unique_id, ds, y")
    parser.add_argument("--series", type=int, default=256, help="windows for the native engine")
    parser.add_argument("--reference", type=int, default=8, help="of them for statsforecast")
    parser.add_argument("--r", type=int, default=1, help="of them for R; 0: leave R out")
    parser.add_argument("--rounds", type=int, default=5, help="native rounds, the least counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    hours = recorded(given.file, given.series) if given.file else generated(given.series)
    found = figures(hours, reference=given.reference, r=given.r, rounds=given.rounds)
    if given.json:
        print(json.dumps(found))
    else:
        tell(found)


if __name__ == "__main__":
    main()
