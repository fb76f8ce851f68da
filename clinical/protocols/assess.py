"""The interpreter of a protocol's rules: days in, table and verdicts out.

A day's value for a rule is the worst reading of the patient's civil day; the table shows the
last one. What is missing is never scored. Days that cannot be assessed raise `ProtocolError`.

Kinds of input, each giving the day's values that rules look at:

vital                    readings of the day, rounded, halves up
answers                  1 for yes and 0 for no, of the questions asked
change_from_day_before   today's readings less the last reading of the calendar day before
change_from_baseline     today's readings less the patient's own usual value
rule_reached             1 or 0: whether the rule it names is reached
days_rule_reached        consecutive calendar days up to this one on which that rule is reached
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from clinical.errors import ProtocolError
from clinical.news2 import rounded
from clinical.protocols.rules import Protocol, ProtocolInput

NOTHING = "–"
NOT_ASSESSED = "not assessed"
_DAY = timedelta(days=1)
Values = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A civil day of the patient.

    readings   per vital, resting readings in the order they were taken
    answers    per question that was asked, yes = True
    assessed   the doctor's own entry, one of the protocol's levels
    """

    date: date
    readings: Mapping[str, Sequence[float]] = field(default_factory=dict)
    answers: Mapping[str, bool] = field(default_factory=dict)
    assessed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: the last value of the day as text, and the worst where it reaches a level."""

    text: str
    last: float | None
    worst: float | None
    level: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table, a cell a day."""

    id: str
    label: str
    unit: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A rule that the day reached, with the value that reached it."""

    rule: str
    input: str
    level: str
    value: float
    sentence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A day's level according to the protocol; None where nothing was read or asked.

    `date` is ISO 8601. `missing` are the vitals and questions that the verdict had to do without.
    """

    date: str
    level: str | None
    text: str
    assessed: str | None
    reached: tuple[Reached, ...]
    missing: tuple[str, ...]

    def worst_of(self, name: str) -> Reached | None:
        """The worst rule that an input reached."""
        for one in self.reached:
            if one.input == name:
                return one
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The protocol's table: `rows` in printed order, the two verdict rows last."""

    protocol: str
    version: str
    title: str
    source: str
    dates: tuple[str, ...]
    rows: tuple[Row, ...]
    derived_rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]


def assess(
    protocol: Protocol, days: Sequence[Day], baseline: Mapping[str, float] | None = None, *,
    shown: int | None = None,
) -> Report:
    """Every day against every rule. `days` in rising order of date; gaps are allowed.

    `baseline` is the patient's usual value per vital; without it the rules against it rest. The
    report is of the last `shown` days (all by default): give the days before the first of them
    too, where prolonged fever may have begun there.
    """
    _check(protocol, days)
    view = _View(protocol=protocol, days={day.date: day for day in days}, baseline=baseline or {})
    days = days if shown is None else days[-shown:]
    verdicts = tuple(_verdict(view, day) for day in days)
    return Report(
        protocol=protocol.name, version=protocol.version, title=protocol.title,
        source=protocol.source, dates=tuple(day.date.isoformat() for day in days),
        rows=(*_rows(view, protocol.rows, days, verdicts), *_verdict_rows(verdicts)),
        derived_rows=_rows(view, protocol.derived_rows, days, verdicts), verdicts=verdicts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What a kind of input may look at; `found` keeps what was looked up."""

    protocol: Protocol
    days: Mapping[date, Day]
    baseline: Mapping[str, float]
    found: dict[tuple[str, date], Values] = field(default_factory=dict)

    def values(self, name: str, when: date) -> Values:
        """The values of an input on a day; empty where it is missing."""
        values = self.found.get((name, when))
        if values is None:
            of, day = self.protocol.inputs[name], self.days.get(when)
            values = () if day is None else _VALUES[of.kind](self, of, day)
            self.found[name, when] = values
        return values


@lru_cache(maxsize=1 << 14)
def _rounded(value: float, precision: int) -> float:
    return float(rounded(value, precision))


def _vital(_: _View, of: ProtocolInput, day: Day) -> Values:
    return tuple([_rounded(value, of.precision) for value in day.readings.get(of.id, ())])


def _answers(_: _View, of: ProtocolInput, day: Day) -> Values:
    return tuple(float(day.answers[item]) for item in of.of if item in day.answers)


def _change_from_day_before(view: _View, of: ProtocolInput, day: Day) -> Values:
    before = view.values(of.of[0], day.date - _DAY)
    return tuple(value - before[-1] for value in view.values(of.of[0], day.date) if before)


def _change_from_baseline(view: _View, of: ProtocolInput, day: Day) -> Values:
    usual = view.baseline.get(of.of[0])
    if usual is None:
        return ()
    return tuple(value - usual for value in view.values(of.of[0], day.date))


def _rule_reached(view: _View, of: ProtocolInput, day: Day) -> Values:
    rule = view.protocol.rule(of.of[0])
    values = view.values(rule.input, day.date)
    return (float(view.protocol.reached(rule, values) is not None),) if values else ()


def _days_rule_reached(view: _View, of: ProtocolInput, day: Day) -> Values:
    if not _rule_reached(view, of, day):
        return ()
    count, on = 0, view.days.get(day.date)
    while on and _rule_reached(view, of, on) == (1.0,):
        count, on = count + 1, view.days.get(on.date - _DAY)
    return (float(count),)


_VALUES: Mapping[str, Callable[[_View, ProtocolInput, Day], Values]] = {
    "vital": _vital,
    "answers": _answers,
    "change_from_day_before": _change_from_day_before,
    "change_from_baseline": _change_from_baseline,
    "rule_reached": _rule_reached,
    "days_rule_reached": _days_rule_reached,
}


def _verdict(view: _View, day: Day) -> Verdict:
    protocol = view.protocol
    missing = tuple(name for name in protocol.asked if not view.values(name, day.date))
    if len(missing) == len(protocol.asked):
        return Verdict(date=day.date.isoformat(), level=None, text=NOT_ASSESSED,
                       assessed=day.assessed, reached=(), missing=missing)
    reached = tuple(_reached(view, day))
    level = max((protocol.levels[0], *(one.level for one in reached)), key=protocol.levels.index)
    return Verdict(date=day.date.isoformat(), level=level, text=level,
                   assessed=day.assessed, reached=reached, missing=missing)


def _reached(view: _View, day: Day) -> list[Reached]:
    """Rules that the day reached, worst level first."""
    protocol = view.protocol
    found = []
    for rule in protocol.rules:
        values = view.values(rule.input, day.date)
        value = protocol.reached(rule, values) if values else None
        if value is not None:
            found.append(Reached(rule=rule.id, input=rule.input, level=rule.level, value=value,
                                 sentence=protocol.explain(rule, value), source=rule.source))
    return sorted(found, key=lambda one: -protocol.levels.index(one.level))


def _rows(view: _View, names: Sequence[str], days: Sequence[Day],
          verdicts: Sequence[Verdict]) -> tuple[Row, ...]:
    inputs = [view.protocol.inputs[name] for name in names]
    return tuple(Row(id=of.id, label=of.label, unit=of.unit,
                     cells=tuple(_cell(view, of, day.date, one)
                                 for day, one in zip(days, verdicts, strict=True)))
                 for of in inputs)


def _cell(view: _View, of: ProtocolInput, when: date, verdict: Verdict) -> Cell:
    values = view.values(of.id, when)
    worst = verdict.worst_of(of.id)
    text = _TEXT[of.kind](view, of, when, values)
    level = worst.level if worst else None
    if of.kind == "answers":
        return Cell(text=text, last=None, worst=None, level=level)
    return Cell(text=text, last=values[-1] if values else None,
                worst=worst.value if worst else None, level=level)


def _vital_text(_view: _View, of: ProtocolInput, _when: date, values: Values) -> str:
    return of.text(values[-1]) if values else NOTHING


def _answers_text(view: _View, of: ProtocolInput, when: date, _values: Values) -> str:
    answers = view.days[when].answers
    words = [NOTHING if item not in answers else _yes_no(answers[item]) for item in of.of]
    while len(words) > 1 and words[-1] == NOTHING:
        words.pop()
    return " ".join(words)


def _change_text(view: _View, of: ProtocolInput, when: date, values: Values) -> str:
    """Signed; empty where there is nothing to compare with, – where today is missing."""
    if values:
        return of.text(values[-1]) if values[-1] <= 0 else f"+{of.text(values[-1])}"
    return "" if view.values(of.of[0], when) else NOTHING


def _yes_no_text(_view: _View, _of: ProtocolInput, _when: date, values: Values) -> str:
    return _yes_no(bool(values[-1])) if values else NOTHING


def _days_text(_view: _View, of: ProtocolInput, _when: date, values: Values) -> str:
    return f"{of.text(values[-1])} d" if values else NOTHING


_TEXT: Mapping[str, Callable[[_View, ProtocolInput, date, Values], str]] = {
    "vital": _vital_text,
    "answers": _answers_text,
    "change_from_day_before": _change_text,
    "change_from_baseline": _change_text,
    "rule_reached": _yes_no_text,
    "days_rule_reached": _days_text,
}


def _yes_no(answer: bool) -> str:
    return "yes" if answer else "no"


def _verdict_rows(verdicts: Sequence[Verdict]) -> tuple[Row, Row]:
    def row(name: str, label: str, levels: Sequence[str | None], nothing: str) -> Row:
        cells = tuple(Cell(text=level or nothing, last=None, worst=None, level=level)
                      for level in levels)
        return Row(id=name, label=label, unit="", cells=cells)

    return (row("assessed", "Assessed condition", [one.assessed for one in verdicts], NOTHING),
            row("protocol", "Assessed condition according to the protocol",
                [one.level for one in verdicts], NOT_ASSESSED))


def _check(protocol: Protocol, days: Sequence[Day]) -> None:
    dates = [day.date for day in days]
    if dates != sorted(set(dates)):
        raise ProtocolError("days are not in rising order of date, each once; sort and merge them")
    for day in days:
        if day.assessed not in (None, *protocol.levels):
            raise ProtocolError(f"{day.date}: assessed condition {day.assessed!r} is no level; "
                                f"give one of {', '.join(protocol.levels)}")
        for name, values in day.readings.items():
            if not all(map(math.isfinite, values)):
                raise ProtocolError(f"{day.date}: a reading of {name} is not a finite number; "
                                    "leave it out")
