"""Every compiled path of the engine once, on a few generated hours: compiles what is not yet."""

from datetime import UTC, datetime

import numpy as np

from forecasting.config import LIGHT, EngineConfig
from forecasting.ensemble import Stored, forecast_panel
from forecasting.panel import Panel
from forecasting.policy import REFIT, SEARCH, Plan
from forecasting.provenance import Provenance
from forecasting.training import train_panel

SHARES: tuple[tuple[str, ...], ...] = (("arima", *LIGHT), ("ets", "tbats", "theta"))
"""Members in two shares of about equal compile time; what they share is compiled by both."""

_START = datetime(2026, 1, 5, tzinfo=UTC)
_HOURS = 24 * 6


def exercise(members: tuple[str, ...]) -> None:
    """Search, refit, weigh, update and forecast `members`, as jobs do."""
    config = EngineConfig(members=members)
    panel = Panel(start=_START, y=_generated(), config=config, vital=None)
    everyone, made_by = range(panel.series), Provenance(code_version="")
    plans = [{member: Plan(made_by=SEARCH) for member in members} for _ in everyone]
    for _ in range(2):
        trained = train_panel(panel, plans, given=[{} for _ in everyone],
                              absent=[{} for _ in everyone], provenance=made_by)
        plans = [{member: Plan(made_by=REFIT, document=document)
                  for member, document in each.members.items()} for each in trained]
    stored = [Stored(ensemble=each.ensemble, members=each.members, absent={})
              for each in trained if each.ensemble is not None]
    forecast_panel(panel, stored)


def _generated() -> np.ndarray:
    """Two days of different rhythm, with noise and a gap; shape (2, hours)."""
    rng, hours = np.random.default_rng(1), np.arange(_HOURS)
    y = 70 + 8 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 2, (2, _HOURS))
    y[:, 50:53] = np.nan
    return np.asarray(y)
