from dataclasses import replace
from typing import Any

import pytest

from forecasting.config import BUCKETS, KNOWN_MEMBERS, EngineConfig, config_hash
from forecasting.members import LIBRARY_FITTERS
from forecasting.native import NATIVE
from forecasting.recursions import MEMBERS
from forecasting.types import ConfigError
from forecasting.weights import FLAT_PRIOR, RHYTHMIC_PRIOR


@pytest.mark.parametrize(("change", "said"), [
    ({"members": ("arima", "prophet")}, "no member 'prophet': known are arima, ets"),
    ({"members": ()}, "no members"),
    ({"members": ("ets", "ets")}, "twice"),
    ({"engines": {"mstl": "native"}}, "choose of statsforecast"),
    ({"engines": {"prophet": "native"}}, "a known member"),
    ({"horizon": 0}, "horizon must be a whole number from 1"),
    ({"horizon": True}, "horizon"),
    ({"horizon": 24.0}, "horizon"),
    ({"seasons": ()}, "seasons is empty"),
    ({"seasons": (168, 24)}, "must rise"),
    ({"levels": (80, 80)}, "must rise"),
    ({"levels": (100,)}, "levels"),
    ({"calibration_hours": -1}, "calibration_hours"),
    ({"calibration_hours": 169}, "calibration_hours"),
    ({"min_observed": 0}, "min_observed"),
    ({"shrinkage": float("nan")}, "shrinkage"),
])
def test_what_cannot_be_meant_is_refused_with_what_to_do(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        EngineConfig(**change)


def test_every_known_member_can_be_fitted_and_weighed() -> None:
    config = EngineConfig(members=KNOWN_MEMBERS)
    assert set(MEMBERS) == set(FLAT_PRIOR) == set(RHYTHMIC_PRIOR) == set(KNOWN_MEMBERS)
    fitters = {"native": {*NATIVE}, "statsforecast": {*LIBRARY_FITTERS}}
    assert all(member in fitters[config.engine(member)] for member in KNOWN_MEMBERS)
    assert all(len(weights) == len(BUCKETS)
               for prior in (FLAT_PRIOR, RHYTHMIC_PRIOR) for weights in prior.values())


def test_hash_follows_the_content() -> None:
    config = EngineConfig()
    assert config_hash(config) == config_hash(EngineConfig())
    assert config_hash(config) != config_hash(replace(config, horizon=48))
