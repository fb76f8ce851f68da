"""Home-monitoring protocols as data: one versioned JSON file each, read and checked here.

A rule set that is not usable raises `ProtocolError`, which names the file's place.

The file: `levels` from mildest to worst; `configuration` (named numbers that a rule's limit may
refer to); `inputs` (what a rule looks at, by kind, see `clinical.protocols.assess`); `rows` and
`derived_rows` (inputs in the order of the printed table); `rules`. A rule is reached when the
day's worst value of its input satisfies every bound it gives (`at_least`, `at_most`, `above`,
`below`). Its sentence may use {value}, {size}, {limit} and the bounds.
"""

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any

from clinical.errors import ProtocolError
from clinical.news2 import rounded

DEFAULT_PROTOCOL = "covid19-home-monitoring-1"

KINDS = ("vital", "answers", "change_from_day_before", "change_from_baseline", "rule_reached",
         "days_rule_reached")

_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt,
}
_WORST: Mapping[str, Callable[[tuple[float, ...]], float]] = {"lowest": min, "highest": max}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolInput:
    """What rules look at. `of` names what it is made from; `precision` is in decimals."""

    id: str
    kind: str
    label: str
    unit: str = ""
    precision: int = 0
    of: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """A value of this input as it is printed."""
        return _text(value, self.precision)


@lru_cache(maxsize=1 << 14)     # readings are few different numbers
def _text(value: float, precision: int) -> str:
    return f"{'−' if value < 0 else ''}{rounded(abs(value), precision)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: the level it gives when the day's worst value of its input is within bounds.

    A bound's limit is a number, or the name of a number in the protocol's configuration.
    """

    id: str
    input: str
    level: str
    worst: str
    bounds: Mapping[str, float | str]
    source: str
    sentence: str


@dataclass(frozen=True, kw_only=True)     # no slots: the tables below are made once
class Protocol:
    """A rule set. `configured` gives the same with other numbers in its configuration."""

    name: str
    version: str
    title: str
    source: str
    levels: tuple[str, ...]
    configuration: Mapping[str, float]
    inputs: Mapping[str, ProtocolInput]
    rows: tuple[str, ...]
    derived_rows: tuple[str, ...]
    rules: tuple[Rule, ...]

    def configured(self, **numbers: float) -> "Protocol":
        """This protocol with `numbers` in place of its own; unknown names are refused."""
        unknown = sorted(set(numbers) - set(self.configuration))
        if unknown:
            raise ProtocolError(f"{self.name} has no setting {', '.join(unknown)}; "
                                f"it has {', '.join(self.configuration)}")
        return replace(self, configuration={**self.configuration, **numbers})

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id."""
        return self._rules[rule_id]

    @cached_property
    def vitals(self) -> tuple[str, ...]:
        """The vitals whose readings it looks at."""
        return tuple(name for name, of in self.inputs.items() if of.kind == "vital")

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """The inputs that are read or asked, not derived from others."""
        return tuple(name for name, of in self.inputs.items() if of.kind in ("vital", "answers"))

    def reached(self, rule: Rule, values: tuple[float, ...]) -> float | None:
        """The worst of a day's values, one or more, where it reaches the rule; else None."""
        worst = _WORST[rule.worst](values)
        for holds, limit in self._bounds[rule.id]:
            if not holds(worst, limit):
                return None
        return worst

    def explain(self, rule: Rule, value: float) -> str:
        """The rule's sentence about `value`."""
        of = self.inputs[rule.input]
        return rule.sentence.format(value=of.text(value), size=of.text(abs(value)),
                                    **self._limit_texts[rule.id])

    @cached_property
    def _rules(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def _bounds(self) -> dict[str, list[tuple[Callable[[float, float], bool], float]]]:
        return {rule.id: [(_HOLDS[name], limit) for name, limit in self._limits(rule).items()]
                for rule in self.rules}

    def _limits(self, rule: Rule) -> dict[str, float]:
        """The rule's bounds as numbers, configuration filled in."""
        return {name: self.configuration[limit] if isinstance(limit, str) else limit
                for name, limit in rule.bounds.items()}

    @cached_property
    def _limit_texts(self) -> dict[str, dict[str, str]]:
        texts = {}
        for rule in self.rules:
            of, limits = self.inputs[rule.input], self._limits(rule)
            texts[rule.id] = {"limit": of.text(abs(next(iter(limits.values())))),
                              **{name: of.text(limit) for name, limit in limits.items()}}
        return texts


def available() -> tuple[str, ...]:
    """Names that `load` takes."""
    folder = files("clinical.protocols")
    return tuple(sorted(entry.name.removesuffix(".json") for entry in folder.iterdir()
                        if entry.name.endswith(".json")))


@cache
def load(name: str = DEFAULT_PROTOCOL) -> Protocol:
    """The protocol that comes with the package under `name`."""
    if name not in available():
        raise ProtocolError(f"no protocol {name!r}; there is {', '.join(available())}")
    return parse(files("clinical.protocols").joinpath(f"{name}.json").read_text("utf-8"))


def parse(text: str) -> Protocol:
    """A protocol from the text of its file, checked as a whole."""
    try:
        protocol = _protocol(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"not a protocol file: {type(error).__name__}: {error}") from error
    faults = [fault for rule in protocol.rules for fault in _faults(protocol, rule)]
    faults += [f"row {row!r} is no input" for row in protocol.rows + protocol.derived_rows
               if row not in protocol.inputs]
    faults += [f"input {one.id!r} has unknown kind {one.kind!r}"
               for one in protocol.inputs.values() if one.kind not in KINDS]
    faults = faults or [fault for rule in protocol.rules
                        for fault in _sentence_fault(protocol, rule)]
    if faults:
        raise ProtocolError(f"{protocol.name} {protocol.version}: " + "; ".join(faults))
    return protocol


def _protocol(raw: Mapping[str, Any]) -> Protocol:
    return Protocol(
        name=raw["name"], version=raw["version"], title=raw["title"], source=raw["source"],
        levels=tuple(raw["levels"]), configuration=raw["configuration"],
        inputs={key: ProtocolInput(**{"id": key, **one, "of": tuple(one.get("of", ()))})
                for key, one in raw["inputs"].items()},
        rows=tuple(raw["rows"]), derived_rows=tuple(raw["derived_rows"]),
        rules=tuple(_rule(one) for one in raw["rules"]),
    )


def _rule(raw: Mapping[str, Any]) -> Rule:
    bounds = {name: raw[name] for name in _HOLDS if name in raw}
    return Rule(bounds=bounds, **{key: raw[key] for key in raw if key not in bounds})


def _faults(protocol: Protocol, rule: Rule) -> list[str]:
    """What is wrong with a rule, each with what it should refer to."""
    checks = {
        f"unknown input {rule.input!r}": rule.input in protocol.inputs,
        f"unknown level {rule.level!r}": rule.level in protocol.levels,
        f"worst is {rule.worst!r}, not lowest or highest": rule.worst in _WORST,
        "no bound": bool(rule.bounds),
        "a bound names no setting": all(limit in protocol.configuration for limit
                                        in rule.bounds.values() if isinstance(limit, str)),
    }
    return [f"rule {rule.id!r}: {fault}" for fault, holds in checks.items() if not holds]


def _sentence_fault(protocol: Protocol, rule: Rule) -> list[str]:
    try:
        protocol.explain(rule, 1.0)
    except (KeyError, IndexError, ValueError) as error:
        return [f"rule {rule.id!r}: its sentence cannot be filled in ({error})"]
    return []
