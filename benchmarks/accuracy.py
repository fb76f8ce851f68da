"""How good the forecasts are, on three public sets, beside published and simple methods.

    python benchmarks/accuracy.py [--shared ../shared] [--set wearable|icu|m4] [--members arima,ets]
                                  [--reference FILE] [--json]

Fits and scores as `vitalcast backtest` does with its defaults (M4: --horizon 48 --season 24,168).
FILE is what `accuracy_reference.py` made of statsforecast's four models; without it interval scores
have nothing beside them and say so. Test hours are scored here and used for nothing else.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import accuracy_m4, accuracy_vitals
from benchmarks.accuracy_measures import LEVELS, Difference, Said, by_window, errors, mean, paired
from benchmarks.accuracy_sets import FILES, M4_HORIZON, Case, published, read, shortened
from forecasting import backtest
from forecasting.config import DEFAULT_MEMBERS, EngineConfig, config_hash
from forecasting.provenance import Provenance
from forecasting.types import FloatArray
from vitalcast.commands.backtest import summarise

COLD_HOURS = (12, 24, 72)
WITHIN = 0.05
BEST_FIXED = {"wearable": 0.83, "icu": 0.835}


@dataclass(frozen=True, slots=True, kw_only=True)
class Must:
    """One line of the accuracy table: what, how much is allowed, how much it is."""

    what: str
    target: str
    value: float
    met: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Forecasts of a set: of the ensemble, and of the members that forecast every window.

    `backtest` is what `vitalcast backtest` prints of the ensemble.
    """

    ensemble: list[Said]
    members: dict[str, list[Said]]
    refused: dict[str, str]
    backtest: dict[str, Any]
    cpu_seconds: float


def forecast(cases: Sequence[Case], config: EngineConfig) -> Made:
    """What the engine says of the hours after each window's history.

    A window that it refuses gets NaN, and the reason.
    """
    began = time.process_time()
    results = list(backtest.run(
        [case.window for case in cases], config, workers=os.cpu_count() or 1, timeout_s=300.0,
        provenance=Provenance(code_version=version("vitalcast"))))
    cpu_seconds = time.process_time() - began
    nothing = np.full(config.horizon, np.nan)
    empty = Said(point=nothing, bounds=dict.fromkeys(config.levels, (nothing, nothing)))
    return Made(
        ensemble=[Said(point=each.forecast.point, bounds=each.forecast.bounds)
                  if each.forecast else empty for each in results],
        members={name: [Said(point=each.paths[name]) for each in results]
                 for name in config.members if all(name in each.paths for each in results)},
        refused={each.window.unique_id: each.refused for each in results if each.refused},
        backtest=summarise(results, config, cpu_seconds=cpu_seconds)["ensemble"],
        cpu_seconds=cpu_seconds)


def vitals(name: str, shared: Path, members: tuple[str, ...],
           reference: Path | None) -> tuple[dict[str, Any], list[Must]]:
    """Figures and musts of a set of vitals."""
    cases, config = read(shared, name), EngineConfig(members=members, levels=LEVELS)
    made, simple = forecast(cases, config), accuracy_vitals.simple(cases)
    fixed = accuracy_vitals.published_errors(published(shared, name), cases)
    kept = _kept(reference, cases)
    report = {
        "windows": len(cases), "config": config_hash(config), "refused": made.refused,
        "backtest": made.backtest,
        "cpu_seconds": round(made.cpu_seconds, 2),
        "ensemble": {**accuracy_vitals.point_figures(cases, made.ensemble),
                     **accuracy_vitals.interval_figures(cases, made.ensemble),
                     "coverage": accuracy_vitals.coverage_figures(cases, made.ensemble)},
        "members": {member: accuracy_vitals.point_figures(cases, said)
                    for member, said in made.members.items()},
        "simple": {method: accuracy_vitals.point_figures(cases, said)
                   for method, said in simple.items()},
        "published": {method: mean(losses) for method, losses in fixed.items()},
        "library": {model: {**accuracy_vitals.point_figures(cases, said),
                            **accuracy_vitals.interval_figures(cases, said)}
                    for model, said in kept.items()},
    }
    colds = list(_cold(cases, config))
    report["cold_start"] = [asdict(line) for line in colds]
    musts = [*_point_musts(name, cases, made, fixed), *_bucket_musts(name, cases, made, simple),
             *_interval_musts(name, report), *_coverage_musts(name, report), *colds]
    return report, musts


def _kept(reference: Path | None, cases: Sequence[Case]) -> dict[str, list[Said]]:
    if reference is None or not reference.is_file():
        return {}
    return accuracy_vitals.kept_reference(pd.read_parquet(reference), cases)


def _point_musts(name: str, cases: Sequence[Case], made: Made,
                 fixed: dict[str, FloatArray]) -> Iterator[Must]:
    value, all_rows = mean(by_window(errors(cases, made.ensemble))), range(len(cases))
    target = BEST_FIXED[name]
    yield Must(what=f"{name}: MAE / scale", target=f"<= {target}", value=value, met=value <= target)
    own = {member: by_window(errors(cases, said)) for member, said in made.members.items()}
    if name == "wearable":
        for what, methods in (("best single member", own),
                              ("hour_of_day of the reference",
                               {"hour_of_day": fixed["hour_of_day"]})):
            best, difference = accuracy_vitals.against_best(cases, made.ensemble, methods, all_rows)
            yield Must(what=f"{name}: less than {what} ({best})", target="< 0",
                       value=difference.mean, met=difference.mean < 0, detail=_told(difference))
        return
    for vital, rows in accuracy_vitals.by_vital(cases).items():
        best, difference = accuracy_vitals.against_best(cases, made.ensemble, fixed, rows)
        yield Must(what=f"{name}: {vital} against its best fixed method ({best})",
                   target="<= 1 SE", value=difference.mean, met=not difference.surely_worse,
                   detail=_told(difference))


def _bucket_musts(name: str, cases: Sequence[Case], made: Made,
                  simple: dict[str, list[Said]]) -> Iterator[Must]:
    for vital, bucket, best, difference in accuracy_vitals.bucket_differences(
            cases, made.ensemble, simple):
        yield Must(what=f"{name}: {vital} {bucket} h ahead against {best}", target="<= 1 SE",
                   value=difference.mean, met=not difference.surely_worse,
                   detail=_told(difference))


def _interval_musts(name: str, report: dict[str, Any]) -> Iterator[Must]:
    for figure in ("interval_score_80", "interval_score_95", "pinball"):
        others = {model: each[figure] for model, each in report["library"].items()}
        if others:
            best, value = min(others, key=lambda m: others[m]), report["ensemble"][figure]
            yield Must(what=f"{name}: {figure}", target=f"< {others[best]:.4f} ({best})",
                       value=value, met=value < others[best],
                       detail=f"{value / others[best] - 1:+.1%}")


def _coverage_musts(name: str, report: dict[str, Any]) -> Iterator[Must]:
    for level, found in report["ensemble"]["coverage"].items():
        shares = {"all": found["all"], **found["buckets"], **found["terciles"]}
        for part, share in shares.items():
            yield Must(what=f"{name}: coverage at {level} %, {part}",
                       target=f"{level} ± {100 * WITHIN:.0f}", value=100 * share,
                       met=abs(share - int(level) / 100) <= WITHIN)


def _cold(cases: Sequence[Case], config: EngineConfig) -> Iterator[Must]:
    """Against the last value, per vital and length of history; refusals have their reason."""
    for hours in COLD_HOURS:
        short = shortened(cases, hours)
        made = forecast(short, config)
        own = by_window(errors(short, made.ensemble))
        last = by_window(errors(short, accuracy_vitals.simple(short)["last_value"]))
        for vital, rows in accuracy_vitals.by_vital(cases).items():
            difference = paired(own[rows], last[rows], [cases[row].subject for row in rows])
            refused = sum(cases[row].name in made.refused for row in rows)
            yield Must(what=f"cold start, {vital}, {hours} h against last_value",
                       target="<= 1 SE", value=difference.mean, met=not difference.surely_worse,
                       detail=f"{_told(difference)}; skill {_skill(own[rows], last[rows]):+.1%}"
                              f"; {refused} of {len(rows)} refused")


def m4(shared: Path, members: tuple[str, ...]) -> tuple[dict[str, Any], list[Must]]:
    """Figures and musts of M4 Hourly."""
    cases = read(shared, "m4")
    config = EngineConfig(members=members, seasons=accuracy_m4.SEASONS, horizon=M4_HORIZON,
                          levels=LEVELS)
    made = forecast(cases, config)
    report = accuracy_m4.report(cases, made.ensemble, made.members, accuracy_m4.naive_two(shared))
    report |= {"config": config_hash(config), "backtest": made.backtest,
               "cpu_seconds": round(made.cpu_seconds, 2)}
    found, check = report["ensemble"], report["seasonal_naive_check"]
    checked = (round(check["smape"], 3), round(check["mase"], 3)) == (13.912, 1.193)
    return report, [
        Must(what="m4: seasonal naive gives sMAPE 13.912, MASE 1.193", target="13.912, 1.193",
             value=check["smape"], met=checked, detail=f"MASE {check['mase']:.4f}"),
        *(Must(what=f"m4: {what.upper()}", target=f"<= {target} (aim {aim})", value=found[what],
               met=found[what] <= target)
          for what, target, aim in (("mase", 0.92, 0.893), ("owa", 0.55, 0.4402))),
        Must(what="m4: MSIS (aim)", target="<= 6.14", value=found["msis"],
             met=found["msis"] <= 6.14),
    ]


def _skill(own: FloatArray, other: FloatArray) -> float:
    """How much less the mean loss is, over the windows that both have."""
    both = ~np.isnan(own) & ~np.isnan(other)
    return 1 - float(own[both].mean() / other[both].mean()) if both.any() else float("nan")


def _told(difference: Difference) -> str:
    return (f"SE {difference.se:.4f}, 95 % interval {difference.low:+.4f} to"
            f" {difference.high:+.4f}")


def printed(report: dict[str, Any], musts: Sequence[Must]) -> str:
    """The figures as lines to read."""
    lines = [f"{'met' if must.met else 'NOT MET':8} {must.what:66} {must.value:9.4f}"
             f"  {must.target}  {must.detail}" for must in musts]
    for name, each in report.items():
        lines += ["", f"{name}: mean MAE / scale" if name != "m4" else "m4: sMAPE, MASE, OWA"]
        groups = [("ensemble", {"": each["ensemble"]}), ("member", each["members"]),
                  ("simple", each.get("simple", {})), ("library", each.get("library", {}))]
        lines += [f"  {group:9} {method:18} {_line(figures)}"
                  for group, methods in groups for method, figures in methods.items()]
    return "\n".join(lines)


def _line(figures: dict[str, Any]) -> str:
    if "owa" in figures:
        return f"{figures['smape']:.3f}  {figures['mase']:.3f}  {figures['owa']:.4f}"
    parts = [f"{figures['mae_over_scale']:.4f} ({figures['sum_mae_over_sum_scale']:.4f})",
             *(f"{name} {value:.3f}" for name, value in figures["buckets"].items()),
             *(f"{vital} {each['mae_over_scale']:.3f}"
               for vital, each in figures["vitals"].items())]
    return "  ".join(parts)


def _plain(value: Any) -> Any:
    """Without NaN, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--set", choices=tuple(FILES), action="append", dest="sets")
    parser.add_argument("--members", default=",".join(DEFAULT_MEMBERS))
    parser.add_argument("--reference", type=Path, help="statsforecast's forecasts, kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    members = tuple(arguments.members.split(","))
    report: dict[str, Any] = {}
    musts: list[Must] = []
    for name in arguments.sets or FILES:
        report[name], found = (m4(arguments.shared, members) if name == "m4" else vitals(
            name, arguments.shared, members, arguments.reference))
        musts += found
    if arguments.reference is None and {*report} - {"m4"}:
        report["note"] = ("interval scores stand alone: give --reference FILE, made by"
                          " benchmarks/accuracy_reference.py (about half an hour)")
    if arguments.json:
        print(json.dumps(_plain({**report, "musts": [asdict(must) for must in musts]})))
    else:
        note = report.pop("note", None)
        print(printed(report, musts), *([f"\n{note}"] if note else []), sep="\n")


if __name__ == "__main__":
    main()
