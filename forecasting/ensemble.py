"""Members combined: weights per horizon bucket, calibrated intervals, one forecast.

Weights begin at a prior that other subjects' data set, and move with the series' own
rolling-origin errors as far as the number of origins allows. A member that errs far beyond the
others is left out and the reason recorded. Forecasting is a pure function of the documents and the
hours since: the same input gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import intervals, members
from forecasting.config import BUCKETS, EngineConfig, config_hash
from forecasting.documents import ENSEMBLE, Document, GridFacts, dump_state, state_hash
from forecasting.grid import HOUR_S, data_hash
from forecasting.intervals import Bounds, Calibration, buckets_of
from forecasting.members import Provenance
from forecasting.profile import rhythm_strength
from forecasting.types import FitRefused, FloatArray, Values
from forecasting.weights import (
    bucket_errors,
    left_out_reasons,
    mean_over_day,
    prior_weights,
    renormalised,
    weigh,
)

STRIDE = 3
"""Hours between rolling origins; errors of neighbouring ones say nearly the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Forecast of the hours that follow the last one given.

    `point` (horizon,) is the median; `bounds` (lower, upper) per level; `members` what each gave
    and counted for; `absent` why others did not; `states` the members' states as stored JSON.
    """

    point: FloatArray
    bounds: Bounds
    members: dict[str, Values]
    absent: dict[str, str]
    state_hash: str
    states: dict[str, str]


def fit_ensemble(documents: Mapping[str, Document], y: FloatArray, *, start: datetime,
                 config: EngineConfig, vital: VitalSpec | None, absent: Mapping[str, str],
                 provenance: Provenance) -> Document:
    """Weigh the members' documents and calibrate intervals on the window that they were fitted on.

    `y` (n,) begins at `start`, with at least one observed hour. A document of an earlier window may
    stand in; it is weighed by what it forecast since it was fitted. `absent` are reasons of
    members that have no document. FitRefused where no member is left.
    """
    if not documents:
        raise FitRefused("no member could be fitted: " + "; ".join(
            f"{name}: {why}" for name, why in sorted(absent.items())))
    names = tuple(name for name in config.members if name in documents)
    horizon = config.horizon
    origins = rolling_origins(y.size, config)
    seen = np.array([np.nanmin(y), np.nanmax(y)])
    paths = {
        name: _tamed(members.rolling_paths(documents[name], y, start, origins, horizon, config),
                     seen, vital)
        for name in names
    }
    actual = _actual(y, origins, horizon)
    errors = {name: bucket_errors(actual - paths[name]) for name in names}
    left_out = left_out_reasons(errors)
    rhythm = rhythm_strength(y, config.season)
    weights = weigh({name: errors[name] for name in names if name not in left_out},
                       prior_weights(rhythm), len(origins), config.shrinkage)
    point = _combined(weights, paths, (len(origins), horizon))
    phases = (np.array(origins, dtype=np.int64)[:, None] + np.arange(horizon)) % config.season
    calibration = intervals.calibrate(actual - point, phases, y, season=config.season,
                                      levels=config.levels)
    return Document(
        member=ENSEMBLE, engine="native",
        structure={"members": names, "season": config.season},
        parameters={"weights": weights, "errors": errors, "seen": seen,
                    "rhythm_strength": rhythm, "error": bucket_errors(actual - point),
                    **_calibration_values(calibration)},
        state={}, fitted_state=None, sigma2=_mean_square(actual - point),
        grid=GridFacts(season=config.seasons, first=start, n=int(y.size),
                       missing=int(np.isnan(y).sum()), holdback=0),
        figures={"origins": len(origins), "left_out": left_out, "absent": dict(absent)},
        provenance={"code_version": provenance.code_version, "seed": provenance.seed,
                    "library_versions": {"numpy": str(np.__version__)},
                    "data_hash": data_hash(y), "config_hash": config_hash(config)},
    )


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
    begin = since or ensemble.grid.cutoff
    end_hour = _hours_between(ensemble.grid.first, begin) + y_since.size
    reasons = _absent_reasons(ensemble, documents, absent or {})
    seen = _extended(ensemble.parameters["seen"], y_since)
    paths: dict[str, FloatArray] = {}
    states: dict[str, str] = {}
    for name in sorted(ensemble.parameters["weights"]):
        if name not in documents:
            continue
        try:
            moved = _moved(documents[name], begin, y_since)
            paths[name] = _usable_path(moved, horizon, seen, vital)
            states[name] = dump_state(moved.state)
        except FitRefused as refusal:
            reasons[name] = str(refusal)
    if not paths:
        raise FitRefused("no member can forecast: " + "; ".join(
            f"{name}: {why}" for name, why in sorted(reasons.items())))
    weights = renormalised({name: ensemble.parameters["weights"][name] for name in paths})
    combined = _combined(weights, {name: path[None, :] for name, path in paths.items()},
                         (1, horizon))[0]
    point = _tamed(combined, seen, vital)     # a weighted mean may round past the limits again
    phases = (end_hour + np.arange(horizon)) % ensemble.structure["season"]
    return Forecast(
        point=point,
        bounds=intervals.bounds(point, phases, _calibration(ensemble), levels=levels, vital=vital),
        members={name: {"weights": _named_weights(weights[name]), "path": paths[name].tolist()}
                 for name in paths},
        absent=dict(sorted(reasons.items())),
        state_hash=state_hash(states),
        states=states,
    )


def champion(ensemble: Document) -> tuple[str, str]:
    """The member with the lowest rolling-origin error over all leads, and why it is."""
    weights: Mapping[str, FloatArray] = ensemble.parameters["weights"]
    errors = {name: mean_over_day(ensemble.parameters["errors"][name]) for name in weights}
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    if known:
        best = min(sorted(known), key=lambda name: known[name])
        return best, (f"mean absolute error {known[best]:.4g} over"
                      f" {ensemble.figures['origins']} rolling origins, lowest of {len(known)}")
    best = max(sorted(weights), key=lambda name: float(weights[name].mean()))
    return best, "largest prior weight: the window is too short for rolling origins"


def rolling_origins(n: int, config: EngineConfig) -> tuple[int, ...]:
    """Hour indices inside the held-back end of a window of `n` from which errors are measured."""
    held = members.holdback_hours(n, config)
    return tuple(range(n - held, n, STRIDE))


def _actual(y: FloatArray, origins: tuple[int, ...], horizon: int) -> FloatArray:
    """Observed hours after each origin, (origins, horizon); NaN beyond the window and in gaps."""
    padded = np.concatenate((y, np.full(horizon, np.nan)))
    return np.array([padded[o:o + horizon] for o in origins]).reshape(len(origins), horizon)


def _combined(weights: Mapping[str, FloatArray], paths: Mapping[str, FloatArray],
              shape: tuple[int, int]) -> FloatArray:
    """Weighted mean of paths (rows, horizon); a row's missing members are filled up by the rest."""
    buckets = buckets_of(np.arange(1, shape[1] + 1))
    total, counted = np.zeros(shape), np.zeros(shape)
    for name, weight in weights.items():
        known = ~np.isnan(paths[name])
        total += np.where(known, paths[name], 0.0) * weight[buckets]
        counted += known * weight[buckets]
    combined = np.full(shape, np.nan)
    np.divide(total, counted, out=combined, where=counted > 0)
    return combined


def _tamed(paths: FloatArray, seen: FloatArray, vital: VitalSpec | None) -> FloatArray:
    """Paths within twice the range around what was `seen` (least, greatest), and within the vital.

    What a recursion with an unstable parameter says beyond that is not a forecast.
    """
    room = 2 * (seen[1] - seen[0])
    tamed = np.clip(paths, seen[0] - room, seen[1] + room)
    return tamed if vital is None else np.clip(tamed, vital.low, vital.high)


def _extended(seen: FloatArray, y_since: FloatArray) -> FloatArray:
    known = np.concatenate((seen, y_since[~np.isnan(y_since)]))
    return np.array([known.min(), known.max()])


def _moved(document: Document, begin: datetime, y_since: FloatArray) -> Document:
    """The document updated with the hours of `y_since` that it has not seen."""
    offset = _hours_between(begin, document.grid.cutoff)
    if offset < 0:
        raise FitRefused(f"its state ends {-offset} h before the hours that were given")
    if offset > y_since.size:
        raise FitRefused(f"its state ends {offset - y_since.size} h after the forecast begins")
    return members.update(document, y_since[offset:])


def _usable_path(document: Document, horizon: int, seen: FloatArray,
                 vital: VitalSpec | None) -> FloatArray:
    path = members.forecast(document, horizon)
    if not np.isfinite(path).all():
        raise FitRefused("its forecast is not finite")
    return _tamed(path, seen, vital)


def _absent_reasons(ensemble: Document, documents: Mapping[str, Document],
                    given: Mapping[str, str]) -> dict[str, str]:
    reasons = {**ensemble.figures["absent"], **ensemble.figures["left_out"]}
    for name in ensemble.parameters["weights"]:
        if name not in documents:
            reasons[name] = "no document"
    return {**reasons, **{name: why for name, why in given.items() if name not in documents}}


def _calibration_values(calibration: Calibration) -> Values:
    return {"scale": calibration.scale, "rhythm": calibration.rhythm,
            "quantiles": {str(level): np.array(pair)
                          for level, pair in calibration.quantiles.items()}}


def _calibration(ensemble: Document) -> Calibration:
    parameters = ensemble.parameters
    quantiles = {int(level): (float(pair[0]), float(pair[1]))
                 for level, pair in parameters["quantiles"].items()}
    return Calibration(scale=parameters["scale"], rhythm=parameters["rhythm"], quantiles=quantiles)


def _named_weights(weights: FloatArray) -> dict[str, float]:
    return dict(zip(BUCKETS, weights.tolist(), strict=True))


def _mean_square(errors: FloatArray) -> float:
    known = errors[~np.isnan(errors)]
    return float(np.mean(known ** 2)) if known.size else 0.0


def _hours_between(first: datetime, second: datetime) -> int:
    return int((second - first).total_seconds()) // HOUR_S
