"""A second season for every member: the week taken out before the fit, and put back in its paths.

What a week adds to the daily pattern (weekends, market days) is learned from the hours that the
member is fitted to, shrunk by its noise to nothing where it is not sure, and subtracted; the member
then sees one season. Documents name the long season in `structure["week"]`, what is subtracted in
`parameters["week"]` (empty = nothing) and the place in it of the next hour in `state["week_t"]`.

Rows of such models are the member's own with columns appended: the long season to the structure,
its pattern to the parameters, its place to the state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from forecasting.config import LONG_SEASONS, long_season
from forecasting.kernels.search import Fits
from forecasting.native_rows import Row, Rows, numbers, stack
from forecasting.types import Fitted, FloatArray, IntArray, Model, Values

# Chosen on the last 48 and the 48 before them of M4 Hourly's training hours: see docs/engine.md.
NOISE_SHRINKAGE = 0.75
"""How often the noise of the pattern's variance is taken off it."""


class OneSeason(Protocol):
    """What a native member does with the first of its seasons."""

    @property
    def heavy(self) -> bool: ...
    @property
    def search(self) -> Callable[[FloatArray, tuple[int, ...]], Fits]: ...
    @property
    def refit(self) -> Callable[[FloatArray, Rows, tuple[int, ...]], Fits]: ...
    @property
    def run(self) -> Callable[[FloatArray, IntArray, Rows], FloatArray]: ...
    @property
    def paths(self) -> Callable[[Rows, int], FloatArray]: ...
    @property
    def rolling(self) -> Callable[[FloatArray, IntArray, Rows, IntArray, int], FloatArray]: ...
    @property
    def to_model(self) -> Callable[[Fits, int], Fitted]: ...
    @property
    def to_state(self) -> Callable[[Row], Values]: ...
    @property
    def to_row(self) -> Callable[[Model], Row]: ...


class _Weeks(NamedTuple):
    """Long seasons (S,), patterns (S, longest; 0 beyond a row's season), places in them (S,)."""

    seasons: IntArray
    patterns: FloatArray
    places: IntArray

    def along(self, hours: IntArray) -> FloatArray:
        """The pattern of `hours` (S, k), counted from each row's place; negative ones lie before.

        0 for a row without a long season.
        """
        inside = (self.places[:, None] + hours) % np.maximum(self.seasons, 1)[:, None]
        return np.take_along_axis(self.patterns, inside, axis=1)


def contrast(y: FloatArray, m: int, season: int) -> FloatArray:
    """What the long season adds to the season `m` in each row of `y` (S, n): (S, season).

    By hour from y[s, 0] on; it sums to 0 over the days at every hour of the day. From the medians
    of the day-to-day changes by hour of the week, which a slow level does not touch, times
    1 - NOISE_SHRINKAGE noise / signal; all 0 below two weeks of changes.
    """
    days, n = season // m, y.shape[1]
    weeks = -(-n // season)
    changes = np.full((y.shape[0], weeks * season), np.nan)
    if n > m:
        changes[:, m:n] = y[:, m:] - y[:, :-m]
    table = changes.reshape(y.shape[0], weeks, season)
    counts = (~np.isnan(table)).sum(axis=1)
    medians = _medians(table)
    signal = medians.reshape(-1, days, m)
    signal = signal - signal.mean(axis=1, keepdims=True)
    left = np.nansum((table - medians[:, None]) ** 2, axis=(1, 2))
    spare = np.maximum(counts - 1, 0).sum(axis=1)
    noise = _ratio(left, spare * np.maximum(counts.mean(axis=1), 1.0))
    power = (signal ** 2).mean(axis=(1, 2))
    kept = np.maximum(1.0 - NOISE_SHRINKAGE * _ratio(noise, power, np.inf), 0.0)
    kept[counts.mean(axis=1) < LONG_SEASONS] = 0.0
    levels = np.cumsum(signal, axis=1)
    levels -= levels.mean(axis=1, keepdims=True)
    return np.asarray((levels * kept[:, None, None]).reshape(-1, season))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """A member with its long season: the functions of `native.NativeMember`.

    `columns` is how many columns a structure of the member itself has.
    """

    member: OneSeason
    columns: int

    def search(self, y: FloatArray, seasons: tuple[int, ...]) -> Fits:
        """As the member's, on `y` without its long season."""
        weeks = _learned(y, seasons)
        if weeks is None:
            return self.member.search(y, seasons)
        fits = self.member.search(_without(y, weeks), seasons[:1])
        return fits._replace(**_joined(Rows(*fits[:3]), weeks)._asdict())

    def refit(self, y: FloatArray, rows: Rows, seasons: tuple[int, ...]) -> Fits:
        """As the member's; the long season is learned anew."""
        own, weeks = self._parted(rows)[0], _learned(y, seasons)
        if weeks is None:
            return self.member.refit(y, own, seasons)
        fits = self.member.refit(_without(y, weeks), own, seasons[:1])
        return fits._replace(**_joined(Rows(*fits[:3]), weeks)._asdict())

    def run(self, y: FloatArray, at: IntArray, rows: Rows) -> FloatArray:
        """As the member's; the place in the long season moves along."""
        own, weeks = self._parted(rows)
        if weeks is None:
            return self.member.run(y, at, own)
        hours = np.arange(y.shape[1]) - at[:, None]
        states = self.member.run(y - weeks.along(hours), at, own)
        places = (weeks.places + y.shape[1] - at) % np.maximum(weeks.seasons, 1)
        return np.column_stack((states, places))

    def paths(self, rows: Rows, horizon: int) -> FloatArray:
        """As the member's, the long season put back."""
        own, weeks = self._parted(rows)
        if weeks is None:
            return self.member.paths(own, horizon)
        hours = np.broadcast_to(np.arange(horizon), (len(weeks.seasons), horizon))
        return self.member.paths(own, horizon) + weeks.along(hours)

    def rolling(self, y: FloatArray, at: IntArray, rows: Rows, origins: IntArray,
                horizon: int) -> FloatArray:
        """As the member's; a light member's long season is that of the hours before all origins."""
        own, weeks = self._parted(rows)
        if weeks is None or not origins.size:
            return self.member.rolling(y, at, own, origins, horizon)
        if not self.member.heavy:
            weeks, at = _relearned(y[:, :origins[0]], own, weeks), np.full(len(y), origins[0])
        found = self.member.rolling(y - weeks.along(np.arange(y.shape[1]) - at[:, None]), at, own,
                                    origins, horizon)
        hours = (origins[:, None] + np.arange(horizon)).ravel() - at[:, None]
        return found + weeks.along(hours).reshape(found.shape)

    def to_model(self, fits: Fits, s: int) -> Fitted:
        """As the member's, with the names of the module docstring."""
        own, weeks = self._parted(Rows(*fits[:3]))
        if weeks is None:
            return self.member.to_model(fits, s)
        fitted = self.member.to_model(fits._replace(**own._asdict()), s)
        if not weeks.seasons[s]:
            return fitted
        season = int(weeks.seasons[s])
        pattern = weeks.patterns[s, :season].copy()
        return Fitted(
            structure={**fitted.structure, "week": season},
            parameters={**fitted.parameters, "week": pattern if pattern.any() else pattern[:0]},
            state={**fitted.state, "week_t": int(weeks.places[s])},
            sigma2=fitted.sigma2, figures=fitted.figures)

    def to_state(self, row: Row) -> Values:
        """As the member's, with the place in the long season."""
        own, pattern, place = self._row_parts(row)
        state = self.member.to_state(own)
        return {**state, "week_t": place} if pattern.size else state

    def to_row(self, model: Model) -> Row:
        """Inverse of `to_model`."""
        spec, params, state = self.member.to_row(model)
        if not model.structure.get("week"):
            return spec, params, state
        season = model.structure["week"]
        return (np.append(spec, season), np.concatenate((params, _pattern(model))),
                np.append(state, float(model.state["week_t"])))

    def stack(self, rows: Sequence[Row]) -> Rows:
        """Rows as a batch, padded; rows without a long season may stand among others."""
        parts = [self._row_parts(row) for row in rows]
        own = stack([part[0] for part in parts])
        seasons = np.array([part[1].size for part in parts], dtype=np.int64)
        if not seasons.any():
            return own
        patterns = np.zeros((len(rows), int(seasons.max())))
        for s, part in enumerate(parts):
            patterns[s, :part[1].size] = part[1]
        places = np.array([part[2] for part in parts], dtype=np.int64)
        return _joined(own, _Weeks(seasons, patterns, places))

    def numbers(self, rows: Rows) -> list[bytes]:
        """As the member's, with the places of rows that have a long season."""
        own, weeks = self._parted(rows)
        if weeks is None:
            return numbers(own)
        return [state + place.tobytes() if season else state for state, season, place in zip(
            numbers(own), weeks.seasons, weeks.places, strict=True)]

    def _row_parts(self, row: Row) -> tuple[Row, FloatArray, int]:
        spec, params, state = row
        if spec.size == self.columns:
            return row, np.zeros(0), 0
        own = params.size - int(spec[-1])
        return (spec[:-1], params[:own], state[:-1]), params[own:], int(state[-1])

    def _parted(self, rows: Rows) -> tuple[Rows, _Weeks | None]:
        """The member's own rows, and what was appended to them."""
        if rows.structures.shape[1] == self.columns:
            return rows, None
        seasons = rows.structures[:, -1]
        own = rows.params.shape[1] - int(seasons.max(initial=0))
        parts = Rows(rows.structures[:, :-1], rows.params[:, :own], rows.states[:, :-1])
        return parts, _Weeks(seasons, rows.params[:, own:], rows.states[:, -1].astype(np.int64))


def _pattern(model: Model) -> FloatArray:
    pattern: FloatArray = model.parameters["week"]
    return pattern if pattern.size else np.zeros(model.structure["week"])


def _learned(y: FloatArray, seasons: tuple[int, ...]) -> _Weeks | None:
    """The long seasons of rows that are fitted to `y` (S, n); places are those of the hour n."""
    season = long_season(seasons)
    if not season or not y.shape[1]:
        return None
    # Turned so that the place is 0 for the hour after the fit: it then does not depend on how many
    # gaps lead.
    patterns = np.roll(contrast(y, seasons[0], season), -(y.shape[1] % season), axis=1)
    zeros = np.zeros(len(y), dtype=np.int64)
    return _Weeks(zeros + season, patterns, zeros)


def _relearned(y: FloatArray, own: Rows, weeks: _Weeks) -> _Weeks:
    """Long seasons of light members' rows, learned from `y` alone; the day stands first in them."""
    zeros = np.zeros(len(y), dtype=np.int64)
    patterns = np.zeros(weeks.patterns.shape)
    both = np.column_stack((own.structures[:, 0], weeks.seasons))
    for m, season in np.unique(both[both[:, 1] > 0], axis=0).tolist():
        rows = (both == (m, season)).all(axis=1)
        found = _learned(y[rows], (m, season))
        if found is not None:
            patterns[rows, :season] = found.patterns
    return _Weeks(weeks.seasons, patterns, zeros)


def _without(y: FloatArray, weeks: _Weeks) -> FloatArray:
    hours = np.broadcast_to(np.arange(y.shape[1]) - y.shape[1], y.shape)
    return y - weeks.along(hours)


def _joined(own: Rows, weeks: _Weeks) -> Rows:
    return Rows(np.column_stack((own.structures, weeks.seasons)),
                np.column_stack((own.params, weeks.patterns)),
                np.column_stack((own.states, weeks.places)))


def _medians(table: FloatArray) -> FloatArray:
    """Medians over axis 1 of (S, weeks, season), 0 where nothing is known."""
    ordered, counts = np.sort(table, axis=1), (~np.isnan(table)).sum(axis=1)
    last = np.maximum(counts - 1, 0)
    pair = [np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]
            for place in (last // 2, (last + 1) // 2)]
    return np.where(counts > 0, (pair[0] + pair[1]) / 2, 0.0)


def _ratio(part: FloatArray, whole: FloatArray, undefined: float = 0.0) -> FloatArray:
    ratio = np.full(np.shape(part), undefined)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
