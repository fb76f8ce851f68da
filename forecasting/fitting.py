"""One native member fitted to many series in one call, and what of it is fit to be used."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecasting.history import NO_HOUR, holdbacks, too_little
from forecasting.kernels.search import FITTED, NO_FIT, REASONS, Fits
from forecasting.native import NATIVE, NativeMember, Rows
from forecasting.panel import Panel
from forecasting.types import FloatArray, IntArray

NOT_FINITE = "the fitted model does not give a finite forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitWindow:
    """A panel as fits see it.

    `held` (S,) are hours at the end that heavy members are not fitted to; `train` (S, w) the hours
    before those, their ends aligned, NaN-led. `empty` and `too_little` say, by series, why no
    member at all and why no heavy member can be fitted.
    """

    panel: Panel
    held: IntArray
    train: FloatArray
    empty: Mapping[int, str]
    too_little: Mapping[int, str]

    def refused(self, member: str) -> Mapping[int, str]:
        """Reasons by series why `member` has no business with it."""
        return self.too_little if NATIVE[member].heavy else self.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Fits of series `index` (k,), a row each.

    `fits.states` stand at the hours `at` (k,), `ends` (k, ·) at the end of the window; `reasons`
    say what is wrong with a row ("" = nothing), `broken` whether that is the fit's own failure.
    """

    index: IntArray
    fits: Fits
    at: IntArray
    ends: FloatArray
    reasons: tuple[str, ...]
    broken: tuple[bool, ...]


def fit_window(panel: Panel) -> FitWindow:
    """What fits need to know of a panel, found once for all members."""
    held = holdbacks(panel.y, panel.config)
    train = _before(panel.y, held)
    nothing = np.flatnonzero(np.isnan(panel.y).all(axis=1)).tolist()
    empty = dict.fromkeys(nothing, NO_HOUR)
    return FitWindow(panel=panel, held=held, train=train, empty=empty,
                     too_little={**too_little(train, panel.config), **empty})


def search(window: FitWindow, member: str, index: IntArray) -> Found:
    """Structure and parameters of these series; light members are simply fitted."""
    native = NATIVE[member]
    with np.errstate(all="ignore"):      # what overflows is found by the check of the forecast
        fits = native.search(_hours(window, native, index), window.panel.config.seasons)
        return _finished(window, native, index, fits)


def refit(window: FitWindow, member: str, index: IntArray, rows: Rows) -> Found:
    """Parameters of these series anew, from those of `rows`, whose structure is kept."""
    native = NATIVE[member]
    with np.errstate(all="ignore"):
        fits = native.refit(_hours(window, native, index), rows, window.panel.config.seasons)
        return _finished(window, native, index, fits)


def _hours(window: FitWindow, native: NativeMember, index: IntArray) -> FloatArray:
    return window.train[index] if native.heavy else window.panel.y[index]


def _finished(window: FitWindow, native: NativeMember, index: IntArray, fits: Fits) -> Found:
    """States run to the end of the window, and forecasts tried."""
    y, hours = window.panel.y[index], window.panel.hours
    at = hours - window.held[index] if native.heavy else np.full(index.size, hours)
    good = np.flatnonzero(fits.status == FITTED)
    rows = Rows(fits.structures[good], fits.params[good], fits.states[good])
    ends, sane = fits.states.copy(), np.zeros(index.size, dtype=np.bool_)
    if good.size:
        ends[good] = native.run(y[good], at[good], rows)
        path = native.paths(rows._replace(states=ends[good]), window.panel.config.horizon)
        sane[good] = np.isfinite(path).all(axis=1) & np.isfinite(fits.sigma2[good])
    reasons = tuple("" if fine else REASONS.get(status, NOT_FINITE)
                    for fine, status in zip(sane.tolist(), fits.status.tolist(), strict=True))
    return Found(index=index, fits=fits, at=at, ends=ends, reasons=reasons,
                 broken=tuple(((fits.status == NO_FIT) | (fits.status == FITTED)).tolist()))


def _before(y: FloatArray, held: IntArray) -> FloatArray:
    """Each row of `y` (S, n) without its last `held` hours, right-aligned, NaN-led."""
    least = int(held.min(initial=y.shape[1]))
    width = y.shape[1] - least
    train = np.full((y.shape[0], width), np.nan)
    for hours in np.unique(held).tolist():
        rows = held == hours
        train[rows, hours - least:] = y[rows, :y.shape[1] - hours]
    return train
