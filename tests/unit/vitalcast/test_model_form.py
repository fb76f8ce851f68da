"""The configuration as a form: there and back, and what an operator gets wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.vitals import FORECAST_VITALS, Vital
from forecasting.config import DEFAULT_MEMBERS, ENGINES, HEAVY, KNOWN_MEMBERS
from vitalcast.errors import ConfigInvalid
from vitalcast.model_config import ModelConfig, parse_config
from vitalcast.model_form import REST, engine_of, from_form, switch_of, to_form

SWITCHES = st.dictionaries(st.sampled_from(KNOWN_MEMBERS), st.one_of(
    st.booleans(),
    st.dictionaries(st.sampled_from(FORECAST_VITALS), st.booleans(), min_size=1)), max_size=6)
ENGINES_CHOSEN = st.dictionaries(st.sampled_from(HEAVY), st.sampled_from(ENGINES["arima"]))


def same(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether two configurations mean the same, whatever they spell out."""
    return all(one.training_hash(vital) == other.training_hash(vital)
               and one.switched_off(vital) == other.switched_off(vital)
               for vital in FORECAST_VITALS)


@given(SWITCHES, ENGINES_CHOSEN)
def test_what_is_shown_and_sent_back_means_the_same(
    members: dict[str, bool | dict[Vital, bool]], engines: dict[str, str]
) -> None:
    config = ModelConfig(members=members | {"profile": True}, engines=engines, window_hours=504)
    again = parse_config(from_form(to_form(config)))
    assert same(again, config) and again.window_hours == 504


def test_the_defaults_are_stored_as_nothing() -> None:
    assert from_form(to_form(ModelConfig())) == "{}"


def test_one_box_switches_one_member_off_for_one_vital() -> None:
    form = to_form(ModelConfig())
    del form[switch_of("theta", Vital.SPO2)]
    assert json.loads(from_form(form)) == {"members": {"theta": {"spo2": False}}}


def test_a_whole_row_is_one_switch() -> None:
    form = to_form(ModelConfig())
    form |= {switch_of("mstl", vital): "on" for vital in FORECAST_VITALS}
    for vital in FORECAST_VITALS:
        del form[switch_of("tbats", vital)]
    assert json.loads(from_form(form)) == {"members": {"mstl": True, "tbats": False}}


def test_an_engine_is_named_where_it_is_not_the_default() -> None:
    form = to_form(ModelConfig()) | {engine_of("ets"): "statsforecast"}
    assert json.loads(from_form(form)) == {"engines": {"ets": "statsforecast"}}


@pytest.mark.parametrize(("rest", "told"), [
    ("{", "no JSON"), ("[]", "one JSON object"), ('{"members": {}}', "in the table"),
    ('{"windw_hours": 3}', "windw_hours"), ('{"horizon_hours": 0}', "horizon_hours"),
])
def test_what_is_wrong_is_told(rest: str, told: str) -> None:
    with pytest.raises(ConfigInvalid, match=told):
        from_form(to_form(ModelConfig()) | {REST: rest})


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="no engine"):
        from_form(to_form(ModelConfig()) | {engine_of("ets"): "magic"})


def test_no_member_at_all_is_refused() -> None:
    form = to_form(ModelConfig())
    for member in DEFAULT_MEMBERS:
        del form[switch_of(member, Vital.SPO2)]
    with pytest.raises(ConfigInvalid, match="no members"):
        from_form(form)
