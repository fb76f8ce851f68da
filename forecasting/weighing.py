"""Rolling-origin errors of all members of a panel, and the ensemble documents made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clinical.vitals import VitalSpec
from forecasting import intervals, stacks
from forecasting.config import BUCKETS, EngineConfig
from forecasting.documents import ENSEMBLE, Document, GridFacts
from forecasting.grid import data_hash
from forecasting.history import first_observed, holdbacks, unread
from forecasting.intervals import Calibration
from forecasting.kernels import pool
from forecasting.native_light import daily_pattern
from forecasting.panel import Panel
from forecasting.provenance import Provenance
from forecasting.stacks import Stack
from forecasting.types import BoolArray, FloatArray, IntArray, Values
from forecasting.weights import (
    along_leads,
    buckets_of,
    left_out,
    left_out_reason,
    mean_over_day,
    prior_weights,
    weigh,
)

STRIDE = 3
"""Hours between rolling origins; errors of neighbouring ones say nearly the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """What is found for S series and M members; errors NaN and weights 0 where absent."""

    names: tuple[str, ...]
    present: BoolArray
    left_out: BoolArray
    errors: FloatArray
    of_day: FloatArray
    weights: FloatArray
    rhythm_strength: FloatArray
    seen: FloatArray
    error: FloatArray
    sigma2: FloatArray
    calibration: Calibration
    telling: IntArray
    ages: IntArray


def weigh_panel(panel: Panel, models: Sequence[Stack], *, absent: Sequence[Mapping[str, str]],
                provenance: Provenance) -> list[Document]:
    """Ensemble documents of the panel's series, each of those members that `models` have for it.

    `models` stand in the states that they were fitted with, any number of stacks a member; every
    series has at least one model and one observed hour. `absent` are the reasons of the others.
    """
    found = _weighed(panel, models)
    known = provenance.told(panel.config)
    missing = np.isnan(panel.y).sum(axis=1)
    return [
        Document(
            member=ENSEMBLE, engine="native",
            structure={"members": tuple(name for m, name in enumerate(found.names)
                                        if found.present[s, m]),
                       "season": panel.config.season},
            parameters=_parameters(found, s), state={}, fitted_state=None,
            sigma2=float(found.sigma2[s]),
            grid=GridFacts(season=panel.config.seasons, first=panel.start, n=panel.hours,
                           missing=int(missing[s]), holdback=0),
            figures={"origins": int(found.telling[s]), "left_out": _left_out_reasons(found, s),
                     "absent": dict(absent[s])},
            provenance={**known, "data_hash": data_hash(panel.y[s])},
        ) for s in range(panel.series)
    ]


def rolling_origins(y: FloatArray, config: EngineConfig) -> tuple[IntArray, IntArray]:
    """Hours of the window `y` (S, n) from which errors are measured, and how many each row counts.

    Every STRIDE hours, in the held-back end of the window; a row counts the last ones, as many as
    its own held-back hours have. Shapes (O,) and (S,).
    """
    counts = holdbacks(y, config) // STRIDE
    most = int(counts.max(initial=0))
    return y.shape[1] - STRIDE * np.arange(most, 0, -1, dtype=np.int64), counts


def telling_origins(y: FloatArray, counts: IntArray) -> IntArray:
    """How many of the last `counts` (S,) origins of each row of `y` (S, n) tell something, (S,).

    No more than hours were observed since the first of them: many origins are judged by the same
    few hours where readings are sparse.
    """
    hours = np.arange(y.shape[1]) >= y.shape[1] - STRIDE * counts[:, None]
    return np.asarray(np.minimum(counts, (hours & ~np.isnan(y)).sum(axis=1)), dtype=np.int64)


def limits(low: FloatArray, high: FloatArray,
           vital: VitalSpec | None) -> tuple[FloatArray, FloatArray]:
    """Twice the range around what was seen (least, greatest; (S,)), and within the vital.

    What a recursion with an unstable parameter says beyond that is not a forecast.
    """
    room = 2 * (high - low)
    least, most = low - room, high + room
    if vital is None:
        return least, most
    return np.clip(least, vital.low, vital.high), np.clip(most, vital.low, vital.high)


def _weighed(panel: Panel, models: Sequence[Stack]) -> _Weighed:
    y, config = panel.y, panel.config
    origins, counts = rolling_origins(y, config)
    since, telling = y.shape[1] - STRIDE * counts, telling_origins(y, counts)
    seen = np.column_stack((np.nanmin(y, axis=1), np.nanmax(y, axis=1)))
    paths, present = _paths(panel, models, origins, limits(seen[:, 0], seen[:, 1], panel.vital))
    errors = np.stack([_bucket_errors(_errors(y, origins, since, path)) for path in paths], axis=1)
    pattern, kept = daily_pattern(y, config.season)
    of_day = mean_over_day(errors)
    out = left_out(of_day, telling)
    prior = prior_weights(kept ** 2, y.shape[1] - first_observed(y), config.members)
    weights = weigh(errors, prior, present & ~out, telling, config.shrinkage)
    point = np.empty(paths.shape[1:])
    pool.combine(paths, along_leads(weights, config.horizon), point)
    combined = _errors(y, origins, since, point)
    return _Weighed(
        names=config.members, present=present, left_out=out, errors=errors, of_day=of_day,
        weights=weights, seen=seen, rhythm_strength=kept ** 2, error=_bucket_errors(combined),
        sigma2=_mean_squares(combined),
        calibration=intervals.calibrate(combined, origins, telling, y, pattern,
                                        levels=config.levels, vital=panel.vital),
        telling=telling, ages=unread(y))


def _paths(panel: Panel, models: Sequence[Stack], origins: IntArray,
           within: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, BoolArray]:
    """Tamed rolling paths (M, S, O, H), NaN where there are none, and which members are there."""
    names = panel.config.members
    shape = len(names), panel.series, origins.size, panel.config.horizon
    paths, present = np.full(shape, np.nan), np.zeros((panel.series, len(names)), dtype=np.bool_)
    for stack in models:
        m = names.index(stack.member)
        present[stack.index, m] = True
        present[list(stack.slow), m] = True
        stacks.rolled(stack, panel, origins, paths[m])
    for path in paths:
        pool.tame(*within, path)
    return paths, present


def _errors(y: FloatArray, origins: IntArray, since: IntArray, paths: FloatArray) -> FloatArray:
    errors = np.empty(paths.shape)
    pool.errors_of(y, origins, since, paths, errors)
    return errors


def _bucket_errors(errors: FloatArray) -> FloatArray:
    """Mean absolute error per horizon bucket, (S, B); NaN where nothing was observed."""
    means = np.empty((errors.shape[0], len(BUCKETS)))
    pool.bucket_means(errors, buckets_of(np.arange(1, errors.shape[2] + 1)), means)
    return means


def _mean_squares(errors: FloatArray) -> FloatArray:
    """Mean squared error of each series, (S,); 0 where none is known."""
    flat = errors.reshape(errors.shape[0], -1)
    known = ~np.isnan(flat)     # others' origins are NaN here and must not group the sum otherwise
    sums = [np.square(row[some]).sum() for row, some in zip(flat, known, strict=True)]
    return np.asarray(sums / np.maximum(known.sum(axis=1), 1))


def _parameters(found: _Weighed, s: int) -> Values:
    counted = found.present[s] & ~found.left_out[s]
    calibration = found.calibration
    return {
        "weights": {name: found.weights[s, m] for m, name in enumerate(found.names) if counted[m]},
        "errors": {name: found.errors[s, m] for m, name in enumerate(found.names)
                   if found.present[s, m]},
        "seen": found.seen[s], "rhythm_strength": float(found.rhythm_strength[s]),
        "age": int(found.ages[s]), "error": found.error[s], "scale": calibration.scale[s],
        "rhythm": calibration.rhythm[s],
        "quantiles": {str(level): pair[s] for level, pair in calibration.quantiles.items()},
    }


def _left_out_reasons(found: _Weighed, s: int) -> dict[str, str]:
    return {found.names[m]: left_out_reason(float(found.of_day[s, m]))
            for m in np.flatnonzero(found.left_out[s])}
