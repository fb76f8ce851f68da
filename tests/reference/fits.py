"""One series at a time through the native members, as tests of kernels like it."""

from forecasting.native import NATIVE
from forecasting.types import Fitted, FloatArray, Model


def fitted(member: str, y: FloatArray, *seasons: int) -> Fitted:
    """The member fitted to `y` (n,), its structure searched."""
    native = NATIVE[member]
    return native.to_model(native.search(y[None], seasons), 0)


def refitted(member: str, y: FloatArray, model: Model, *seasons: int) -> Fitted:
    """The model fitted anew to `y` (n,), its structure kept."""
    native = NATIVE[member]
    return native.to_model(native.refit(y[None], native.stack([native.to_row(model)]), seasons), 0)
