"""One series at a time, as tests like it; jobs work on panels."""

from collections.abc import Mapping
from datetime import datetime

from clinical.vitals import VitalSpec
from forecasting import stacks
from forecasting.config import EngineConfig
from forecasting.documents import Document
from forecasting.native import NATIVE
from forecasting.panel import Panel
from forecasting.provenance import Provenance
from forecasting.types import FitRefused, Fitted, FloatArray, Model
from forecasting.weighing import weigh_panel


def fitted(member: str, y: FloatArray, *seasons: int) -> Fitted:
    """The member fitted to `y` (n,), its structure searched."""
    native = NATIVE[member]
    return native.to_model(native.search(y[None], seasons), 0)


def refitted(member: str, y: FloatArray, model: Model, *seasons: int) -> Fitted:
    """The model fitted anew to `y` (n,), its structure kept."""
    native = NATIVE[member]
    return native.to_model(native.refit(y[None], native.stack([native.to_row(model)]), seasons), 0)


def fit_ensemble(documents: Mapping[str, Document], y: FloatArray, *, start: datetime,
                 config: EngineConfig, vital: VitalSpec | None, provenance: Provenance,
                 absent: Mapping[str, str] | None = None) -> Document:
    """The ensemble of the members' documents, weighed on the window `y` (n,) from `start` on."""
    if not documents:
        raise FitRefused(f"no member could be fitted: {absent}")
    panel = Panel(start=start, y=y[None], config=config, vital=vital)
    models = [stacks.of_fitted_states(name, {0: documents[name]}, start)
              for name in config.members if name in documents]
    return weigh_panel(panel, models, absent=[absent or {}], provenance=provenance)[0]
