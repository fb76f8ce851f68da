"""statsforecast's four automatic models on the windows of the vitals, kept in a file of one's own.

    python benchmarks/accuracy_reference.py FILE [--shared ../shared] [--processes 1]

The published reference holds errors and coverage but no bounds, so interval scores need a run of
the library: about half an hour of one core. FILE (parquet) is what `accuracy.py --reference` reads.
A run that was stopped goes on where it stood.
"""

import argparse
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy_sets import Case, read
from forecasting.accuracy import interpolate

LEVELS = (50, 80, 95)
SEASON = 24
HORIZON = 24


def forecast(case: Case) -> list[pd.DataFrame]:
    """What each model says of one window: point and bounds of every lead, one frame a model."""
    from statsforecast.models import AutoARIMA, AutoETS, AutoTBATS, AutoTheta

    models: dict[str, Any] = {
        "AutoARIMA": AutoARIMA(season_length=SEASON, approximation=True),
        "AutoETS": AutoETS(season_length=SEASON), "AutoTheta": AutoTheta(season_length=SEASON),
        "AutoTBATS": AutoTBATS(season_length=SEASON),
    }
    filled = interpolate(case.window.train)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return [_frame(case.name, name, model.forecast(y=filled, h=HORIZON, level=list(LEVELS)))
                for name, model in models.items()]


def _frame(unique_id: str, model: str, made: dict[str, Any]) -> pd.DataFrame:
    columns = {"mean": made["mean"], **{f"{side}-{level}": made[f"{side}-{level}"]
                                        for level in LEVELS for side in ("lo", "hi")}}
    return pd.DataFrame({"unique_id": unique_id, "model": model,
                         "lead": np.arange(1, HORIZON + 1), **columns})


def run(cases: list[Case], file: Path, processes: int) -> Iterator[int]:
    """Forecast what `file` lacks; yields the number of windows done after each one."""
    done = [pd.read_parquet(file)] if file.exists() else []
    known = set(done[0]["unique_id"]) if done else set()
    lacking = [case for case in cases if case.name not in known]
    with ProcessPoolExecutor(processes) as pool:
        for number, frames in enumerate(pool.map(forecast, lacking), start=len(known) + 1):
            done += frames
            if number % 10 == 0 or number == len(cases):
                pd.concat(done, ignore_index=True).to_parquet(file)
            yield number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where the forecasts are kept")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    cases = read(arguments.shared, "icu") + read(arguments.shared, "wearable")
    for number in run(cases, arguments.file, arguments.processes):
        print(f"\r{number} of {len(cases)} windows", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
