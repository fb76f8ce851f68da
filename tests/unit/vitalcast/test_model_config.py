"""The model configuration is checked at the door."""

import json
from typing import Any

import pytest

from clinical.vitals import Vital
from vitalcast.errors import ConfigInvalid
from vitalcast.model_config import ModelConfig, parse_config


def test_an_empty_configuration_has_every_default() -> None:
    config = parse_config("{}")
    assert config == ModelConfig()
    assert (config.window_hours, config.horizon_hours, config.seasons) == (336, 24, (24,))


def test_a_member_is_switched_off_for_all_vitals() -> None:
    config = parse_config('{"members": {"tbats": false}}')
    assert "tbats" not in config.engine_config(Vital.HEART_RATE).members
    assert config.switched_off(Vital.SPO2) == ("tbats",)


def test_a_member_is_switched_off_for_one_vital() -> None:
    config = parse_config('{"members": {"theta": {"spo2": false}}}')
    assert "theta" not in config.engine_config(Vital.SPO2).members
    assert "theta" in config.engine_config(Vital.HEART_RATE).members


def test_a_selectable_member_is_switched_on() -> None:
    assert "mstl" not in ModelConfig().engine_config(Vital.SPO2).members
    config = parse_config('{"members": {"mstl": {"heart_rate": true}}}')
    assert "mstl" in config.engine_config(Vital.HEART_RATE).members
    assert "mstl" not in config.engine_config(Vital.SPO2).members


@pytest.mark.parametrize(("text", "says"), [
    ('{"windw_hours": 24}', "windw_hours.*Settable are members"),
    ('{"members": {"prophet": true}}', "there is no member 'prophet': known are arima"),
    ('{"members": {"ets": {"glucose": false}}}', "heart_rate"),
    ('{"horizon_hours": 0}', "horizon_hours"),
    ('{"horizon_hours": "soon"}', "horizon_hours"),
    ('{"seasons": []}', "seasons"),
    ('{"seasons": [168, 24]}', "seasons must rise"),
    ('{"fit_timeout_s": 0}', "fit_timeout_s"),
    ('{"search_every_hours": 0}', "search_every_hours"),
    ('{"drift_ratio": 0.5}', "drift_ratio"),
    ('{"window_hours": 48, "train_every_hours": 49}',
     "train_every_hours must not exceed window_hours: 48 or less, not 49"),
    ('{"engines": {"ets": "prophet"}}', "no engine 'prophet'"),
    ('{"seasons": [168], "window_hours": 24}',
     "window_hours must be at least twice the first of seasons: 336 for 168 h, not 24"),
    ('{"members": {"ets": "yes"}}', r"members\.ets"),
    ('{"members": {"ets": 1}}', r"members\.ets"),
    ('{"members": {"ets": {"spo2": "no"}}}', r"members\.ets"),
    ('{"horizon_hours": "1"}', "horizon_hours"),
    ('{"horizon_hours": true}', "horizon_hours"),
    ('{"fit_timeout_s": "60"}', "fit_timeout_s"),
    ('{"fit_timeout_s": true}', "fit_timeout_s"),
    ('{"stale_after_hours": 0}', "stale_after_hours"),
    ('{"horizon_hours": 12, "horizon_hours": 24}', "more than once: horizon_hours"),
    ('{"members": {"ets": true, "tbats": true, "ets": false}}', "more than once: ets"),
    ("not json", "Invalid JSON"),
    ("[]", "the whole"),
])
def test_a_fault_is_named_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigInvalid, match=says):
        parse_config(text)


def test_every_member_switched_off_is_refused() -> None:
    off = dict.fromkeys(ModelConfig().engine_config(Vital.SPO2).members, False)
    with pytest.raises(ConfigInvalid, match="no members"):
        parse_config(json.dumps({"members": off}))


def test_a_whole_number_of_seconds_is_a_number() -> None:
    assert parse_config('{"fit_timeout_s": 60}') == parse_config('{"fit_timeout_s": 60.0}')


def test_a_window_of_two_seasons_suffices() -> None:
    assert parse_config('{"window_hours": 48}').window_hours == 48


def test_a_window_that_does_not_show_the_week_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="window_hours must be at least 456 for seasons"):
        parse_config('{"seasons": [24, 168], "window_hours": 455}')
    assert parse_config('{"seasons": [24, 168], "window_hours": 456}').seasons == (24, 168)
    assert parse_config('{"seasons": [24, 168], "members": {"mstl": true}}').window_hours == 336


def test_the_hash_names_the_content_not_its_order() -> None:
    one = parse_config('{"window_hours": 240, "horizon_hours": 12}')
    two = parse_config('{"horizon_hours": 12, "window_hours": 240}')
    assert one.hash() == two.hash() != ModelConfig().hash()
    assert parse_config(one.text()) == one


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in ModelConfig.model_fields.values())


@pytest.mark.parametrize("change", [
    {"alert_threshold": 0.5}, {"train_every_hours": 1}, {"search_every_hours": 1},
    {"drift_ratio": 5.0}, {"stale_after_hours": 5}, {"fit_timeout_s": 5},
    {"members": {"ets": {"spo2": False}}}, {"engines": {"ets": "native"}},
])
def test_a_training_does_not_depend_on_the_rest(change: dict[str, Any]) -> None:
    changed = parse_config(json.dumps(change))
    assert changed.training_hash(Vital.HEART_RATE) == ModelConfig().training_hash(Vital.HEART_RATE)
    assert changed.hash() != ModelConfig().hash()


@pytest.mark.parametrize("change", [
    {"members": {"ets": False}}, {"engines": {"ets": "statsforecast"}}, {"window_hours": 240},
    {"seasons": [12]}, {"horizon_hours": 12}, {"members": {"ets": {"heart_rate": False}}},
])
def test_a_training_depends_on_what_is_fitted_to_what(change: dict[str, Any]) -> None:
    changed = parse_config(json.dumps(change))
    assert changed.training_hash(Vital.HEART_RATE) != ModelConfig().training_hash(Vital.HEART_RATE)
