"""Models as rows of arrays: what compiled kernels take and give, one series a row."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from forecasting.kernels.search import FITTED, REASONS, Fits
from forecasting.types import FitRefused, FloatArray, IntArray

Row = tuple[IntArray, FloatArray, FloatArray]
"""Structure, parameters and state of one model, each of one axis."""


class Rows(NamedTuple):
    """Models of one member, a series a row: `structures` (S, a), `params` (S, b), `states` (S, c).

    Rows are as wide as the widest model among them asks; what a narrower one leaves is 0.
    """

    structures: IntArray
    params: FloatArray
    states: FloatArray


class Kernels(NamedTuple):
    """A heavy member's compiled functions over rows; states move in place."""

    run: Callable[..., None]
    paths: Callable[..., None]
    rolling: Callable[..., None]


def stack(rows: Sequence[Row]) -> Rows:
    """At least one row as a batch, padded with zeros."""
    width = [max(row[part].size for row in rows) for part in range(3)]
    batch = Rows(np.zeros((len(rows), width[0]), dtype=np.int64),
                 np.zeros((len(rows), width[1])), np.zeros((len(rows), width[2])))
    for s, row in enumerate(rows):
        for part, own in zip(batch, row, strict=True):
            part[s, :own.size] = own
    return batch


def numbers(rows: Rows) -> list[bytes]:
    """Each row's state as bytes, without the zeros that end it: those may be its neighbours'."""
    states, width = np.ascontiguousarray(rows.states), rows.states.shape[1]
    known = states[:, ::-1] != 0
    sizes = np.where(known.any(axis=1), width - known.argmax(axis=1), 0).tolist()
    return [state[:size].tobytes() for state, size in zip(states, sizes, strict=True)]


def row_of(fits: Fits, s: int) -> Row:
    """Row `s` of fits; FitRefused with the reason if it is no fit."""
    if fits.status[s] != FITTED:
        raise FitRefused(REASONS[int(fits.status[s])])
    return fits.structures[s], fits.params[s], fits.states[s]


def hours_of(y: FloatArray) -> FloatArray:
    """`y` as the kernels take it."""
    return np.ascontiguousarray(y, dtype=np.float64)


def whole(values: IntArray) -> IntArray:
    """Whole numbers as the kernels take them."""
    return np.ascontiguousarray(values, dtype=np.int64)


def run(kernels: Kernels, y: FloatArray, at: IntArray, rows: Rows) -> FloatArray:
    """States (S, c) after the hours y[s, at[s]:] of each row of `y` (S, n), NaN = not observed."""
    states = np.array(rows.states, order="C")
    kernels.run(hours_of(y), whole(at), *_contiguous(rows)[:2], states)
    return states


def paths(kernels: Kernels, rows: Rows, horizon: int) -> FloatArray:
    """Forecasts of the next `horizon` hours, shape (S, horizon)."""
    found = np.empty((rows.states.shape[0], horizon))
    kernels.paths(*_contiguous(rows), found)
    return found


def rolling(kernels: Kernels, y: FloatArray, at: IntArray, rows: Rows, origins: IntArray,
            horizon: int) -> FloatArray:
    """Forecasts from each of the rising `origins` (O,), hours of `y` (S, n): (S, O, horizon).

    The states of `rows` stand at hour at[s]; NaN where an origin lies before that.
    """
    found = np.empty((y.shape[0], len(origins), horizon))
    states = np.array(rows.states, order="C")
    kernels.rolling(hours_of(y), whole(at), *_contiguous(rows)[:2], states, whole(origins), found)
    return found


def _contiguous(rows: Rows) -> tuple[IntArray, FloatArray, FloatArray]:
    return whole(rows.structures), hours_of(rows.params), hours_of(rows.states)
