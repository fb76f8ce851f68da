"""Check the model configuration and keep this version of it, before anything is done with it."""

from typing import Any

import orjson

from clinical.vitals import FORECAST_VITALS
from registry.database import Connection, transaction
from registry.event_reading import last_config
from registry.event_words import OTHER, WORDS
from registry.events import Event, record
from registry.models import load_config, save_config
from vitalcast.errors import ConfigInvalid
from vitalcast.model_config import ModelConfig, parse_config
from vitalcast.wiring import System


def use_config(system: System, text: str) -> str:
    """Store a configuration and return its hash. ConfigInvalid when it has faults.

    What the training of each vital depends on is stored too, under the hash that fits name.
    """
    config = parse_config(text)
    with transaction(system.engine) as conn:
        save_config(conn, config.hash(), config.text())
        for vital in FORECAST_VITALS:
            save_config(conn, config.training_hash(vital), config.training_text(vital))
        _tell_change(conn, config)
    return config.hash()


def _tell_change(conn: Connection, config: ModelConfig) -> None:
    """Leave an event where another configuration was used last, with the keys that differ."""
    number, earlier = last_config(conn)
    if earlier == config.hash():
        return
    data: dict[str, Any] = {"config_hash": config.hash(), "changed": changed_keys(
        load_config(conn, earlier) if earlier else None, config.text())}
    if earlier:
        data["earlier_hash"] = earlier
    record(conn, [Event(kind="config.changed", data=data, once=f"after {number}")])


def changed_keys(earlier: str | None, text: str) -> list[str]:
    """Which keys two configurations have not alike; none where there was none before."""
    if earlier is None:
        return []
    before, now = orjson.loads(earlier), orjson.loads(text)
    return sorted({key if key in WORDS else OTHER for key in before.keys() | now.keys()
                   if before.get(key) != now.get(key)})


def stored_config(system: System, config_hash: str) -> ModelConfig:
    """The configuration with this hash. ConfigInvalid when it was never stored."""
    with transaction(system.engine) as conn:
        text = load_config(conn, config_hash)
    if text is None:
        raise ConfigInvalid(f"no model configuration {config_hash[:12]} is stored: run the task "
                            "that reads the configuration first")
    return parse_config(text)
