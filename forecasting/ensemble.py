"""Members combined: weights per horizon bucket, calibrated intervals, one forecast a series.

Weights begin at a prior that other subjects' data set, and move with the series' own
rolling-origin errors as far as the number of origins allows. A member that errs far beyond the
others is left out and the reason recorded. Forecasting is a pure function of the documents and the
hours since: the same input gives the same bytes, whatever other series are in the panel and
however many threads work on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import intervals, stacks
from forecasting.config import BUCKETS, KNOWN_MEMBERS, EngineConfig
from forecasting.documents import Document, state_hash
from forecasting.history import span, unread
from forecasting.intervals import Bounds, Calibration
from forecasting.kernels import pool
from forecasting.panel import Panel
from forecasting.types import FitRefused, FloatArray, IntArray, Values
from forecasting.weighing import limits
from forecasting.weights import along_leads, mean_over_day, renormalised


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What training left of one series; `absent` are the caller's reasons for missing members."""

    ensemble: Document
    members: Mapping[str, Document]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelForecast:
    """Forecasts of the `horizon` hours (H) that follow a panel, a row each of S series.

    `point` (S, H) is the median, NaN where `refused` says why there is none ("" elsewhere);
    `bounds` (lower, upper) per level. `paths` (S, M, H) are what the members `names` gave, NaN
    where one is absent, for the reason in `absent`; `weights` (S, M, B) what they counted for.
    `state_hashes` tell the states that the forecasts start from.
    """

    point: FloatArray
    bounds: Bounds
    names: tuple[str, ...]
    paths: FloatArray
    weights: FloatArray
    absent: list[dict[str, str]]
    refused: list[str]
    state_hashes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One series' row of a panel's forecast.

    `point` (horizon,) is the median; `bounds` (lower, upper) per level; `members` what each gave
    and counted for; `absent` why others did not.
    """

    point: FloatArray
    bounds: Bounds
    members: dict[str, Values]
    absent: dict[str, str]
    state_hash: str


def forecast_ensemble(ensemble: Document, documents: Mapping[str, Document], *,
                      y_since: FloatArray, horizon: int, levels: tuple[int, ...],
                      vital: VitalSpec | None, since: datetime | None = None,
                      absent: Mapping[str, str] | None = None) -> Forecast:
    """Forecast the `horizon` hours after `y_since` (NaN = gap), which begins at `since`.

    `since` is by default where the ensemble's window ended. A member's document may be older and
    stand in, when `y_since` reaches back to its own end. Members without a document, or whose
    forecast cannot be used, are absent with a reason (`absent` gives the caller's), and the
    weights of the others fill up. FitRefused where none is left.
    """
    panel = Panel(start=since or ensemble.grid.cutoff, y=y_since[None], vital=vital,
                  config=EngineConfig(horizon=horizon, levels=levels))
    stored = Stored(ensemble=ensemble, members=documents, absent=absent or {})
    made = forecast_panel(panel, [stored])
    if made.refused[0]:
        raise FitRefused(made.refused[0])
    return row_of(made, 0)


def forecast_panel(panel: Panel, stored: Sequence[Stored], *, threads: int = 1) -> PanelForecast:
    """Forecast the hours that follow each series of the panel from its stored documents.

    The panel's hours must reach back to the end of every document that is to be used; its
    configuration gives horizon and levels. ConfigError for levels that were not calibrated.
    """
    weighed = {name for each in stored for name in each.ensemble.parameters["weights"]}
    names = tuple(name for name in KNOWN_MEMBERS if name in weighed)

    def chunk(rows: slice) -> PanelForecast:
        return _forecast_chunk(panel.part(rows), stored[rows], names)

    return _joined(panel.chunked(chunk, threads), panel, names)


def row_of(made: PanelForecast, s: int) -> Forecast:
    """The forecast of series `s` alone."""
    present = [m for m in range(len(made.names)) if not np.isnan(made.paths[s, m]).all()]
    return Forecast(
        point=made.point[s],
        bounds={level: (lower[s], upper[s]) for level, (lower, upper) in made.bounds.items()},
        members={made.names[m]: {"weights": _named_weights(made.weights[s, m]),
                                 "path": made.paths[s, m].tolist()} for m in present},
        absent=made.absent[s], state_hash=made.state_hashes[s])


def champion(ensemble: Document) -> tuple[str, str]:
    """The member with the lowest rolling-origin error over all leads, and why it is."""
    weights: Mapping[str, FloatArray] = ensemble.parameters["weights"]
    of_day = mean_over_day(np.array([ensemble.parameters["errors"][name] for name in weights]))
    errors = dict(zip(weights, of_day.tolist(), strict=True))
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    if known:
        best = min(sorted(known), key=lambda name: known[name])
        return best, (f"mean absolute error {known[best]:.4g} over"
                      f" {ensemble.figures['origins']} rolling origins, lowest of {len(known)}")
    best = max(sorted(weights), key=lambda name: float(weights[name].mean()))
    return best, "largest prior weight: the window is too short for rolling origins"


def _forecast_chunk(panel: Panel, stored: Sequence[Stored],
                    names: tuple[str, ...]) -> PanelForecast:
    shape = panel.series, len(names), panel.config.horizon
    paths, absent = np.full(shape, np.nan), [_absent_reasons(each) for each in stored]
    states: list[dict[str, bytes]] = [{} for _ in stored]
    seen = _seen(panel, stored)
    for m, name in enumerate(names):
        path = _paths_of(name, panel, stored, absent, states)
        paths[:, m] = _within(path, *seen)
    present = ~np.isnan(paths).any(axis=2)
    weights = renormalised(_weights_of(stored, names), present)
    combined = np.empty((panel.series, 1, panel.config.horizon))
    pool.combine(np.ascontiguousarray(paths.transpose(1, 0, 2))[:, :, None],
                 along_leads(weights, panel.config.horizon), combined)
    point = _within(combined[:, 0], *seen)     # a mean may round past the limits again
    refused = ["" if some else _nobody(why)
               for some, why in zip(present.any(axis=1), absent, strict=True)]
    return PanelForecast(
        point=point, bounds=_bounds(panel, stored, point, _dissent(paths, point)), names=names,
        paths=paths,
        weights=weights, refused=refused, absent=[dict(sorted(why.items())) for why in absent],
        state_hashes=[state_hash(each) for each in states])


def _paths_of(name: str, panel: Panel, stored: Sequence[Stored], absent: list[dict[str, str]],
              states: list[dict[str, bytes]]) -> FloatArray:
    """What member `name` forecasts, (S, H); reasons and states are entered by series."""
    usable: dict[int, Document] = {}
    for s, each in enumerate(stored):
        document = each.members.get(name)
        if document is None or name not in each.ensemble.parameters["weights"]:
            continue
        why = _out_of_reach(stacks.hour_of(panel.start, document.grid.cutoff), panel.hours)
        if why:
            absent[s][name] = why
        else:
            usable[s] = document
    path = np.full((panel.series, panel.config.horizon), np.nan)
    moved = stacks.moved(stacks.of_states(name, usable, panel.start), panel, path)
    finite = np.isfinite(path).all(axis=1)
    path[~finite] = np.nan
    for s, state in moved.items():
        if finite[s]:
            states[s][name] = state
        else:
            absent[s][name] = "its forecast is not finite"
    return path


def _out_of_reach(hour: int, hours: int) -> str:
    """Why a state at `hour` of a window of `hours` cannot be moved through it; "" if it can."""
    if hour < 0:
        return f"its state ends {-hour} h before the hours that were given"
    if hour > hours:
        return f"its state ends {hour - hours} h after the forecast begins"
    return ""


def _seen(panel: Panel, stored: Sequence[Stored]) -> tuple[FloatArray, FloatArray]:
    """Limits of the forecasts (S,), from what was seen in training and since."""
    seen = np.array([each.ensemble.parameters["seen"] for each in stored]).reshape(-1, 2)
    low, high = span(panel.y)
    return limits(np.minimum(low, seen[:, 0]), np.maximum(high, seen[:, 1]), panel.vital)


def _within(path: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    return np.clip(path, low[:, None], high[:, None])


def _weights_of(stored: Sequence[Stored], names: tuple[str, ...]) -> FloatArray:
    """Stored weights (S, M, B), 0 for members without."""
    weights = np.zeros((len(stored), len(names), len(BUCKETS)))
    places = {name: m for m, name in enumerate(names)}
    for s, each in enumerate(stored):
        for name, own in each.ensemble.parameters["weights"].items():
            weights[s, places[name]] = own
    return weights


def _dissent(paths: FloatArray, point: FloatArray) -> FloatArray:
    """Mean distance of the members that forecast from the point, (S, H)."""
    away = np.abs(paths - point[:, None])
    told = (~np.isnan(away)).sum(axis=1)
    mean: FloatArray = np.nansum(away, axis=1) / np.maximum(told, 1)
    return mean


def _bounds(panel: Panel, stored: Sequence[Stored], point: FloatArray,
            dissent: FloatArray) -> Bounds:
    """Bounds of every series; those of one season in one go."""
    shape, levels = point.shape, sorted(panel.config.levels)
    found = {level: (np.full(shape, np.nan), np.full(shape, np.nan)) for level in levels}
    by_season: dict[int, list[int]] = {}
    for s, each in enumerate(stored):
        by_season.setdefault(each.ensemble.parameters["rhythm"].size, []).append(s)
    for rows in by_season.values():
        ensembles = [stored[s].ensemble for s in rows]
        phases = np.array([stacks.hour_of(each.grid.first, panel.end) for each in ensembles])
        made = intervals.bounds(point[rows], dissent[rows], phases,
                                _ages(panel, rows, ensembles), _calibration(ensembles),
                                levels=panel.config.levels, vital=panel.vital)
        for level, (lower, upper) in made.items():
            found[level][0][rows], found[level][1][rows] = lower, upper
    return found


def _ages(panel: Panel, rows: Sequence[int], ensembles: Sequence[Document]) -> IntArray:
    """Hours without a reading before the forecasts, (S,); before the panel the ensemble knows."""
    within = unread(panel.y[rows])
    before = [each.parameters.get("age", 0) + stacks.hour_of(each.grid.cutoff, panel.end)
              for each in ensembles]
    return np.where(within < panel.hours, within, np.maximum(before, 0)).astype(np.int64)


def _calibration(ensembles: Sequence[Document]) -> Calibration:
    parameters = [each.parameters for each in ensembles]
    levels = set.intersection(*({*each["quantiles"]} for each in parameters))
    return Calibration(
        scale=np.array([each["scale"] for each in parameters]),
        rhythm=np.array([each["rhythm"] for each in parameters]),
        quantiles={int(level): np.array([each["quantiles"][level] for each in parameters])
                   for level in levels})


def _joined(parts: Sequence[PanelForecast], panel: Panel, names: tuple[str, ...]) -> PanelForecast:
    empty = np.zeros((0, panel.config.horizon))
    bounds = {level: tuple(np.concatenate([empty, *(part.bounds[level][side] for part in parts)])
                           for side in range(2)) for level in sorted(panel.config.levels)}
    return PanelForecast(
        point=np.concatenate([empty, *(part.point for part in parts)]),
        bounds={level: (lower, upper) for level, (lower, upper) in bounds.items()}, names=names,
        paths=np.concatenate([np.zeros((0, len(names), panel.config.horizon)),
                              *(part.paths for part in parts)]),
        weights=np.concatenate([np.zeros((0, len(names), len(BUCKETS))),
                                *(part.weights for part in parts)]),
        absent=[why for part in parts for why in part.absent],
        refused=[why for part in parts for why in part.refused],
        state_hashes=[each for part in parts for each in part.state_hashes])


def _absent_reasons(stored: Stored) -> dict[str, str]:
    ensemble, documents = stored.ensemble, stored.members
    reasons = {**ensemble.figures["absent"], **ensemble.figures["left_out"]}
    for name in ensemble.parameters["weights"]:
        if name not in documents:
            reasons[name] = "no document"
    return {**reasons,
            **{name: why for name, why in stored.absent.items() if name not in documents}}


def _nobody(reasons: Mapping[str, str]) -> str:
    return "no member can forecast: " + "; ".join(
        f"{name}: {why}" for name, why in sorted(reasons.items()))


def _named_weights(weights: FloatArray) -> dict[str, float]:
    return dict(zip(BUCKETS, weights.tolist(), strict=True))
