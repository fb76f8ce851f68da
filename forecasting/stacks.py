"""Models of many series as arrays: from documents to kernel rows, and what rows cannot hold.

A panel's models of one member come as a Stack: rows for the kernels, and documents that no kernel
holds (such as multiplicative smoothing of the library), which go their way one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from forecasting import members
from forecasting.documents import Document, dump_state
from forecasting.native import NATIVE, NativeMember, Row, Rows
from forecasting.panel import Panel
from forecasting.types import BoolArray, FitRefused, FloatArray, IntArray, Values

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Models of one member: of the panel's series `index` (k,), standing at its hours `at` (k,).

    `rows` is None where no kernel holds any of them; `slow` are the documents, by series, that none
    holds.
    """

    member: str
    index: IntArray
    at: IntArray
    rows: Rows | None
    slow: Mapping[int, Document]

    def among(self, series: IntArray) -> "Stack":
        """The same models in a panel of only these series of it, which rise."""
        places = {s: place for place, s in enumerate(series.tolist())}
        inside = np.isin(self.index, series)
        rows = None if self.rows is None else picked(self.rows, inside)
        return replace(
            self, index=np.searchsorted(series, self.index[inside]), at=self.at[inside], rows=rows,
            slow={places[s]: each for s, each in self.slow.items() if s in places})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """Structure and parameters of a document, with one of its two states."""

    structure: Values
    parameters: Values
    state: Values


def picked(rows: Rows, which: IntArray | BoolArray) -> Rows:
    """Some of the rows."""
    return Rows(rows.structures[which], rows.params[which], rows.states[which])


def hour_of(start: datetime, time: datetime) -> int:
    """Hours from `start` to `time`."""
    return (time - start) // _HOUR


def of_states(member: str, documents: Mapping[int, Document], start: datetime) -> Stack:
    """Documents by series, in their states at the end of the hours that they have seen."""
    return _stack(member, {
        s: (document, document.state, hour_of(start, document.grid.cutoff))
        for s, document in documents.items()})


def of_fitted_states(member: str, documents: Mapping[int, Document], start: datetime) -> Stack:
    """Documents by series, in the states that they were fitted with.

    Light members have no such state: they are refitted wherever it is asked for.
    """
    return _stack(member, {
        s: (document, document.fitted_state or document.state,
            hour_of(start, document.grid.fitted_until))
        for s, document in documents.items()})


def _stack(member: str, found: Mapping[int, tuple[Document, Values, int]]) -> Stack:
    native, slow = NATIVE.get(member), {}
    index, at, rows = [], [], []
    for s, (document, state, hour) in found.items():
        row = None if native is None else _row(native, document, state)
        if row is None:
            slow[s] = document
        else:
            rows.append(row)
            index.append(s)
            at.append(hour)
    return Stack(member=member, index=np.array(index, dtype=np.int64),
                 at=np.array(at, dtype=np.int64), slow=slow,
                 rows=native.stack(rows) if native and rows else None)


def _row(native: NativeMember, document: Document, state: Values) -> Row | None:
    """The document in this state as a kernel's row, None if it holds no such model."""
    model = _Model(structure=document.structure, parameters=document.parameters, state=state)
    try:
        return native.to_row(model)
    except FitRefused:
        return None


def rolled(stack: Stack, panel: Panel, origins: IntArray, into: FloatArray) -> None:
    """Paths from each origin (O,), each made without what followed it, into (S, O, H).

    Heavy members run from the states given, light ones are refitted. What was there stays for
    series that the stack does not have, NaN stands where a member cannot say anything.
    """
    horizon, inside = panel.config.horizon, stack.at >= 0
    if stack.rows is not None and inside.any():
        index, rows = stack.index[inside], picked(stack.rows, inside)
        into[index] = NATIVE[stack.member].rolling(
            panel.y[index], stack.at[inside], rows, origins, horizon)
    for s, document in stack.slow.items():
        into[s] = members.rolling_paths(document, panel.y[s], panel.start, origins.tolist(),
                                        horizon)


def moved(stack: Stack, panel: Panel, into: FloatArray) -> dict[int, bytes]:
    """Forecasts of the hours after the panel into (S, H), and the states that they start from.

    Every state is moved through the hours since it stood; `at` must lie in the window.
    """
    horizon = panel.config.horizon
    states: dict[int, bytes] = {}
    if stack.rows is not None:
        native = NATIVE[stack.member]
        ends = stack.rows._replace(
            states=native.run(panel.y[stack.index], stack.at, stack.rows))
        into[stack.index] = native.paths(ends, horizon)
        states |= zip(stack.index.tolist(), native.numbers(ends), strict=True)
    for s, document in stack.slow.items():
        since = hour_of(panel.start, document.grid.cutoff)
        new = members.update(document, panel.y[s, since:])
        into[s] = members.forecast(new, horizon)
        states[s] = dump_state(new.state).encode()
    return states
