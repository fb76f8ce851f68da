"""Clinical entries on the report: the form that takes them, and those of the last days.

The questions are the protocol's. What the form sends is checked as what the API is sent, by
`api.entries`; `faults` says in plain words what was wrong with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from api.errors import EntryInFutureError
from clinical.news2 import Consciousness
from clinical.protocols import ProtocolInput, load
from registry.people import EntryExists
from registry.views import Entry

RECENT = timedelta(days=5)
YES_NO = (("true", "yes"), ("false", "no"))
SCALES = {"1": 1, "2": 2}
SCALE_HINT = ("Scale 2 is a clinician's decision, for confirmed hypercapnic respiratory failure "
              "alone. It stays until another entry changes it.")

NOTHING_FILLED_IN = "Nothing is filled in: answer at least one question."
SAME_MOMENT = "Another value was stored at this very moment: look at the list, then send it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An item that the form asks for; `choices` are (value, label) beside no answer at all."""

    item: str
    label: str
    choices: tuple[tuple[str, str], ...]
    no_answer: str = "not asked"
    hint: str = ""

    @property
    def is_yes_no(self) -> bool:
        return self.choices == YES_NO


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryForm:
    """The form, with what was `sent` and refused because of `faults`."""

    bedside: tuple[Question, ...]
    questionnaire: tuple[Question, ...]
    judgement: tuple[Question, ...]
    sent: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """What one person entered at one time; `waiting` until a cycle has counted it."""

    at: datetime
    by: str
    items: tuple[tuple[str, str], ...]
    waiting: bool


def entry_form(
    sent: Mapping[str, str] | None = None, faults: tuple[str, ...] = (), stored: bool = False
) -> EntryForm:
    """The form: empty, or with what was sent and what is wrong with it."""
    levels = load().levels
    return EntryForm(
        bedside=(
            Question(item="supplemental_oxygen", label="Supplemental oxygen", choices=YES_NO,
                     no_answer="not known"),
            Question(item="consciousness", label="Consciousness", no_answer="not assessed",
                     choices=tuple((level.value, level.value) for level in Consciousness)),
        ),
        questionnaire=_questions(),
        judgement=(
            Question(item="assessed_condition", label="Assessed condition",
                     no_answer="not assessed", choices=tuple((level, level) for level in levels)),
            Question(item="spo2_scale", label="SpO2 scale", no_answer="as it is",
                     choices=(("1", "1"), ("2", "2")), hint=SCALE_HINT),
        ),
        sent=sent or {}, faults=faults, stored=stored,
    )


def given(sent: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in, for `EntryIn`: a form sends text alone, and '' for no answer."""
    answered = {item: value for item, value in sent.items() if value}
    if "spo2_scale" in answered:
        return {**answered, "spo2_scale": SCALES.get(sent["spo2_scale"], sent["spo2_scale"])}
    return answered


def faults(error: ValidationError | EntryInFutureError | EntryExists) -> tuple[str, ...]:
    """What is wrong with an entry, one sentence each."""
    if isinstance(error, ValidationError):
        return tuple(_fault(str(one["loc"][0]) if one["loc"] else None) for one in error.errors())
    return (SAME_MOMENT,) if isinstance(error, EntryExists) else (str(error.__doc__),)


def entry_lines(entries: Sequence[Entry], cutoff: datetime | None) -> tuple[EntryLine, ...]:
    """Entries of one person and one time on a line; a cycle counts those before its `cutoff`."""
    order = list(labels())
    return tuple(
        EntryLine(
            at=at, by=by, waiting=cutoff is None or at >= cutoff,
            items=tuple((labels().get(one.item, one.item), _value_text(one)) for one in sorted(
                together, key=lambda one: order.index(one.item) if one.item in order else -1)),
        )
        for (at, by), together in groupby(
            entries, key=lambda one: (one.effective_at, one.entered_by))
    )


@cache
def labels() -> dict[str, str]:
    """What each item is called, in the form's order."""
    form = entry_form()
    return {one.item: one.label
            for one in (*form.bedside, *form.questionnaire, *form.judgement)}


@cache
def _questions() -> tuple[Question, ...]:
    return tuple(Question(item=item, label=label, choices=YES_NO)
                 for one in load().inputs.values() if one.kind == "answers"
                 for item, label in zip(one.of, _question_labels(one), strict=True))


def _question_labels(asked: ProtocolInput) -> list[str]:
    """`Chest pain (any; at rest)` asks for `Chest pain: any` and `Chest pain: at rest`."""
    topic, _, parts = asked.label.removesuffix(")").partition(" (")
    return [f"{topic}: {part}" for part in parts.split("; ")] if parts else [topic]


def _fault(item: str | None) -> str:
    if item is None:
        return NOTHING_FILLED_IN
    if item in labels():
        return f"{labels()[item]}: choose one of the answers offered."
    return "The form sent a question that is not on it: open the page anew and fill it in again."


def _value_text(entry: Entry) -> str:
    return dict(YES_NO).get(entry.value, entry.value)
