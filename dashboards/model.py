"""What a panel, a board and an alert rule are; `documents` writes them as Grafana's JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Grafana's panel types that are used here."""

    TIMESERIES = "timeseries"
    STAT = "stat"
    TABLE = "table"
    BARS = "bargauge"
    STATES = "state-timeline"


class Type(StrEnum):
    """What a column of an answer holds."""

    TIME = "time"
    TEXT = "text"
    NUMBER = "number"


SERIES: Mapping[str, Type] = {"time": Type.TIME, "metric": Type.TEXT, "value": Type.NUMBER}
"""A line for each `metric`."""

ONE: Mapping[str, Type] = {"value": Type.NUMBER}
NAMED: Mapping[str, Type] = {"metric": Type.TEXT, "value": Type.NUMBER}

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From `value` on, in the panel's unit, this colour; None is the lowest."""

    value: float | None
    colour: str


def steps(first: str, *later: tuple[float, str]) -> tuple[Step, ...]:
    """Thresholds: `first` from below, then each colour from its value on."""
    return (Step(value=None, colour=first),
            *(Step(value=value, colour=colour) for value, colour in later))


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One query and how it is drawn.

    about       what it shows and when to worry; Grafana shows it as the panel's help
    columns     what the query answers with, by name
    unit        a name of Grafana's units; a table's columns tell theirs in their names
    thresholds  lines in a time series, colours everywhere else
    colours     fixed colours of metrics, the same on every board
    dashed      metrics whose lines are dashed
    states      what a number stands for: text and colour
    width       of 24
    """

    title: str
    about: str
    kind: Kind
    sql: str
    columns: Mapping[str, Type] = field(default_factory=lambda: SERIES)
    unit: str = "short"
    thresholds: Sequence[Step] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    dashed: Sequence[str] = ()
    states: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    bars: bool = False
    stacked: bool = False
    low: float | None = None
    high: float | None = None
    decimals: int | None = None
    width: int = 12
    height: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice on top of a board; its query answers with one column of values."""

    name: str
    label: str
    sql: str
    several: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Marks on the time axis; the query answers with time and text."""

    name: str
    sql: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard. One that is `clinical` names patients: another reader, another folder."""

    uid: str
    title: str
    about: str
    panels: Sequence[Panel]
    variables: Sequence[Variable] = ()
    notes: Sequence[Note] = ()
    since: str = "now-7d"
    until: str = "now"
    clinical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert: fires when the query's number has been beyond the limit for so long.

    runbook   the anchor in docs/runbook.md
    sql       answers with `value`, and with `metric` where each metric alerts by itself
    hours     how far back `$__timeFilter` reaches
    quiet     what silence means: no row is "OK" or "Alerting"
    """

    uid: str
    title: str
    summary: str
    runbook: str
    severity: str
    sql: str
    columns: Mapping[str, Type]
    above: float | None = None
    below: float | None = None
    for_minutes: int = 15
    hours: int = 24
    quiet: str = "OK"
