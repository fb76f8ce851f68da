"""The model configuration as a form: a switch for each member and vital, the rest as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from clinical.vitals import FORECAST_VITALS, Vital
from forecasting.config import DEFAULT_MEMBERS, ENGINES, KNOWN_MEMBERS
from vitalcast.errors import ConfigInvalid
from vitalcast.model_config import ModelConfig, parse_config

REST = "rest"
"""The field that holds everything but members and engines."""


def switch_of(member: str, vital: Vital) -> str:
    """Name of the check box that switches a member on for a vital."""
    return f"on:{member}:{vital.value}"


def engine_of(member: str) -> str:
    """Name of the choice of a member's engine."""
    return f"engine:{member}"


def to_form(config: ModelConfig) -> dict[str, str]:
    """The fields of the form as a browser would send them back unchanged."""
    on = {switch_of(member, vital): "on" for member in KNOWN_MEMBERS
          for vital in FORECAST_VITALS if config.is_on(member, vital)}
    engines = {engine_of(member): config.engines.get(member, ENGINES[member][0])
               for member in KNOWN_MEMBERS}
    rest = config.model_dump(mode="json", exclude_defaults=True, exclude={"members", "engines"})
    return {**on, **engines, REST: json.dumps(rest, indent=2)}


def from_form(sent: Mapping[str, str]) -> str:
    """The configuration as JSON that says no more than what differs from the defaults.

    Raises ConfigInvalid with every fault.
    """
    switches = {member: _switch(member, sent) for member in KNOWN_MEMBERS}
    engines = {member: sent.get(engine_of(member), ENGINES[member][0]) for member in KNOWN_MEMBERS}
    return parse_config(json.dumps({
        **_rest(sent.get(REST, "")),
        "members": {member: switch for member, switch in switches.items() if switch is not None},
        "engines": {member: engine for member, engine in engines.items()
                    if engine != ENGINES[member][0]},
    })).model_dump_json(exclude_defaults=True)


def _switch(member: str, sent: Mapping[str, str]) -> bool | dict[str, bool] | None:
    """What differs from the default; None when nothing does."""
    usual = member in DEFAULT_MEMBERS
    other = [vital.value for vital in FORECAST_VITALS
             if (switch_of(member, vital) in sent) is not usual]
    if len(other) == len(FORECAST_VITALS):
        return not usual
    return dict.fromkeys(other, not usual) or None


def _rest(text: str) -> dict[str, Any]:
    try:
        rest = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ConfigInvalid(f"the other settings are no JSON: {error}") from None
    if not isinstance(rest, dict) or {"members", "engines"} & rest.keys():
        raise ConfigInvalid("the other settings must be one JSON object without members and "
                            "engines: those are switched in the table")
    return rest
