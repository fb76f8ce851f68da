"""The engine `native`: every member over many series at once, behind one interface.

Models are rows of arrays (`Rows`); a document's model becomes a row (`to_row`, `stack`) and a row
of fits a model (`to_model`). Hours before a series' first observed one count as not there: a row
that begins with gaps gives what the shorter history would.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from forecasting import native_arima, native_light, native_rows, native_smoothing
from forecasting.kernels.arima_terms import STRUCTURE
from forecasting.kernels.linear import SPEC
from forecasting.kernels.search import Fits
from forecasting.native_rows import Kernels, Row, Rows, numbers, stack
from forecasting.types import Fitted, FloatArray, IntArray, Model, Values
from forecasting.weekly import Weekly

__all__ = ["NATIVE", "NativeMember", "Row", "Rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeMember:
    """One member's functions; `y` is (S, n), NaN = gap, and row s belongs to series s throughout.

    heavy: its parameters are fitted once a window; those of light members anew at every origin.
    search(y, seasons): structure, parameters, and states that stand at the end of `y`.
    refit(y, rows, seasons): the same with the structures of `rows` and from their parameters;
        light members are simply fitted anew.
    run(y, at, rows): states (S, c) moved through the hours y[s, at[s]:]; none where at[s] == n.
    paths(rows, horizon): forecasts (S, horizon) from the states.
    rolling(y, at, rows, origins, horizon): forecasts (S, O, horizon) from each of the rising
        origins (O,), hours of `y`, made without what follows them. Heavy members run to them from
        the states, which stand at hour at[s]: NaN where an origin lies before that. Light ones are
        refitted on what lies before the origin (of `rows` only the season counts, `at` does not):
        NaN where nothing was observed before it.
    to_model(fits, s): row s of fits as a model; FitRefused with the reason if it is no fit.
    to_state(row): the state of a row as a model holds it.
    to_row(model): inverse of to_model; FitRefused for a model that the kernels cannot hold.
    stack(rows): rows as a batch, padded.
    numbers(rows): the state of each row as bytes, whatever the rows beside it.
    """

    heavy: bool
    search: Callable[[FloatArray, tuple[int, ...]], Fits]
    refit: Callable[[FloatArray, Rows, tuple[int, ...]], Fits]
    run: Callable[[FloatArray, IntArray, Rows], FloatArray]
    paths: Callable[[Rows, int], FloatArray]
    rolling: Callable[[FloatArray, IntArray, Rows, IntArray, int], FloatArray]
    to_model: Callable[[Fits, int], Fitted]
    to_state: Callable[[Row], Values]
    to_row: Callable[[Model], Row]
    stack: Callable[[Sequence[Row]], Rows] = stack
    numbers: Callable[[Rows], list[bytes]] = numbers


def _heavy(kernels: Kernels, search: Callable[[FloatArray, tuple[int, ...]], Fits],
           refit: Callable[[FloatArray, Rows, tuple[int, ...]], Fits],
           to_model: Callable[[Fits, int], Fitted], to_state: Callable[[Row], Values],
           to_row: Callable[[Model], Row]) -> NativeMember:
    return NativeMember(
        heavy=True, search=search, refit=refit, run=partial(native_rows.run, kernels),
        paths=partial(native_rows.paths, kernels), rolling=partial(native_rows.rolling, kernels),
        to_model=to_model, to_state=to_state, to_row=to_row)


def _light(name: str) -> NativeMember:
    return NativeMember(
        heavy=False, search=partial(native_light.search, name),
        refit=partial(native_light.refit, name), run=partial(native_light.run, name),
        paths=partial(native_light.paths, name), rolling=partial(native_light.rolling, name),
        to_model=partial(native_light.to_model, name),
        to_state=partial(native_light.to_state, name), to_row=partial(native_light.to_row, name))


_ONE_SEASON: dict[str, NativeMember] = {
    "arima": _heavy(native_arima.KERNELS, native_arima.search, native_arima.refit,
                    native_arima.to_model, native_arima.to_state, native_arima.to_row),
    "ets": _heavy(native_smoothing.LINEAR, native_smoothing.search_ets, native_smoothing.refit_ets,
                  native_smoothing.from_ets, native_smoothing.ets_state, native_smoothing.ets_row),
    "theta": _heavy(native_smoothing.THETA, native_smoothing.search_theta,
                    native_smoothing.refit_theta, native_smoothing.from_theta,
                    native_smoothing.theta_state, native_smoothing.theta_row),
    "tbats": _heavy(native_smoothing.LINEAR, native_smoothing.search_tbats,
                    native_smoothing.refit_tbats, native_smoothing.from_tbats,
                    native_smoothing.tbats_state, native_smoothing.tbats_row),
    **{name: _light(name) for name in native_light.MEMBERS},
}

_COLUMNS = {"arima": STRUCTURE, "ets": SPEC, "theta": 2, "tbats": SPEC}
"""How many columns the structures of the heavy members have; those of light ones have one."""


def _two_seasons(name: str, member: NativeMember) -> NativeMember:
    weekly = Weekly(member=member, columns=_COLUMNS.get(name, 1))
    return replace(
        member, search=weekly.search, refit=weekly.refit, run=weekly.run, paths=weekly.paths,
        rolling=weekly.rolling, to_model=weekly.to_model, to_state=weekly.to_state,
        to_row=weekly.to_row, stack=weekly.stack, numbers=weekly.numbers)


NATIVE = {name: _two_seasons(name, member) for name, member in _ONE_SEASON.items()}
"""Every member; where a long season is configured, it is taken out for them (see `weekly`)."""
