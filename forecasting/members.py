"""One interface over all members and engines: fit, update, forecast.

A fitter (of an engine) finds structure, parameters and a first state; from then on only the
member's recursion is used, whichever engine fitted it. Heavy members are fitted on the window
without its last `calibration_hours`, and their state then runs through those: forecasts made on
the way are out of sample although only one fit was paid for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from forecasting import (
    arima,
    baselines,
    ets,
    library,
    mstl,
    native_fits,
    profile,
    statsforecast_fits,
    tbats,
    theta,
)
from forecasting.config import EngineConfig, config_hash
from forecasting.documents import Document, GridFacts
from forecasting.grid import HOUR_S, data_hash, require_utc_hour
from forecasting.types import FitRefused, Fitted, FloatArray, GridError, Model, Values

MIN_WINDOW = 36
"""Shorter windows hold nothing back: there is no room for honest errors."""

MIN_OBSERVED_SHARE = 0.2
"""Below this share of observed hours, straight lines over gaps would be what a fit learns."""

_NOISE_HOURS = 24
_NEVER = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A recursion. `heavy`: fitted once per window on all but the held-back hours."""

    heavy: bool
    advance: Callable[[Model, FloatArray], Values]
    path: Callable[[Model, int], FloatArray]


MEMBERS: dict[str, Member] = {
    "arima": Member(heavy=True, advance=arima.advance, path=arima.path),
    "ets": Member(heavy=True, advance=ets.advance, path=ets.path),
    "theta": Member(heavy=True, advance=theta.advance, path=theta.path),
    "tbats": Member(heavy=True, advance=tbats.advance, path=tbats.path),
    "mstl": Member(heavy=True, advance=mstl.advance, path=mstl.path),
    "profile": Member(heavy=False, advance=profile.advance, path=profile.path),
    "revert": Member(heavy=False, advance=baselines.advance_revert, path=baselines.path_revert),
    "seasonal_naive": Member(heavy=False, advance=baselines.advance_seasonal_naive,
                             path=baselines.path_seasonal_naive),
    "hour_of_day": Member(heavy=False, advance=baselines.advance_ring,
                          path=baselines.path_hour_of_day),
    "mean_of_last_day": Member(heavy=False, advance=baselines.advance_ring,
                               path=baselines.path_mean_of_last_day),
    "last_value": Member(heavy=False, advance=baselines.advance_ring,
                         path=baselines.path_last_value),
    **{name: Member(heavy=True, advance=advance, path=path)
       for name, (advance, path) in library.RECURSIONS.items()},
}

_LIGHT_FITS: dict[str, Callable[[FloatArray, int], Fitted]] = {
    "profile": profile.fit,
    "revert": baselines.fit_revert,
    "seasonal_naive": baselines.fit_seasonal_naive,
    "hour_of_day": baselines.fit_hour_of_day,
    "mean_of_last_day": baselines.fit_mean_of_last_day,
    "last_value": baselines.fit_last_value,
}

Fitter = Callable[[FloatArray, tuple[int, ...]], Fitted]


def _one_season(fit_light: Callable[[FloatArray, int], Fitted]) -> Fitter:
    return lambda y, seasons: fit_light(y, seasons[0])


FITTERS: dict[tuple[str, str], Fitter] = {
    **{(name, "statsforecast"): fitter for name, fitter in statsforecast_fits.FITTERS.items()},
    **{(name, "statsforecast"): fitter for name, fitter in library.FITTERS.items()},
    **{(name, "native"): _one_season(fit_light) for name, fit_light in _LIGHT_FITS.items()},
    **{(name, "native"): fitter for name, fitter in native_fits.FITTERS.items()},
}
"""Who fits which member: (member, engine) → fitter of (hours, seasons)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the caller knows about the making of a document; the rest is found while fitting."""

    code_version: str
    seed: int = 0


def holdback_hours(n: int, config: EngineConfig) -> int:
    """Hours at the end of a window of `n` that parameters of heavy members do not see."""
    return 0 if n < MIN_WINDOW else min(config.calibration_hours, n // 3)


def fit(member: str, y: FloatArray, *, start: datetime, config: EngineConfig,
        provenance: Provenance) -> Document:
    """Fit `member` to the hours `y` (shape (n,), NaN = gap) that begin at `start`, a UTC hour.

    The document's state stands at the end of `y`. FitRefused tells why a member has no business
    with a series; a library may raise errors of its own, to be recorded where the fit is run.
    """
    require_utc_hour(start)
    _require_finite(y)
    if np.isnan(y).all():
        raise FitRefused("no observed hour in the window")
    engine, heavy = config.engine(member), MEMBERS[member].heavy
    holdback = holdback_hours(y.size, config) if heavy else 0
    with np.errstate(all="ignore"):     # what overflows is found by the check of the forecast
        fitter = FITTERS[member, engine]
        fitted = _fit_heavy(member, fitter, y, holdback, config) if heavy else fitter(
            y, config.seasons)
        sigma2 = fitted.sigma2 if heavy else _one_hour_variance(member, fitter, y, config)
        state = _advanced(member, fitted, y[y.size - holdback:]) if heavy else fitted.state
    document = Document(
        member=member, engine=engine, structure=fitted.structure, parameters=fitted.parameters,
        state=state, fitted_state=fitted.state if heavy else None, sigma2=sigma2,
        grid=GridFacts(season=config.seasons, first=start, n=int(y.size),
                       missing=int(np.isnan(y).sum()), holdback=holdback),
        figures={"made_by": "structure_search", "iterations": None, "warm_start_from": None,
                 **fitted.figures},
        provenance=_provenance(provenance, y, config, engine),
    )
    _require_sane(document, config)
    return document


def update(document: Document, y_new: FloatArray) -> Document:
    """The document with its state moved through the hours `y_new` that follow its window."""
    _require_finite(y_new)
    if y_new.size == 0:
        return document
    with np.errstate(all="ignore"):
        state = _advanced(document.member, document, y_new)
    return replace(document, state=state, grid=document.grid.advanced(y_new))


def forecast(document: Document, horizon: int) -> FloatArray:
    """Forecasts of the `horizon` hours that follow the document's window, shape (horizon,)."""
    with np.errstate(all="ignore"):
        return MEMBERS[document.member].path(document, horizon)


def rolling_paths(document: Document, y: FloatArray, start: datetime, origins: Sequence[int],
                  horizon: int, config: EngineConfig) -> FloatArray:
    """Forecasts from earlier origins inside the window, each made without what followed it.

    `y` begins at `start`; `origins` are rising hour indices of it; row i forecasts the hours
    origins[i], origins[i] + 1, ... Shape (len(origins), horizon). Heavy members run from the state
    that they were fitted with, light ones are refitted. NaN where a member cannot say anything:
    before the hours that its parameters have not seen, or before the first observed one.
    """
    with np.errstate(all="ignore"):
        if MEMBERS[document.member].heavy:
            return _rolled(document, y, start, origins, horizon)
        return _refitted(document, y, origins, horizon, config)


def _rolled(document: Document, y: FloatArray, start: datetime, origins: Sequence[int],
            horizon: int) -> FloatArray:
    member, paths = MEMBERS[document.member], np.full((len(origins), horizon), np.nan)
    at = int((document.grid.fitted_until - start).total_seconds()) // HOUR_S
    if document.fitted_state is None or at < 0:
        return paths
    model = _at_state(document, document.fitted_state)
    for row, origin in enumerate(origins):
        if origin < at:
            continue
        model = _at_state(model, member.advance(model, y[at:origin]))
        at = origin
        paths[row] = member.path(model, horizon)
    return paths


def _refitted(document: Document, y: FloatArray, origins: Sequence[int], horizon: int,
              config: EngineConfig) -> FloatArray:
    fitter, member = FITTERS[document.member, document.engine], MEMBERS[document.member]
    paths = np.full((len(origins), horizon), np.nan)
    for row, origin in enumerate(origins):
        known = y[:origin]
        if not np.isnan(known).all():
            paths[row] = member.path(fitter(known, config.seasons), horizon)
    return paths


def _at_state(model: Model, state: Values) -> Fitted:
    return Fitted(structure=model.structure, parameters=model.parameters, state=state, sigma2=0.0)


def _advanced(member: str, model: Model, y: FloatArray) -> Values:
    return MEMBERS[member].advance(model, y) if y.size else model.state


def _fit_heavy(member: str, fitter: Fitter, y: FloatArray, holdback: int,
               config: EngineConfig) -> Fitted:
    """Fit before the held-back hours; gaps at either end are not fitted but filtered."""
    train = y[:y.size - holdback]
    known = np.flatnonzero(~np.isnan(train))
    if known.size < config.min_observed:
        raise FitRefused(f"{known.size} observed hours to fit on, needs {config.min_observed}")
    inner = train[known[0]:known[-1] + 1]
    if known.size < MIN_OBSERVED_SHARE * inner.size:
        raise FitRefused(f"{known.size} of {inner.size} hours observed, needs a fifth")
    observed = train[known]
    if np.ptp(observed) <= _NEVER * float(np.abs(observed).max()):
        raise FitRefused("the series is constant")
    fitted = fitter(inner, config.seasons)
    return replace(fitted, state=_advanced(member, fitted, train[known[-1] + 1:]))


def _one_hour_variance(member: str, fitter: Fitter, y: FloatArray, config: EngineConfig) -> float:
    """Mean squared one-hour error over the last day, fitted before it; 0 if unknown."""
    before = y[:-_NOISE_HOURS]
    if np.isnan(before).all():
        return 0.0
    recursion, model, squares = MEMBERS[member], fitter(before, config.seasons), []
    for value in y[before.size:]:
        if not np.isnan(value):
            squares.append(float(value - recursion.path(model, 1)[0]) ** 2)
        model = _at_state(model, recursion.advance(model, np.array([value])))
    return float(np.mean(squares)) if squares else 0.0


def _require_finite(y: FloatArray) -> None:
    if np.isinf(y).any():
        hour = int(np.flatnonzero(np.isinf(y))[0])
        raise GridError(f"hour {hour} of the series is infinite: drop the reading")


def _require_sane(document: Document, config: EngineConfig) -> None:
    if not (np.isfinite(forecast(document, config.horizon)).all() and np.isfinite(document.sigma2)):
        raise FitRefused("the fitted model does not give a finite forecast")


def _provenance(known: Provenance, y: FloatArray, config: EngineConfig, engine: str) -> Values:
    versions = {"numpy": str(np.__version__)}
    if engine == "statsforecast":
        versions |= statsforecast_fits.library_versions()
    return {
        "code_version": known.code_version,
        "library_versions": versions,
        "data_hash": data_hash(y),
        "config_hash": config_hash(config),
        "seed": known.seed,
    }


