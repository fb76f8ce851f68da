"""One interface over all members and engines: fit, refit, update, forecast; one series at a time.

An engine finds structure, parameters and a first state; from then on only the member's recursion
is used, whichever engine fitted it. Heavy members are fitted on the window without its last
`calibration_hours`, and their state then runs through those: forecasts made on the way are out of
sample although only one fit was paid for.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from forecasting import library, statsforecast_fits
from forecasting.config import EngineConfig
from forecasting.documents import Document, GridFacts, hour_text
from forecasting.grid import HOUR_S, data_hash, require_utc_hour
from forecasting.history import NO_HOUR, holdbacks, too_little
from forecasting.native import NATIVE
from forecasting.policy import REFIT, SEARCH, searched_at
from forecasting.provenance import Provenance
from forecasting.recursions import MEMBERS, at_state
from forecasting.types import FitRefused, Fitted, FloatArray, GridError, Values

Fitter = Callable[[FloatArray, tuple[int, ...]], Fitted]

LIBRARY_FITTERS: dict[str, Fitter] = {**statsforecast_fits.FITTERS, **library.FITTERS}
"""Fitters of the engine `statsforecast` by member; the engine `native` is `native.NATIVE`."""


def fit(member: str, y: FloatArray, *, start: datetime, config: EngineConfig,
        provenance: Provenance) -> Document:
    """Fit `member` to the hours `y` (shape (n,), NaN = gap) that begin at `start`, a UTC hour.

    The document's state stands at the end of `y`. Hours before the first observed one count as not
    there. FitRefused tells why a member has no business with a series; a library may raise errors
    of its own, to be recorded where the fit is run.
    """
    engine, search = config.engine(member), _native_search
    if engine == "statsforecast":
        search = _library_search
    origin: Values = {"made_by": SEARCH, "warm_start_from": None}
    if MEMBERS[member].heavy:
        origin["searched_at"] = hour_text(start + timedelta(hours=y.size))
    return _fitted(member, engine, y, lambda train: search(member, train, config),
                   start=start, config=config, provenance=provenance, origin=origin)


def refit(document: Document, y: FloatArray, *, start: datetime, config: EngineConfig,
          provenance: Provenance, document_id: str | None = None) -> Document:
    """Fit the parameters of a native document anew to `y`, from those it has; structure kept.

    `document_id` is the id that the earlier document is stored under. Light members have nothing
    to start from and are simply fitted. As `fit` otherwise; FitRefused also for a model that the
    kernels cannot hold.
    """
    member, native = document.member, NATIVE.get(document.member)
    if native is None:
        raise FitRefused(f"no kernel holds {member}: search the structure again")
    rows = native.stack([native.to_row(document)])
    origin: Values = {"made_by": REFIT, "warm_start_from": None}
    if native.heavy:
        origin |= {"warm_start_from": document_id, "searched_at": hour_text(searched_at(document))}
    return _fitted(
        member, "native", y,
        lambda train: native.to_model(native.refit(train[None], rows, config.seasons), 0),
        start=start, config=config, provenance=provenance, origin=origin)


def update(document: Document, y_new: FloatArray) -> Document:
    """The document with its state moved through the hours `y_new` that follow its window."""
    _require_finite(y_new)
    if y_new.size == 0:
        return document
    with np.errstate(all="ignore"):
        state = MEMBERS[document.member].advance(document, y_new)
    return replace(document, state=state, grid=document.grid.advanced(y_new))


def forecast(document: Document, horizon: int) -> FloatArray:
    """Forecasts of the `horizon` hours that follow the document's window, shape (horizon,)."""
    with np.errstate(all="ignore"):
        return MEMBERS[document.member].path(document, horizon)


def rolling_paths(document: Document, y: FloatArray, start: datetime, origins: Sequence[int],
                  horizon: int) -> FloatArray:
    """Forecasts from earlier origins inside the window, each made without what followed it.

    `y` begins at `start`; `origins` are rising hour indices of it; row i forecasts the hours
    origins[i], origins[i] + 1, ... Shape (len(origins), horizon). Heavy members run from the state
    that they were fitted with, light ones are refitted. NaN where a member cannot say anything:
    before the hours that its parameters have not seen, or before the first observed one.
    """
    at = int((document.grid.fitted_until - start).total_seconds()) // HOUR_S
    state, member = document.state, MEMBERS[document.member]
    if member.heavy:
        if document.fitted_state is None or at < 0:
            return np.full((len(origins), horizon), np.nan)
        state = document.fitted_state
    with np.errstate(all="ignore"):
        return member.rolling(at_state(document, state), y, at, origins, horizon)


def _fitted(member: str, engine: str, y: FloatArray, find: Callable[[FloatArray], Fitted], *,
            start: datetime, config: EngineConfig, provenance: Provenance,
            origin: Values) -> Document:
    """The document of what `find` makes of the hours that are not held back."""
    require_utc_hour(start)
    _require_finite(y)
    if np.isnan(y).all():
        raise FitRefused(NO_HOUR)
    heavy = MEMBERS[member].heavy
    holdback = int(holdbacks(y[None], config)[0]) if heavy else 0
    train = y[:y.size - holdback]
    if heavy and (why := too_little(train[None], config)):
        raise FitRefused(why[0])
    with np.errstate(all="ignore"):     # what overflows is found by the check of the forecast
        found = find(train)
        state = MEMBERS[member].advance(found, y[train.size:]) if holdback else found.state
    document = Document(
        member=member, engine=engine, structure=found.structure, parameters=found.parameters,
        state=state, fitted_state=found.state if heavy else None, sigma2=found.sigma2,
        grid=GridFacts(season=config.seasons, first=start, n=int(y.size),
                       missing=int(np.isnan(y).sum()), holdback=holdback),
        figures={"iterations": None, **origin, **found.figures},
        provenance={**provenance.told(config, engine), "data_hash": data_hash(y)},
    )
    _require_sane(document, config)
    return document


def _native_search(member: str, train: FloatArray, config: EngineConfig) -> Fitted:
    return NATIVE[member].to_model(NATIVE[member].search(train[None], config.seasons), 0)


def _library_search(member: str, train: FloatArray, config: EngineConfig) -> Fitted:
    """The library takes no gaps: those at either end are not filled but left out or filtered."""
    known = np.flatnonzero(~np.isnan(train))
    fitted = LIBRARY_FITTERS[member](train[known[0]:known[-1] + 1], config.seasons)
    rest = train[known[-1] + 1:]
    return replace(fitted, state=MEMBERS[member].advance(fitted, rest)) if rest.size else fitted


def _require_finite(y: FloatArray) -> None:
    if np.isinf(y).any():
        hour = int(np.flatnonzero(np.isinf(y))[0])
        raise GridError(f"hour {hour} of the series is infinite: drop the reading")


def _require_sane(document: Document, config: EngineConfig) -> None:
    if not (np.isfinite(forecast(document, config.horizon)).all() and np.isfinite(document.sigma2)):
        raise FitRefused("the fitted model does not give a finite forecast")
