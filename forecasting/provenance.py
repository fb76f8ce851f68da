"""Where a document comes from: code, libraries, configuration and seed."""

from dataclasses import dataclass

import numpy as np

from forecasting import statsforecast_fits
from forecasting.config import EngineConfig, config_hash
from forecasting.types import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the caller knows about the making of a document; the rest is found while fitting."""

    code_version: str
    seed: int = 0

    def told(self, config: EngineConfig, engine: str = "native") -> Values:
        """What documents made so say of their origin, but for the hash of their data."""
        versions = {"numpy": str(np.__version__)}
        if engine == "statsforecast":
            versions |= statsforecast_fits.library_versions()
        return {"code_version": self.code_version, "library_versions": versions,
                "config_hash": config_hash(config), "seed": self.seed}
