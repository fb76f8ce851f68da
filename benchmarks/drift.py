"""How soon drift is found, and how often it is found where there is none.

    python benchmarks/drift.py --json

Shifts are injected into generated series of the six vitals: a level one deviation higher, twice the
variance, thirty of a hundred hours missing more, °C sent as °F. The watch looks every six hours
(for the unit every hour). False alarms are counted on stationary series of another seed than the
thresholds were chosen on, and on real ones: as they are, and their days drawn in random order.
Beside it, on the same series, two textbook detectors whose thresholds are set to raise one false
alarm in 1,000 series-days, all that is allowed: Page-Hinkley, and a Kolmogorov-Smirnov test of each
day. They are given deviations from the hours of the day in the training window, as ours make them.
"""

import argparse
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drift_peers import deviations, first, ks_daily, page_hinkley, rises
from benchmarks.drift_series import (
    DAY,
    SHIFTS,
    USUAL,
    WINDOW,
    Cohort,
    ending_together,
    errors,
    in_random_order,
    real,
    scores,
    stationary,
)
from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from forecasting.detectors.alarms import closing, opening
from forecasting.detectors.charts import LEAST_USUAL, THRESHOLDS, Kind
from forecasting.detectors.scan import mean
from forecasting.detectors.units import unit_chart
from forecasting.types import BoolArray, FloatArray

SEED = 11
"""Not that of the series on which the thresholds were chosen (1 to 9)."""

LOOK_EVERY = 6
WATCHED_HOURS = 336
"""How long after a shift it is looked for."""

ERRORS_FROM = USUAL // 2
"""Hours before the first window, so that it has errors of forecasts."""

ALLOWED = 1.0
"""False alarms in 1,000 series-days; the peers may use them up."""

RANDOM_DAYS = 77
"""Days drawn of each real series: 42 of them are looked at."""

GRID = np.geomspace(5, 1000, 120)

Figures = dict[str, Any]


def begun(y: FloatArray, vital: Vital, looks: Sequence[int]) -> dict[str, BoolArray]:
    """Events that begin at each look, by kind: (looks, S)."""
    z = errors(y, SPECS[vital].resolution)
    is_open = {kind.value: np.zeros(len(y), dtype=bool) for kind in THRESHOLDS}
    ended = {kind.value: np.full(len(y), np.inf) for kind in THRESHOLDS}
    found: dict[str, list[BoolArray]] = {}
    for at in looks:
        for kind, score in scores(y, z, at, vital).items():
            threshold = THRESHOLDS[Kind(kind)]
            new = opening(score, threshold, is_open[kind], ended[kind])
            gone = closing(score, threshold, is_open[kind])
            found.setdefault(kind, []).append(new)
            is_open[kind] = (is_open[kind] | new) & ~gone
            ended[kind] = np.where(gone, LOOK_EVERY, ended[kind] + LOOK_EVERY)
    return {kind: np.array(events) for kind, events in found.items()}


def false_alarms(groups: Iterable[tuple[Vital, FloatArray]]) -> Figures:
    """Events in series (S, n), looked at once their training windows have three days."""
    counts: dict[str, int] = {kind.value: 0 for kind in THRESHOLDS}
    days = 0.0
    for vital, y in groups:
        looks = range(WINDOW + ERRORS_FROM, y.shape[1] + 1, LOOK_EVERY)
        begin = (~np.isnan(y)).argmax(axis=1)
        ready = np.maximum(looks[0], begin + 2 * LEAST_USUAL)
        days += float(np.maximum(looks[-1] - ready, 0).sum()) / DAY
        for kind, events in begun(y, vital, looks).items():
            counts[kind] += int(events.sum())
        counts[Kind.UNIT.value] += _unit_alarms(y, vital, looks)
    return {"series_days": days, "events": sum(counts.values()),
            "per_1000_series_days": 1000 * sum(counts.values()) / max(days, 1),
            "by_kind": {kind: 1000 * count / max(days, 1) for kind, count in counts.items()}}


def _unit_alarms(y: FloatArray, vital: Vital, looks: Iterable[int]) -> int:
    alarms = [unit_chart(y[:, at - DAY:at], *_usual(y[:, at - DAY - USUAL:at - DAY], vital),
                         SPECS[vital].unit).score >= THRESHOLDS[Kind.UNIT] for at in looks]
    return rises(np.array(alarms, dtype=np.float64).T)


def _usual(y: FloatArray, vital: Vital) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation (S,) of each row's known hours, as a training's statistics have them."""
    centre = mean(y)
    around = np.sqrt(mean((y - centre[:, None]) ** 2))
    return centre, np.maximum(around, SPECS[vital].resolution)


def delays(cohorts: Sequence[Cohort], shift: str, at: int,
           rng: np.random.Generator) -> tuple[FloatArray, dict[str, FloatArray], list[FloatArray]]:
    """Hours from the shift to the first event, of all kinds and by kind, and the shifted series."""
    by_kind: dict[str, list[FloatArray]] = {}
    shifted: list[FloatArray] = []
    for one in cohorts:
        y = SHIFTS[shift](one, at, rng)
        shifted.append(y)
        looks = range(at + LOOK_EVERY, at + WATCHED_HOURS + 1, LOOK_EVERY)
        for kind, events in begun(y, one.vital, looks).items():
            by_kind.setdefault(kind, []).append(first(events.T.astype(np.float64), LOOK_EVERY))
    joined = {kind: np.concatenate(hours) for kind, hours in by_kind.items()}
    return np.min(list(joined.values()), axis=0), joined, shifted


def unit_delays(cohort: Cohort, at: int) -> FloatArray:
    """Hours until temperatures that arrive in °F are told, looked for every hour."""
    y = cohort.seen()
    y[:, at:] = 1.8 * y[:, at:] + 32
    usual = _usual(y[:, at - USUAL:at], cohort.vital)
    alarms = np.array([unit_chart(y[:, hour - DAY:hour], *usual, "Cel").score
                       >= THRESHOLDS[Kind.UNIT] for hour in range(at + 1, at + DAY + 1)])
    return first(alarms.T.astype(np.float64), 1)


def told(hours: FloatArray) -> Figures:
    """Share found, and the median and 90 % quantile of the delay; those not found are never."""
    median, late = (_quantile(hours, share) for share in (0.5, 0.9))
    return {"found": float(np.isfinite(hours).mean()), "median_h": median, "p90_h": late}


def _quantile(hours: FloatArray, share: float) -> float | None:
    found = float(np.sort(hours)[int(np.ceil(share * hours.size)) - 1])
    return found if np.isfinite(found) else None


def peers(quiet: Sequence[FloatArray], shifted: Mapping[str, Sequence[FloatArray]], at: int,
          wanted: float) -> Figures:
    """Textbook detectors with `wanted` false alarms per 1,000 series-days, on the same shifts."""
    quiet = [deviations(y, USUAL) for y in quiet]
    shifted = {shift: [deviations(y[:, at - USUAL:at + WATCHED_HOURS], USUAL) for y in series]
               for shift, series in shifted.items()}
    days = sum(x.shape[0] * (x.shape[1] - USUAL) / DAY for x in quiet)
    ks = [ks_daily(x, USUAL) for x in quiet]

    def too_many(count: int) -> bool:
        return bool(1000 * count / days > wanted)

    hinkley = next(float(h) for h in GRID if not too_many(
        sum(rises(page_hinkley(x, USUAL, h)) for x in quiet)))
    steps = np.arange(1.0, 60.0, 0.25)
    p = next(float(h) for h in steps if not too_many(
        sum(rises((one > h).astype(np.float64)) for one in ks)))
    found: Figures = {"page_hinkley": {"threshold": hinkley}, "ks_daily": {"p": 10 ** -p}}
    for shift, series in shifted.items():
        found["page_hinkley"][shift] = told(np.concatenate(
            [first(page_hinkley(x, USUAL, hinkley), 1) for x in series]))
        found["ks_daily"][shift] = told(np.concatenate(
            [first((ks_daily(x, USUAL) > p).astype(np.float64), DAY) for x in series]))
    return found


def measure(shared: Path, series: int, days: int, seed: int) -> Figures:
    """Everything: `series` of each vital over `days` of looks."""
    rng = np.random.default_rng(seed)
    hours = ERRORS_FROM + WINDOW + days * DAY
    quiet = [stationary(vital, series, hours, rng) for vital in FORECAST_VITALS]
    figures: Figures = {"stationary": false_alarms((one.vital, one.seen()) for one in quiet)}
    at = ERRORS_FROM + WINDOW
    cohorts = [stationary(vital, series, at + WATCHED_HOURS, rng) for vital in FORECAST_VITALS]
    shifted: dict[str, list[FloatArray]] = {}
    figures["shifts"] = {}
    for shift in SHIFTS:
        all_kinds, by_kind, shifted[shift] = delays(cohorts, shift, at, rng)
        figures["shifts"][shift] = {**told(all_kinds), "by_kind": {
            kind: told(one) for kind, one in by_kind.items() if np.isfinite(one).mean() > 0.02}}
    warm = next(one for one in cohorts if one.vital is Vital.BODY_TEMPERATURE)
    figures["shifts"]["Cel sent as degF"] = told(unit_delays(warm, at))
    wanted = max(figures["stationary"]["per_1000_series_days"], ALLOWED)
    figures["peers"] = peers([one.seen() for one in quiet], shifted, at, wanted)
    figures["median_delay_beside_at_least"] = {
        name: {shift: _ratio(figures["peers"][name][shift], figures["shifts"][shift])
               for shift in SHIFTS} for name in ("page_hinkley", "ks_daily")}
    if shared.is_dir():
        figures["real"] = _real(shared, rng)
    figures["met"] = (figures["stationary"]["per_1000_series_days"] <= ALLOWED and all(
        one["found"] >= 0.5 for one in figures["shifts"].values()))
    return figures


def _real(shared: Path, rng: np.random.Generator) -> Figures:
    """Real series from the third day of their history on, and their days in random order."""
    found: Figures = {}
    for group, series in real(shared).items():
        by_vital = {vital: [y for of, y in series if of is vital] for vital, _ in series}
        found[group] = false_alarms(
            (vital, ending_together(some)) for vital, some in by_vital.items())
        found[f"{group}, days in random order"] = false_alarms(
            (vital, np.array([in_random_order(y, RANDOM_DAYS, rng) for y in some]))
            for vital, some in by_vital.items())
    return found


def _ratio(theirs: Figures, ours: Figures) -> float | None:
    """Their median delay over ours; one that is not found counts as the two weeks watched."""
    if ours["median_h"] is None:
        return None
    return float((theirs["median_h"] or WATCHED_HOURS) / ours["median_h"])


def _shown(figures: Figures) -> str:
    lines = [f"{name}: found {one['found']:.0%}, median {one['median_h']} h, 90 % {one['p90_h']} h"
             for name, one in figures["shifts"].items()]
    quiet = {"generated, stationary": figures["stationary"], **figures.get("real", {})}
    lines += [f"{name}: {one['per_1000_series_days']:.2f} alarms per 1,000 of "
              f"{one['series_days']:.0f} series-days" for name, one in quiet.items()]
    return "\n".join([*lines, f"met: {figures['met']}"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="real data")
    parser.add_argument("--series", type=int, default=20, help="generated series of each vital")
    parser.add_argument("--days", type=int, default=84, help="days that each is watched")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    began = time.process_time()
    figures = measure(given.shared, given.series, given.days, given.seed)
    figures["cpu_seconds"] = round(time.process_time() - began, 1)
    print(json.dumps(figures) if given.json else _shown(figures))


if __name__ == "__main__":
    main()
