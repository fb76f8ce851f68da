"""Check the model configuration and keep this version of it, before anything is done with it."""

from clinical.vitals import FORECAST_VITALS
from registry.database import transaction
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
    return config.hash()


def stored_config(system: System, config_hash: str) -> ModelConfig:
    """The configuration with this hash. ConfigInvalid when it was never stored."""
    with transaction(system.engine) as conn:
        text = load_config(conn, config_hash)
    if text is None:
        raise ConfigInvalid(f"no model configuration {config_hash[:12]} is stored: run the task "
                            "that reads the configuration first")
    return parse_config(text)
