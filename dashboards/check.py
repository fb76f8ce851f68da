"""Every query of boards and rules, run on the database with the rights of its reader.

A query that fails, or answers with other columns than it declares, is refused before anything is
sent; one that finds no row is told, for a new installation has none yet.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dashboards.errors import NoRows, QueryFailed
from dashboards.macros import Window, expand
from dashboards.model import Board, Panel, Rule, Type, Variable
from registry.database import Engine
from registry.readers import CLINICAL, READONLY, Answer, QueryError, ask

_RULES = "alert rules"
NOTE_COLUMNS: Mapping[str, Type] = {"time": Type.TIME, "text": Type.TEXT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one query."""

    board: str
    title: str
    rows: int = 0
    seconds: float = 0.0
    fault: str = ""


def check_board(engine: Engine, board: Board, since: datetime, until: datetime) -> list[Checked]:
    """Each query of a board, over that time; faults are in the answer, none is raised."""
    window = Window(since=since, until=until)
    found = []
    for variable in board.variables:
        one, values = _check_variable(engine, board, variable, window)
        found.append(one)
        window = replace(window, choices={**window.choices, variable.name: values})
    for note in board.notes:
        found.append(_check(engine, board, note.name, note.sql, NOTE_COLUMNS, window))
    for panel in board.panels:
        found.append(_check(engine, board, panel.title, panel.sql, panel.columns, window))
    return found


def check_rules(engine: Engine, rules: Iterable[Rule], until: datetime) -> list[Checked]:
    """Each rule's query, over the time that it looks back."""
    return [_check_query(engine, _RULES, rule.title, rule.sql, rule.columns, Window(
        since=until - timedelta(hours=rule.hours), until=until), READONLY) for rule in rules]


def refuse_faults(found: Sequence[Checked]) -> None:
    """QueryFailed with every fault, where there is one."""
    faults = [f"{one.board}, {one.title}: {one.fault}" for one in found if one.fault]
    if faults:
        raise QueryFailed("nothing was sent, for queries do not work on this database (run "
                          "vitalcast migrate if it is older than this release): "
                          + "; ".join(faults))


def refuse_empty(found: Sequence[Checked]) -> None:
    """NoRows with every query of a board that found none; rules may be silent."""
    empty = [f"{one.board}, {one.title}" for one in found if not one.rows and one.board != _RULES]
    if empty:
        raise NoRows(f"{len(empty)} queries find nothing to show: {'; '.join(empty)}")


def panel_answers(
    engine: Engine, board: Board, since: datetime, until: datetime,
    chosen: Mapping[str, Sequence[str]],
) -> Iterator[tuple[Panel, Answer]]:
    """Each panel of a board with its answer; what is not chosen is as Grafana would choose it."""
    window = choose(engine, board, Window(since=since, until=until), chosen)
    for panel in board.panels:
        yield panel, ask(engine, expand(panel.sql, window), reader(board))


def choose(engine: Engine, board: Board, window: Window,
           chosen: Mapping[str, Sequence[str]]) -> Window:
    """The window with a value for each variable: all of several, or the first."""
    for variable in board.variables:
        values = chosen.get(variable.name) or _values(
            engine, board, variable, window)
        window = replace(window, choices={**window.choices, variable.name: values})
    return window


def reader(board: Board) -> str:
    """The role that a board's queries have the rights of."""
    return CLINICAL if board.clinical else READONLY


def _values(engine: Engine, board: Board, variable: Variable, window: Window) -> list[str]:
    rows = ask(engine, expand(variable.sql, window), reader(board)).rows
    values = [str(row[0]) for row in rows] or [""]
    return values if variable.several else values[:1]


def _check_variable(engine: Engine, board: Board, variable: Variable,
                    window: Window) -> tuple[Checked, list[str]]:
    title = f"variable {variable.name}"
    try:
        values = _values(engine, board, variable, window)
    except (QueryError, QueryFailed) as error:
        return Checked(board=board.title, title=title, fault=str(error)), [""]
    return Checked(board=board.title, title=title, rows=len(values)), values


def _check(engine: Engine, board: Board, title: str, query: str, columns: Mapping[str, Type],
           window: Window) -> Checked:
    return _check_query(engine, board.title, title, query, columns, window, reader(board))


def _check_query(engine: Engine, board: str, title: str, query: str, columns: Mapping[str, Type],
                 window: Window, role: str) -> Checked:
    began = time.perf_counter()
    try:
        answer = ask(engine, expand(query, window), role)
    except (QueryError, QueryFailed) as error:
        return Checked(board=board, title=title, fault=str(error))
    return Checked(board=board, title=title, rows=len(answer.rows),
                   seconds=time.perf_counter() - began, fault=_other_columns(answer, columns))


def _other_columns(answer: Answer, columns: Mapping[str, Type]) -> str:
    names = [name for name, _ in answer.columns]
    if names != list(columns):
        return f"answers with {', '.join(names)}, not {', '.join(columns)}"
    wrong = [f"{name} is {kind}, not {columns[name]}" for name, kind in answer.columns
             if kind != columns[name] and not _seconds_as_time(name, kind)]
    return "; ".join(wrong)


def _seconds_as_time(name: str, kind: str) -> bool:
    """$__timeGroup answers with seconds since 1970, which Grafana takes as a time."""
    return name == "time" and kind == Type.NUMBER
